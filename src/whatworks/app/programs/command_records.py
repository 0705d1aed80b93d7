"""Records of the commands beside check, plan, run and compare: what they found, never a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from whatworks.app.programs.records import Record

if TYPE_CHECKING:
    from whatworks.analysis.mistakes import Pattern, RunChanges
    from whatworks.analysis.slices import Slices
    from whatworks.app.export.export import Exported
    from whatworks.data import Data
    from whatworks.studies.bootstrap.folder import BootstrapFolder, Counts
    from whatworks.studies.clustering import Clusters
    from whatworks.studies.known_facts import KnownFacts
    from whatworks.studies.label_book import LabelBook
    from whatworks.studies.study_schema import MethodText


def describe_methods(methods: Mapping[str, MethodText]) -> Record:
    """``whatworks.docs/1``: what methods do, and what can be set."""
    listed = [
        {"name": name, "what": one.what, "settings": [dict(s._asdict()) for s in one.settings]}
        for name, one in methods.items()
    ]
    return {"schema": "whatworks.docs/1", "methods": listed}


def describe_slices(slices: Slices, baseline: str) -> Record:
    """``whatworks.slices/1``: every arm for parts of the test rows."""
    return {
        "schema": "whatworks.slices/1",
        "baseline": baseline,
        "slices": [
            {
                "column": one.column,
                "value": one.value,
                "rows": one.rows,
                "baseline": one.baseline.value,
                "arms": [
                    {
                        "arm": arm.name,
                        "score": arm.score.value,
                        "difference": arm.difference.difference,
                        "low": arm.difference.low,
                        "high": arm.difference.high,
                        "verdict": arm.verdict.label,
                    }
                    for arm in one.arms
                ],
            }
            for one in slices.slices
        ],
        "notes": list(slices.notes),
    }


def describe_arm_errors(
    arm: str, answers: int, wrong: int, patterns: Sequence[Pattern],
    changes: RunChanges | None, against: str,
) -> Record:  # fmt: skip
    """An arm of ``whatworks.errors/1``.

    Args:
        arm: Its name.
        answers: How many it gave.
        wrong: How many are not fully right.
        patterns: Its mistakes.
        changes: Since another run; None where there is none.
        against: That run, in words.
    """
    counts = changes and {
        "against": against,
        "fixed": len(changes.fixed),
        "broken": len(changes.broken),
        "still_wrong": len(changes.still_wrong),
    }
    named = [{"name": one.name, "count": one.count} for one in patterns]
    return {"arm": arm, "answers": answers, "wrong": wrong, "patterns": named, "changes": counts}


def describe_known(facts: KnownFacts) -> Record:
    """``whatworks.known/1``: how well a model knows the facts of a task."""
    return {
        "schema": "whatworks.known/1",
        "model": facts.model,
        "facts": len(facts.classes),
        "shares": dict(facts.shares),
        "folder": str(facts.folder),
    }


def describe_labels(book: LabelBook, written: Sequence[Path]) -> Record:
    """``whatworks.label/1``: what people said of two arms' answers."""
    from whatworks.analysis.human_verdicts import measure_agreements, tally

    verdicts = book.verdicts()
    count = tally(verdicts) if verdicts else None
    sides = {
        name: getattr(count, name) if count else 0
        for name in ("first", "second", "same", "neither")
    }
    return {
        "schema": "whatworks.label/1",
        "arms": list(book.arms),
        "judged": sum(sides.values()),
        **sides,
        "agreements": [asdict(one) for one in measure_agreements(verdicts)],
        "written": [str(path) for path in written],
    }


def describe_bootstrap(counts: Counts, folder: BootstrapFolder) -> Record:
    """``whatworks.bootstrap/1``: the rows that a model wrote about documents."""
    return {"schema": "whatworks.bootstrap/1", "folder": str(folder.path), **asdict(counts)}


def describe_review(folder: BootstrapFolder) -> Record:
    """``whatworks.review/1``: which of the proposed rows a person kept for test."""
    from whatworks.app.label.review import count_reviews

    written = str(folder.test) if folder.test.exists() else None
    return {"schema": "whatworks.review/1", **asdict(count_reviews(folder)), "written": written}


def describe_export(done: Exported, out: Path) -> Record:
    """``whatworks.export/1``: the folder that was written."""
    kept = {"rows", "same", "recorded", "again", "margin", "error"}
    return {
        "schema": "whatworks.export/1",
        "folder": str(out),
        "arm": done.chosen.arm,
        "seed": done.chosen.seed,
        "holds": done.holds,
        "parity": done.parity and done.parity.model_dump(mode="json", include=kept),
    }


def describe_import(data: Data, rows: int, meta: Mapping[str, int], out: Path) -> Record:
    """``whatworks.import/1``: the rows that logs gave.

    Args:
        data: What was read.
        rows: How many were written.
        meta: How many have each thing beside the answer.
        out: The file.
    """
    return {
        "schema": "whatworks.import/1",
        "out": str(out),
        "formats": data.format.split(" + "),
        "rows": rows,
        "notes": list(data.notes),
        "meta": dict(meta),
    }


def describe_clusters(
    clusters: Clusters, agreement: Mapping[str, float] | None, out: Path
) -> Record:
    """``whatworks.cluster/1``: category ids for unlabelled texts."""
    return {
        "schema": "whatworks.cluster/1",
        "out": str(out),
        "rows": len(clusters.labels),
        "clusters": {
            name: len(texts) for name, texts in zip(clusters.names, clusters.central, strict=True)
        },
        "between": clusters.between,
        "tried": [asdict(one) for one in clusters.tried],
        "agreement": None if agreement is None else dict(agreement),
    }
