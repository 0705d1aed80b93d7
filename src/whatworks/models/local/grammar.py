"""Constraints token by token, by llguidance (https://github.com/guidance-ai/llguidance).

A matcher follows one answer; before each token it says which tokens may come next, as a bit mask.
The numpy masks are used: the library's torch path compiles for seconds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whatworks.base.errors import ArmFailure, InputError, get_first_line
from whatworks.models import chat_templates as templates
from whatworks.models import patterns
from whatworks.models.constraint import INSTALL, Constraint
from whatworks.models.json_schema import Schema

if TYPE_CHECKING:
    import torch

    from whatworks.models.local.request import RequestRow


class Grammars:
    """Compiled constraints for one tokenizer and its chat template.

    Args:
        tokenizer: One that ``templates.use`` returned.
        size: Width of the model's logits.
        ends: Tokens that end an answer.

    Raises:
        InputError: If llguidance is missing, or cannot use the tokenizer.
    """

    def __init__(self, tokenizer: Any, size: int, ends: Collection[int]) -> None:
        try:
            from llguidance.hf import from_tokenizer
        except ModuleNotFoundError as error:
            raise InputError("constrained decoding needs llguidance", remedy=INSTALL) from error
        if not ends:
            raise InputError(
                "constrained decoding needs an end token, and the tokenizer has none",
                remedy="choose a chat template whose end token the tokenizer knows",
            )
        self._size = max(size, len(tokenizer))
        try:
            self._tokens = from_tokenizer(tokenizer, n_vocab=self._size, eos_token=sorted(ends))
        except ValueError as error:
            raise InputError(
                f"llguidance cannot use the tokenizer: {error}",
                remedy="leave `constraint` out for this model",
            ) from error
        self._lead = templates.find_ending(tokenizer).lead
        self._compiled: dict[str, Any] = {}

    def matcher(self, constraint: Constraint) -> Any:
        """A fresh matcher of an answer under a constraint.

        Raises:
            InputError: If the constraint cannot be compiled.
        """
        if constraint.key not in self._compiled:
            self._compiled[constraint.key] = _compile_matcher(
                self._tokens, constraint.lark(self._lead)
            )
        return self._compiled[constraint.key].deep_copy()

    def allow(self, rows: Sequence[RequestRow], logits: torch.Tensor) -> torch.Tensor:
        """Which tokens each row may write next; all of them for a finished row.

        Args:
            rows: The requests, each with a matcher of this class.
            logits: [rows, vocabulary]; only shape and device count.

        Returns:
            Booleans [rows, vocabulary].
        """
        import numpy as np
        import torch
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

        bits = allocate_token_bitmask(len(rows), self._size)
        for at, row in enumerate(rows):
            if row.finish is None:
                fill_next_token_bitmask(row.matcher, bits, at)
        flags = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")
        return torch.from_numpy(flags[:, : logits.shape[-1]].astype(bool)).to(logits.device)


def advance(row: RequestRow, token: int) -> None:
    """Tell a row's matcher what was written.

    Raises:
        ArmFailure: If the matcher gave up: the grammar is too complex.
    """
    if not row.matcher.consume_token(token):
        raise ArmFailure(
            f"the constraint could not be followed: {get_first_line(row.matcher.get_error())}",
            remedy="write a simpler grammar or schema",
        )


def is_allowed(constraint: Constraint, text: str) -> bool:
    """Whether a finished answer has the form; in time linear in it, whatever the expression.

    Raises:
        InputError: If the grammar cannot be read, or an expression needs more than linear time
            (look-around, back references).
    """
    if constraint.kind == "choices":
        return text.strip() in constraint.choices
    if constraint.kind == "regex":
        whole = patterns.is_whole(constraint.text, text.strip())
        return is_match(constraint.lark(), text.strip()) if whole is None else whole
    if constraint.kind == "json_schema":
        try:
            return not Schema(constraint.contents).errors(json.loads(text))
        except ValueError:
            return False
    return is_match(constraint.lark(), text.strip())


def is_match(lark: str, text: str) -> bool:
    """Whether a whole text is one of a grammar.

    Raises:
        InputError: If llguidance is missing, or the grammar cannot be compiled.
    """
    matcher = _compile_for_bytes(lark).deep_copy()
    written = list(text.encode("utf-8", "replace"))
    return matcher.try_consume_tokens(written) == len(written) and bool(matcher.is_accepting())


@lru_cache(maxsize=16)
def _compile_for_bytes(lark: str) -> Any:
    try:
        from llguidance import LLTokenizer
    except ModuleNotFoundError as error:
        raise InputError("checking against a grammar needs llguidance", remedy=INSTALL) from error
    return _compile_matcher(LLTokenizer("byte"), lark)


def _compile_matcher(tokens: Any, lark: str) -> Any:
    from llguidance import LLMatcher

    matcher = LLMatcher(tokens, LLMatcher.grammar_from_lark(lark), log_level=0)
    if matcher.is_error():
        raise InputError(
            f"the constraint cannot be compiled: {get_first_line(matcher.get_error())}",
            remedy="see llguidance's documentation of JSON Schema, regex and Lark grammars",
        )
    return matcher
