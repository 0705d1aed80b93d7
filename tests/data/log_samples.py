"""One call, as each system logs it: asked for a capital, answered, rated and timed."""

from __future__ import annotations

import json
from typing import Any

SYSTEM, ASK = "Be brief.", "What is the capital of Peru?"
TURNS = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASK}]
REPLY = {"role": "assistant", "content": "Lima"}
NANO = 1_700_000_000_000_000_000
AT = "2026-01-02T03:04:05+00:00"
NANO_AT = "2023-11-14T22:13:20+00:00"
TIMES = {"start_time": "2026-01-02T03:04:05.000000", "end_time": "2026-01-02T03:04:06.500000"}


def assembled(*parts: str) -> str:
    """A made-up secret, put together here so that scanners of this repository stay calm."""
    return "".join(parts)


def langchain(name: str, content: str) -> dict[str, Any]:
    path = ["langchain", "schema", "messages", name]
    return {"lc": 1, "type": "constructor", "id": path, "kwargs": {"content": content}}


def text_part(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def otlp(**values: Any) -> list[dict[str, Any]]:
    return [{"key": k, "value": {"stringValue": v}} for k, v in values.items()]


LANGSMITH_ROOT = {
    "id": "t1",
    "run_type": "chain",
    "trace_id": "t1",
    "inputs": {"messages": TURNS},
    "outputs": {"output": "Lima"},
    "feedback_stats": {"user_score": {"n": 2, "avg": 0.5}, "note": {"n": 1, "avg": None}},
    "child_runs": [
        {
            "id": "c1",
            "run_type": "llm",
            "trace_id": "t1",
            "parent_run_id": "t1",
            "inputs": {
                "messages": [[langchain("SystemMessage", SYSTEM), langchain("HumanMessage", ASK)]]
            },
            "outputs": {
                "generations": [[{"text": "Lima", "message": langchain("AIMessage", "Lima")}]],
                "llm_output": None,
            },
            "extra": {"metadata": {"ls_model_name": "m"}},
            **TIMES,
        },
        {"id": "r1", "run_type": "retriever", "trace_id": "t1", "inputs": {"query": ASK}},
    ],
}
LANGFUSE = {
    "id": "c1",
    "traceId": "t1",
    "type": "GENERATION",
    "input": TURNS,
    "output": REPLY,
    "model": "m",
    "startTime": "2026-01-02T03:04:05Z",
    "endTime": "2026-01-02T03:04:06.5Z",
    "usageDetails": {"input": 3},
}
LANGFUSE_TRACE = {
    "id": "t1",
    "input": ASK,
    "observations": [{"id": "s1", "traceId": "t1", "type": "SPAN", "input": TURNS}, LANGFUSE],
    "scores": [{"id": "x", "traceId": "t1", "name": "helpful", "value": 0.5}],
}
LANGFUSE_BLOB = {
    "id": "c1",
    "trace_id": "t1",
    "type": "GENERATION",
    "input": json.dumps({"messages": TURNS}),
    "output": json.dumps(REPLY),
    "provided_model_name": "m",
    "start_time": "2026-01-02 03:04:05.000000",
    "end_time": "2026-01-02 03:04:06.500000",
}
LANGFUSE_SCORE = {"id": "x", "trace_id": "t1", "name": "up", "value": 0.5, "data_type": "NUMERIC"}
SPAN = {"traceId": "t1", "spanId": "c1", "startTimeUnixNano": str(NANO), "endTimeUnixNano": NANO}
GEN_AI = {
    "gen_ai.request.model": "m",
    "gen_ai.input.messages": json.dumps([text_part("user", ASK)]),
    "gen_ai.output.messages": json.dumps([text_part("assistant", "Lima")]),
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": SYSTEM}]),
}
OTLP = {
    "resourceSpans": [
        {
            "resource": {"attributes": otlp(**{"service.name": "app"})},
            "scopeSpans": [
                {
                    "spans": [
                        {**SPAN, "attributes": otlp(**GEN_AI)},
                        {**SPAN, "spanId": "h", "attributes": otlp(**{"http.method": "GET"})},
                    ]
                }
            ],
        }
    ]
}
MLFLOW = {
    "info": {
        "trace_id": "t1",
        "assessments": [{"assessment_name": "ok", "feedback": {"value": 0.5}}],
    },
    "data": {
        "spans": [
            {
                "span_id": "c1",
                "trace_id": "b64",
                "start_time_unix_nano": NANO,
                "end_time_unix_nano": NANO + 1_500_000_000,
                "attributes": {
                    "mlflow.traceRequestId": '"t1"',
                    "mlflow.spanType": '"CHAT_MODEL"',
                    "mlflow.spanInputs": json.dumps({"messages": TURNS, "model": "m"}),
                    "mlflow.spanOutputs": json.dumps({"choices": [{"message": REPLY}]}),
                },
            },
            {"span_id": "x", "attributes": {"mlflow.spanType": '"CHAIN"'}},
        ]
    },
}
PROMPTFOO = {
    "evalId": "e",
    "results": {
        "version": 3,
        "results": [
            {
                "id": "c1",
                "prompt": {"raw": json.dumps(TURNS), "label": "p"},
                "vars": {"country": "Peru"},
                "response": {"output": "Lima", "tokenUsage": {}},
                "provider": {"id": "m"},
                "success": True,
                "score": 0.5,
                "latencyMs": 1500,
                "testCase": {"vars": {"country": "Peru"}, "assert": []},
            }
        ],
        "stats": {},
    },
    "config": {"tests": [{"vars": {"country": "Peru"}, "assert": []}]},
}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": REPLY, "finish_reason": "stop"}],
}

