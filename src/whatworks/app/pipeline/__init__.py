"""Runs in continuous integration: conditions, JUnit XML, a summary in Markdown."""
