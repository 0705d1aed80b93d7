"""Names and numbers in an answer that its passages do not hold: made up, or from memory. Pure."""

from __future__ import annotations

import re

from whatworks.metrics.names_and_numbers import find_entities

_OPENERS = re.compile(
    r"(?:an?|and|as|at|but|by|for|from|he|his|her|i|if|in|is|it|its|my|no|not|of|on|or|our|she|so"
    r"|that|the|their|there|they|this|to|was|we|were|yes|you|your|who|what|when|where|which)",
    re.IGNORECASE,
)


def find_unsupported(answer: str, source: str) -> list[str]:
    """The names and numbers of the answer that the source text lacks, in order.

    Names are words with a capital or a digit; the first word of an answer is one unless it is a
    function word. An answer that says a true thing of its own knowledge is unsupported too.

    Args:
        answer: What the model said.
        source: Everything that it was shown: passages and question.
    """
    known = source.casefold()
    # A word before it, so that a short answer's only word is not taken for a sentence's beginning.
    named = find_entities(f"says {answer.strip()}", source)
    return [one for one in named if not _OPENERS.fullmatch(one) and one.casefold() not in known]
