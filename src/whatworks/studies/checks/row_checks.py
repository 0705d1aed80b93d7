"""Checks of the rows as they are: duplicates, leakage, labels, targets. No model is needed."""

from __future__ import annotations

from collections import Counter, defaultdict

from whatworks.base.errors import InputError
from whatworks.data.duplicates import Duplicates, find
from whatworks.data.formats.base import is_information
from whatworks.data.near_duplicates import is_repeat
from whatworks.data.task import Example, Splits, Task
from whatworks.metrics.registry import (
    find_doubtful,
    find_refused,
    find_unscorable,
    load_task_metric,
)
from whatworks.metrics.score import Metric
from whatworks.studies.checks.finding import (
    LEVELS,
    CheckFinding,
    Level,
    find_rows,
    format_share,
    grade_share,
)
from whatworks.studies.checks.label_checks import PARTS, Placed, check_labels, list_placed


def check_rows(task: Task, min_effect: float) -> list[CheckFinding]:
    """Everything that rows and metric alone can tell.

    Args:
        task: Rows and metric.
        min_effect: Smallest difference that matters: a fault in a smaller share of the test rows
            is in doubt, in a larger one it spoils the result.
    """
    splits, metric = task.splits, load_task_metric(task)
    rows = list_placed(splits)
    duplicates = find(lambda: (row for _, row in rows))
    return [
        _check_sizes(splits),
        *_check_notes(task),
        *_check_ids(rows),
        *_check_leaks(rows, duplicates, min_effect),
        *_check_groups(rows),
        *_check_conflicts(rows, duplicates, metric, min_effect),
        *_check_repeats(rows, duplicates),
        *_check_targets(splits, metric, min_effect),
        *_check_doubtful(splits, metric),
        *check_labels(splits, task.metric),
        *_check_documents(task),
        *_check_evidence(task, min_effect),
    ]


def _check_sizes(splits: Splits) -> CheckFinding:
    counts = splits.counts()
    sizes = ", ".join(f"{count} {part}" for part, count in counts.items())
    # Two proportions of one half, 80% power at the 5% level: an upper bound, since arms are paired.
    visible = min(1.0, 2.8 * (0.5 / max(1, counts["test"])) ** 0.5)
    return CheckFinding(
        "rows",
        "doubt" if visible > 0.3 else "fine",
        f"{sizes}; {counts['test']} test rows show differences of {visible:.0%} for certain, "
        "smaller ones when answers go together",
        remedy="more test rows show smaller differences" if visible > 0.3 else "",
    )


def _check_notes(task: Task) -> list[CheckFinding]:
    """What reading left out or guessed: missing values, fields of turns, pairs without a better.

    What is right as it is comes in a finding of its own, for information.
    """
    fine = [note for note in task.notes if is_information(note)]
    doubts = [note for note in task.notes if not is_information(note)]
    remedy = "complete the rows, or mind that they are not part of the study as they stand"
    findings: list[CheckFinding] = []
    if doubts:
        findings.append(CheckFinding("reading", "doubt", "; ".join(doubts), remedy=remedy))
    if fine:
        findings.append(CheckFinding("as read", "fine", "; ".join(fine)))
    return findings


def _check_ids(rows: Placed) -> list[CheckFinding]:
    times = Counter(row.id for _, row in rows)
    twice = [name for name, count in times.items() if count > 1]
    if not twice:
        return []
    remedy = "give every row an id of its own, or leave the id column out"
    return [CheckFinding("ids", "spoils", f"{len(twice)} ids stand twice", twice, remedy=remedy)]


