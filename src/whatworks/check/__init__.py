"""Checks of a study's data before anything runs."""
