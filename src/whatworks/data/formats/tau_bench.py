"""Conversations of tau-bench, as its runs write them (Yao et al. 2024, "tau-bench").

A list of runs, each with the task's number, the reward by the state that the tools were left in (1
or 0), and the turns under ``traj``. What led to a wrong state is no example to learn from, nor to
be measured against: it is left out and counted. Trials of one task are a group. ``turns: asked``
asks for every turn of the agent with the logged ones before it; no user is simulated.
"""

from __future__ import annotations

from typing import Any

from whatworks.data.formats.base import Content, Format, LeftOut
from whatworks.data.formats.chat import OPENAI, TOOLS
from whatworks.data.formats.turns import is_turns
from whatworks.data.raw_row import Fields

_NOTE = "show no functions, which their file does not hold: give each row a column `tools`"


def _is_run(fields: Fields) -> bool:
    return "task_id" in fields and "reward" in fields and is_turns(fields.get("traj"))


def _read(fields: Fields) -> Content:
    reward: Any = fields.get("reward")
    if not isinstance(reward, int | float) or reward < 1:
        raise LeftOut("left the tools in another state than wanted (reward below 1)")
    content = OPENAI.content({**fields, "messages": fields.get("traj")})
    notes = content.notes if content.meta.get("tools") else (*content.notes, _NOTE)
    return Content(
        messages=content.messages,
        target=content.target,
        group=f"task {fields.get('task_id')}",
        meta=content.meta,
        notes=notes,
    )


TAU_BENCH = Format(
    "tau-bench",
    "task_id, reward, traj: [{role, content}], perhaps tools",
    {"input": ("traj",), "tools": TOOLS},
    _is_run,
    _read,
)