def _check_leaks(rows: Placed, duplicates: Duplicates, min_effect: float) -> list[CheckFinding]:
    """Rows of dev and test that stand in an earlier split, exactly or nearly."""
    total = Counter(part for part, _ in rows)
    findings: list[CheckFinding] = []
    kinds = (("the same", duplicates.exact), ("nearly the same", _add_copies(duplicates)))
    for kind, groups in kinds:
        leaked: dict[str, list[str]] = {"dev": [], "test": []}
        for group in groups:
            first = PARTS.index(rows[group[0]][0])  # groups are in order, so train comes first
            for position in group:
                part, row = rows[position]
                if PARTS.index(part) > first:
                    leaked[part].append(row.id)
        names = [*leaked["dev"], *leaked["test"]]
        levels = {
            grade_share(len(leaked[part]) / max(1, total[part]), min_effect) for part in leaked
        }
        if names and kind == "the same":
            levels.add("spoils")
        level: Level = next(level for level in reversed(LEVELS) if level in levels)
        says = "; ".join(
            f"{format_share(len(duplicates), total[part])} {part} rows stand in an earlier split"
            for part, duplicates in leaked.items()
            if duplicates
        )
        remedy = "leave them out of the later split"
        findings.append(find_rows(f"{kind} input in two splits", level, names, says, remedy))
    return findings


def _add_copies(duplicates: Duplicates) -> list[tuple[int, ...]]:
    """Groups of near-duplicates, with the exact copies of their members."""
    copies = {group[0]: group for group in duplicates.exact}
    return [
        tuple(sorted({copy for member in group for copy in copies.get(member, (member,))}))
        for group in duplicates.near
    ]


def _check_repeats(rows: Placed, duplicates: Duplicates) -> list[CheckFinding]:
    """Rows that stand in one split several times."""
    findings: list[CheckFinding] = []
    for kind, groups in (("exact", duplicates.exact), ("near", duplicates.near)):
        again = defaultdict[str, list[str]](list)
        for group in groups:
            parts: set[str] = set()
            for position in group:
                part, row = rows[position]
                if part in parts:
                    again[part].append(row.id)
                parts.add(part)
        repeats = ", ".join(f"{len(names)} in {part}" for part, names in again.items()) or "none"
        exact = kind == "exact"
        findings.append(
            CheckFinding(
                f"{kind} duplicates",
                "doubt" if exact and again else "fine",
                repeats + ("" if exact else f" (by MinHash, {duplicates.compared} pairs compared)"),
                [name for names in again.values() for name in names],
                remedy="they count several times" if exact and again else "",
                drop=[name for names in again.values() for name in names] if exact else (),
            )
        )
    return findings


def _check_groups(rows: Placed) -> list[CheckFinding]:
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
    shares = f"{format_share(len(torn), len(where))} groups"
    return [
        find_rows(
            "groups in two splits",
            "spoils" if torn else "fine",
            names,
            shares,
            "keep each group in one split, or give one file to be split by group",
            otherwise=shares,
            reason=f"the first is {min(torn)!r}" if torn else "",
        )
    ]


def _check_conflicts(
    rows: Placed, duplicates: Duplicates, metric: Metric, min_effect: float
) -> list[CheckFinding]:
    """Rows with the same input, of which one's target is a wrong answer to the other."""
    names: dict[str, list[str]] = {"train": [], "test": []}
    for group in duplicates.exact:
        members = [rows[position] for position in group]
        first = members[0][1]
        if all(row.target.strip() == first.target.strip() for _, row in members):
            continue
        for part, row in members:
            others = (other for _, other in members if other.target != row.target)
            if any(not _is_accepted(metric, row, other.target) for other in others):
                names["test" if part == "test" else "train"].append(row.id)
    total = Counter(part for part, _ in rows)
    everyone = [*names["train"], *names["test"]]
    level = grade_share(len(names["test"]) / max(1, total["test"]), min_effect)
    if level == "fine" and everyone:
        level = "doubt"
    return [
        find_rows(
            "conflicting targets",
            level,
            everyone,
            f"{format_share(len(everyone), len(rows))} rows have the same input as another row, "
            "and a target that is wrong there",
            "decide for one target, or leave them all out",
        )
    ]


def _is_accepted(metric: Metric, row: Example, answer: str) -> bool:
    try:
        return metric.asks or metric(row, answer).value >= 1.0
    except InputError:
        return True  # told by `_check_targets`


