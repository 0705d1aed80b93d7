"""What a log format is, and how any dialect of messages, times and scores is read.

Logs are dictionaries; no vendor's library is needed. Every look into them goes through ``dig``,
because any field may be missing, of another type, or JSON packed into a string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data.formats.base import RowProblem, as_text
from whatworks.data.formats.turns import ROLES, read_turn
from whatworks.data.json_text import parse
from whatworks.data.task import Message, Role

Node = Mapping[str, Any]

_START = ("start_time", "startTime", "startTimeUnixNano", "start_time_unix_nano", "start_time_ns")
_END = ("end_time", "endTime", "endTimeUnixNano", "end_time_unix_nano", "end_time_ns")
_CONTENT = ("content", "parts", "contents", "text", "value")


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One answer of a model, as logged.

    Attributes:
        messages: What the model was asked.
        answer: What it said.
        id: The call's own id, "" when it has none.
        trace: Id of the request of the application that the call belongs to, else "".
        model: Name of the model, else "".
        seconds: Time that the call took.
        at: When it began, in ISO form and UTC, else "".
        score: Feedback on this very call.
        inputs: Named inputs instead of messages.
        meta: Further facts worth keeping.
    """

    messages: tuple[Message, ...]
    answer: str
    id: str = ""
    trace: str = ""
    model: str = ""
    seconds: float | None = None
    at: str = ""
    score: float | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class LogFormat:
    """A system that writes logs.

    Attributes:
        name: What the user calls it.
        shape: How to tell it, in one line for people.
        matches: Whether a node of the log is this system's.
        calls: The model calls that the node itself records (not its children); ``RowProblem``
            when it is one that cannot be used.
        feedback: Scores that the node holds, each with the id of the call or trace it is about and
            the name of what it measures.
    """

    name: str
    shape: str
    matches: Callable[[Node], bool]
    calls: Callable[[Node], Iterator[LoggedCall]]
    feedback: Callable[[Node], Iterator[tuple[str, str, float]]] = lambda node: iter(())


def dig(value: Any, *path: str | int) -> Any:
    """The value under these keys and positions, None where there is none; unpacks JSON strings."""
    for step in path:
        value = unpack_json(value)
        if isinstance(step, int):
            items = cast("list[Any]", value) if isinstance(value, list) else []
            value = items[step] if -len(items) <= step < len(items) else None
        else:
            value = cast("Node", value).get(step) if isinstance(value, Mapping) else None
    return value


def find_first(value: Any, *paths: str) -> Any:
    """The first of these dotted paths that leads to something."""
    values = (dig(value, *path.split(".")) for path in paths)
    return next((item for item in values if item is not None and item != ""), None)


def find_text(value: Any, *paths: str) -> str:
    """The first of these dotted paths as text, "" when all are missing."""
    item = find_first(value, *paths)
    return "" if item is None else as_text(item)


def list_items(value: Any) -> list[Any]:
    """A list as it is, anything else as an empty one."""
    value = unpack_json(value)
    return cast("list[Any]", value) if isinstance(value, list) else []


