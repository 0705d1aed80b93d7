"""Whether two rows, or two texts, say nearly the same."""

from __future__ import annotations

from functools import lru_cache

from whatworks.data.task import Document, Example

NEAR_DUPLICATE = 0.85
"""Jaccard similarity of character 5-grams from which two inputs count as the same."""


ASKS_SOMETHING = 3
"""Words from which the parts in which two inputs differ can make them different questions."""


def is_same_source(one: Example, other: Example) -> bool:
    """Whether two rows are the same row, share a group, or have nearly the same input."""
    if one.id == other.id or (one.group is not None and one.group == other.group):
        return True
    return is_same_input(one, other)


def is_same_input(one: Example, other: Example) -> bool:
    """Whether two rows ask nearly the same.

    As wholes they must be near-duplicates. Rows that share a long passage always are, whatever
    they ask about it; so each part in which they differ (a field, a turn, a line of a text) must
    be a near-duplicate of its counterpart as well, unless one of the two is too short to ask
    anything (``ASKS_SOMETHING``).
    """
    if not is_near_duplicate(one.text, other.text):
        return False
    return all(
        min(len(part.split()), len(counterpart.split())) < ASKS_SOMETHING
        or is_near_duplicate(part, counterpart)
        for part, counterpart in _pair_parts(_list_parts(one), _list_parts(other))
    )


def _list_parts(example: Example) -> list[str]:
    """What an input consists of: its turns, its fields, or the lines of its only one."""
    if example.messages:
        parts = [m.content for m in example.messages if m.role != "system"]
    else:
        parts = list(example.inputs.values())
    return [normalise_text(line) for line in parts[0].splitlines()] if len(parts) == 1 else parts


def _pair_parts(parts: list[str], others: list[str]) -> list[tuple[str, str]]:
    """The parts that correspond; where their numbers differ, all that is not in the other."""
    if len(parts) == len(others):
        return list(zip(parts, others, strict=True))
    first = [part for part in parts if part not in others]
    second = [part for part in others if part not in parts]
    return [("\n".join(first), "\n".join(second))]


def is_near_duplicate(one: str, other: str) -> bool:
    """Whether two texts are equal up to case and spacing, or nearly (``NEAR_DUPLICATE``)."""
    first, second = _make_shingles(one), _make_shingles(other)
    if not first or not second:
        return first == second
    small, large = sorted((len(first), len(second)))
    if small < NEAR_DUPLICATE * large:  # the Jaccard index cannot reach the threshold
        return False
    shared = len(first & second)
    return shared >= NEAR_DUPLICATE * (len(first) + len(second) - shared)


def is_repeat(chunk: Document, row: Example) -> bool:
    """Whether a passage is the row written out, question with answer, not evidence for it.

    The text decides: ids of documents and ids of rows have nothing to do with one another.
    """
    return is_near_duplicate(chunk.text, f"{row.text}\n{row.target}")


@lru_cache(maxsize=200_000)
def _make_shingles(text: str) -> frozenset[str]:
    bare = normalise_text(text)
    if len(bare) < 5:
        return frozenset([bare] if bare else [])
    return frozenset(bare[i : i + 5] for i in range(len(bare) - 4))


def forget_texts() -> None:
    """Give back the memory in which comparisons of texts keep what they may need again."""
    _make_shingles.cache_clear()


def normalise_text(text: str) -> str:
    """The text without what near-duplicates may differ in: case and spacing."""
    return " ".join(text.split()).casefold()
