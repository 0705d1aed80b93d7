"""A fine-tuning API of our own: files and jobs as OpenAI has them, trained on this machine."""
