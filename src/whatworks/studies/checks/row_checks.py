"""Checks of the rows as they are: duplicates, leakage, labels, targets. No model is needed."""

from __future__ import annotations

from collections import Counter, defaultdict

from whatworks.base.errors import InputError
from whatworks.data.duplicates import Duplicates, find
from whatworks.data.near_duplicates import repeats
from whatworks.data.task import Example, Splits, Task
from whatworks.metrics.registry import doubtful, of, refused, unscorable
from whatworks.metrics.score import Metric
from whatworks.studies.checks.finding import LEVELS, Finding, Level, graded, percent
from whatworks.studies.checks.label_checks import PARTS, Placed, check_labels, placed


def check_rows(task: Task, min_effect: float) -> list[Finding]:
    """Everything that rows and metric alone can tell.

    Args:
        task: Rows and metric.
        min_effect: Smallest difference that matters: a fault in a smaller share of the test rows
            is in doubt, in a larger one it spoils the result.
    """
    splits, metric = task.splits, of(task)
    rows = placed(splits)
    found = find(lambda: (row for _, row in rows))
    return [
        _sizes(splits),
        *_notes(task),
        *_ids(rows),
        *_leaks(rows, found, min_effect),
        *_groups(rows),
        *_conflicts(rows, found, metric, min_effect),
        *_repeats(rows, found),
        *_targets(splits, metric, min_effect),
        *_doubtful(splits, metric),
        *check_labels(splits, task.metric),
        *_documents(task),
        *_evidence(task, min_effect),
    ]


def _sizes(splits: Splits) -> Finding:
    counts = splits.counts()
    said = ", ".join(f"{count} {part}" for part, count in counts.items())
    # Two proportions of one half, 80% power at the 5% level: an upper bound, since arms are paired.
    visible = min(1.0, 2.8 * (0.5 / max(1, counts["test"])) ** 0.5)
    return Finding(
        "rows",
        "doubt" if visible > 0.3 else "fine",
        f"{said}; {counts['test']} test rows show differences of {visible:.0%} for certain, "
        "smaller ones when answers go together",
        remedy="more test rows show smaller differences" if visible > 0.3 else "",
    )


def _notes(task: Task) -> list[Finding]:
    """What reading left out or guessed: missing values, fields of turns, pairs without a better."""
    if not task.notes:
        return []
    remedy = "complete the rows, or mind that they are not part of the study as they stand"
    return [Finding("reading", "doubt", "; ".join(task.notes), remedy=remedy)]


def _ids(rows: Placed) -> list[Finding]:
    times = Counter(row.id for _, row in rows)
    twice = [name for name, count in times.items() if count > 1]
    if not twice:
        return []
    remedy = "give every row an id of its own, or leave the id column out"
    return [Finding("ids", "spoils", f"{len(twice)} ids stand twice", twice, remedy=remedy)]


def _leaks(rows: Placed, found: Duplicates, min_effect: float) -> list[Finding]:
    """Rows of dev and test that stand in an earlier split, exactly or nearly."""
    total = Counter(part for part, _ in rows)
    findings: list[Finding] = []
    kinds = (("the same", found.exact), ("nearly the same", _with_copies(found)))
    for kind, groups in kinds:
        leaked: dict[str, list[str]] = {"dev": [], "test": []}
        for group in groups:
            first = PARTS.index(rows[group[0]][0])  # groups are in order, so train comes first
            for position in group:
                part, row = rows[position]
                if PARTS.index(part) > first:
                    leaked[part].append(row.id)
        names = [*leaked["dev"], *leaked["test"]]
        levels = {graded(len(leaked[part]) / max(1, total[part]), min_effect) for part in leaked}
        if names and kind == "the same":
            levels.add("spoils")
        level: Level = next(level for level in reversed(LEVELS) if level in levels)
        findings.append(
            Finding(
                f"{kind} input in two splits",
                level,
                "; ".join(
                    f"{percent(len(found), total[part])} {part} rows stand in an earlier split"
                    for part, found in leaked.items()
                    if found
                )
                or "none",
                names,
                remedy="leave them out of the later split" if names else "",
                drop=names,
            )
        )
    return findings


def _with_copies(found: Duplicates) -> list[tuple[int, ...]]:
    """Groups of near-duplicates, with the exact copies of their members."""
    copies = {group[0]: group for group in found.exact}
    return [
        tuple(sorted({copy for member in group for copy in copies.get(member, (member,))}))
        for group in found.near
    ]


def _repeats(rows: Placed, found: Duplicates) -> list[Finding]:
    """Rows that stand in one split several times."""
    findings: list[Finding] = []
    for kind, groups in (("exact", found.exact), ("near", found.near)):
        again = defaultdict[str, list[str]](list)
        for group in groups:
            seen: set[str] = set()
            for position in group:
                part, row = rows[position]
                if part in seen:
                    again[part].append(row.id)
                seen.add(part)
        said = ", ".join(f"{len(names)} in {part}" for part, names in again.items()) or "none"
        exact = kind == "exact"
        findings.append(
            Finding(
                f"{kind} duplicates",
                "doubt" if exact and again else "fine",
                said + ("" if exact else f" (by MinHash, {found.compared} pairs compared)"),
                [name for names in again.values() for name in names],
                remedy="they count several times" if exact and again else "",
                drop=[name for names in again.values() for name in names] if exact else (),
            )
        )
    return findings


