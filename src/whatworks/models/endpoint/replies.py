"""What a server answers: the text in it, the complaint in it, and the tokens it took.

A server may send anything. What is not a chat completion is ``Unusable``; token counts that cannot
be true are replaced by an estimate, and the reply says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from whatworks.models.patterns import replace_surrogates
from whatworks.models.reasoning import Split, split

HIDDEN_PROMPT = 4096
"""Tokens that a server's own template and instructions may add to a prompt."""

WORDS_PER_TOKEN = 8
"""No tokenizer packs more words than this into its average token."""


class Unusable(ValueError):
    """The body is not a chat completion; the message says what it is."""


@dataclass(frozen=True)
class ServerReply:
    """One answer as the server gave it.

    Attributes:
        text: The content; where the model refuses, what it says to that; where it calls functions,
            the calls as data have them, without what it says beside.
        finish: ``length`` when the server says that it was cut off.
        prompt_tokens: Tokens read, None when the server does not say.
        completion_tokens: Tokens written, None when the server does not say.
        seconds: Share of the wall time of the call that it came in.
        logprob: Sum of the log-probabilities of its tokens, None when the server does not say.
        refused: Whether the model, or a filter behind it, would not answer: no form is kept then.
        reasoning: What the model wrote for itself, in a field of its own (``reasoning_content``,
            ``reasoning``) or in parts of the content; it may also begin the text (``split``).
        reasoning_tokens: How many tokens of it, None when the server does not say.
        cached_tokens: Tokens of the prompt that the server had in its cache, None when it does not
            say (``prompt_tokens_details.cached_tokens``, ``prompt_cache_hit_tokens``).
    """

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float = 0.0
    logprob: float | None = None
    refused: bool = False
    reasoning: str = ""
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


def read_reply(payload: bytes) -> ServerReply:
    """Read a chat completion; half characters in it become ``?``.

    Raises:
        Unusable: If it is none: no JSON, cut off, an error, or without an answer.
    """
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        raise Unusable(f"the server's answer is not whole JSON ({len(payload)} bytes)") from None
    if isinstance(body, Mapping) and body.get("error"):
        raise Unusable(f"the server answered with an error: {read_complaint(payload)[0]}")
    try:
        choice = body["choices"][0]
        message = choice["message"]
        refusal = message.get("refusal")  # OpenAI's: the content is null beside it
        thoughts = _read_thoughts(message)
        called = _read_calls(message)
        content = message.get("content") if thoughts or called else message["content"]
        text = called or _join_content(content) or (refusal if isinstance(refusal, str) else "")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Unusable("the server's JSON holds no `choices[0].message.content`") from None
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return ServerReply(
        replace_surrogates(text),
        "length" if choice.get("finish_reason") == "length" else "stop",
        _read_count(usage.get("prompt_tokens")),
        _read_count(usage.get("completion_tokens")),
        logprob=_sum_logprobs(choice.get("logprobs")),
        reasoning=replace_surrogates(thoughts),
        reasoning_tokens=_read_count(
            _read_details(usage, "completion_tokens_details").get("reasoning_tokens")
        ),
        cached_tokens=_read_cached(usage),
        refused=bool(refusal) or choice.get("finish_reason") == "content_filter",
    )


def read_complaint(payload: bytes) -> tuple[str, str]:
    """The server's message, on one line and not too long, and its error code; maybe empty."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        text = payload.decode("utf-8", "replace")
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
        return _shorten_line(title[1] if title else "" if "<html" in text.lower() else text), ""
    complaint: Any = body
    if isinstance(body, Mapping):
        complaint = body.get("error") or body.get("message") or body.get("detail") or body
    if not isinstance(complaint, Mapping):
        return _shorten_line(complaint if isinstance(complaint, str) else json.dumps(complaint)), ""
    code = str(complaint.get("code") or complaint.get("type") or "")
    message = complaint.get("message")
    return _shorten_line(message if isinstance(message, str) else json.dumps(complaint)), code


def count_tokens(reply: ServerReply, body: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Tokens read and written, and whether both are the server's own counts.

    A count is the server's where it can be true: at least one token per eight words, at most one
    per byte (and a hidden preamble) of the prompt, at most ``max_tokens`` of the answer.
    """
    prompt = "\n".join(message["content"] for message in body["messages"])
    if "tools" in body:
        prompt += json.dumps(body["tools"], ensure_ascii=False)
    size = len(prompt.encode("utf-8", "surrogatepass"))
    read, written = reply.prompt_tokens, reply.completion_tokens
    # An end token, or two, may stand beside the limit.
    read_fits = _is_plausible(read, prompt, size + HIDDEN_PROMPT) and read != 0
    output = f"{reply.reasoning} {reply.text}" if reply.reasoning else reply.text
    written_fits = _is_plausible(written, output, body["max_tokens"] + 2)
    return (
        read if read is not None and read_fits else estimate_tokens(prompt),
        written if written is not None and written_fits else estimate_tokens(output),
        read_fits and written_fits,
    )


