"""What a server is asked: its address, and the body of a request for one answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from whatworks.base.errors import InputError
from whatworks.base.frozen import hash_content
from whatworks.data.task import Message
from whatworks.data.tools import Native, read_native
from whatworks.models.chat_templates import read_thinking, read_tools
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.api_keys import GENERAL

DISPENSABLE = frozenset({"seed", "stop"})
"""Fields that a server may refuse: draws stay apart without a seed, stop strings are cut here."""

HOW_TO_NAME = "write https://host/v1#model-name"


def trim_address(url: str) -> str:
    """The address without its last slash and without ``/chat/completions``.

    Raises:
        InputError: If it is none, or holds a password, a key or anything else after the path.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise InputError("no address of a server", place="model", remedy=HOW_TO_NAME)
    if "@" in parts.netloc or parts.query or parts.fragment:
        # It would end up in every record; so it is not repeated here either.
        raise InputError(
            "the address holds a user, a key or options",
            place=host,
            remedy=f"{HOW_TO_NAME}, and set {GENERAL}",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}"


def build_body(
    model: str, messages: Sequence[Message], decoding: Decoding, key: str, template: str
) -> dict[str, Any]:
    """The body of a chat completion, as it is kept and sent, but for its form.

    Args:
        model: The model's name at the server.
        messages: The rendered prompt.
        decoding: How to draw.
        key: Names the request's random stream.
        template: Name of a template: says whether the model reasons first, and whether functions
            go in a field of their own. Under a constraint they are text: a call is no answer of
            that form.
    """
    thinks = read_thinking(template)
    native = read_native(messages) if read_tools(template) and not decoding.constraint else None
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in messages]
        if native is None
        else format_turns(native),
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
    }
    if decoding.temperature > 0:
        # Not sent with greedy decoding: it decides nothing, and equal prompts are paid once.
        body["top_p"] = decoding.top_p
        body["seed"] = int(hash_content([decoding.seed, key]), 16) % 2**31
    if decoding.stop and decoding.constraint is None:
        body["stop"] = list(decoding.stop)
    if native is not None:
        body["tools"] = list(native.tools)
    if thinks is not None:  # vLLM's and SGLang's word for what a template is given
        body["chat_template_kwargs"] = {"enable_thinking": thinks}
    return body


def format_turns(native: Native) -> list[dict[str, Any]]:
    """Turns as chat completions have them: arguments as JSON text.

    Servers want a result after every call. A call that has none, as in a demonstration, stays the
    text that data write; so does a result without its call.
    """
    turns: list[dict[str, Any]] = []
    answered = {turn["tool_call_id"] for turn in native.turns if "tool_call_id" in turn}
    for turn in native.turns:
        calls = turn.get("tool_calls", ())
        written = [
            {**call, "function": {**call["function"], "arguments": _write(call)}} for call in calls
        ]
        if calls and all(call["id"] in answered for call in calls):
            turns.append({**turn, "tool_calls": written})
        elif calls:
            answered -= {call["id"] for call in calls}
            text = json.dumps([call["function"] for call in calls], ensure_ascii=False)
            said = "\n".join(part for part in (turn["content"], text) if part)
            turns.append({"role": turn["role"], "content": said})
        elif turn["role"] == "tool" and turn.get("tool_call_id") not in answered:
            turns.append({"role": "user", "content": turn["content"]})
        else:
            turns.append({name: value for name, value in turn.items() if name != "name"})
    return turns


def _write(call: Mapping[str, Any]) -> str:
    return json.dumps(call["function"]["arguments"], ensure_ascii=False)


def separate_wishes(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a request needs, and what a server that does not know it may leave out."""
    wished = {name: body[name] for name in DISPENSABLE & body.keys()} | {"logprobs": True}
    if body.get("top_p") == 1.0:
        wished["top_p"] = 1.0  # what a server does anyway
    return {name: value for name, value in body.items() if name not in wished}, wished
