"""The protocol's requests, checked, and its errors.

What would change the answer and is not supported is refused by name, not ignored: an answer that
leaves out what was asked for looks like one that keeps to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from whatworks.app.serve.neutral_fields import drop_from_message, drop_neutral_fields
from whatworks.app.serve.token_rules import MOST_ALTERNATIVES, RuleFields
from whatworks.app.serve.tools import Choice, Tool, build_form, read_arguments
from whatworks.base.errors import WhatworksError
from whatworks.data.formats.base import RowProblem
from whatworks.data.formats.turns import read_turn
from whatworks.data.task import Message
from whatworks.models.constraint import Constraint, make_constraint
from whatworks.models.decoding import Decoding
from whatworks.models.request_templates import RESERVED

FORM_TOKENS = 1024
"""Most tokens of an answer in a form that the request brings, where it names no number."""


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
    tool_calls: list[dict[str, Any]] = []
    tool_call_id: str | None = None

    _drop = model_validator(mode="before")(drop_from_message)

    @property
    def text(self) -> str:
        """What is said."""
        content = self.content or ""
        return content if isinstance(content, str) else "".join(part.text for part in content)

    @property
    def message(self) -> Message:
        """The message as ours; calls of tools are JSON text, as data have them.

        Raises:
            RequestRefusal: If the calls cannot be read.
        """
        role = "system" if self.role == "developer" else self.role
        if not self.tool_calls:
            return Message(role=role, content=self.text)
        try:
            return read_turn({"role": role, "content": self.text, "tool_calls": self.tool_calls})
        except RowProblem as problem:
            raise RequestRefusal(str(problem), param="messages") from problem

    @property
    def for_template(self) -> dict[str, Any]:
        """The message as chat templates have it, which show calls and results themselves."""
        turn: dict[str, Any] = {"role": self.message.role, "content": self.text}
        named = {"name": self.name, "tool_call_id": self.tool_call_id}
        turn |= {name: value for name, value in named.items() if value is not None}
        if self.tool_calls:
            turn["tool_calls"] = [read_arguments(call) for call in self.tool_calls]
        return turn


class _Drawing(_Shape, RuleFields):
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
    def alternatives(self) -> int:
        """How many of the likeliest tokens are told of beside each."""
        return 0

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
        settings["rules"] = self.rules(self.alternatives)
        if settings["constraint"] is not None and limit is None:
            # An arm's answers are short; a form that the request brings may be longer.
            settings["max_tokens"] = max(decoding.max_tokens, FORM_TOKENS)
        present = {name: value for name, value in settings.items() if value is not None}
        return decoding.replace(**present, seed=0)


class ChatRequest(_Drawing):
    """``POST /v1/chat/completions``."""

    messages: list[ChatTurn] = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int = Field(default=0, ge=0, le=MOST_ALTERNATIVES)
    response_format: dict[str, Any] | None = None
    tools: list[Tool] = Field(default=[], max_length=128)
    tool_choice: Choice = "auto"
    chat_template_kwargs: dict[str, Any] = {}

    @property
    def template_options(self) -> dict[str, Any]:
        """What the model's template is given beside the messages.

        Raises:
            RequestRefusal: If a setting is none of a template.
        """
        reserved = sorted(self.chat_template_kwargs.keys() & RESERVED)
        if reserved:
            raise RequestRefusal(
                f"{reserved[0]!r} is no setting of a template", param="chat_template_kwargs"
            )
        tools = {"tools": [tool.describe() for tool in self.tools]} if self.tools else {}
        return {**self.chat_template_kwargs, **tools}

    @property
    def wants_any_object(self) -> bool:
        """Whether the answer is some JSON object, of no schema."""
        return (self.response_format or {}).get("type") == "json_object"

    @property
    def tool_names(self) -> tuple[str, ...]:
        """What may be called."""
        return tuple(tool.function.name for tool in self.tools)

    @property
    def alternatives(self) -> int:
        """As ``top_logprobs`` says.

        Raises:
            RequestRefusal: If no log-probabilities are asked for.
        """
        if self.top_logprobs and not self.logprobs:
            raise RequestRefusal("top_logprobs needs `logprobs: true`", param="top_logprobs")
        return self.top_logprobs

    def constraint(self) -> Constraint | None:
        """The form asked for: by the response format, a call that is required, or vLLM's field.

        Raises:
            RequestRefusal: If it cannot be used, or a call is wanted of no tool.
        """
        if self.tool_choice not in ("none", "auto"):
            return self._require_call()
        response_form = self.response_format or {"type": "text"}
        if response_form.get("type") == "json_object":
            return Constraint.from_schema({"type": "object"})
        if response_form.get("type") == "json_schema":
            described = response_form.get("json_schema")
            schema = described.get("schema") if isinstance(described, dict) else None
            if not isinstance(schema, dict | bool):
                raise RequestRefusal(
                    "a json_schema is {name: ..., schema: {...}}", param="response_format"
                )
            return _read_form({"json_schema": schema}, "response_format")
        if response_form.get("type") != "text":
            raise RequestRefusal(
                f"unknown response format {response_form.get('type')!r}", param="response_format"
            )
        return super().constraint()

    def _require_call(self) -> Constraint | None:
        if not self.tools:
            raise RequestRefusal("tool_choice needs `tools`", param="tool_choice")
        try:
            return build_form(self.tools, self.tool_choice)
        except KeyError as error:
            raise RequestRefusal(
                f"tool_choice names {error.args[0]!r}, which is none of the tools",
                param="tool_choice",
            ) from error
        except WhatworksError as error:
            raise RequestRefusal(str(error), param="tools") from error


class TextRequest(_Drawing):
    """``POST /v1/completions``."""

    prompt: str | list[int] | list[str] | list[list[int]]
    echo: bool = False
    logprobs: int | None = Field(default=None, ge=0, le=MOST_ALTERNATIVES)

    @property
    def alternatives(self) -> int:
        """As ``logprobs`` says; one alone is the token itself.

        Raises:
            RequestRefusal: If those of a prompt are asked for.
        """
        most = self.logprobs or 0
        if most > 1 and self.echo:
            raise RequestRefusal("an echo has no more than `logprobs: 1`", param="logprobs")
        return most if most > 1 else 0

    @property
    def prompts(self) -> list[str | list[int]]:
        """One or several prompts, each a text or tokens.

        Raises:
            RequestRefusal: If there is none.
        """
        if self.prompt == []:
            raise RequestRefusal("an empty prompt", param="prompt")
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
