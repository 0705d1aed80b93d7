"""A scripted user and a table of what tools do, as a row brings them in ``meta["script"]``. Pure.

::

    {"state": {"order 7": "open"},
     "user": ["And order 8 as well, please."],
     "tools": {"cancel": [{"where": {"order {id}": "open"}, "set": {"order {id}": "cancelled"},
                           "say": "done"}],
               "look_up": [{"read": "order {id}"}]}}

The user says the row's input first and then the lines of ``user``, one after each answer that calls
nothing. A call takes the first rule of its tool whose ``where`` holds; ``{id}`` stands for an
argument. No model plays the user and nothing is executed: the table is all there is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from whatworks.base.errors import InputError
from whatworks.base.frozen import Frozen
from whatworks.base.validation import find_problem
from whatworks.data.task import Example

SCRIPT = "script"
NO_TOOL = "error: there is no such tool"
NO_RULE = "error: this cannot be done"


class ToolRule(Frozen):
    """What a call does.

    Attributes:
        where: What must hold of the state.
        set: What is changed.
        read: The key whose value comes back.
        say: The text that comes back, where nothing is read.
    """

    where: Mapping[str, str] = {}
    set: Mapping[str, str] = {}
    read: str = ""
    say: str = "done"


class ToolScript(Frozen):
    """The script of a row.

    Attributes:
        state: Values by key, at the beginning.
        user: Further lines of the user.
        tools: The rules of each tool.
    """

    state: Mapping[str, str]
    user: tuple[str, ...] = ()
    tools: Mapping[str, tuple[ToolRule, ...]] = {}


def is_scripted(example: Example) -> bool:
    """Whether a row brings a script."""
    return SCRIPT in example.meta


def read_script(example: Example) -> ToolScript:
    """The script of a row.

    Raises:
        InputError: If it has none that can be read.
    """
    value = example.meta.get(SCRIPT)
    try:
        written = json.loads(value) if isinstance(value, str) else value
        return ToolScript.model_validate(written)
    except (ValueError, ValidationError) as error:
        reason = find_problem(error).reason if isinstance(error, ValidationError) else str(error)
        raise InputError(
            f"the script cannot be read: {reason}",
            place=f"row {example.id!r}",
            remedy='write {"state": {...}, "user": [...], "tools": {NAME: [{"where": ..., "set": '
            '..., "say": ...}]}}',
        ) from error


class ToolWorld:
    """The state of one conversation, as calls change it.

    Attributes:
        state: Values by key, now.
    """

    def __init__(self, script: ToolScript) -> None:
        self._tools = script.tools
        self.state = dict(script.state)

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What comes back of a call."""
        if name not in self._tools:
            return NO_TOOL

        def fill(text: str) -> str:
            for key, value in arguments.items():
                text = text.replace(f"{{{key}}}", str(value))
            return text

        for rule in self._tools[name]:
            where = {fill(key): fill(value) for key, value in rule.where.items()}
            if any(self.state.get(key) != value for key, value in where.items()):
                continue
            if rule.read:
                return self.state.get(fill(rule.read), NO_RULE)
            self.state |= {fill(key): fill(value) for key, value in rule.set.items()}
            return fill(rule.say)
        return NO_RULE
