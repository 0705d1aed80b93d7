"""Watching: a page that shows a study while it runs; see ``docs/watch.md``."""