def _groups(rows: Placed) -> list[Finding]:
    """Groups that stand in two splits."""
    where = defaultdict[str, set[str]](set)
    for part, row in rows:
        if row.group is not None:
            where[row.group].add(part)
    if not where:
        return []
    torn = {group for group, parts in where.items() if len(parts) > 1}
    first = {group: min(where[group], key=PARTS.index) for group in torn}
    names = [row.id for part, row in rows if row.group in torn and part != first[row.group or ""]]
    return [
        Finding(
            "groups in two splits",
            "spoils" if torn else "fine",
            f"{percent(len(torn), len(where))} groups",
            names,
            reason=f"the first is {min(torn)!r}" if torn else "",
            remedy="keep each group in one split, or give one file to be split by group"
            if torn
            else "",
            drop=names,
        )
    ]


def _conflicts(rows: Placed, found: Duplicates, metric: Metric, min_effect: float) -> list[Finding]:
    """Rows with the same input, of which one's target is a wrong answer to the other."""
    names: dict[str, list[str]] = {"train": [], "test": []}
    for group in found.exact:
        members = [rows[position] for position in group]
        first = members[0][1]
        if all(row.target.strip() == first.target.strip() for _, row in members):
            continue
        for part, row in members:
            others = (other for _, other in members if other.target != row.target)
            if any(not _accepts(metric, row, other.target) for other in others):
                names["test" if part == "test" else "train"].append(row.id)
    total = Counter(part for part, _ in rows)
    everyone = [*names["train"], *names["test"]]
    level = graded(len(names["test"]) / max(1, total["test"]), min_effect)
    if level == "fine" and everyone:
        level = "doubt"
    return [
        Finding(
            "conflicting targets",
            level,
            f"{percent(len(everyone), len(rows))} rows have the same input as another row, and a "
            "target that is wrong there"
            if everyone
            else "none",
            everyone,
            remedy="decide for one target, or leave them all out" if everyone else "",
            drop=everyone,
        )
    ]


def _accepts(metric: Metric, row: Example, answer: str) -> bool:
    try:
        return metric.asks or metric(row, answer).value >= 1.0
    except InputError:
        return True  # told by `_targets`


def _targets(splits: Splits, metric: Metric, min_effect: float) -> list[Finding]:
    """Targets that the metric cannot use, does not accept, or that are empty."""
    asked = (*splits.dev, *splits.test)
    total = len(splits.train) + len(asked)
    broken = refused(metric, (*splits.train, *asked))
    asked_ids = {row.id for row in asked}
    stops = [name for name in broken if name in asked_ids]
    short = {
        name: why
        for name, why in unscorable(metric, (*splits.train, *asked)).items()
        if name not in broken
    }
    short_asked = sum(name in asked_ids for name in short)
    empty = [row for row in splits.train if not row.target.strip()]
    silent = [row.id for row in empty if row.id in broken or row.id in short]
    return [
        Finding(
            f"targets under the metric {metric.name}",
            "spoils" if stops else "doubt" if broken else "fine",
            f"{percent(len(broken), total)} cannot be scored against" if broken else "all usable",
            list(broken),
            reason=next(iter(broken.values()), ""),
            remedy="correct these targets, or leave the rows out" if broken else "",
            drop=list(broken),
        ),
        Finding(
            "targets that score 1",
            _worse(graded(short_asked / max(1, len(asked)), min_effect), bool(short)),
            f"{percent(len(short), total)} score less than 1 themselves" if short else "all do",
            list(short),
            reason=next(iter(short.values()), ""),
            remedy="no arm can reach 1 there" if short else "",
            drop=list(short),
        ),
        Finding(
            "empty targets",
            _worse(graded(len(silent) / max(1, len(splits.train)), min_effect), False),
            (f"{percent(len(empty), len(splits.train))} in train" if empty else "none")
            + ("" if silent or not empty else "; the metric counts silence as right there"),
            silent,
            remedy="training on them teaches silence" if silent else "",
            drop=silent,
        ),
    ]


def _worse(level: Level, doubt: bool) -> Level:
    return "doubt" if level == "fine" and doubt else level


def _doubtful(splits: Splits, metric: Metric) -> list[Finding]:
    """Targets of dev and test that decide less than they seem to."""
    rows = (*splits.dev, *splits.test)
    found = doubtful(metric, rows)
    if not found:
        return []
    return [
        Finding(
            "targets that hang on chance",
            "doubt",
            f"{percent(len(found), len(rows))} of dev and test",
            list(found),
            reason=next(iter(found.values())),
            remedy="order them by more, so that one answer is right",
        )
    ]


def _documents(task: Task) -> list[Finding]:
    """Documents that the study names and that cannot be used."""
    if not task.documents_fault:
        return []
    said = f"cannot be used: {task.documents_fault}"
    remedy = "every arm that needs documents fails until then"
    return [Finding("documents", "spoils", said, remedy=remedy)]


def _evidence(task: Task, min_effect: float) -> list[Finding]:
    """Rows whose evidence is never shown to them, because it is the row written out."""
    documents = {document.id: document for document in task.documents}
    rows = [
        (part, row)
        for part, row in placed(task.splits)
        if any(name in documents for name in row.evidence)
    ]
    if not rows:
        return []
    hidden = [
        (part, row.id)
        for part, row in rows
        if any(repeats(documents[n], row) for n in row.evidence if n in documents)
    ]
    total, found = (Counter(part for part, _ in some) for some in (rows, hidden))
    share = max(found[part] / max(1, total[part]) for part in ("dev", "test"))
    return [
        Finding(
            "evidence that may be shown",
            _worse(graded(share, min_effect), bool(hidden)),
            f"{percent(len(hidden), len(rows))} rows are written out in their own evidence, "
            "which is kept out of their prompt"
            if hidden
            else "all",
            [name for _, name in hidden],
            remedy="retrieval cannot be measured on them: leave these documents or rows out"
            if hidden
            else "",
        )
    ]
