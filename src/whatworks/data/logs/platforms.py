"""LangSmith, Langfuse, promptfoo and OpenAI logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from whatworks.data.formats.base import RowProblem, as_text
from whatworks.data.formats.turns import is_turns, read_turns, split_last_answer
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
)
from whatworks.data.task import Message

_STORED = re.compile(r"(chatcmpl-.+)-(\d+)")
_EXPECTED = ("equals", "contains", "icontains", "starts-with", "similar")
_OBSERVATIONS = {
    *("GENERATION", "SPAN", "EVENT", "TRACE", "AGENT", "TOOL", "CHAIN", "RETRIEVER"),
    *("EVALUATOR", "EMBEDDING", "GUARDRAIL"),
}


def require_answer(messages: tuple[Message, ...]) -> str:
    """What the model said, from its messages.

    Raises:
        RowProblem: If it said nothing.
    """
    if not messages:
        raise RowProblem("no answer")
    return messages[-1].content


def _read_langsmith(run: Node) -> Iterator[LoggedCall]:
    if run.get("run_type") != "llm":
        return
    yield LoggedCall(
        read_messages(run.get("inputs"), "user"),
        require_answer(read_messages(run.get("outputs"), "assistant")),
        id=find_text(run, "id"),
        trace=find_text(run, "trace_id"),
        model=find_text(
            run,
            "extra.metadata.ls_model_name",
            "extra.invocation_params.model",
            "extra.invocation_params.model_name",
            "outputs.llm_output.model_name",
            "outputs.model",
        ),
        seconds=measure_seconds(run),
    )


def _read_langsmith_feedback(run: Node) -> Iterator[tuple[str, str, float]]:
    stats = dig(run, "feedback_stats")
    for key in cast("Node", stats) if isinstance(stats, dict) else ():
        score = parse_number(dig(stats, key, "avg"))
        if score is not None:
            yield find_text(run, "id"), key, score


def _read_langfuse(node: Node) -> Iterator[LoggedCall]:
    if node.get("type") != "GENERATION":
        return
    yield LoggedCall(
        read_messages(node.get("input"), "user"),
        require_answer(read_messages(node.get("output"), "assistant")),
        id=find_text(node, "id"),
        trace=find_text(node, "traceId", "trace_id"),
        model=find_text(node, "model", "providedModelName", "provided_model_name"),
        seconds=measure_seconds(node),
    )


def _is_langfuse(node: Node) -> bool:
    if _is_langfuse_score(node) or (
        isinstance(node.get("observations"), list) and isinstance(node.get("id"), str)
    ):
        return True
    return find_text(node, "type") in _OBSERVATIONS and ("traceId" in node or "trace_id" in node)


def _is_langfuse_score(node: Node) -> bool:
    return (
        "value" in node
        and "name" in node
        and any(key in node for key in ("traceId", "trace_id", "observationId", "observation_id"))
    )


def _read_langfuse_feedback(node: Node) -> Iterator[tuple[str, str, float]]:
    if _is_langfuse_score(node):
        value = parse_number(node.get("value"))
        if value is not None:
            about = find_text(node, "observationId", "observation_id", "traceId", "trace_id")
            yield about, find_text(node, "name"), value
        return
    for entry in list_items(
        node.get("scores")
    ):  # those that name their trace are nodes of their own
        value = parse_number(dig(entry, "value"))
        if value is not None and not find_first(entry, "traceId", "trace_id"):
            yield find_text(node, "id"), find_text(entry, "name"), value


def _read_promptfoo(node: Node) -> Iterator[LoggedCall]:
    score = find_first(node, "score", "gradingResult.score", "success")
    yield LoggedCall(
        read_messages(find_first(node, "prompt.raw", "prompt"), "user"),
        require_answer(read_messages(find_first(node, "response.output"), "assistant")),
        id=find_text(node, "id"),
        model=find_text(node, "provider.id", "provider"),
        seconds=measure_seconds(node),
        score=parse_number(score),
        meta={"vars": node["vars"]} if node.get("vars") else {},
    )


def _read_promptfoo_test(node: Node) -> Iterator[LoggedCall]:
    variables = node.get("vars")
    if not isinstance(variables, dict) or not variables:
        raise RowProblem("a test without 'vars'")
    checks = [check for check in list_items(node.get("assert")) if dig(check, "type") in _EXPECTED]
    expected = as_text(dig(checks[0], "value")) if checks else ""
    named = {name: as_text(value) for name, value in cast("dict[str, Any]", variables).items()}
    yield LoggedCall((), expected, inputs=named, meta={"assert": node.get("assert") or []})


def _read_openai(node: Node) -> Iterator[LoggedCall]:
    reply: Any = node if isinstance(node.get("choices"), list) else node.get("response")
    request: Any = find_first(node, "request.body", "request", "body", "input", "messages")
    reply = dig(reply, "body") or reply
    tools = find_first(node, "tools", "request.tools", "request.body.tools")
    yield LoggedCall(
        read_messages(request, "user"),
        require_answer(read_messages(reply, "assistant")),
        id=find_text(node, "id", "response.id"),
        model=find_text(reply, "model") or find_text(node, "model", "request.model"),
        seconds=measure_seconds(node),
        score=parse_number(find_first(node, "score", "feedback.score", "metadata.score")),
        meta={"tools": tools} if tools else {},
    )


def _read_stored_messages(node: Node) -> Iterator[LoggedCall]:
    before, target, _ = split_last_answer(read_turns(node.get("messages")))
    if not target:
        raise RowProblem("no answer")
    yield LoggedCall(
        before,
        target,
        id=find_text(node, "id"),
        model=find_text(node, "model"),
        seconds=measure_seconds(node),
        score=parse_number(find_first(node, "score", "feedback", "rating")),
        meta={"tools": node["tools"]} if node.get("tools") else {},
    )


def read_stored_message(node: Node) -> tuple[str, int, tuple[Message, ...]] | None:
    """A message of a stored completion, kept apart from it: (completion's id, position, message).

    The endpoint ``/chat/completions/{id}/messages`` gives them ids of the form ``{id}-{n}``.
    """
    match = _STORED.fullmatch(find_text(node, "id"))
    if not match or "role" not in node:
        return None
    return match[1], int(match[2][:9]), read_messages(node, "user")


LANGSMITH = LogFormat(
    "langsmith",
    "runs with run_type, inputs, outputs",
    lambda node: "run_type" in node,
    _read_langsmith,
    _read_langsmith_feedback,
)
LANGFUSE = LogFormat(
    "langfuse",
    "observations of type GENERATION with input and output, traces, scores",
    _is_langfuse,
    _read_langfuse,
    _read_langfuse_feedback,
)
PROMPTFOO = LogFormat(
    "promptfoo",
    "results with vars, prompt, response",
    # One that failed has no response; its test must not be taken for an answer.
    lambda node: "vars" in node and (isinstance(node.get("response"), dict) or "error" in node),
    _read_promptfoo,
)
PROMPTFOO_TESTS = LogFormat(
    "promptfoo-tests",
    "a configuration's tests with vars and assert",
    lambda node: "vars" in node and "assert" in node,
    _read_promptfoo_test,
)
OPENAI_CALLS = LogFormat(
    "openai-completions",
    "stored completions with choices, or pairs of request and response",
    lambda node: (
        isinstance(node.get("choices"), list)
        or (isinstance(node.get("request"), dict) and isinstance(node.get("response"), dict))
    ),
    _read_openai,
)
OPENAI_EVENTS = LogFormat(
    "openai-events",
    "messages that end with the answer, as LlamaIndex's handler writes them",
    lambda node: is_turns(node.get("messages")),
    _read_stored_messages,
)