def unpack_json(value: Any) -> Any:
    """JSON text as its value, anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        try:
            return parse(value, "")
        except InputError:
            return value
    return value


def read_messages(value: Any, role: Role) -> tuple[Message, ...]:
    """Messages from any dialect: OpenAI, LangChain, OpenTelemetry, OpenInference, plain text.

    Args:
        value: A message, a list of them, an object that holds them, or text.
        role: Who speaks where the value does not say.

    Raises:
        RowProblem: If a message has an unknown role, or content that is not text.
    """
    value = unpack_json(value)
    if value is None:
        return ()
    if isinstance(value, str):
        return (Message(role=role, content=value),) if value else ()
    if isinstance(value, list):
        return tuple(
            message for item in cast("list[Any]", value) for message in read_messages(item, role)
        )
    if not isinstance(value, Mapping):
        return (Message(role=role, content=as_text(value)),)
    node = cast("Node", value)
    for several in ("choices", "generations"):  # alternatives: the first is what the user saw
        if isinstance(node.get(several), list):
            return read_messages(_take_first(node[several]), role)
    for holder in ("messages", "prompts", "message"):
        if isinstance(node.get(holder), list | Mapping):
            return read_messages(node[holder], role)
    body = _unwrap_message(node)
    content = next((body[key] for key in _CONTENT if body.get(key) is not None), None)
    calls = find_first(body, "tool_calls", "additional_kwargs.tool_calls", "function_call")
    speaker = _find_role(node)
    if content is None and not calls and not speaker:
        plain = find_first(
            node, "prompt", "input", "output", "question", "query", "answer", "response"
        )
        if plain is not None or not node:
            return read_messages(plain, role)
        return (Message(role=role, content=as_text(node)),)
    return (read_turn({"role": speaker or role, **_read_parts(content, calls)}),)


def measure_seconds(node: Node) -> float | None:
    """How long a node took, from its times or its latency."""
    start, end = _parse_moment(find_first(node, *_START)), _parse_moment(find_first(node, *_END))
    if start is not None and end is not None and end >= start:
        return round(end - start, 6)
    in_ms, in_s = (
        parse_number(find_first(node, "latencyMs", "latency_ms", "duration_ms")),
        find_first(node, "latency", "duration"),
    )
    return in_ms / 1000 if in_ms is not None else parse_number(in_s)


def find_start(node: Node) -> str:
    """When a node began or was created, as ISO date and time in UTC; "" where it does not say."""
    moment = _parse_moment(
        find_first(node, *_START, "timestamp", "created_at", "createdAt", "created")
    )
    try:
        return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def parse_number(value: Any) -> float | None:
    """A number from a number, a truth value, or text of one."""
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None
    try:
        parsed = float(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return parsed if parsed is not None and abs(parsed) < 1e300 else None


def _take_first(value: Any) -> Any:
    """The first item of a list of lists, None when it is empty."""
    while isinstance(value, list):
        value = dig(cast("list[Any]", value), 0)
    return value


def _find_role(node: Node) -> str:
    """The role of a message: said outright, or by LangChain's class name or type."""
    role = node.get("role")
    if isinstance(role, str):
        return role
    kind = dig(node, "id", -1) if node.get("lc") is not None else node.get("type")
    name = as_text(kind or "").removesuffix("Chunk").removesuffix("Message").lower()
    inner = dig(_unwrap_message(node), "role")
    if name == "chat" and isinstance(inner, str):
        return inner
    return name if name in ROLES else ""


def _unwrap_message(node: Node) -> Node:
    """The fields of a message, out of the wrapping that LangChain serializes it in."""
    for wrapper in ("kwargs", "data"):
        inner = node.get(wrapper)
        if isinstance(inner, Mapping):
            return cast("Node", inner)
    return node


def _read_parts(content: Any, calls: Any) -> dict[str, Any]:
    """Content and tool calls of a message, from text, or from parts of any dialect.

    Raises:
        RowProblem: If a part is neither text nor a tool call or its result.
    """
    texts: list[str] = []
    called = [dig(call, "tool_call") or call for call in list_items(calls)]
    if isinstance(calls, Mapping):
        called = [calls]
    parts = list_items(content) if isinstance(content, list) else [content]
    for raw in parts:
        part = dig(raw, "message_content") or raw
        kind = dig(part, "type")
        if part is None or kind in ("reasoning", "thinking"):
            continue
        if kind in ("tool_call", "tool_use"):
            called.append(
                {"name": dig(part, "name"), "arguments": find_first(part, "arguments", "input")}
            )
            continue
        spoken = (
            part
            if isinstance(part, str)
            else find_first(part, "content", "text", "response", "result", "output")
        )
        if spoken is None and isinstance(part, Mapping):
            raise RowProblem(f"content of kind {as_text(kind or 'unknown')[:40]}")
        texts.append(as_text(spoken))
    fields: dict[str, Any] = {"content": "\n".join(texts)} if texts else {}
    return {**fields, "tool_calls": called} if called else fields


def _parse_moment(value: Any) -> float | None:
    """Seconds since 1970 from a date in ISO form, or a count of s, ms, us or ns."""
    count = parse_number(value)
    if count is None:
        try:
            day = datetime.fromisoformat(value) if isinstance(value, str) else None
            if day is not None and day.tzinfo is None:  # logs that name no zone mean UTC
                day = day.replace(tzinfo=UTC)
            return day.timestamp() if day else None
        except (ValueError, OverflowError, OSError):
            return None
    for limit, unit in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if count > limit:
            return count / unit
    return count
