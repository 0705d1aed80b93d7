"""Which of its dialects a server keeps to, found out with one small request each.

The forms of these requests hold nothing that a model would say of itself, so that an answer which
has the form was held to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.models.constraint import Constraint
from whatworks.models.endpoint.dialects import Dialect, list_dialects
from whatworks.models.endpoint.replies import ServerReply, split_reply
from whatworks.models.endpoint.trouble import Trouble
from whatworks.models.local.grammar import is_allowed

QUESTION = "Say hello in one word."
ROOM = 64
"""Fewest tokens that a trial may write."""

_WORDS = ("qx7-basalt", "qx7-lemon")
_TRIALS = {
    "choices": Constraint(kind="choices", choices=_WORDS),
    "regex": Constraint(kind="regex", text="qx7-[0-9]{3}"),
    "lark": Constraint(kind="lark", text='start: "qx7-basalt" | "qx7-lemon"'),
    "json_schema": Constraint.from_schema(
        {
            "type": "object",
            "properties": {"qx7": {"type": "string", "enum": list(_WORDS)}},
            "required": ["qx7"],
            "additionalProperties": False,
        }
    ),
}


@dataclass(frozen=True)
class Finding:
    """What a trial showed.

    Attributes:
        dialect: Of what was asked.
        said: What the server made of it; empty where it kept to the form.
    """

    dialect: Dialect
    said: str = ""


Ask = Callable[[Dialect, Mapping[str, Any]], ServerReply]
"""Sends a request in a dialect."""


def find_dialect(
    form: Constraint, owner: str, body: Mapping[str, Any], ask: Ask, server: str
) -> Dialect:
    """The first dialect that a server keeps to, for forms of a kind.

    A trial that ends in the middle of its answer (a model that reasons), or that the model refuses,
    shows nothing: the dialect is taken, and what it does not hold is noticed in the answers.

    Args:
        form: What is to be asked for.
        owner: As ``list_dialects``.
        body: A request, for all but its messages and its form.
        ask: Sends a trial.
        server: How it is called in an error.

    Raises:
        ArmFailure: If there is none: what each of them brought.
        Trouble: If the server does not answer at all.
    """
    trial = _TRIALS[form.kind]
    findings: list[Finding] = []
    for dialect in list_dialects(owner, form):
        finding = _try(dialect, trial, body, ask)
        if not finding.said:
            return dialect
        findings.append(finding)
    raise ArmFailure(
        f"{server} keeps to no constraint of kind {form.kind}: {_describe(findings)}",
        remedy="decode without one, or use a server that knows it (see docs/endpoint.md)",
    )


def _try(dialect: Dialect, trial: Constraint, body: Mapping[str, Any], ask: Ask) -> Finding:
    fields = dialect.write(trial)
    assert fields is not None
    messages = [{"role": "user", "content": QUESTION}]
    sent = {**body, "messages": messages, "max_tokens": max(ROOM, body["max_tokens"]), **fields}
    try:
        reply = ask(dialect, sent)
    except Trouble as trouble:
        # Refused words are one dialect's affair; a wrong key or no server is every one's.
        if trouble.status not in (400, 404, 405, 422, 501) or not trouble.prompt:
            raise
        return Finding(dialect, trouble.cause)
    reply = dialect.unwrap(reply, trial.kind)
    shows_nothing = reply.refused or reply.finish != "stop"
    if shows_nothing or is_allowed(trial, split_reply(reply).answer):
        return Finding(dialect)
    return Finding(dialect, f"it said {reply.text[:80]!r}")


def _describe(findings: Sequence[Finding]) -> str:
    if not findings:
        return "it has no words for it"
    return "; ".join(f"asked by {one.dialect.name}, {one.said}" for one in findings)


def read_owner(payload: bytes, model: str) -> str:
    """Who has the models, by the server's list; empty where it does not say."""
    try:
        entries = json.loads(payload)["data"]
        by_name = {entry["id"]: str(entry.get("owned_by") or "") for entry in entries}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
    return by_name.get(model) or next(iter(by_name.values()), "")
