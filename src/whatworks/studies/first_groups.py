"""Which column says that rows belong together, so that they should not stand in two splits.

Rows of one user, document or conversation are alike in ways that no question asks for; with some of
them in train and others in test, an answer can be known from its neighbours. A column is suggested,
never taken: what belongs together is for people to say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example

_TOGETHER = frozenset(
    (
        *("user", "customer", "client", "account", "patient", "person", "author", "speaker"),
        *("writer", "reviewer", "annotator", "worker", "student", "subject", "participant"),
        *("document", "doc", "article", "page", "passage", "context", "paragraph", "story", "book"),
        *("file", "filename", "path", "title", "source", "url", "paper", "contract", "case"),
        *("report", "record", "chapter", "conversation", "dialogue", "dialog", "session", "thread"),
        *("chat", "ticket", "call", "episode", "conv", "entity", "product", "item", "company"),
        *("shop", "store", "repo", "repository", "project", "database", "db", "template", "family"),
        *("cluster", "topic", "video", "image", "movie", "game", "group", "promptid", "passageid"),
    )
)
"""Words for what rows can be of, in names of columns."""

FEWEST, SMALLEST, LARGEST = 10, 1.2, 0.2
"""Fewest values of such a column, fewest rows to a value, and the largest share that one may have.

Fewer values are classes; and with one that has most of the rows no split can be cut."""
_FILLED = 0.9
_ALIKE = 0.2
"""By how much more often rows of one value have one target, to be worth saying."""
_PAIRS = 20_000


@dataclass(frozen=True)
class GroupGuess:
    """A column whose rows may belong together.

    Attributes:
        column: Its name.
        why: What speaks for it, for people.
    """

    column: str
    why: str

    def __str__(self) -> str:
        return (
            f"{quote_briefly(self.column)} may say which rows belong together ({self.why}): "
            f"if so, name it as `group`, and no group stands in two splits"
        )


def suggest_group(rows: Sequence[Example]) -> GroupGuess | None:
    """The likeliest column, None where rows have groups by now or nothing speaks for any.

    Named for something that rows can be of, or deciding one of the inputs: its values come again,
    and are enough to be shared out among splits. Of several the one with the fewest values, which
    keeps the most together.
    """
    if not rows or any(row.group for row in rows):
        return None
    candidates: list[tuple[int, GroupGuess]] = []
    for name, values in _list_columns(rows).items():
        filled = [value for value in values if value]
        counts = defaultdict[str, int](int)
        for value in filled:
            counts[value] += 1
        if (
            len(filled) < _FILLED * len(rows)
            or len(counts) < FEWEST
            or len(filled) < SMALLEST * len(counts)
            or max(counts.values()) > max(LARGEST * len(rows), 2)
        ):
            continue
        words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()))
        reasons = [f"{len(counts)} values over {len(rows)} rows"]
        decided = _list_decided(rows, values)
        if decided:
            reasons.append(f"each with one {' and one '.join(decided)} of its own")
        if alike := _describe_alike(rows, values):
            reasons.append(alike)
        if words & _TOGETHER or decided:
            candidates.append((len(counts), GroupGuess(name, ", ".join(reasons))))
    return min(candidates, key=lambda one: one[0])[1] if candidates else None


def _list_columns(rows: Sequence[Example]) -> Mapping[str, Sequence[str]]:
    """What is known of each row beside its target: short values of ``meta``, and inputs."""
    names = dict.fromkeys(name for row in rows for name in (*row.meta, *row.inputs))
    columns: dict[str, list[str]] = {}
    for name in names:
        values = [row.inputs.get(name, row.meta.get(name)) for row in rows]
        if name != "split" and all(isinstance(one, str | int | None) for one in values):
            columns[name] = ["" if one is None else str(one) for one in values]
    return columns


def _list_decided(rows: Sequence[Example], values: Sequence[str]) -> list[str]:
    """Inputs that are the same wherever a value is, and differ between values."""
    decided: list[str] = []
    for name in dict.fromkeys(name for row in rows for name in row.inputs):
        values_of = defaultdict[str, set[str]](set)
        for row, value in zip(rows, values, strict=True):
            values_of[value].add(row.inputs.get(name, ""))
        alone = [next(iter(texts)) for texts in values_of.values() if len(texts) == 1]
        if (
            len(alone) == len(values_of)
            and len(set(alone)) == len(values_of)
            and alone != list(values_of)
        ):
            decided.append(name)
    return decided


def _describe_alike(rows: Sequence[Example], values: Sequence[str]) -> str:
    """How much more often rows of one value have the same target than others, if it is much."""
    places = defaultdict[str, list[int]](list)
    for at, value in enumerate(values):
        places[value].append(at)
    inside = list(islice(_pair_within(places), _PAIRS))
    step = max(1, len(rows) // 3)
    outside = [(a, (a + step) % len(rows)) for a in range(len(rows))]
    outside = [(a, b) for a, b in outside if values[a] != values[b]]
    if not inside or not outside:
        return ""
    within, between = (
        sum(rows[a].target.strip() == rows[b].target.strip() for a, b in pairs) / len(pairs)
        for pairs in (inside, outside)
    )
    if within - between < _ALIKE:
        return ""
    return f"two rows of one have the same target in {within:.0%}, others in {between:.0%}"


def _pair_within(places: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, int]]:
    for members in places.values():
        yield from pairwise(members)
