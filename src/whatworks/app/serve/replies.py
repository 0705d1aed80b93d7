"""Replies in the protocol's shapes: answers whole or in pieces, counts, log-probabilities."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from whatworks.models.engine import Generation, Token


class ReplyWriter:
    """Writes the answers to one request, whole or in pieces.

    Args:
        kind: ``chat.completion`` or ``text_completion``.
        model: The served name.
    """

    def __init__(self, kind: str, model: str) -> None:
        self._chat = kind.startswith("chat")
        self._kind = kind
        self._head = {
            "id": f"{'chatcmpl' if self._chat else 'cmpl'}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
        }

    @property
    def continues(self) -> bool:
        """Whether answers go on where a plain text ends, blanks and all."""
        return not self._chat

    def whole(self, choices: Sequence[dict[str, Any]], usage: dict[str, int]) -> dict[str, Any]:
        """All choices with the counts."""
        return {**self._head, "object": self._kind, "choices": list(choices), "usage": usage}

    def choice(
        self, at: int, generation: Generation, logprobs: dict[str, Any] | None, before: str = ""
    ) -> dict[str, Any]:
        """One finished answer; ``before`` is what it echoes."""
        content: dict[str, Any] = {"text": before + generation.text}
        if self._chat:
            thoughts = generation.reasoning
            own = {"reasoning_content": thoughts} if thoughts else {}
            message = {"role": "assistant", "content": generation.text, "refusal": None, **own}
            content = {"message": message}
        end = {"finish_reason": generation.finish, "logprobs": logprobs}
        return {"index": at, **content, **end}

    def piece(
        self,
        at: int,
        text: str,
        finish: str | None = None,
        logprobs: dict[str, Any] | None = None,
        *,
        first: bool = False,
    ) -> dict[str, Any]:
        """Part of an answer in a stream."""
        delta: dict[str, Any] = {"text": text}
        if self._chat:
            role = {"role": "assistant"} if first else {}
            delta = {"delta": {**role, **({"content": text} if text or first else {})}}
        head = {**self._head, "object": self._kind + (".chunk" if self._chat else "")}
        end = {"finish_reason": finish, "logprobs": logprobs}
        return {**head, "choices": [{"index": at, **delta, **end}]}

    def counts(self, usage: dict[str, int]) -> dict[str, Any]:
        """The last part of a stream that was asked for counts."""
        head = {**self._head, "object": self._kind + (".chunk" if self._chat else "")}
        return {**head, "choices": [], "usage": usage}


def count_usage(generations: Sequence[Generation]) -> dict[str, int]:
    """The protocol's counts."""
    read = sum(g.prompt_tokens for g in generations)
    written = sum(g.completion_tokens for g in generations)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def format_chat_logprobs(tokens: Sequence[Token]) -> dict[str, Any]:
    """Log-probabilities as chat completions have them; the end token is no part of the text."""
    cuts = [len(token.lead) for token in tokens]
    entries = [
        {
            **_format_token(token.text[cut:], token.logprob),
            "top_logprobs": [
                _format_token(text[cut:] if text[:1] == " " else text, chance)
                for text, chance in token.tops
            ],
        }
        for token, cut in zip(tokens, cuts, strict=True)
        if token.text[cut:]
    ]
    return {"content": entries, "refusal": None}


def _format_token(text: str, chance: float) -> dict[str, Any]:
    return {"token": text, "logprob": chance, "bytes": list(text.encode())}


def format_text_logprobs(
    texts: Sequence[str],
    values: Sequence[float | None],
    tokens: Sequence[Token] = (),
    echoed: Sequence[tuple[str, float] | None] = (),
) -> dict[str, Any]:
    """Log-probabilities as text completions have them.

    Args:
        texts: The tokens, those of an echoed prompt first.
        values: Theirs; None for the first of a prompt.
        tokens: Those that were drawn, with what was likeliest in their places.
        echoed: What was likeliest in the places of the prompt's tokens.
    """
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts))]
    tops = [None if v is None else {t: v} for t, v in zip(texts, values, strict=True)]
    for at, top in enumerate(echoed):
        if top is not None:
            # Where two tokens have one text, the likelier one counts.
            tops[at] = {**(tops[at] or {}), top[0]: top[1]}
    for at, token in enumerate(tokens, start=len(texts) - len(tokens)):
        tops[at] = {**dict(reversed(token.tops)), token.text: token.logprob}
    return {
        "tokens": list(texts),
        "token_logprobs": list(values),
        "top_logprobs": tops,
        "text_offset": offsets,
    }
