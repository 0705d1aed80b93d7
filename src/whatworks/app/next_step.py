"""Further arms: proposed for a study, written into its file, and run, round after round."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.figures import Summary
from whatworks.app.report.progress import RichWatcher
from whatworks.app.run_study import list_form_methods, list_subjects, run_study
from whatworks.base.progress import Watcher
from whatworks.base.store import write_atomic
from whatworks.studies.decisions import make_decision
from whatworks.studies.diagnosis import diagnose_study
from whatworks.studies.next_step.added_arms import add_arms
from whatworks.studies.next_step.proposals import Proposal, propose_arms
from whatworks.studies.open_study import Opened, open_study
from whatworks.studies.study_folder import StudyFolder

ROUNDS = 3
"""Rounds of further arms, at most, where nothing is said."""


@dataclass(frozen=True)
class Limit:
    """What rounds of further arms may take.

    Attributes:
        rounds: Rounds, at most.
        seconds: No arm is added that is expected to take more than is left of so many, the arms
            that were there included.
    """

    rounds: int = ROUNDS
    seconds: float | None = None


def propose(opened: Opened, watcher: Watcher | None = None) -> list[Proposal]:
    """One to three further arms for a study, from its dev rows; test stays shut.

    What dev has not been asked yet is asked. Everything is kept, so that the next run of the study
    goes on from there.

    Raises:
        InputError: If another process holds the study's folder.
    """
    folder, file = StudyFolder(opened.out), opened.file
    bars = RichWatcher() if watcher is None else nullcontext(watcher)
    with folder.hold(), bars as told:
        study = opened.study()
        folder.write_task(opened.task)
        runs, race = study.run_on_dev(told)
        decided = [make_decision(run, race.left(run.arm) if race else "") for run in runs]
        diagnoses = diagnose_study(study, runs, list_subjects(file, decided), told)
        forms = [method for method in list_form_methods(study) if method != "prompt"]
        return propose_arms(study, runs, diagnoses, file.arms, forms)


def adopt(opened: Opened, proposals: Sequence[Proposal]) -> None:
    """Write arms into the study file, and keep what they are expected to bring.

    Raises:
        InputError: If the file is written in a way that arms cannot be added to.
    """
    text = opened.path.read_text(encoding="utf-8")
    added = [(one.entry, f"proposed: {one.prediction.in_words}") for one in proposals]
    new = add_arms(text, opened.path, added)
    StudyFolder(opened.out).add_predictions([one.prediction for one in proposals])
    write_atomic(opened.path, new)


def run_rounds(
    path: Path,
    limit: Limit,
    *,
    model: str | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
) -> tuple[Summary, Path]:
    """Run a study with further arms, round after round, until nothing is worth trying.

    Each round runs dev, diagnoses, and writes what it proposes into the study file. Test is opened
    once, at the end, for all arms together. A command that was stopped goes on from the file.

    Args:
        path: The study file.
        limit: What the rounds may take.
        model: Instead of the study's.
        out: Folder of the results.
        jobs: As for ``run_study``, for the last run.
        watcher: Shows progress; bars in the terminal by default.

    Returns:
        The summary and the path of the report.

    Raises:
        InputError: As ``run_study``, and if arms cannot be added to the file.
    """
    for _ in range(limit.rounds):
        opened = open_study(path, model=model, out=out)
        try:
            worth = _keep_affordable(opened, propose(opened, watcher), limit)
            if not worth:
                break
            adopt(opened, worth)
        finally:
            opened.close()
        for one in worth:
            _tell(watcher, f"next: {one.prediction.in_words}")
    return run_study(path, model=model, out=out, jobs=jobs, watcher=watcher)


def _tell(watcher: Watcher | None, line: str) -> None:
    if watcher is None:
        print(line, flush=True)
    else:
        watcher.say(line)


def _keep_affordable(opened: Opened, proposals: Sequence[Proposal], limit: Limit) -> list[Proposal]:
    """Those that fit into what is left of the limit, the most promising first."""
    if limit.seconds is None:
        return list(proposals)
    left = limit.seconds - sum(StudyFolder(opened.out).times().values())
    kept: list[Proposal] = []
    for one in proposals:
        seconds = one.prediction.seconds
        if seconds is not None and seconds <= left:
            kept.append(one)
            left -= seconds
    return kept
