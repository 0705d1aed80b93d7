"""Where a played conversation ends: its state must be the wanted one, key by key.

The target is the state as a JSON object. What was said on the way does not count: a right end by
many detours is right, and a polite talk that changes the wrong thing is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.scripted_tools import SCRIPT, is_scripted, read_script
from whatworks.data.task import Example
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.json.parse import MalformedJSON, parse
from whatworks.metrics.score import Score


@metric()
def end_state(example: Example, text: str, options: NoOptions) -> Score:
    """The state in the end. Part ``state_right``: share of the keys with the wanted value.

    Raises:
        InputError: If the row brings no script, or its target is no state.
    """
    del options
    wanted = _read_target(example)
    ended = _read(text)
    if ended is None:
        return Score(
            0.0, "malformed", "no state: no conversation was played", parts={"state_right": 0.0}
        )
    keys = {**wanted, **ended}
    wrong = [key for key in keys if wanted.get(key) != ended.get(key)]
    parts = {"state_right": 1 - len(wrong) / len(keys) if keys else 1.0}
    if not wrong:
        return Score(1.0, "correct", parts=parts)
    said = "; ".join(
        f"{quote_briefly(key)} is {quote_briefly(str(ended.get(key)))}, wanted "
        f"{quote_briefly(str(wanted.get(key)))}"
        for key in wrong[:3]
    )
    return Score(0.0, "wrong", said, parts=parts)


def _read_target(example: Example) -> Mapping[str, Any]:
    place = f"row {example.id!r}"
    if not is_scripted(example):
        raise InputError(
            "there is no script to play",
            place=place,
            remedy=f"give rows a column `{SCRIPT}`, or use `metric: tool_call`",
        )
    read_script(example)
    wanted = _parse(example.target)
    if wanted is None:
        raise InputError(
            "the target is no state",
            place=place,
            remedy='write it as a JSON object, {"order 7": "cancelled"}',
        )
    return wanted


def _read(text: str) -> Mapping[str, Any] | None:
    """The state of what ``play_script`` writes, or of an answer that is one."""
    ended = _parse(text)
    if ended is None or set(ended) != {"state", "turns"}:
        return ended
    state: Any = ended["state"]
    return cast("Mapping[str, Any]", state) if isinstance(state, Mapping) else None


def _parse(text: str) -> Mapping[str, Any] | None:
    try:
        value = parse(text).value
    except MalformedJSON:
        return None
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None
