"""The protocol's shapes: requests checked, replies and errors written.

What would change the answer and is not supported is refused by name, not ignored: an answer that
leaves out what was asked for looks like one that keeps to it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from whatworks.app.serve.neutral_fields import drop_from_message, drop_neutral_fields
from whatworks.base.errors import WhatworksError
from whatworks.data.task import Message
from whatworks.models.constraint import Constraint, make_constraint
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, Token


class RequestRefusal(Exception):
    """A request that is not answered.

    Args:
        message: Why.
        status: HTTP status.
        kind: OpenAI's ``type``.
        code: OpenAI's ``code``.
        param: The field at fault.
        headers: Further headers of the reply.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(_Shape):
    """A piece of a message's content."""

    type: Literal["text"]
    text: str


class ChatTurn(_Shape):
    """A message."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    name: str | None = None

    _drop = model_validator(mode="before")(drop_from_message)

    @property
    def message(self) -> Message:
        """The message as ours."""
        content = self.content or ""
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        return Message(role=role, content=text)


class _Drawing(_Shape):
    """What chat and text completions share."""

    model: str
    max_tokens: int | None = Field(default=None, ge=0)
    temperature: float | None = Field(default=None, ge=0.0, le=5.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    n: int = Field(default=1, ge=1, le=128)
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None

    _drop = model_validator(mode="before")(drop_neutral_fields)

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with the counts."""
        return bool((self.stream_options or {}).get("include_usage"))

    def constraint(self) -> Constraint | None:
        """The form asked for.

        Raises:
            Refusal: If it cannot be used.
        """
        if not self.structured_outputs:
            return None
        names = {"choice": "choices", "regex": "regex", "grammar": "lark", "json": "json_schema"}
        fields = {names.get(kind, kind): value for kind, value in self.structured_outputs.items()}
        return _read_form(fields, "structured_outputs")

    def over(self, decoding: Decoding, limit: int | None) -> Decoding:
        """The decoding with what the request says in its place; the seed is the request's own."""
        settings: dict[str, Any] = {"temperature": self.temperature, "top_p": self.top_p}
        settings["max_tokens"] = limit
        if self.stop is not None:
            settings["stop"] = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        settings["constraint"] = self.constraint()
        present = {name: value for name, value in settings.items() if value is not None}
        return decoding.replace(**present, seed=0)


class ChatRequest(_Drawing):
    """``POST /v1/chat/completions``."""

    messages: list[ChatTurn] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    response_format: dict[str, Any] | None = None

    def constraint(self) -> Constraint | None:
        """The form asked for, in either place."""
        response_form = self.response_format or {"type": "text"}
        if response_form.get("type") == "json_object":
            return Constraint.of_schema({"type": "object"})
        if response_form.get("type") == "json_schema":
            described = response_form.get("json_schema")
            schema = described.get("schema") if isinstance(described, dict) else None
            return _read_form({"json_schema": schema}, "response_format")
        if response_form.get("type") != "text":
            raise RequestRefusal(
                f"unknown response format {response_form.get('type')!r}", param="response_format"
            )
        return super().constraint()


class TextRequest(_Drawing):
    """``POST /v1/completions``."""

    prompt: str | list[int] | list[str] | list[list[int]]
    echo: bool = False
    logprobs: int | None = Field(default=None, ge=0, le=1)

    @property
    def prompts(self) -> list[str | list[int]]:
        """One or several prompts, each a text or tokens."""
        if isinstance(self.prompt, str):
            return [self.prompt]
        tokens = [one for one in self.prompt if isinstance(one, int)]
        return [tokens] if tokens else [one for one in self.prompt if not isinstance(one, int)]


class TokenizeRequest(_Shape):
    """``POST /tokenize``, as vLLM has it."""

    model: str | None = None
    messages: list[ChatTurn] | None = Field(default=None, min_length=1)
    prompt: str | None = None
    add_generation_prompt: bool = True
    add_special_tokens: bool = False


def _read_form(asked: dict[str, Any], param: str) -> Constraint:
    """The form that a request spells out; a file of this machine is none of its business."""
    if len(asked) != 1:
        raise RequestRefusal("one form at a time", param=param)
    try:
        return make_constraint(*next(iter(asked.items())))
    except WhatworksError as error:
        raise RequestRefusal(str(error), param=param) from error


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
    entries = [
        {"token": t.text, "logprob": t.logprob, "bytes": list(t.text.encode()), "top_logprobs": []}
        for t in tokens
        if t.text
    ]
    return {"content": entries, "refusal": None}


def format_text_logprobs(texts: Sequence[str], values: Sequence[float | None]) -> dict[str, Any]:
    """Log-probabilities as text completions have them."""
    offsets = [sum(map(len, texts[:at])) for at in range(len(texts))]
    tops = [None if v is None else {t: v} for t, v in zip(texts, values, strict=True)]
    return {
        "tokens": list(texts),
        "token_logprobs": list(values),
        "top_logprobs": tops,
        "text_offset": offsets,
    }
