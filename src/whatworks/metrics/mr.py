"""Meaning representations as in ViGGO: ``act(slot[value, value], slot[value])``.

Grammar (Juraska et al. 2019, ViGGO, written out)::

    mr    = act "(" [ slot { "," slot } ] ")"
    slot  = name "[" value "]"
    value = any characters; brackets inside must be balanced
    act, name = letter or "_", then letters, digits, "_", "-", "."

White space is free between symbols. A value is a list of items, separated by commas that stand in
no bracket or parenthesis: ``genres[driving/racing, sport]`` has two items, ``esrb[E 10+ (for
Everyone 10 and Older)]`` one, ``name[]`` none. The order of a value's items never counts.

Empty answers are malformed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from whatworks.base.errors import InputError
from whatworks.base.phrasing import brief
from whatworks.data.meaning_representation import MalformedMR, MeaningRepresentation, find, parse
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import overlap, part_means, readable
from whatworks.models.constraint import ROOM, Constraint

_GRAMMAR = """\
start: act "(" (slot (", " slot){{0,{slots}}})? ")"
act: {acts}
slot: name "[" VALUE? "]"
name: {names}
VALUE: /{plain}{{1,{length}}}(\\({plain}{{0,{length}}}\\){plain}{{0,{length}}}){{0,{groups}}}/
"""


class MROptions(Options):
    """Options of ``mr``.

    Attributes:
        order: Whether the order of the slots counts.
    """

    order: bool = False


def _form(train: Sequence[Example], options: MROptions) -> Constraint | None:
    """A representation with the acts and the slots of the train rows' targets; values are free.

    Free up to ``ROOM`` times what train has at most, in characters, parentheses and slots: without
    an end, a model that doesn't find one writes on until it is cut off.
    """
    del options
    found = readable(train, parse)
    acts = sorted({one.act for one in found})
    slots = [slot for one in found for slot in one.slots]
    names = sorted({slot.name for slot in slots})
    if not names:
        return None
    values = [", ".join(slot.items) for slot in slots]
    text = _GRAMMAR.format(
        acts=" | ".join(f'"{act}"' for act in acts),
        names=" | ".join(f'"{name}"' for name in names),
        slots=ROOM * max(len(one.slots) for one in found) - 1,
        length=ROOM * max(1, *map(len, values)),
        plain=r"[^\[\]()\n]",
        groups=ROOM * max(1, *(value.count("(") for value in values)),
    )
    return Constraint(kind="lark", text=text)


def _label(text: str, options: MROptions) -> str:
    """The representation, written in one way, whatever the order of its slots."""
    del options
    try:
        found = parse(text)
    except MalformedMR:
        return ""
    return str(MeaningRepresentation(found.act, tuple(sorted(found.slots, key=str))))


@metric(MROptions, figures=part_means, form=_form, label=_label)
def mr(example: Example, text: str, options: MROptions) -> Score:
    """The target's act and slots.

    Parts: ``parsed``; ``act`` (equal); ``slot_f1`` over slot names, ``value_f1`` over (slot, item)
    pairs; ``ordered`` and ``unordered``: equality with and without the order of the slots.
    Lenient: found within the answer, up to case, spaces and order.

    Args:
        example: Its target is a meaning representation.
        text: The answer.
        options: Whether the order of the slots counts.

    Raises:
        InputError: If the target is malformed.
    """
    try:
        wanted = parse(example.target)
    except MalformedMR as error:
        raise InputError(
            f"the target is no meaning representation: {error}",
            place=f"example {example.id!r}",
            remedy="mend it: act(slot[value], ...)",
        ) from None
    problem = ""
    try:
        said = parse(text)
    except MalformedMR as error:
        problem, said = str(error), None
    found = said or find(text)
    lenient = float(found is not None and found.folded().equals(wanted.folded(), order=False))
    if said is None:
        names = ("parsed", "act", "slot_f1", "value_f1", "ordered", "unordered")
        feedback = f"not of the form act(slot[value], ...): {problem}; wanted {brief(str(wanted))}"
        return Score(0.0, "malformed", feedback, lenient=lenient, parts=dict.fromkeys(names, 0.0))
    parts = {
        "parsed": 1.0,
        "act": float(said.act == wanted.act),
        "slot_f1": overlap(said.names(), wanted.names()).f1,
        "value_f1": overlap(said.pairs(), wanted.pairs()).f1,
        "ordered": float(said.equals(wanted, order=True)),
        "unordered": float(said.equals(wanted, order=False)),
    }
    if parts["ordered" if options.order else "unordered"]:
        return Score(1.0, "correct", parts=parts, label=str(said))
    feedback = "; ".join(_differences(said, wanted))
    return Score(0.0, "wrong", feedback, lenient=lenient, parts=parts, label=str(said))


def _differences(said: MeaningRepresentation, wanted: MeaningRepresentation) -> Iterator[str]:
    if said.act != wanted.act:
        yield f"act {brief(said.act)}, wanted {brief(wanted.act)}"
    extra = Counter(said.slots) - Counter(wanted.slots)
    missing = Counter(wanted.slots) - Counter(said.slots)
    if missing:
        yield "missing " + ", ".join(map(str, missing.elements()))
    if extra:
        yield "not wanted " + ", ".join(map(str, extra.elements()))
    if said.act == wanted.act and not missing and not extra:
        yield "the slots in another order, wanted " + ", ".join(s.name for s in wanted.slots)
