"""Which arm of a finished study is exported, with which of its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.exported import choose_seed
from whatworks.analysis.result_rows import ResultRow
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.store import Store
from whatworks.methods.bench.examiner import find_model_files
from whatworks.models.engine import ModelFiles
from whatworks.models.open_engine import runs_here
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.studies.decisions import Decision
from whatworks.studies.study_folder import Finished, StudyFolder


@dataclass(frozen=True)
class Chosen:
    """An arm of a finished study, with the seed that is exported.

    Attributes:
        study: The study.
        arm: Name of the arm.
        seed: The seed whose candidate did best on dev.
        candidate: What the arm became.
        files: Where its weights lie; None for a model that is served elsewhere.
        rows: Its test rows.
    """

    study: Finished
    arm: str
    seed: int
    candidate: Candidate
    files: ModelFiles | None
    rows: tuple[ResultRow, ...]


def choose(run: Path, arm: str | None) -> Chosen:
    """The candidate of an arm, of the seed that did best on dev.

    Raises:
        InputError: If the study did not finish, or the arm is unknown or failed.
    """
    folder = StudyFolder(run)
    study = folder.read_finished()
    name = arm or study.study.winner
    known = [one.name for one in study.arms]
    if name not in known:
        raise InputError(
            f"no arm {name!r} in this study", place=str(run), remedy=suggest_nearest(name, known)
        )
    rows = [row for row in study.rows() if row.arm == name]
    scored = [row for row in rows if row.status == "scored"]
    if not scored:
        left = next(one.left for one in study.arms if one.name == name)
        cause = rows[0].failure if rows else left or "it was not run"
        again = f"the study again with --only {name}" if left else "the study again"
        raise InputError(
            f"arm {name!r} has no result: {cause}",
            place=str(run),
            remedy=f"run {again}, or export another arm",
        )
    seed = _find_best_seed(folder.decisions(), name, sorted({row.seed for row in scored}))
    mine = tuple(row for row in scored if row.seed == seed)
    candidate = folder.candidate(mine[0].candidate)
    if candidate is None:
        raise InputError(
            f"what arm {name!r} became is no longer in the store",
            place=str(folder.store.root),
            remedy="run the study again: it is made anew",
        )
    return Chosen(study, name, seed, candidate, _find_files(candidate.weights, folder.store), mine)


def choose_model(run: Path, arm: str | None) -> Chosen:
    """``choose``, for whoever runs the arm's model.

    Raises:
        InputError: As ``choose``, or if the arm answers without a language model.
    """
    chosen = choose(run, arm)
    if chosen.candidate.answerer is not None:
        raise InputError(
            f"arm {chosen.arm!r} answers without a language model: there is nothing to export",
            place=str(run),
            remedy="take another arm",
        )
    return chosen


def _find_best_seed(decisions: Sequence[Decision], arm: str, seeds: Sequence[int]) -> int:
    """The seed with the highest dev score, the first among equals or where none is on record."""
    dev = {one.seed: one.dev_score for one in decisions if one.arm == arm}
    best = choose_seed({seed: dev.get(seed) for seed in seeds})
    return seeds[0] if best is None else best


def _find_files(weights: Weights, store: Store) -> ModelFiles | None:
    return find_model_files(weights, store) if runs_here(weights.base) else None
