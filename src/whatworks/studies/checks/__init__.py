"""Checks of a study before it runs."""
