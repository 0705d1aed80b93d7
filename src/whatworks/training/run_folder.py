"""The files of one training run, as the launcher and the child process both see them.

========================= =====================================================================
``job.json, rows.jsonl``  what is trained; written first, never changed
``plan.json``             where and how this attempt runs: paths, micro-batch
``epoch-N/``              the kept checkpoints; a folder that exists is complete
``state/checkpoint-N/``   trainer state to resume from, complete once ``done.json`` is in it
``stop``                  the launcher has seen enough epochs
``result.json``           written last: the run is finished
``worker.log``            what the trainer had to say
========================= =====================================================================
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.frozen import Frozen
from whatworks.base.lock import hold_lock
from whatworks.base.store import explain_disk_errors, sync_tree, write_atomic
from whatworks.models.engine import ModelFiles
from whatworks.training.job import Checkpoint, Trained, TrainingJob
from whatworks.training.rows import RenderedRow
from whatworks.training.schedule import Schedule

LOCK_SECONDS = 20.0
# What the trainer adds to a checkpoint folder beside the model itself; `ref` is the state before.
_TRAINER_FILES = (
    "ref", "leash*", "optimizer*", "scheduler*", "rng_state*", "scaler*", "train*", "README.md",
)  # fmt: skip


class AttemptPlan(Frozen):
    """Where and how one attempt runs; not part of what is trained.

    Attributes:
        base: Folder of the base model.
        adapter: Folder of an adapter trained before, if any.
        second: Where the model lies that the job names beside its own: a reward model, a teacher.
        micro_batch: Rows in memory at once; divides the batch size.
        packing: Lay rows end to end instead of padding them; where FlashAttention is installed.
        recompute: Recompute activations in the backward pass to save memory.
        save_seconds: Resumable state is saved at least this often.
    """

    base: Path
    adapter: Path | None
    micro_batch: int
    recompute: bool
    save_seconds: float
    second: ModelFiles | None = None
    packing: bool = False

    def smaller(self, settings: Schedule) -> AttemptPlan | None:
        """The next plan that needs less memory for the same effective batch, None at the end."""
        fewer = range(settings.least, self.micro_batch // 2 + 1)
        fitting = [n for n in fewer if settings.batch_size % n == 0]
        if fitting:
            return self.replace(micro_batch=fitting[-1])
        again = settings.recomputes and not self.recompute
        return self.replace(recompute=True) if again else None


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / "state"
        self.log = path / "worker.log"
        self._job = path / "job.json"
        self._rows = path / "rows.jsonl"
        self._plan = path / "plan.json"
        self._result = path / "result.json"
        self._stop = path / "stop"

    def begin(self, job: TrainingJob, rows: Sequence[RenderedRow]) -> None:
        """Write job and rows, or check that the folder already holds the same.

        Raises:
            ArmFailure: If the folder belongs to another job or other rows.
            StorageError: If the folder cannot be written.
        """
        with explain_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        texts = {
            self._job: job.model_dump_json(indent=1) + "\n",
            self._rows: "".join(row.model_dump_json() + "\n" for row in rows),
        }
        for path, text in texts.items():
            if not path.exists():
                write_atomic(path, text)
            elif path.read_text("utf-8") != text:
                raise ArmFailure(
                    f"the folder holds another training: {path.name} differs",
                    place=str(self.path),
                    remedy="give every job and set of rows a folder of its own",
                )

    def job(self) -> TrainingJob:
        """The frozen job."""
        return TrainingJob.model_validate_json(self._job.read_text("utf-8"))

    def rows(self) -> list[RenderedRow]:
        """The frozen rows, of the type that the job's trainer reads."""
        kind = self.job().settings.row
        with self._rows.open(encoding="utf-8") as lines:
            return [kind.model_validate_json(line) for line in lines]

    def plan(self) -> AttemptPlan | None:
        """The plan of the last attempt, None before the first."""
        if not self._plan.exists():
            return None
        return AttemptPlan.model_validate_json(self._plan.read_text("utf-8"))

    def set_plan(self, plan: AttemptPlan) -> None:
        """Write the plan of the next attempt."""
        write_atomic(self._plan, plan.model_dump_json())

    def count_published(self) -> int:
        """How many epochs have their checkpoint."""
        return sum(1 for _ in self.path.glob("epoch-*[0-9]"))

    def stop(self) -> None:
        """Ask the child to end with the epoch that it is in."""
        write_atomic(self._stop, "")

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stop.exists()

    def result(self) -> Trained | None:
        """The result, None while the run is not finished."""
        if not self._result.exists():
            return None
        return Trained.model_validate_json(self._result.read_text("utf-8"))

    def finish(self, result: Trained) -> None:
        """Write the result and remove what only resuming needed."""
        write_atomic(self._result, result.model_dump_json())
        shutil.rmtree(self.state, ignore_errors=True)

    def keep(self, saved: Path, epoch: int) -> None:
        """Publish the model files of a trainer checkpoint as the checkpoint of an epoch."""
        target = self.path / f"epoch-{epoch}"
        draft = self.path / f"epoch-{epoch}.part"
        shutil.rmtree(draft, ignore_errors=True)
        ignore = shutil.ignore_patterns(*_TRAINER_FILES)
        shutil.copytree(saved, draft, ignore=ignore, copy_function=_link_or_copy)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)

    def withdraw(self, checkpoint: Checkpoint) -> None:
        """Remove what was published."""
        shutil.rmtree(self.path / checkpoint.name, ignore_errors=True)

    def mark_done(self, saved: Path, seconds: float, checkpoints: Sequence[Checkpoint]) -> None:
        """Make a trainer checkpoint the one to resume from, and remove the older ones."""
        sync_tree(saved)  # done means that a machine which is lost finds it whole
        records = [c.model_dump() for c in checkpoints]
        write_atomic(saved / "done.json", json.dumps({"seconds": seconds, "checkpoints": records}))
        for other in self.state.glob("checkpoint-*"):
            if other != saved:
                shutil.rmtree(other, ignore_errors=True)

    def resumable(self) -> tuple[Path | None, float, list[Checkpoint]]:
        """Trainer checkpoint to resume from, seconds spent and checkpoints kept until then.

        What an interrupted attempt left half-written is removed.
        """
        for draft in self.path.glob("epoch-*.part"):
            shutil.rmtree(draft, ignore_errors=True)
        done: list[Path] = []
        for saved in self.state.glob("checkpoint-*"):
            if (saved / "done.json").exists():
                done.append(saved)
            else:
                shutil.rmtree(saved, ignore_errors=True)
        if not done:
            return None, 0.0, []
        last = max(done, key=lambda saved: int(saved.name.rsplit("-", 1)[1]))
        facts = json.loads((last / "done.json").read_text("utf-8"))
        return last, facts["seconds"], [Checkpoint(**fields) for fields in facts["checkpoints"]]

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the folder; the child of a launcher that was killed may need a moment to leave.

        Raises:
            ArmFailure: If another training holds it.
        """
        # Beside the folder, which is moved as a whole once it is finished.
        path = self.path.with_name(f".{self.path.name}.lock")
        with ExitStack() as stack:
            try:
                stack.enter_context(hold_lock(path, "this training", seconds=LOCK_SECONDS))
            except InputError as error:
                raise ArmFailure(error.cause, place=str(self.path), remedy=error.remedy) from None
            yield


def _link_or_copy(source: str, target: str) -> None:
    # Checkpoints are never rewritten in place, so a link shares the bytes safely.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
