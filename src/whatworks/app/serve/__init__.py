"""Serving: a model, or a finished study's arm, behind OpenAI's protocol; see ``docs/serve.md``."""
