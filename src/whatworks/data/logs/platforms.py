"""LangSmith, Langfuse, promptfoo and OpenAI logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from whatworks.data.formats.base import RowProblem, as_text
from whatworks.data.formats.turns import asked, is_turns, turns
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
)
from whatworks.data.task import Message

_STORED = re.compile(r"(chatcmpl-.+)-(\d+)")
_EXPECTED = ("equals", "contains", "icontains", "starts-with", "similar")
_OBSERVATIONS = {
    *("GENERATION", "SPAN", "EVENT", "TRACE", "AGENT", "TOOL", "CHAIN", "RETRIEVER"),
    *("EVALUATOR", "EMBEDDING", "GUARDRAIL"),
}


def answer(messages: tuple[Message, ...]) -> str:
    """What the model said, from its messages.

    Raises:
        RowProblem: If it said nothing.
    """
    if not messages:
        raise RowProblem("no answer")
    return messages[-1].content


def _langsmith(run: Node) -> Iterator[Call]:
    if run.get("run_type") != "llm":
        return
    yield Call(
        said(run.get("inputs"), "user"),
        answer(said(run.get("outputs"), "assistant")),
        id=name_at(run, "id"),
        trace=name_at(run, "trace_id"),
        model=name_at(
            run,
            "extra.metadata.ls_model_name",
            "extra.invocation_params.model",
            "extra.invocation_params.model_name",
            "outputs.llm_output.model_name",
            "outputs.model",
        ),
        seconds=seconds(run),
    )


def _langsmith_feedback(run: Node) -> Iterator[tuple[str, str, float]]:
    stats = dig(run, "feedback_stats")
    for key in cast("Node", stats) if isinstance(stats, dict) else ():
        score = number(dig(stats, key, "avg"))
        if score is not None:
            yield name_at(run, "id"), key, score


def _langfuse(node: Node) -> Iterator[Call]:
    if node.get("type") != "GENERATION":
        return
    yield Call(
        said(node.get("input"), "user"),
        answer(said(node.get("output"), "assistant")),
        id=name_at(node, "id"),
        trace=name_at(node, "traceId", "trace_id"),
        model=name_at(node, "model", "providedModelName", "provided_model_name"),
        seconds=seconds(node),
    )


def _is_langfuse(node: Node) -> bool:
    if _is_langfuse_score(node) or (
        isinstance(node.get("observations"), list) and isinstance(node.get("id"), str)
    ):
        return True
    return name_at(node, "type") in _OBSERVATIONS and ("traceId" in node or "trace_id" in node)


def _is_langfuse_score(node: Node) -> bool:
    return (
        "value" in node
        and "name" in node
        and any(key in node for key in ("traceId", "trace_id", "observationId", "observation_id"))
    )


def _langfuse_feedback(node: Node) -> Iterator[tuple[str, str, float]]:
    if _is_langfuse_score(node):
        value = number(node.get("value"))
        if value is not None:
            about = name_at(node, "observationId", "observation_id", "traceId", "trace_id")
            yield about, name_at(node, "name"), value
        return
    for entry in items(node.get("scores")):  # those that name their trace are nodes of their own
        value = number(dig(entry, "value"))
        if value is not None and not some(entry, "traceId", "trace_id"):
            yield name_at(node, "id"), name_at(entry, "name"), value


def _promptfoo(node: Node) -> Iterator[Call]:
    score = some(node, "score", "gradingResult.score", "success")
    yield Call(
        said(some(node, "prompt.raw", "prompt"), "user"),
        answer(said(some(node, "response.output"), "assistant")),
        id=name_at(node, "id"),
        model=name_at(node, "provider.id", "provider"),
        seconds=seconds(node),
        score=number(score),
        meta={"vars": node["vars"]} if node.get("vars") else {},
    )


def _promptfoo_test(node: Node) -> Iterator[Call]:
    given = node.get("vars")
    if not isinstance(given, dict) or not given:
        raise RowProblem("a test without 'vars'")
    checks = [check for check in items(node.get("assert")) if dig(check, "type") in _EXPECTED]
    wanted = as_text(dig(checks[0], "value")) if checks else ""
    named = {name: as_text(value) for name, value in cast("dict[str, Any]", given).items()}
    yield Call((), wanted, inputs=named, meta={"assert": node.get("assert") or []})


def _openai(node: Node) -> Iterator[Call]:
    reply: Any = node if isinstance(node.get("choices"), list) else node.get("response")
    request: Any = some(node, "request.body", "request", "body", "input", "messages")
    reply = dig(reply, "body") or reply
    tools = some(node, "tools", "request.tools", "request.body.tools")
    yield Call(
        said(request, "user"),
        answer(said(reply, "assistant")),
        id=name_at(node, "id", "response.id"),
        model=name_at(reply, "model") or name_at(node, "model", "request.model"),
        seconds=seconds(node),
        score=number(some(node, "score", "feedback.score", "metadata.score")),
        meta={"tools": tools} if tools else {},
    )


def _messages(node: Node) -> Iterator[Call]:
    before, target, _ = asked(turns(node.get("messages")))
    if not target:
        raise RowProblem("no answer")
    yield Call(
        before,
        target,
        id=name_at(node, "id"),
        model=name_at(node, "model"),
        seconds=seconds(node),
        score=number(some(node, "score", "feedback", "rating")),
        meta={"tools": node["tools"]} if node.get("tools") else {},
    )


def stored_message(node: Node) -> tuple[str, int, tuple[Message, ...]] | None:
    """A message of a stored completion, kept apart from it: (completion's id, position, message).

    The endpoint ``/chat/completions/{id}/messages`` gives them ids of the form ``{id}-{n}``.
    """
    found = _STORED.fullmatch(name_at(node, "id"))
    if not found or "role" not in node:
        return None
    return found[1], int(found[2][:9]), said(node, "user")


LANGSMITH = LogFormat(
    "langsmith",
    "runs with run_type, inputs, outputs",
    lambda node: "run_type" in node,
    _langsmith,
    _langsmith_feedback,
)
LANGFUSE = LogFormat(
    "langfuse",
    "observations of type GENERATION with input and output, traces, scores",
    _is_langfuse,
    _langfuse,
    _langfuse_feedback,
)
PROMPTFOO = LogFormat(
    "promptfoo",
    "results with vars, prompt, response",
    # One that failed has no response; its test must not be taken for an answer.
    lambda node: "vars" in node and (isinstance(node.get("response"), dict) or "error" in node),
    _promptfoo,
)
PROMPTFOO_TESTS = LogFormat(
    "promptfoo-tests",
    "a configuration's tests with vars and assert",
    lambda node: "vars" in node and "assert" in node,
    _promptfoo_test,
)
OPENAI_CALLS = LogFormat(
    "openai-completions",
    "stored completions with choices, or pairs of request and response",
    lambda node: (
        isinstance(node.get("choices"), list)
        or (isinstance(node.get("request"), dict) and isinstance(node.get("response"), dict))
    ),
    _openai,
)
OPENAI_EVENTS = LogFormat(
    "openai-events",
    "messages that end with the answer, as LlamaIndex's handler writes them",
    lambda node: is_turns(node.get("messages")),
    _messages,
)
