"""OpenTelemetry GenAI, OpenInference and MLflow: model calls recorded as attributes of spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from whatworks.data.logs.base import (
    Call,
    LogFormat,
    Node,
    dig,
    items,
    name_at,
    number,
    said,
    seconds,
    some,
    unpacked,
)
from whatworks.data.logs.platforms import answer
from whatworks.data.task import Message

_MLFLOW_CALLS = ("LLM", "CHAT_MODEL")
_PREFIX = "attributes."


def attributes(node: Node) -> dict[str, Any]:
    """A span's attributes as a tree: ``a.b.0.c`` becomes ``{"a": {"b": [{"c": ...}]}}``.

    They stand in the span as an object, as OTLP's list of ``{key, value: {stringValue: ...}}``, or
    as columns ``attributes.NAME``.
    """
    raw = node.get("attributes")
    if isinstance(raw, list):
        pairs = [(name_at(item, "key"), _plain(dig(item, "value"))) for item in items(raw)]
    elif isinstance(raw, Mapping):
        pairs = list(cast("Node", raw).items())
    else:
        pairs = [(k.removeprefix(_PREFIX), v) for k, v in node.items() if k.startswith(_PREFIX)]
    return _tree(pairs)


def _tree(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
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
            at.setdefault(last, _tree(value.items()) if isinstance(value, dict) else value)
    return {name: _listed(value) for name, value in root.items()}


def _listed(value: Any) -> Any:
    """Objects whose keys are 0, 1, 2, ... as lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(item) for name, item in cast("dict[str, Any]", value).items()}
    if inner and all(name.isascii() and name.isdigit() and len(name) < 9 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _plain(value: Any) -> Any:
    """The value in OTLP's ``{"stringValue": ...}`` and its kin."""
    for key in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if dig(value, key) is not None:
            return dig(value, key)
    if dig(value, "arrayValue") is not None:
        return [_plain(item) for item in items(dig(value, "arrayValue", "values"))]
    if dig(value, "kvlistValue") is not None:
        entries = items(dig(value, "kvlistValue", "values"))
        return {name_at(entry, "key"): _plain(dig(entry, "value")) for entry in entries}
    return value if not isinstance(value, dict) else None


def _calls(node: Node) -> Iterator[Call]:
    tree = attributes(node)
    found = _mlflow(tree) or _gen_ai(tree, node) or _open_inference(tree)
    if found is None:
        return
    messages, reply, model, trace = found
    yield Call(
        messages,
        answer(reply),
        id=name_at(node, "span_id", "spanId", "context.span_id", "context.spanId"),
        trace=trace or name_at(node, "trace_id", "traceId", "context.trace_id"),
        model=model,
        seconds=seconds(node),
        score=number(some(tree, "gen_ai.evaluation.score.value")),
    )


_Found = tuple[tuple[Message, ...], tuple[Message, ...], str, str]


def _mlflow(tree: Node) -> _Found | None:
    if unpacked(some(tree, "mlflow.spanType")) not in _MLFLOW_CALLS:
        return None
    asks, reply = some(tree, "mlflow.spanInputs"), some(tree, "mlflow.spanOutputs")
    model = name_at(tree, "mlflow.llm.model", "mlflow.spanInputs.model", "mlflow.spanOutputs.model")
    trace = unpacked(some(tree, "mlflow.traceRequestId"))
    return said(asks, "user"), said(reply, "assistant"), model, trace or ""


def _gen_ai(tree: Node, node: Node) -> _Found | None:
    """Messages in attributes, in events that hold the same attributes, or in one event each.

    An event's body stands in its attributes, or as JSON in one of them (Azure AI Inference).
    """
    messages, replies = _recorded(tree)
    for event in items(node.get("events")):
        name, inner = name_at(event, "name"), attributes(event) if isinstance(event, dict) else {}
        body = unpacked(some(inner, "gen_ai.event.content"))
        inner = cast("dict[str, Any]", body) if isinstance(body, dict) else inner
        if name == "gen_ai.choice":
            replies += said(some(inner, "message") or inner, "assistant")
        elif name.startswith("gen_ai.") and name.endswith(".message"):
            messages += said({"role": name.split(".")[1], **inner}, "user")
        else:
            asks, answers = _recorded(inner)
            messages, replies = messages + asks, replies + answers
    if not messages and not replies:
        return None
    model = name_at(tree, "gen_ai.response.model", "gen_ai.request.model")
    return messages, replies, model, ""


def _recorded(tree: Node) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What the ``gen_ai`` attributes say was asked and answered."""
    system = some(tree, "gen_ai.system_instructions")
    asks = said(some(tree, "gen_ai.input.messages", "gen_ai.prompt"), "user")
    if system is not None:
        asks = (*said({"role": "system", "content": unpacked(system)}, "system"), *asks)
    return asks, said(some(tree, "gen_ai.output.messages", "gen_ai.completion"), "assistant")


def _open_inference(tree: Node) -> _Found | None:
    asks = some(tree, "llm.input_messages", "llm.prompts")
    reply = some(tree, "llm.output_messages")
    if some(tree, "openinference.span.kind") == "LLM":
        asks = asks if asks is not None else some(tree, "input.value")
        reply = reply if reply is not None else some(tree, "output.value")
    if asks is None:
        return None
    return said(asks, "user"), said(reply, "assistant"), name_at(tree, "llm.model_name"), ""


def _is_span(node: Node) -> bool:
    return isinstance(node.get("attributes"), list | dict) or any(
        name.startswith(_PREFIX) for name in node
    )


def _is_assessed(node: Node) -> bool:
    return isinstance(node.get("assessments"), list)


def _no_calls(node: Node) -> Iterator[Call]:
    return iter(())


def _assessments(node: Node) -> Iterator[tuple[str, str, float]]:
    for entry in items(node.get("assessments")):
        score = number(unpacked(some(entry, "feedback.value", "value")))
        if score is not None:
            about = name_at(entry, "span_id") or name_at(node, "trace_id", "request_id")
            yield about, name_at(entry, "assessment_name", "name"), score


SPANS = LogFormat(
    "spans",
    "spans with gen_ai.*, llm.* (OpenInference) or mlflow.* attributes",
    _is_span,
    _calls,
)
MLFLOW_INFO = LogFormat(
    "mlflow",
    "traces with info and data.spans",
    _is_assessed,
    _no_calls,
    _assessments,
)
