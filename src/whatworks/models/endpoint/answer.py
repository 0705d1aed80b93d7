"""A reply read: the generation that it stands for, and whether it keeps the form asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.models.chat_templates import cut_at_stop
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.replies import (
    ServerReply,
    count_cached,
    count_reasoning,
    count_tokens,
    split_reply,
)
from whatworks.models.engine import Generation
from whatworks.models.local.grammar import is_allowed


def read_generation(
    reply: ServerReply, body: Mapping[str, Any], decoding: Decoding
) -> tuple[Generation, bool]:
    """The generation of a reply to a request, and whether its tokens were counted by the server."""
    read, written, counted = count_tokens(reply, body)
    parts = split_reply(reply)
    # Stop strings do not apply to a form.
    free = decoding.constraint is None
    text = cut_at_stop(parts.answer, decoding.stop) if free else parts.answer
    generation = Generation(
        text,
        read,
        written,
        reply.seconds,
        reply.finish,
        reply.logprob,
        reasoning=parts.reasoning,
        reasoning_tokens=count_reasoning(reply, parts.reasoning, written),
        cached_tokens=count_cached(reply, read),
    )
    return generation, counted


def find_breach(reply: ServerReply, form: Constraint | None, server: str) -> ArmFailure | None:
    """What is wrong with a finished answer that lacks the form asked for; ``server`` names it."""
    excused = reply.refused or reply.finish != "stop"
    if form is None or excused or is_allowed(form, split_reply(reply).answer):
        return None
    return ArmFailure(
        f"{server} does not keep to a constraint of kind {form.kind}: it said {reply.text[:80]!r}",
        remedy="decode without one, or use a server that knows it (see docs/endpoint.md)",
    )
