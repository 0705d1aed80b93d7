"""Checks of targets that are classes: among the labels, spelt alike, how often each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from whatworks.data.task import Example, MetricSpec, Splits
from whatworks.metrics.normalise import part_words
from whatworks.studies.checks.finding import CheckFinding, Level, Mend, format_share

PARTS = ("train", "dev", "test")
CLASSES = 200
"""Most different targets that are looked at as classes."""
RARE, UNEVEN = 5, 20
"""Fewest train rows of a class, and most between the commonest and the rarest, without doubt."""

Placed = Sequence[tuple[str, Example]]
"""Rows with the split that they stand in: train's, then dev's, then test's."""


def list_placed(splits: Splits) -> list[tuple[str, Example]]:
    """All rows with their split."""
    return [(part, row) for part in PARTS for row in getattr(splits, part)]


def check_labels(splits: Splits, spec: MetricSpec) -> list[CheckFinding]:
    """Everything about targets that are classes, or look like them."""
    return [*_check_foreign(splits, spec), *_check_alike(splits, spec), *_check_classes(splits)]


def _check_foreign(splits: Splits, spec: MetricSpec) -> list[CheckFinding]:
    """Targets outside of the labels that a category metric was given."""
    allowed: Any = spec.options.get("labels")
    if spec.name != "category" or not isinstance(allowed, list):
        return []
    known = {str(label).strip() for label in cast("list[Any]", allowed)}
    foreign = [(part, row) for part, row in list_placed(splits) if row.target.strip() not in known]
    names = [row.id for _, row in foreign]
    in_held_out = any(part != "train" for part, _ in foreign)
    return [
        CheckFinding(
            "targets among the labels",
            "spoils" if in_held_out else "doubt" if names else "fine",
            f"{format_share(len(names), sum(splits.counts().values()))} "
            "are not in the metric's labels",
            names,
            reason=f"the first is {foreign[0][1].target!r}" if foreign else "",
            remedy="correct these targets, or add the label" if names else "",
            drop=names,
        )
    ]


def _check_alike(splits: Splits, spec: MetricSpec) -> list[CheckFinding]:
    """Classes that differ in case, blanks or punctuation alone."""
    if spec.name != "category":
        return []
    rows = list_placed(splits)
    spellings = defaultdict[str, Counter[str]](Counter)
    for _, row in rows:
        spellings[part_words(row.target)][row.target.strip()] += 1
    commonest = {
        words: max(names, key=lambda n: (names[n], n)) for words, names in spellings.items()
    }
    several = {words for words, names in spellings.items() if len(names) > 1}
    other = {
        row.id: Mend(
            row.replace(target=commonest[words]), "targets written anew", repr(commonest[words])
        )
        for _, row in rows
        if (words := part_words(row.target)) in several and row.target.strip() != commonest[words]
    }
    if not several:
        return []
    first = min(several)
    folded = bool(spec.options.get("fold"))
    return [
        CheckFinding(
            "classes spelt alike",
            "fine" if folded else "spoils",
            f"{len(several)} classes stand in several spellings, as {len(other)} rows show"
            + ("; the metric folds them" if folded else ", and each counts as a class of its own"),
            list(other),
            reason="the first: " + ", ".join(map(repr, sorted(spellings[first]))),
            remedy="" if folded else "--fix writes the commonest spelling; or set `fold: true`",
            mend=other,
        )
    ]


def _check_classes(splits: Splits) -> list[CheckFinding]:
    """How often each target occurs, where targets look like classes."""
    train = Counter(row.target.strip() for row in splits.train)
    held_out = Counter(row.target.strip() for row in (*splits.dev, *splits.test))
    if not 2 <= len(train) <= min(CLASSES, len(splits.train) // 2):
        return []
    unseen = [name for name in held_out if name not in train]
    rare = [name for name, count in train.items() if count < RARE]
    common, most = train.most_common(1)[0]
    uneven = most > UNEVEN * min(train.values())
    summary = f"{len(train)} classes, from {min(train.values())} to {most} train rows"
    if held_out:
        always = held_out[common] / held_out.total()
        summary += f"; always {common!r} would be right in {always:.0%} of dev and test"
    if unseen:
        summary += f"; {len(unseen)} classes of dev and test are not in train: {_list_some(unseen)}"
    if rare:
        summary += f"; fewer than {RARE} train rows: {_list_some(rare)}"
    bars = _draw_bars(train)
    level: Level = "doubt" if unseen or rare or uneven else "fine"
    remedy = "balance them, or mind the macro-F1" if level == "doubt" else ""
    return [CheckFinding("class balance", level, summary, remedy=remedy, detail=bars)]


def _list_some(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    return ", ".join(map(repr, listed[:most])) + (", ..." if len(listed) > most else "")


def _draw_bars(counts: Mapping[str, int], most: int = 8) -> list[str]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ordered if len(ordered) <= most else [*ordered[: most // 2], *ordered[-most // 2 :]]
    top = ordered[0][1]
    width = max(len(name[:24]) for name, _ in shown)
    lines = [f"{n[:24]:<{width}} {c:>6} {'█' * max(1, round(20 * c / top))}" for n, c in shown]
    if len(ordered) > most:
        lines.insert(most // 2, f"{'...':<{width}}")
    return lines
