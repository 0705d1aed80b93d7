"""The engine for a model in this process, by transformers."""
