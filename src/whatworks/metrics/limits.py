"""What one score may take: characters of an answer, and seconds.

A model that has come apart writes a thousand brackets or the same line without end. Every pattern
and parser here is meant to be linear in that; these limits hold where one is not, or where the
function is a user's own.
"""

from __future__ import annotations

from whatworks.data.task import Example

LONGEST = 100_000
"""Characters of an answer that are read; a row with a longer target allows twice its length."""


def limit_characters(example: Example) -> int:
    """Characters of an answer to this example that are read."""
    return max(LONGEST, 2 * len(example.target))
