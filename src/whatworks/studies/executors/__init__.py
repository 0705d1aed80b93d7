"""Executors: who makes the units of a study, beside or instead of the process that runs it."""
