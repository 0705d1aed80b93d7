"""Answers of a request with tools: calls told apart from text, whole or as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from whatworks.app.serve.replies import ReplyWriter
from whatworks.app.serve.tools import format_calls, split_calls

CALLED = "tool_calls"
"""Why an answer ended that calls something."""


def put_calls(choice: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A chat's choice with the calls of its text in their place, and what is left as its text."""
    message = choice["message"]
    text, calls = split_calls(message["content"] or "", names)
    if not calls:
        return choice
    message = {**message, "content": text or None, "tool_calls": format_calls(calls)}
    # What was cut off is said to be so, whether or not a call can be read in it.
    finish = CALLED if choice["finish_reason"] == "stop" else choice["finish_reason"]
    return {**choice, "message": message, "finish_reason": finish}


def list_pieces(reply: ReplyWriter, choices: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Finished choices as a stream has them."""
    for choice in choices:
        yield reply.piece(choice["index"], "", first=True)
        yield from list_rest(reply, choice, "")


def list_rest(reply: ReplyWriter, choice: dict[str, Any], sent: str) -> Iterator[dict[str, Any]]:
    """What a stream has of a finished choice after the text that was sent while it was written."""
    at, message = choice["index"], choice["message"]
    text = message["content"] or ""
    if rest := text.removeprefix(sent) if text.startswith(sent) else "":
        yield reply.piece(at, rest, None, choice["logprobs"])
    for number, call in enumerate(message.get("tool_calls", ())):
        piece = reply.piece(at, "")
        piece["choices"][0]["delta"] = {"tool_calls": [{"index": number, **call}]}
        yield piece
    yield reply.piece(at, "", choice["finish_reason"])
