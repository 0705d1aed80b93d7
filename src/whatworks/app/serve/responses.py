"""OpenAI's Responses protocol over chat completions: requests turned into these, answers back.

Nothing is kept between requests: what names an earlier response is refused.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.app.serve.neutral_fields import drop_neutral_fields
from whatworks.app.serve.protocol import ChatRequest, RequestRefusal
from whatworks.base.validation import find_problem

_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "background": (False,),
    "include": ([],),
    "stream_options": ({}, {"include_obfuscation": False}),
    "truncation": ("disabled",),
}
_TEXTS = ("input_text", "output_text", "text")


def _drop_neutral(body: Any) -> Any:
    body = drop_neutral_fields(body)
    if not isinstance(body, dict):
        return body
    return {name: one for name, one in body.items() if one not in _NEUTRAL.get(name, ())}


class TextSettings(BaseModel):
    """``text``: the form of the answer."""

    model_config = ConfigDict(extra="forbid")

    format: dict[str, Any] = {"type": "text"}


class ResponsesRequest(BaseModel):
    """``POST /v1/responses``."""

    model_config = ConfigDict(extra="forbid")

    model: str
    input: str | list[dict[str, Any]] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = None
    top_p: float | None = None
    text: TextSettings = TextSettings()
    tools: list[dict[str, Any]] = []
    tool_choice: str | dict[str, Any] = "auto"
    stream: bool = False

    _drop = model_validator(mode="before")(_drop_neutral)

    def chat(self) -> ChatRequest:
        """The same as a chat request.

        Raises:
            RequestRefusal: Naming what has no counterpart.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(self._list_messages()),
            "max_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stream": self.stream,
            "stream_options": {"include_usage": True} if self.stream else None,
            "response_format": _read_format(self.text.format),
            "tools": [_read_tool(tool) for tool in self.tools],
            "tool_choice": _read_choice(self.tool_choice),
        }
        try:
            return ChatRequest.model_validate(body)
        except ValidationError as error:
            problem = find_problem(error)
            where = str(problem.where).replace("messages", "input", 1)
            raise RequestRefusal(f"{where}: {problem.reason}", param=where) from error

    def _list_messages(self) -> Iterator[dict[str, Any]]:
        if self.instructions:
            yield {"role": "system", "content": self.instructions}
        if isinstance(self.input, str):
            yield {"role": "user", "content": self.input}
            return
        for item in self.input:
            kind = item.get("type", "message")
            if kind == "message":
                yield {"role": item.get("role"), "content": _read_content(item.get("content"))}
            elif kind == "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                yield {"role": "assistant", "content": None, "tool_calls": [call]}
            elif kind == "function_call_output":
                result = _read_content(item.get("output"))
                yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": result}
            elif kind != "reasoning":  # that of turns before is not read again
                raise RequestRefusal(f"input: items of type {kind!r} are not read", param="input")


def _read_content(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    texts: list[str] = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") not in _TEXTS:
            raise RequestRefusal("input: only text is read", param="input")
        texts.append(str(part.get("text", "")))
    return "".join(texts)


def _read_format(form: Mapping[str, Any]) -> dict[str, Any]:
    if form.get("type") != "json_schema":
        return dict(form)
    return {"type": "json_schema", "json_schema": {n: v for n, v in form.items() if n != "type"}}


def _read_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise RequestRefusal(
            f"tools of type {tool.get('type')!r} are not to be had here", param="tools"
        )
    return {"type": "function", "function": {n: v for n, v in tool.items() if n != "type"}}


def _read_choice(choice: str | Mapping[str, Any]) -> Any:
    if isinstance(choice, str):
        return choice
    return {"type": choice.get("type"), "function": {"name": choice.get("name")}}


class ResponseWriter:
    """Writes the answer to one request, whole or as events.

    Args:
        body: The request.
    """

    def __init__(self, body: ResponsesRequest) -> None:
        self._body = body
        self._id = f"resp_{uuid.uuid4().hex}"
        self._created = int(time.time())

    def whole(self, chat: Mapping[str, Any]) -> dict[str, Any]:
        """A chat completion as a response."""
        [choice] = chat["choices"]
        output = list(_list_items(choice["message"]))
        return self.write(output, choice["finish_reason"], chat["usage"])

    def write(
        self, output: Sequence[dict[str, Any]], finish: str | None, usage: Mapping[str, int] | None
    ) -> dict[str, Any]:
        """A response with what there is of it; not ended where ``finish`` is None."""
        cut = finish == "length"
        status = "in_progress" if finish is None else "incomplete" if cut else "completed"
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": self._body.instructions,
            "max_output_tokens": self._body.max_output_tokens,
            "metadata": {},
            "model": self._body.model,
            "output": list(output),
            "parallel_tool_calls": True,
            "temperature": self._body.temperature,
            "text": {"format": self._body.text.format},
            "tool_choice": self._body.tool_choice,
            "tools": self._body.tools,
            "top_p": self._body.top_p,
            "usage": None if usage is None else _write_usage(usage),
        }


