"""Conversations that a chat template refuses: found, mended where order alone is wrong, left out.

Many templates want user and assistant by turns, the user first. A row that they refuse fails
every request that it is part of, so a study leaves it out and says so; the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whatworks.base.errors import InputError
from whatworks.data.task import Example, Message, Task
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.weights import Weights
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.studies.checks.finding import Mend

_PARTS = ("train", "dev", "test")


def find_tokenizer(weights: Weights) -> Any | None:
    """The tokenizer with the study's template; None where the model is served or scripted."""
    if weights.base.startswith(("http://", "https://", "fake")):
        return None
    return templates.use(models.load_tokenizer(models.resolve(weights.base)), weights.template)


def find_refused(rows: Sequence[Example], tokenizer: Any, prompt: Prompt) -> dict[str, str]:
    """Rows that the template refuses: id to the reason. Those in regular order are not tried."""
    reasons: dict[str, str] = {}
    for row in rows:
        if not _is_regular(row.messages):
            try:
                templates.encode_prompt(tokenizer, render(prompt, row, exclude=()).messages)
            except InputError as error:
                reasons[row.id] = error.cause
    return reasons


def mend(row: Example) -> Mend:
    """The row without what the assistant said before anything was asked, turns of one role joined.

    What is said is kept in its order; only a greeting goes.
    """
    turns: list[Message] = []
    done: dict[str, None] = {}
    for message in row.messages:
        has_question = any(turn.role != "system" for turn in turns)
        if message.role == "assistant" and not has_question:
            done["a greeting taken off"] = None
            continue
        if turns and turns[-1].role == message.role:
            joined = f"{turns[-1].content}\n{message.content}"
            turns[-1] = turns[-1].replace(content=joined)
            done["turns of one role joined"] = None
        else:
            turns.append(message)
    return Mend(row.replace(messages=tuple(turns)), "turns put in order", " and ".join(done))


def drop_refused(task: Task, weights: Weights) -> Task:
    """The task without the rows that the model's template refuses, its notes saying how many.

    Raises:
        InputError: If a split would be left without rows.
    """
    rows = [row for part in _PARTS for row in getattr(task.splits, part)]
    rows += [pair.example for pair in task.preferences]
    if all(_is_regular(row.messages) for row in rows):
        return task
    tokenizer = find_tokenizer(weights)
    if tokenizer is None:
        return task
    reasons = find_refused(rows, tokenizer, Prompt(instructions=task.instructions))
    if not reasons:
        return task
    parts: dict[str, tuple[Example, ...]] = {}
    notes: list[str] = []
    for part in _PARTS:
        members: tuple[Example, ...] = getattr(task.splits, part)
        parts[part] = tuple(row for row in members if row.id not in reasons)
        out = [row.id for row in members if row.id in reasons]
        if members and not parts[part]:
            raise InputError(
                f"the chat template refuses all {len(members)} rows of {part}: {reasons[out[0]]}",
                remedy="`whatworks check --fix` mends their order, or set `template: chatml`",
            )
        if out:
            notes.append(f"{part}: {len(out)} rows were left out, the chat template refuses them "
                         f"({reasons[out[0]]}); the first is {out[0]!r}")  # fmt: skip
    preferences = tuple(pair for pair in task.preferences if pair.example.id not in reasons)
    splits = task.splits.replace(**parts)
    return task.replace(splits=splits, preferences=preferences, notes=(*task.notes, *notes))


def _is_regular(messages: Sequence[Message]) -> bool:
    """Whether user and assistant speak by turns, the user first and last; or there are none."""
    spoken = [m.role for m in messages[messages[:1] != () and messages[0].role == "system" :]]
    regular = ["user" if n % 2 == 0 else "assistant" for n in range(len(spoken))]
    return not messages or (spoken == regular and len(spoken) % 2 == 1)
