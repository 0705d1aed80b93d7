"""The text of single tokens, blanks at their beginning included.

Many decoders drop a blank at the beginning of a text, and so of a token that is decoded alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class PieceReader:
    """The text of tokens, each as it stands behind another one.

    Args:
        tokenizer: A ``PreTrainedTokenizerBase``.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._anchor: list[int] = list(tokenizer("a", add_special_tokens=False)["input_ids"])[-1:]
        self._before = str(tokenizer.decode(self._anchor))

    def read(self, token: int) -> str:
        """What a token adds to a text that goes on."""
        text = str(self._tokenizer.decode([*self._anchor, token]))
        if self._before and text.startswith(self._before):
            return text[len(self._before) :]
        return str(self._tokenizer.decode([token]))

    def find_lead(self, token: int) -> str:
        """The blank that is dropped where a text begins with this token."""
        alone = str(self._tokenizer.decode([token]))
        return " " if self.read(token) == f" {alone}" else ""

    def read_all(self, ids: Sequence[int]) -> list[str]:
        """The pieces of a text; the first as a text begins with it."""
        first = [str(self._tokenizer.decode([token])) for token in ids[:1]]
        return first + [self.read(token) for token in ids[1:]]
