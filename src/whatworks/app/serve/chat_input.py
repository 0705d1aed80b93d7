"""What a chat request gives the model: messages, or tokens where its template says more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from whatworks.app.serve.protocol import ChatRequest, ChatTurn, RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.data.task import Message

Call = Callable[[Callable[[], Any]], Future[Any]]
"""Runs something on the thread that owns the engine."""


def read_messages(turns: Sequence[ChatTurn], served: Served) -> tuple[Message, ...]:
    """The messages of a request.

    Raises:
        RequestRefusal: If nothing in them is asked of an arm, which puts its own prompt around it.
    """
    messages = tuple(turn.message for turn in turns)
    if not served.plain and all(message.role == "system" for message in messages):
        raise RequestRefusal("messages: nothing but system messages", param="messages")
    return messages


def needs_template(body: ChatRequest, served: Served) -> bool:
    """Whether the model's own template has to show what the messages do not say.

    Tools go by it where it knows them and nothing is put around a request; else they are a line
    of the system message, as in a study.

    Raises:
        RequestRefusal: If settings of a template are given where there is none of the model's own.
    """
    local = served.local
    if body.chat_template_kwargs and (local is None or not served.plain):
        raise RequestRefusal(
            "chat_template_kwargs: this model is asked as its study asks it",
            param="chat_template_kwargs",
        )
    if body.chat_template_kwargs:
        return True
    return (
        bool(body.tools)
        and local is not None
        and served.plain
        and (local.takes_tools(served.files))
    )


def encode_turns(body: ChatRequest, served: Served) -> tuple[int, ...]:
    """Tokens of a request by the model's template, with its tools and settings."""
    local = served.local
    assert local is not None
    turns = [turn.for_template for turn in body.messages]
    return tuple(local.encode_request(served.files, turns, body.template_options))
