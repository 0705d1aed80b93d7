"""The chosen arm of a finished study, written for use elsewhere."""
