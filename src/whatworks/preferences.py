"""Preference pairs: which of them a method may see, and which say anything."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.errors import ArmFailure
from whatworks.joining import Joining
from whatworks.task import Example, Pair

REMEDY = "give the study pairs: `task: {preferences: pairs.jsonl}`"


def for_training(pairs: Sequence[Pair], held: Sequence[Example]) -> tuple[Pair, ...]:
    """The pairs that belong to train: those that repeat no held row.

    A pair repeats a row when its input is the same or nearly the same (``same_input``), or when
    both are of one group.

    Args:
        pairs: Pairs of a file of their own.
        held: Dev and test rows, and rows set aside.
    """
    from whatworks.check.duplicates import find

    rows = [*(pair.example for pair in pairs), *held]
    alike = Joining[int]()
    found = find(lambda: rows)
    for cluster in (*found.exact, *found.near):
        alike.join(cluster)
    taken = {alike.root(at) for at in range(len(pairs), len(rows))}
    groups = {row.group for row in held if row.group is not None}
    return tuple(
        pair
        for at, pair in enumerate(pairs)
        if alike.root(at) not in taken and pair.example.group not in groups
    )


def telling(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs that have two sides which differ.

    Raises:
        ArmFailure: If there are none.
    """
    if not pairs:
        raise ArmFailure("there are no preference pairs", remedy=REMEDY)
    whole = [pair for pair in pairs if pair.chosen and pair.rejected]
    if not whole:
        raise ArmFailure(
            f"none of {len(pairs)} labelled answers has a partner for the same input",
            remedy="train on them as they are: `dpo: {loss: kto}`",
        )
    different = tuple(pair for pair in whole if pair.chosen.strip() != pair.rejected.strip())
    if not different:
        raise ArmFailure(
            f"in all {len(whole)} pairs the two answers are equal: nothing is preferred",
            remedy="give pairs whose answers differ",
        )
    return different