LOGS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "langsmith": (
        LANGSMITH_ROOT,
        "langsmith",
        {"score": 0.5, "model": "m", "seconds": 1.5, "at": AT},
    ),
    "langsmith flat": (
        {**LANGSMITH_ROOT["child_runs"][0], "feedback_stats": {"s": {"avg": 1}}},  # type: ignore[index]
        "langsmith",
        {"score": 1.0, "model": "m", "seconds": 1.5, "at": AT},
    ),
    "langsmith data": (
        {
            "id": "c1",
            "run_type": "llm",
            "inputs": {
                "messages": [
                    {"type": "system", "data": {"content": SYSTEM}},
                    {"type": "human", "data": {"content": ASK}},
                ]
            },
            "outputs": {"generations": [{"text": "Lima"}]},
        },
        "langsmith",
        {},
    ),
    "langsmith openai": (
        {
            "id": "c1",
            "run_type": "llm",
            "inputs": {"messages": TURNS},
            "outputs": {"choices": [{"message": REPLY}], "model": "m"},
        },
        "langsmith",
        {"model": "m"},
    ),
    "langfuse": (LANGFUSE, "langfuse", {"model": "m", "seconds": 1.5, "at": AT}),
    "langfuse page": (
        {"data": [LANGFUSE], "meta": {"page": 1}},
        "langfuse",
        {"model": "m", "seconds": 1.5, "at": AT},
    ),
    "langfuse trace": (
        LANGFUSE_TRACE,
        "langfuse",
        {"score": 0.5, "model": "m", "seconds": 1.5, "at": AT},
    ),
    "langfuse blob": (
        [LANGFUSE_BLOB, LANGFUSE_SCORE],
        "langfuse",
        {"score": 0.5, "model": "m", "seconds": 1.5, "at": AT},
    ),
    "otlp": (OTLP, "spans", {"model": "m", "seconds": 0.0, "at": NANO_AT}),
    "otel console": (
        {"context": {"span_id": "c1", "trace_id": "t1"}, "attributes": GEN_AI},
        "spans",
        {"model": "m"},
    ),
    "otel lists": (
        {
            "span_id": "c1",
            "attributes": {
                "gen_ai": {
                    "input": {"messages": [text_part("system", SYSTEM), text_part("user", ASK)]},
                    "output": {"messages": [text_part("assistant", "Lima")]},
                }
            },
        },
        "spans",
        {},
    ),
    "otel older": (
        {
            "span_id": "c1",
            "attributes": {
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": SYSTEM,
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.1.content": ASK,
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": "Lima",
                "gen_ai.response.model": "m",
            },
        },
        "spans",
        {"model": "m"},
    ),
    "otel events": (
        {
            "span_id": "c1",
            "attributes": {},
            "events": [
                {"name": "gen_ai.system.message", "attributes": {"content": SYSTEM}},
                {"name": "gen_ai.user.message", "attributes": {"content": ASK}},
                {"name": "gen_ai.choice", "attributes": {"message": json.dumps(REPLY)}},
            ],
        },
        "spans",
        {},
    ),
    "otel details event": (
        {
            "span_id": "c1",
            "attributes": {"gen_ai.request.model": "m"},
            "events": [{"name": "gen_ai.client.inference.operation.details", "attributes": GEN_AI}],
        },
        "spans",
        {"model": "m"},
    ),
    "openinference": (
        {
            "span_id": "c1",
            "attributes": {
                "openinference.span.kind": "LLM",
                "llm.model_name": "m",
                "llm.input_messages.0.message.role": "system",
                "llm.input_messages.0.message.content": SYSTEM,
                "llm.input_messages.1.message.role": "user",
                "llm.input_messages.1.message.contents.0.message_content.type": "text",
                "llm.input_messages.1.message.contents.0.message_content.text": ASK,
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.content": "Lima",
            },
        },
        "spans",
        {"model": "m"},
    ),
    "phoenix": (
        {
            "context.span_id": "c1",
            "attributes.llm.input_messages": [
                {"message": {"role": "system", "content": SYSTEM}},
                {"message": {"role": "user", "content": ASK}},
            ],
            "attributes.llm.output_messages": [{"message": REPLY}],
            "attributes.llm.model_name": "m",
        },
        "spans",
        {"model": "m"},
    ),
    "mlflow": (MLFLOW, "spans", {"score": 0.5, "model": "m", "seconds": 1.5, "at": NANO_AT}),
    "promptfoo": (
        PROMPTFOO,
        "promptfoo",
        {"score": 0.5, "model": "m", "seconds": 1.5, "vars": {"country": "Peru"}},
    ),
    "stored": ({**COMPLETION, "messages": TURNS}, "openai-completions", {"model": "m"}),
    "stored apart": (
        [
            {**COMPLETION, "id": "chatcmpl-a"},
            {
                "object": "list",
                "data": [{"id": f"chatcmpl-a-{i}", **turn} for i, turn in enumerate(TURNS)],
            },
        ],
        "openai-completions",
        {"model": "m"},
    ),
    "proxy": (
        {"request": {"messages": TURNS, "tools": [1]}, "response": COMPLETION},
        "openai-completions",
        {"model": "m", "tools": [1]},
    ),
    "llamaindex": ({"messages": [*TURNS, REPLY]}, "openai-events", {}),
}