def _check_targets(splits: Splits, metric: Metric, min_effect: float) -> list[CheckFinding]:
    """Targets that the metric cannot use, does not accept, or that are empty."""
    held_out = (*splits.dev, *splits.test)
    total = len(splits.train) + len(held_out)
    broken = find_refused(metric, (*splits.train, *held_out))
    asked_ids = {row.id for row in held_out}
    stops = [name for name in broken if name in asked_ids]
    short = {
        name: why
        for name, why in find_unscorable(metric, (*splits.train, *held_out)).items()
        if name not in broken
    }
    short_asked = sum(name in asked_ids for name in short)
    empty = [row for row in splits.train if not row.target.strip()]
    silent = [row.id for row in empty if row.id in broken or row.id in short]
    return [
        find_rows(
            f"targets under the metric {metric.name}",
            "spoils" if stops else "doubt" if broken else "fine",
            list(broken),
            f"{format_share(len(broken), total)} cannot be scored against",
            "correct these targets, or leave the rows out",
            otherwise="all usable",
            reason=next(iter(broken.values()), ""),
        ),
        find_rows(
            "targets that score 1",
            _choose_worse(
                grade_share(short_asked / max(1, len(held_out)), min_effect), bool(short)
            ),
            list(short),
            f"{format_share(len(short), total)} score less than 1 themselves",
            "no arm can reach 1 there",
            otherwise="all do",
            reason=next(iter(short.values()), ""),
        ),
        CheckFinding(
            "empty targets",
            _choose_worse(grade_share(len(silent) / max(1, len(splits.train)), min_effect), False),
            (f"{format_share(len(empty), len(splits.train))} in train" if empty else "none")
            + ("" if silent or not empty else "; the metric counts silence as right there"),
            silent,
            remedy="training on them teaches silence" if silent else "",
            drop=silent,
        ),
    ]


def _choose_worse(level: Level, doubt: bool) -> Level:
    return "doubt" if level == "fine" and doubt else level


def _check_doubtful(splits: Splits, metric: Metric) -> list[CheckFinding]:
    """Targets of dev and test that decide less than they seem to."""
    rows = (*splits.dev, *splits.test)
    reasons = find_doubtful(metric, rows)
    if not reasons:
        return []
    return [
        CheckFinding(
            "targets that hang on chance",
            "doubt",
            f"{format_share(len(reasons), len(rows))} of dev and test",
            list(reasons),
            reason=next(iter(reasons.values())),
            remedy="order them by more, so that one answer is right",
        )
    ]


def _check_documents(task: Task) -> list[CheckFinding]:
    """Documents that the study names and that cannot be used."""
    if not task.documents_fault:
        return []
    fault = f"cannot be used: {task.documents_fault}"
    remedy = "every arm that needs documents fails until then"
    return [CheckFinding("documents", "spoils", fault, remedy=remedy)]


def _check_evidence(task: Task, min_effect: float) -> list[CheckFinding]:
    """Rows whose evidence is never shown to them, because it is the row written out."""
    documents = {document.id: document for document in task.documents}
    rows = [
        (part, row)
        for part, row in list_placed(task.splits)
        if any(name in documents for name in row.evidence)
    ]
    if not rows:
        return []
    hidden = [
        (part, row.id)
        for part, row in rows
        if any(is_repeat(documents[n], row) for n in row.evidence if n in documents)
    ]
    total, counts = (Counter(part for part, _ in some) for some in (rows, hidden))
    share = max(counts[part] / max(1, total[part]) for part in ("dev", "test"))
    return [
        find_rows(
            "evidence that may be shown",
            _choose_worse(grade_share(share, min_effect), bool(hidden)),
            [name for _, name in hidden],
            f"{format_share(len(hidden), len(rows))} rows are written out in their own evidence, "
            "which is kept out of their prompt",
            "retrieval cannot be measured on them: leave these documents or rows out",
            otherwise="all",
            drop=False,
        )
    ]
