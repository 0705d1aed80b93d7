"""Measure what makes a language model do your task, and why.

The package keeps its top level light: nothing heavy is imported until it is used.
"""

__version__ = "0.1.0"
