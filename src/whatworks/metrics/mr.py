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
from whatworks.base.phrasing import quote_briefly
from whatworks.data.meaning_representation import MalformedMR, MeaningRepresentation, find, parse
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts, measure_overlap, read_targets
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


def _build_form(train: Sequence[Example], options: MROptions) -> Constraint | None:
    """A representation with the acts and the slots of the train rows' targets; values are free.

    Free up to ``ROOM`` times what train has at most, in characters, parentheses and slots: without
    an end, a model that doesn't find one writes on until it is cut off.
    """
    del options
    targets = read_targets(train, parse)
    acts = sorted({one.act for one in targets})
    slots = [slot for one in targets for slot in one.slots]
    names = sorted({slot.name for slot in slots})
    if not names:
        return None
    values = [", ".join(slot.items) for slot in slots]
    text = _GRAMMAR.format(
        acts=" | ".join(f'"{act}"' for act in acts),
        names=" | ".join(f'"{name}"' for name in names),
        slots=ROOM * max(len(one.slots) for one in targets) - 1,
        length=ROOM * max(1, *map(len, values)),
        plain=r"[^\[\]()\n]",
        groups=ROOM * max(1, *(value.count("(") for value in values)),
    )
    return Constraint(kind="lark", text=text)


def _make_label(text: str, options: MROptions) -> str:
    """The representation, written in one way, whatever the order of its slots."""
    del options
    try:
        answer = parse(text)
    except MalformedMR:
        return ""
    return str(MeaningRepresentation(answer.act, tuple(sorted(answer.slots, key=str))))


@metric(MROptions, figures=average_parts, form=_build_form, label=_make_label)
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
        target = parse(example.target)
    except MalformedMR as error:
        raise InputError(
            f"the target is no meaning representation: {error}",
            place=f"example {example.id!r}",
            remedy="mend it: act(slot[value], ...)",
        ) from None
    problem = ""
    try:
        answer = parse(text)
    except MalformedMR as error:
        problem, answer = str(error), None
    candidate = answer or find(text)
    lenient = float(candidate is not None and candidate.fold().equals(target.fold(), order=False))
    if answer is None:
        names = ("parsed", "act", "slot_f1", "value_f1", "ordered", "unordered")
        feedback = (
            f"not of the form act(slot[value], ...): {problem}; wanted {quote_briefly(str(target))}"
        )
        return Score(0.0, "malformed", feedback, lenient=lenient, parts=dict.fromkeys(names, 0.0))
    parts = {
        "parsed": 1.0,
        "act": float(answer.act == target.act),
        "slot_f1": measure_overlap(answer.names(), target.names()).f1,
        "value_f1": measure_overlap(answer.pairs(), target.pairs()).f1,
        "ordered": float(answer.equals(target, order=True)),
        "unordered": float(answer.equals(target, order=False)),
    }
    if parts["ordered" if options.order else "unordered"]:
        return Score(1.0, "correct", parts=parts, label=str(answer))
    feedback = "; ".join(_describe_differences(answer, target))
    return Score(0.0, "wrong", feedback, lenient=lenient, parts=parts, label=str(answer))


def _describe_differences(
    answer: MeaningRepresentation, wanted: MeaningRepresentation
) -> Iterator[str]:
    if answer.act != wanted.act:
        yield f"act {quote_briefly(answer.act)}, wanted {quote_briefly(wanted.act)}"
    extra = Counter(answer.slots) - Counter(wanted.slots)
    missing = Counter(wanted.slots) - Counter(answer.slots)
    if missing:
        yield "missing " + ", ".join(map(str, missing.elements()))
    if extra:
        yield "not wanted " + ", ".join(map(str, extra.elements()))
    if answer.act == wanted.act and not missing and not extra:
        yield "the slots in another order, wanted " + ", ".join(s.name for s in wanted.slots)
