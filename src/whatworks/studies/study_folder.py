"""The folder of a study: the one owner of the files in it.

========================= =====================================================================
``study.json``            which task, model and decoding it holds; written first, never changed
``run.lock``              there while a run holds the folder: its process and host
``task.json``             the task, its rows split
``store/``                candidates, answers, steps and weights by content (``base.store``)
``plan.json``             what `whatworks plan` foresaw, if it was asked
``predictions.json``      what the arms that `whatworks next` proposed were expected to bring
``rounds.json``           what each round of `run --auto` decided (``studies.rounds``)
``live.jsonl``            what a run does at this moment (``studies.live_log``)
``wishes.json``           what a person asks of it meanwhile (``studies.wishes``)
``times.jsonl``           wall time of each arm's work, which the plan is compared with
``decisions.json``        what was decided on dev, before test was opened
``test_openings.jsonl``   one line for each set of decisions that test was opened with, and for
                          each set of rows: what was looked at, arm by arm
``results.jsonl``         a row per arm, seed and test example: every figure comes from them
``summary.json``          what is known of study and arms beside the rows; last: it has run
``prompts/ARM-SEED.txt``  what each candidate's prompt says
``report.html``           the report, made anew from the files above
``labels/``               what people said of its answers (``studies.label_book``)
========================= =====================================================================
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from whatworks.analysis.figures import ArmInfo, StudyInfo
from whatworks.analysis.next_step.predictions import Prediction
from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.base.errors import InputError
from whatworks.base.lock import LOCK, hold_folder, is_held
from whatworks.base.paths import make_slug
from whatworks.base.store import (
    Journal,
    Store,
    explain_disk_errors,
    write_atomic,
)
from whatworks.data.task import Task
from whatworks.prompts.candidate import Candidate
from whatworks.studies.decisions import Decision
from whatworks.studies.live_log import LiveLog
from whatworks.studies.rounds import Rounds
from whatworks.studies.wishes import Wishes

LAYOUT = 3
"""What the files say, as a number: a folder of another one is refused, never misread."""


@dataclass(frozen=True)
class Finished:
    """A study that ran to its end, read from its folder."""

    study: StudyInfo
    arms: tuple[ArmInfo, ...]
    task: Task
    results: Results

    def rows(self, *, back: int = 0) -> list[ResultRow]:
        """The rows of its arms; ``back`` as for ``Results.rows``."""
        names = {arm.name for arm in self.arms}
        return [row for row in self.results.rows(back=back) if row.arm in names]

    def constant(self) -> list[ResultRow]:
        """The rows of the best constant answer."""
        return self.results.constant()


class StudyFolder:
    """The files of one study.

    Attributes:
        path: The folder.
        store: What is kept under its content.
        results: The rows.
        report: Path of the report.
        live: What a run does at this moment.
        wishes: What a person asks of it.
        rounds: What rounds of further arms decided.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path / "store")
        self.results = Results(path / "results.jsonl")
        self.report = path / "report.html"
        self.live = LiveLog(path / "live.jsonl")
        self.wishes = Wishes(path / "wishes.json")
        self.rounds = Rounds(path / "rounds.json")
        self._identity = path / "study.json"
        self._lock = path / LOCK
        self._task = path / "task.json"
        self._plan = path / "plan.json"
        self._predictions = path / "predictions.json"
        self._decisions = path / "decisions.json"
        self._summary = path / "summary.json"
        self._times = Journal(path / "times.jsonl")
        self._openings = Journal(path / "test_openings.jsonl")

    @contextmanager
    def hold(self) -> Generator[str]:
        """Hold the folder for a run; it is made if it is not there.

        Yields:
            What to say where an earlier run was killed and this one goes on from it; else "".

        Raises:
            InputError: If another process holds it, or it holds something else than a study.
            StorageError: If it cannot be written.
        """
        self._refuse_others()
        with hold_folder(self.path) as before:
            yield f"{before} ended early here; this run goes on from there" if before else ""

    @contextmanager
    def settle(self) -> Generator[None]:
        """Keep runs out while a finished study is read; a folder that is read-only needs no lock.

        Raises:
            InputError: If a process holds it.
        """
        if not self.has_run or not (os.access(self.path, os.W_OK) or self._lock.exists()):
            yield
            return
        with hold_folder(self.path):
            yield

    def claim(self, identity: Mapping[str, str], test: Collection[str] = ()) -> None:
        """Write down which study the folder holds, or check that it is this one.

        Args:
            identity: What must be the same: name to key.
            test: Keys of the test rows. Rows may be added to those that were looked at.

        Raises:
            InputError: If it holds another study, or one of another layout, or test rows that were
                looked at are gone.
        """
        self._refuse_others()
        if not self._identity.exists():
            write_atomic(self._identity, json.dumps({"layout": LAYOUT, **identity}, indent=1))
            return
        record = self._read_identity()
        changed = [name for name, value in identity.items() if record.get(name) != value]
        if changed:
            raise InputError(
                f"this folder holds a different study (another {', '.join(changed)})",
                place=str(self.path),
                remedy="choose another folder with --out, or remove this one",
            )
        opened_rows = {row for record in self._openings.read() for row in record.get("rows", ())}
        if gone := len(opened_rows.difference(test)):
            raise InputError(
                f"this folder holds a different study (another task: {gone} test rows are gone)",
                place=str(self.path),
                remedy="only add rows to test, or choose another folder with --out",
            )

    @property
    def is_held(self) -> bool:
        """Whether a run, or whoever settles it, holds the folder now."""
        return is_held(self._lock)

    @property
    def has_begun(self) -> bool:
        """Whether it holds a study."""
        return self._identity.is_file()

    @property
    def has_run(self) -> bool:
        """Whether a study ran to its end here."""
        return self._summary.is_file()

    def read_finished(self) -> Finished:
        """The study that ran to its end here.

        Raises:
            InputError: If there is none, or another version wrote it.
        """
        if not self.has_run or not self._identity.exists():
            raise InputError(
                "no finished study here",
                place=str(self.path),
                remedy=f"run it to the end first: whatworks run STUDY.yaml --out {self.path}",
            )
        self._read_identity()
        record = _read_json(self._summary)
        try:
            study = TypeAdapter(StudyInfo).validate_python(record["study"])
            arms = TypeAdapter(tuple[ArmInfo, ...]).validate_python(record["arms"])
        except (ValidationError, LookupError, TypeError) as error:
            raise InputError(
                f"{self._summary.name} is not what this version writes",
                place=str(self._summary),
                remedy="remove this file and run the study again: nothing is asked anew",
            ) from error
        return Finished(study, arms, self.task(), self.results)

    def write_summary(self, study: StudyInfo, arms: Sequence[ArmInfo]) -> None:
        """What is known beside the rows; with it the study has run."""
        record = {
            "study": TypeAdapter(StudyInfo).dump_python(study, mode="json"),
            "arms": TypeAdapter(tuple[ArmInfo, ...]).dump_python(tuple(arms), mode="json"),
        }
        write_atomic(self._summary, json.dumps(record, indent=1))

    def task(self) -> Task:
        """The task as it was read and split."""
        return Task.model_validate(_read_json(self._task))

    def write_task(self, task: Task) -> None:
        """Keep the task with its splits."""
        write_atomic(self._task, task.model_dump_json())

    def decisions(self) -> list[Decision]:
        """What was decided on dev; none before the first decision."""
        if not self._decisions.exists():
            return []
        runs = _read_json(self._decisions)["runs"]
        return TypeAdapter(list[Decision]).validate_python(runs)

    def write_decisions(
        self, decided: Sequence[Decision], winner: str | None, constant: str | None
    ) -> None:
        """Keep what was decided, which arm it recommends, and the best constant answer."""
        runs = [asdict(one) for one in decided]
        record = {"runs": runs, "winner": winner, "constant": constant}
        write_atomic(self._decisions, json.dumps(record, indent=1))

    @property
    def openings(self) -> int:
        """How often the test split has been opened: once per set of decisions and of rows."""
        return sum(1 for _ in self._openings.read())

    @property
    def looks(self) -> int:
        """How often there was something new to look at: the most that any arm was tested anew.

        An arm is tested anew with other candidates (or further seeds), and on further rows.
        """
        tested: dict[str, set[str]] = {}
        for record in self._openings.read():
            for arm, state in record.get("arms", {}).items():
                tested.setdefault(arm, set()).add(state)
        return max(map(len, tested.values()), default=1)

    def open_test(self, decisions: str, arms: Mapping[str, str], rows: Sequence[str]) -> None:
        """Note that test is opened; once for the same decisions and rows.

        Args:
            decisions: Key of what was decided.
            arms: Arm to the key of what is tested of it, the rows included.
            rows: Keys of the test rows.
        """
        records = list(self._openings.read())
        opened_rows = {row for record in records for row in record.get("rows", ())}
        fresh = [row for row in rows if row not in opened_rows]
        if fresh or decisions not in {record["decisions"] for record in records}:
            note = {"decisions": decisions, "at": time.time(), "arms": dict(arms), "rows": fresh}
            self._openings.append([note])

    def candidate(self, key: str) -> Candidate | None:
        """A candidate by its key, None where it is no longer in the store."""
        stored = self.store.read("candidates", key)
        return None if stored is None else Candidate.model_validate(stored)

    def keep_candidate(self, candidate: Candidate) -> None:
        """Keep what an arm became."""
        self.store.write("candidates", candidate.key, candidate.model_dump(mode="json"))

    def times(self, since: float = 0.0) -> dict[str, float]:
        """Seconds that each arm has taken, of what was done after a time (seconds since 1970)."""
        total: dict[str, float] = {}
        for record in self._times.read():
            if record["at"] >= since:
                total[record["arm"]] = total.get(record["arm"], 0.0) + record["seconds"]
        return total

    def add_time(self, arm: str, seconds: float) -> None:
        """Add to what an arm has taken."""
        self._times.append([{"arm": arm, "seconds": seconds, "at": time.time()}])

    def plan(self) -> dict[str, Any] | None:
        """The plan as ``studies.plan`` wrote it, None where there is none."""
        return _read_json(self._plan) if self._plan.exists() else None

    def write_plan(self, record: Mapping[str, Any]) -> None:
        """Keep a plan."""
        write_atomic(self._plan, json.dumps(record, indent=1))

    def predictions(self) -> tuple[Prediction, ...]:
        """What further arms were expected to bring, in the order in which they were proposed."""
        record = _read_json(self._predictions) if self._predictions.exists() else []
        return TypeAdapter(tuple[Prediction, ...]).validate_python(record)

    def add_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Keep what is expected of arms; of one that was proposed before, what was said first."""
        kept = [*self.predictions()]
        there = {one.arm for one in kept}
        kept += [one for one in predictions if one.arm not in there]
        write_atomic(self._predictions, json.dumps([asdict(one) for one in kept], indent=1))

    def write_prompt(self, arm: str, seed: int, text: str) -> None:
        """Keep what the prompt of a run says."""
        write_atomic(self.path / "prompts" / f"{make_slug(arm)}-{seed}.txt", text)

    def _read_identity(self) -> dict[str, Any]:
        record = _read_json(self._identity)
        if record.get("layout") != LAYOUT:
            raise InputError(
                "another version of whatworks wrote this folder; this one would misread it",
                place=str(self.path),
                remedy="run the study again in a new folder (--out), or use that version",
            )
        return record

    def _refuse_others(self) -> None:
        # A kill in the very first moment may have left a lock, or a draft of study.json.
        early = (self._lock.name, self._identity.name)
        with explain_disk_errors(self.path):
            if self._identity.exists() or not self.path.exists():
                return
            if any(not path.name.startswith(early) for path in self.path.iterdir()):
                raise InputError(
                    "this folder holds something else than a study",
                    place=str(self.path),
                    remedy="choose an empty or new folder with --out",
                )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "this file of a study cannot be read",
            place=str(path),
            remedy="run the study again in a new folder (--out)",
        ) from error