class StreamedResponse:
    """Turns the pieces of a chat completion's stream into events of a response.

    Args:
        writer: Of the request.
    """

    def __init__(self, writer: ResponseWriter) -> None:
        self._writer = writer
        self._number = 0
        self._text = ""
        self._item: dict[str, Any] | None = None
        self._output: list[dict[str, Any]] = []
        self._finish = "stop"
        self._usage: Mapping[str, int] | None = None

    def begin(self) -> Iterator[dict[str, Any]]:
        """What comes before the first token."""
        response = self._writer.write([], None, None)
        yield self._event("response.created", response=response)
        yield self._event("response.in_progress", response=response)

    def add(self, piece: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of one piece."""
        self._usage = piece.get("usage") or self._usage
        for choice in piece.get("choices", ()):
            if text := choice["delta"].get("content"):
                yield from self._add_text(text)
            for call in choice["delta"].get("tool_calls", ()):
                yield from self._add_call(call)
            self._finish = choice["finish_reason"] or self._finish

    def end(self) -> Iterator[dict[str, Any]]:
        """What comes after the last token."""
        yield from self._close_text()
        response = self._writer.write(self._output, self._finish, self._usage)
        kind = "incomplete" if response["status"] == "incomplete" else "completed"
        yield self._event(f"response.{kind}", response=response)

    def fail(self, error: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What comes where the answer fails."""
        yield self._event(
            "error", message=error.get("message"), code=error.get("code"), param=error.get("param")
        )

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        self._number += 1
        return {"type": kind, "sequence_number": self._number - 1, **fields}

    def _add_text(self, text: str) -> Iterator[dict[str, Any]]:
        at = len(self._output)
        if self._item is None:
            self._item = _make_message("", "in_progress")
            place = {"item_id": self._item["id"], "output_index": at, "content_index": 0}
            begun = {**self._item, "content": []}
            yield self._event("response.output_item.added", output_index=at, item=begun)
            yield self._event("response.content_part.added", **place, part=_make_part(""))
        self._text += text
        place = {"item_id": self._item["id"], "output_index": at, "content_index": 0}
        yield self._event("response.output_text.delta", **place, delta=text, logprobs=[])

    def _close_text(self) -> Iterator[dict[str, Any]]:
        if self._item is None:
            return
        at = len(self._output)
        place = {"item_id": self._item["id"], "output_index": at, "content_index": 0}
        yield self._event("response.output_text.done", **place, text=self._text, logprobs=[])
        yield self._event("response.content_part.done", **place, part=_make_part(self._text))
        status = "incomplete" if self._finish == "length" else "completed"
        item = {**self._item, "status": status, "content": [_make_part(self._text)]}
        yield self._event("response.output_item.done", output_index=at, item=item)
        self._output.append(item)
        self._item, self._text = None, ""

    def _add_call(self, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield from self._close_text()
        item = _make_call(call)
        at, arguments = len(self._output), item["arguments"]
        begun = {**item, "arguments": "", "status": "in_progress"}
        place = {"item_id": item["id"], "output_index": at}
        yield self._event("response.output_item.added", output_index=at, item=begun)
        yield self._event("response.function_call_arguments.delta", **place, delta=arguments)
        yield self._event(
            "response.function_call_arguments.done",
            **place,
            arguments=arguments,
            name=item["name"],
        )
        yield self._event("response.output_item.done", output_index=at, item=item)
        self._output.append(item)


def _list_items(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if message["content"] or not message.get("tool_calls"):
        yield _make_message(message["content"] or "", "completed")
    for call in message.get("tool_calls", ()):
        yield _make_call(call)


def _make_message(text: str, status: Literal["in_progress", "completed"]) -> dict[str, Any]:
    head = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "role": "assistant"}
    return {**head, "status": status, "content": [_make_part(text)]}


def _make_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _make_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    return {
        "id": f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "status": "completed",
        "call_id": call["id"],
        "name": function["name"],
        "arguments": function["arguments"],
    }


def _write_usage(usage: Mapping[str, int]) -> dict[str, Any]:
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


async def stream_events(body: ResponsesRequest, written: AsyncIterator[Any]) -> AsyncGenerator[str]:
    """The events of a response, as those of a chat's stream come.

    Args:
        body: The request.
        written: The chat's server-sent events.
    """
    stream = StreamedResponse(ResponseWriter(body))
    events = [*stream.begin()]
    async for event in written:
        for one in events:
            yield _format(one)
        text = event if isinstance(event, str) else bytes(event).decode()
        if text.startswith("data: [DONE]"):
            events = [*stream.end()]
            break
        piece = json.loads(text.removeprefix("data: "))
        failed = "error" in piece
        events = [*(stream.fail(piece["error"]) if failed else stream.add(piece))]
    for one in events:
        yield _format(one)


def _format(event: Mapping[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
