"""OpenTelemetry GenAI, OpenInference and MLflow: model calls recorded as attributes of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from whatworks.data.logs.base import (
    LogFormat,
    LoggedCall,
    Node,
    dig,
    find_first,
    find_text,
    list_items,
    measure_seconds,
    parse_number,
    read_messages,
    unpack_json,
)
from whatworks.data.logs.platforms import require_answer
from whatworks.data.task import Message

_MLFLOW_CALLS = ("LLM", "CHAT_MODEL")
_PREFIX = "attributes."


def read_attributes(node: Node) -> dict[str, Any]:
    """A span's attributes as a tree: ``a.b.0.c`` becomes ``{"a": {"b": [{"c": ...}]}}``.

    They stand in the span as an object, as OTLP's list of ``{key, value: {stringValue: ...}}``, or
    as columns ``attributes.NAME``.
    """
    raw = node.get("attributes")
    if isinstance(raw, list):
        pairs = [
            (find_text(item, "key"), _unwrap_value(dig(item, "value"))) for item in list_items(raw)
        ]
    elif isinstance(raw, Mapping):
        pairs = list(cast("Node", raw).items())
    else:
        pairs = [(k.removeprefix(_PREFIX), v) for k, v in node.items() if k.startswith(_PREFIX)]
    return _build_tree(pairs)


def _build_tree(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name, value in pairs:
        *steps, last = name.split(".")
        at = root
        for step in steps[:30]:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                break  # a value and a family of values of one name: the value stands
            at = cast("dict[str, Any]", inner)
        else:
            at.setdefault(last, _build_tree(value.items()) if isinstance(value, dict) else value)
    return {name: _convert_lists(value) for name, value in root.items()}


def _convert_lists(value: Any) -> Any:
    """Objects whose keys are 0, 1, 2, ... as lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _convert_lists(item) for name, item in cast("dict[str, Any]", value).items()}
    if inner and all(name.isascii() and name.isdigit() and len(name) < 9 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _unwrap_value(value: Any) -> Any:
    """The value in OTLP's ``{"stringValue": ...}`` and its kin."""
    for key in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if dig(value, key) is not None:
            return dig(value, key)
    if dig(value, "arrayValue") is not None:
        return [_unwrap_value(item) for item in list_items(dig(value, "arrayValue", "values"))]
    if dig(value, "kvlistValue") is not None:
        entries = list_items(dig(value, "kvlistValue", "values"))
        return {find_text(entry, "key"): _unwrap_value(dig(entry, "value")) for entry in entries}
    return value if not isinstance(value, dict) else None


def _read_calls(node: Node) -> Iterator[LoggedCall]:
    tree = read_attributes(node)
    record = _read_mlflow(tree) or _read_gen_ai(tree, node) or _read_open_inference(tree)
    if record is None:
        return
    messages, reply, model, trace = record
    yield LoggedCall(
        messages,
        require_answer(reply),
        id=find_text(node, "span_id", "spanId", "context.span_id", "context.spanId"),
        trace=trace or find_text(node, "trace_id", "traceId", "context.trace_id"),
        model=model,
        seconds=measure_seconds(node),
        score=parse_number(find_first(tree, "gen_ai.evaluation.score.value")),
    )


_Found = tuple[tuple[Message, ...], tuple[Message, ...], str, str]


def _read_mlflow(tree: Node) -> _Found | None:
    if unpack_json(find_first(tree, "mlflow.spanType")) not in _MLFLOW_CALLS:
        return None
    asks, reply = find_first(tree, "mlflow.spanInputs"), find_first(tree, "mlflow.spanOutputs")
    model = find_text(
        tree, "mlflow.llm.model", "mlflow.spanInputs.model", "mlflow.spanOutputs.model"
    )
    trace = unpack_json(find_first(tree, "mlflow.traceRequestId"))
    return read_messages(asks, "user"), read_messages(reply, "assistant"), model, trace or ""


def _read_gen_ai(tree: Node, node: Node) -> _Found | None:
    """Messages in attributes, in events that hold the same attributes, or in one event each.

    An event's body stands in its attributes, or as JSON in one of them (Azure AI Inference).
    """
    messages, replies = _read_recorded(tree)
    for event in list_items(node.get("events")):
        name, inner = (
            find_text(event, "name"),
            read_attributes(event) if isinstance(event, dict) else {},
        )
        body = unpack_json(find_first(inner, "gen_ai.event.content"))
        inner = cast("dict[str, Any]", body) if isinstance(body, dict) else inner
        if name == "gen_ai.choice":
            replies += read_messages(find_first(inner, "message") or inner, "assistant")
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            messages += read_messages({"role": name.split(".")[1], **inner}, "user")
        else:
            asks, answers = _read_recorded(inner)
            messages, replies = messages + asks, replies + answers
    if not messages and not replies:
        return None
    model = find_text(tree, "gen_ai.response.model", "gen_ai.request.model")
    return messages, replies, model, ""


def _read_recorded(tree: Node) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What the ``gen_ai`` attributes say was asked and answered."""
    system = find_first(tree, "gen_ai.system_instructions")
    asks = read_messages(find_first(tree, "gen_ai.input.messages", "gen_ai.prompt"), "user")
    if system is not None:
        asks = (*read_messages({"role": "system", "content": unpack_json(system)}, "system"), *asks)
    return asks, read_messages(
        find_first(tree, "gen_ai.output.messages", "gen_ai.completion"), "assistant"
    )


def _read_open_inference(tree: Node) -> _Found | None:
    asks = find_first(tree, "llm.input_messages", "llm.prompts")
    reply = find_first(tree, "llm.output_messages")
    if find_first(tree, "openinference.span.kind") == "LLM":
        asks = asks if asks is not None else find_first(tree, "input.value")
        reply = reply if reply is not None else find_first(tree, "output.value")
    if asks is None:
        return None
    return (
        read_messages(asks, "user"),
        read_messages(reply, "assistant"),
        find_text(tree, "llm.model_name"),
        "",
    )


def _is_span(node: Node) -> bool:
    return isinstance(node.get("attributes"), list | dict) or any(
        name.startswith(_PREFIX) for name in node
    )


def _is_assessed(node: Node) -> bool:
    return isinstance(node.get("assessments"), list)


def _skip_calls(node: Node) -> Iterator[LoggedCall]:
    return iter(())


def _read_assessments(node: Node) -> Iterator[tuple[str, str, float]]:
    for entry in list_items(node.get("assessments")):
        score = parse_number(unpack_json(find_first(entry, "feedback.value", "value")))
        if score is not None:
            about = find_text(entry, "span_id") or find_text(node, "trace_id", "request_id")
            yield about, find_text(entry, "assessment_name", "name"), score


SPANS = LogFormat(
    "spans",
    "spans with gen_ai.*, llm.* (OpenInference) or mlflow.* attributes",
    _is_span,
    _read_calls,
)
MLFLOW_INFO = LogFormat(
    "mlflow",
    "traces with info and data.spans",
    _is_assessed,
    _skip_calls,
    _read_assessments,
)
