"""Prompts and the one renderer; a candidate is a prompt, weights and decoding."""
