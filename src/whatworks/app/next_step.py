"""Further arms: proposed for a study, written into its file, and run, round after round."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.figures import Summary
from whatworks.app.report.progress import RichWatcher
from whatworks.app.run_study import list_form_methods, list_subjects, run_study
from whatworks.base.errors import InputError
from whatworks.base.phrasing import join_names
from whatworks.base.progress import Watcher
from whatworks.base.store import write_atomic
from whatworks.studies.decisions import make_decision
from whatworks.studies.diagnosis import diagnose_study
from whatworks.studies.executors.choose import open_executor
from whatworks.studies.executors.order import Order
from whatworks.studies.next_step.added_arms import add_arms
from whatworks.studies.next_step.proposals import propose_arms
from whatworks.studies.open_study import Opened, name_folder, open_study
from whatworks.studies.rounds import History, Proposal
from whatworks.studies.study_file import read_study
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
        usd: The same of US dollars.
    """

    rounds: int = ROUNDS
    seconds: float | None = None
    usd: float | None = None

    @property
    def key(self) -> str:
        """What it says, to be kept."""
        return f"{self.rounds} rounds, {self.seconds} s, {self.usd} USD"


def open_run(folder: Path) -> Opened:
    """The study file that a study was run from, opened with its model, for this folder.

    Raises:
        InputError: If no study ran to its end there, or its file is not where it was.
    """
    about = StudyFolder(folder).read_finished().study
    path = Path(about.file)
    if not about.file or not path.is_file():
        raise InputError(
            "the study file of this run is not where it was",
            place=str(folder),
            remedy=f"name it: whatworks next STUDY.yaml --out {folder}",
        )
    other = about.model if about.model != read_study(path).model else None
    return open_study(path, model=other, out=folder)


def write_command(opened: Opened) -> str:
    """The command that runs a study with the arms that were added."""
    other = opened.file.model != read_study(opened.path).model
    model = ["--model", opened.file.model] if other else []
    words = ["whatworks", "run", str(opened.path), *model, "--out", str(opened.out)]
    return shlex.join(words)


@dataclass(frozen=True)
class Look:
    """What dev says of the arms that are there.

    Attributes:
        proposals: Further arms, the most promising first.
        usd: What the arms have cost, in US dollars.
    """

    proposals: Sequence[Proposal]
    usd: float


def look(opened: Opened, watcher: Watcher | None = None, order: Order | None = None,
         jobs: int | None = None) -> Look:  # fmt: skip
    """Run the arms of a study on dev, and say which further ones that speaks for; test stays shut.

    What dev has not been asked yet is asked. Everything is kept, so that the next run of the study
    goes on from there.

    Args:
        opened: The study file.
        watcher: Shows progress; bars in the terminal by default.
        order: For parts of it to be made in other processes; None for none.
        jobs: As many.

    Raises:
        InputError: If another process holds the study's folder.
    """
    folder, file = StudyFolder(opened.out), opened.file
    bars = RichWatcher() if watcher is None else nullcontext(watcher)
    with folder.hold(), bars as told, ExitStack() as stack:
        study = opened.study()
        folder.write_task(opened.task)
        if order is not None:
            executor = open_executor(opened, order, jobs, folder.add_time)
            study.ahead = stack.enter_context(executor)
        runs, race = study.run_on_dev(told)
        decided = [make_decision(run, race.left(run.arm) if race else "") for run in runs]
        diagnoses = diagnose_study(study, runs, list_subjects(file, decided), told)
        forms = [method for method in list_form_methods(study) if method != "prompt"]
        proposals = propose_arms(study, runs, diagnoses, file.arms, forms)
        return Look(proposals, sum(run.total.all_usd for run in runs))


def propose(opened: Opened, watcher: Watcher | None = None) -> list[Proposal]:
    """One to three further arms for a study, from its dev rows; test stays shut. As ``look``."""
    return list(look(opened, watcher).proposals)


