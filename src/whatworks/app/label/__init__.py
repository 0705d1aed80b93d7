"""Labelling: a person says which of two arms' answers is better; see ``docs/label.md``."""
