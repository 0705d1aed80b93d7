"""What is done to imported calls before they teach anything: feedback, prompts, secrets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from whatworks.data.contents import Data
from whatworks.data.logs.secret_shapes import find_kind
from whatworks.data.task import Example, Message

_SHARED_BY = 5
"""Calls that must begin alike before the beginning counts as a template."""


def filter_feedback(data: Data, at_least: float) -> Data:
    """The calls whose feedback score is at least this; those without feedback are dropped."""
    return _filter_calls(
        data,
        lambda e: isinstance(e.meta.get("score"), float) and e.meta["score"] >= at_least,
        f"have no feedback of {at_least:g} or better: dropped",
    )


def drop_secrets(data: Data) -> Data:
    """The calls in which nothing looks like a key, a token or a password."""
    kinds = Counter(kind for e in data.examples if (kind := find_secret(e)))
    named = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    return _filter_calls(
        data, lambda e: not find_secret(e), f"seem to hold secrets: dropped; {named}"
    )


def find_secret(example: Example) -> str:
    """The kind of the first secret that an example seems to hold, "" if none."""
    texts = [m.content for m in example.messages] + [*example.inputs.values(), example.target]
    aside = json.dumps(dict(example.meta), ensure_ascii=False, default=str)
    texts.append(aside.replace('\\"', '"'))
    return next((kind for text in texts if (kind := find_kind(text))), "")


def drop_system(data: Data, instead: str = "") -> Data:
    """The calls without their system messages, to tune a model to do without the long prompt.

    Args:
        data: The calls.
        instead: A short system message that every call begins with then; "" for none.
    """
    opening = (Message(role="system", content=instead),) if instead else ()

    def shorten(example: Example) -> Example:
        if not example.messages:
            return example
        turns = tuple(m for m in example.messages if m.role != "system")
        return example.replace(messages=(*opening, *turns))

    examples = tuple(map(shorten, data.examples))
    lost = sum(m.role == "system" for e in data.examples for m in e.messages)
    note = f"{lost} system messages were " + ("replaced" if instead else "left out")
    return replace(data, examples=examples, notes=(*data.notes, note))


def drop_template(data: Data) -> Data:
    """The calls without the beginning that their first user turns share.

    Programs that write instructions into the user turn repeat them in every call. Turns with the
    same first line count as one template; what at least 5 of them share, up to the last empty
    line, is cut, as long as something is left of every one.
    """
    families: dict[str, list[int]] = {}
    for number, example in enumerate(data.examples):
        opening = _find_opening(example)
        if opening is not None:
            families.setdefault(opening.content.split("\n", 1)[0], []).append(number)
    examples = list(data.examples)
    changed = 0
    for members in families.values():
        texts = [opening.content for i in members if (opening := _find_opening(examples[i]))]
        cut = _measure_shared(texts) if len(texts) >= _SHARED_BY else 0
        if not cut:
            continue
        for i in members:
            examples[i] = _cut(examples[i], cut)
            changed += 1
    note = f"{changed} calls lost the beginning that their prompts share"
    return replace(data, examples=tuple(examples), notes=(*data.notes, note))


def _find_opening(example: Example) -> Message | None:
    return next((m for m in example.messages if m.role == "user"), None)


def _measure_shared(texts: Sequence[str]) -> int:
    """Length of what all texts begin with, up to the last empty line in it."""
    low, high = min(texts), max(texts)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    cut = low.rfind("\n\n", 0, same) + 2
    return cut if cut > 2 and all(text[cut:].strip() for text in texts) else 0


def _cut(example: Example, cut: int) -> Example:
    opening = _find_opening(example)
    return example.replace(
        messages=tuple(
            m.replace(content=m.content[cut:]) if m is opening else m for m in example.messages
        )
    )


def _filter_calls(data: Data, wanted: Callable[[Example], bool], why: str) -> Data:
    examples = tuple(example for example in data.examples if wanted(example))
    dropped = len(data.examples) - len(examples)
    notes = (*data.notes, f"{dropped} calls {why}") if dropped else data.notes
    return replace(data, examples=examples, notes=notes)