def split_reply(reply: ServerReply) -> Split:
    """Reasoning, from wherever it stands, and the answer."""
    parts = split(reply.text)
    both = [part for part in (reply.reasoning, parts.reasoning) if part]
    return Split("\n\n".join(both), parts.answer, parts.open)


def count_reasoning(reply: ServerReply, reasoning: str, written: int) -> int:
    """Tokens of the reasoning among those written, by the server or by estimate."""
    reported = reply.reasoning_tokens
    if reported is not None and reported <= written:
        return reported
    return min(written, estimate_tokens(reasoning)) if reasoning else 0


def count_cached(reply: ServerReply, read: int) -> int:
    """Tokens read from the server's cache: never more than were read."""
    return min(read, reply.cached_tokens or 0)


def estimate_tokens(text: str) -> int:
    """Tokens of a text without its tokenizer: its words or a quarter of its characters.

    The larger of the two; within some 30% for English prose and most tokenizers, too low for
    scripts that tokenizers split finely.
    """
    return max(len(text.split()), math.ceil(len(text) / 4))


def _is_plausible(count: int | None, text: str, most: int) -> bool:
    return count is not None and len(text.split()) / WORDS_PER_TOKEN <= count <= most


def _join_content(content: Any) -> str:
    """Content as text: a string, null, or a list of parts with text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type", "text") == "text")
    raise TypeError(content)


def _read_calls(message: Mapping[str, Any]) -> str:
    """Calls of functions, ``[{"name": ..., "arguments": {...}}]``; "" where there are none."""
    calls: list[Any] = []
    listed = message.get("tool_calls")
    for call in listed if isinstance(listed, list) else ():
        function = call["function"]
        arguments = function.get("arguments") or "{}"
        if isinstance(arguments, str):
            with suppress(ValueError, RecursionError):  # else as the model wrote it
                arguments = json.loads(arguments)
        calls.append({"name": str(function["name"]), "arguments": arguments})
    return json.dumps(calls, ensure_ascii=False) if calls else ""


def _read_thoughts(message: Mapping[str, Any]) -> str:
    """Reasoning that stands beside the content, or in parts of it."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(message.get(name), str) and message[name].strip():
            return message[name].strip()
    content = message.get("content")
    parts: list[Any] = content if isinstance(content, list) else []
    thoughts = [
        _join_content(part.get(kind))
        for part in parts
        if isinstance(part, Mapping)
        for kind in ("thinking", "reasoning")
        if part.get("type") == kind
    ]
    return "\n".join(thoughts).strip()


def _read_details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = usage.get(name)
    return details if isinstance(details, Mapping) else {}


def _read_cached(usage: Mapping[str, Any]) -> int | None:
    """Tokens from the cache: OpenAI's and most servers' field, else DeepSeek's."""
    details = _read_details(usage, "prompt_tokens_details")
    for count in (details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens")):
        if _read_count(count) is not None:
            return _read_count(count)
    return None


def _sum_logprobs(logprobs: Any) -> float | None:
    """The sum over ``content``, None unless every token has its own."""
    try:
        values = [float(token["logprob"]) for token in logprobs["content"]]
    except (TypeError, KeyError, ValueError):
        return None
    return sum(values) if values and all(map(math.isfinite, values)) else None


def _read_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _shorten_line(text: str, longest: int = 300) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"
