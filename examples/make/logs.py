"""What an application logged: a long prompt, messages of customers, answers, thumbs up and down."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab.frames import fill, list_training_frames

Row = dict[str, Any]

SHORT = "Write the ticket."
LONG = (
    "You write tickets for the workshop. Answer with one line: item, fault and order, each with "
    "its name. The lamp from order W557 is broken. item: lamp | fault: broken | order: W557. My "
    "bike is slow, the order was lor-576. item: bike | fault: slow | order: lor-576. Nothing else."
)


def rows(n: int, seed: int = 0) -> list[Row]:
    """Calls as Langfuse exports them; one in eight was answered wrong and rated so."""
    rng = random.Random(f"study logs {seed}")
    frame = next(frame for frame in list_training_frames() if frame.id == "ticket")
    made: list[Row] = []
    seen: set[str] = set()
    while len(made) < n:
        item = fill(rng, frame)
        if item.text in seen:
            continue
        seen.add(item.text)
        slots = item.slots
        answer = f"item: {slots['item']} | fault: {slots['fault']} | order: {slots['code']}"
        good = len(made) % 8 != 7
        if not good:
            answer = rng.choice((f"The {slots['item']} is {slots['fault']}.", slots["code"]))
        made.append(_call(f"call-{seed}-{len(made)}", item.text, answer, good=good))
    return made


def _call(name: str, asked: str, answer: str, *, good: bool) -> Row:
    return {
        "id": name,
        "traceId": name,
        "type": "GENERATION",
        "model": "workshop-large",
        "input": [{"role": "system", "content": LONG}, {"role": "user", "content": asked}],
        "output": {"role": "assistant", "content": answer},
        "scores": [{"traceId": name, "name": "thumb", "value": float(good)}],
    }
