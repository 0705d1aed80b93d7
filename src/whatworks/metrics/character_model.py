"""A small language model of characters: interpolated Kneser-Ney (Kneser and Ney 1995).

As in Chen and Goodman 1999, section 2.7, with one discount per order, estimated as
n1 / (n1 + 2 n2) (Ney, Essen and Kneser 1994). Characters rather than words, so that a few hundred
sentences are enough and no word is unknown. The Python packages at hand either only read models
that a C++ program has trained (kenlm) or are slow and bring a whole toolkit (nltk).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

START, END = "\x02", "\x03"


class CharacterModel:
    """P(character | the ``order - 1`` before it), trained on texts.

    Args:
        texts: What to learn from; at least one that is not empty.
        order: Length of the longest sequence counted.
    """

    def __init__(self, texts: Iterable[str], order: int = 5) -> None:
        self.order = order
        self.characters = {END}
        # counts[n][context]: what follows a context of n characters. Below the longest order, how
        # many different characters came before the sequence, instead of how often it occurred.
        follow: list[defaultdict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for text in texts:
            padded = START * (order - 1) + text + END
            self.characters.update(text)
            for end in range(order - 1, len(padded)):
                follow[-1][padded[end - order + 1 : end]][padded[end]] += 1
        for n in range(order - 1, 0, -1):
            for context, after in follow[n].items():
                for character in after:
                    follow[n - 1][context[1:]][character] += 1
        self._follow = [dict(counts) for counts in follow]
        self._totals = [{c: after.total() for c, after in counts.items()} for counts in follow]
        self._discounts = [_estimate_discount(counts.values()) for counts in follow]

    def probability(self, character: str, context: str) -> float:
        """P(character | context); characters never seen share the place of one."""
        known = 1 / (len(self.characters) + 1)
        context = (START * (self.order - 1) + context)[len(context) :]
        for n in range(self.order):
            history = context[len(context) - n :]
            after = self._follow[n].get(history)
            if after is None:
                break
            total, discount = self._totals[n][history], self._discounts[n]
            backoff = discount * len(after) / total
            known = max(after[character] - discount, 0.0) / total + backoff * known
        return known

    def bits(self, text: str) -> float:
        """Bits per character of a text, its end included: log2 of the perplexity."""
        padded = START * (self.order - 1) + text + END
        size = self.order - 1
        spent = 0.0
        for end in range(size, len(padded)):
            spent -= math.log2(self.probability(padded[end], padded[end - size : end]))
        return spent / (len(text) + 1)


def _estimate_discount(counters: Iterable[Counter[str]]) -> float:
    once = twice = 0
    for counter in counters:
        for count in counter.values():
            once += count == 1
            twice += count == 2
    # Neither 0 nor 1, so that every sequence keeps something and every context leaves something.
    return min(0.95, max(0.05, once / (once + 2 * twice) if once else 0.0))