def adopt(opened: Opened, proposals: Sequence[Proposal]) -> None:
    """Write arms into the study file, and keep what they are expected to bring.

    Raises:
        InputError: If the file is written in a way that arms cannot be added to.
    """
    path = opened.path.resolve()  # a link stays one
    text = path.read_bytes().decode("utf-8")  # its ends of lines stay as they are
    added = [(one.entry, f"proposed: {one.prediction.in_words}") for one in proposals]
    new = add_arms(text, path, added)
    StudyFolder(opened.out).add_predictions([one.prediction for one in proposals])
    write_atomic(path, new)


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
    once, at the end, for all arms together. What a round decides is kept (``studies.rounds``):
    rounds that were stopped go on with the same decisions, and rounds that ended stay so until the
    arms of the file, or the limit, are other ones.

    Args:
        path: The study file.
        limit: What the rounds may take.
        model: Instead of the study's.
        out: Folder of the results.
        jobs: As for ``run_study``.
        watcher: Shows progress; bars in the terminal by default.

    Returns:
        The summary and the path of the report.

    Raises:
        InputError: As ``run_study``, and if arms cannot be added to the file.
    """
    path = path / "study.yaml" if path.is_dir() else path
    folder = StudyFolder(out or _name_folder(path, model))
    history = folder.rounds.begin(read_study(path).arms, limit.key)
    while not history.ended:
        with closing(open_study(path, model=model, out=out)) as opened:
            if history.written < len(history.rounds):  # stopped before the file had them
                adopt(opened, [one for one in history.rounds[-1] if not _has(opened, one)])
                history = folder.rounds.mark_written()
                continue
            history = _go_round(
                opened,
                limit,
                Order(path=opened.path, model=model, only=(), out=opened.out),
                jobs,
                watcher,
            )
    return run_study(path, model=model, out=out, jobs=jobs, watcher=watcher)


def _name_folder(path: Path, model: str | None) -> Path:
    file = read_study(path)
    named = file if model is None else file.model_copy(update={"model": model})
    return name_folder(path, named)


def _has(opened: Opened, proposal: Proposal) -> bool:
    return any(arm.name == proposal.prediction.arm for arm in opened.arms)


def _go_round(
    opened: Opened, limit: Limit, order: Order, jobs: int | None, watcher: Watcher | None
) -> History:
    """Look at dev, and keep what is decided: further arms, or that the rounds end."""
    rounds, arms = StudyFolder(opened.out).rounds, opened.file.arms
    if len(rounds.read().rounds) >= limit.rounds:
        many = "rounds are" if limit.rounds > 1 else "round is"
        return rounds.end(f"{limit.rounds} {many} over", arms, limit.key)
    seen = look(opened, watcher, order, jobs)
    if not seen.proposals:
        return rounds.end("nothing further is worth trying, by dev", arms, limit.key)
    worth = _keep_affordable(opened, seen, limit)
    if not worth:
        names = join_names([one.prediction.arm for one in seen.proposals])
        return rounds.end(f"{names} would take more than is left", arms, limit.key)
    for one in worth:
        _tell(watcher, f"next: {one.prediction.in_words}")
    return rounds.decide(worth)


def _tell(watcher: Watcher | None, line: str) -> None:
    if watcher is None:
        print(line, flush=True)
    else:
        watcher.say(line)


def _keep_affordable(opened: Opened, seen: Look, limit: Limit) -> list[Proposal]:
    """Those that fit into what is left of the limit, the most promising first."""
    taken = sum(StudyFolder(opened.out).times().values())
    seconds = math.inf if limit.seconds is None else limit.seconds - taken
    usd = math.inf if limit.usd is None else limit.usd - seen.usd
    kept: list[Proposal] = []
    for one in seen.proposals:
        told = one.prediction
        takes = math.inf if told.seconds is None else told.seconds  # unknown fits no limit
        if (limit.seconds is None or takes <= seconds) and told.usd <= usd:
            kept.append(one)
            seconds, usd = seconds - takes, usd - told.usd
    return kept
