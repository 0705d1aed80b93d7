"""Material in natural English for models that read it: written by this project, drawn by seed.

Each module draws rows of one kind. The same (count, seed) gives the same rows, no text twice. Where
wordings come from a list, those of test are not those of train (``wordings.part_wordings``).
"""
