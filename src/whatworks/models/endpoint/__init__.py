"""The engine for an OpenAI-compatible server."""
