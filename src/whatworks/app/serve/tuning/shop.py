"""The shop where models are trained: jobs one after the other, in a thread of their own.

All of it lies below one folder. A server that is started again with the same folder and model goes
on with the job under way from its last state, and serves again what was trained before.
"""

from __future__ import annotations

import queue
import re
import secrets
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from whatworks.app.serve.models import Models
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.app.serve.tuning.file_shelf import FileShelf
from whatworks.app.serve.tuning.job_folder import UNDER_WAY, JobFolder
from whatworks.app.serve.tuning.job_request import Hyperparameters, JobRequest, make_settings
from whatworks.app.serve.tuning.training_file import FileProblem, read_training_file
from whatworks.base.errors import WhatworksError, get_first_line
from whatworks.base.lock import LOCK, hold_lock
from whatworks.models.files import load_config, resolve
from whatworks.models.weights import Stage
from whatworks.training.job import Trained, TrainingJob, TrainingProgress
from whatworks.training.launch import train
from whatworks.training.run_folder import RunFolder

NOT_MET = "The model that this job was begun on is not served any more, or is another one by now"


class _Cancelled(Exception):
    """The client does not want the model any more."""


class _Closing(Exception):
    """The server ends; the job goes on when it is started again."""


class TuningShop:
    """Files, jobs and the models that come of them.

    Args:
        folder: Where everything is kept.
        models: What is served: jobs train these, and add to them.

    Raises:
        InputError: If another process holds the folder.
        StorageError: If it cannot be written.
    """

    def __init__(self, folder: Path, models: Models) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        self._stack.enter_context(hold_lock(folder / LOCK, "the folder of tuning jobs"))
        self.files = FileShelf(folder / "files")
        self._jobs = folder / "jobs"
        self._models = models
        self._lock = threading.RLock()
        self._queue: queue.Queue[JobFolder | None] = queue.Queue()
        self._cancelled: set[str] = set()
        self._finish: dict[str, int] = {}
        self._closing = False
        for known in self._list_oldest_first():
            self._take_up(known)
        self._thread = threading.Thread(target=self._work, name="tuning", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End what is under way; it goes on when the folder is opened again."""
        self._closing = True
        self._queue.put(None)
        self._thread.join()
        self._stack.close()

    def create(self, asked: JobRequest) -> dict[str, Any]:
        """Begin a job; the object that the client is shown.

        Raises:
            RequestRefusal: If the model cannot be trained, or the file is not there.
        """
        served = self._models.find(asked.model)
        kind = asked.kind
        if served.local is None or not served.plain:
            raise RequestRefusal(
                f"{asked.model!r} cannot be trained here: models of this machine can, without a "
                "prompt of an arm around them",
                param="model",
            )
        try:
            served.candidate.weights.stack("lora")
        except WhatworksError as error:
            raise RequestRefusal(str(error), param="model") from error
        if asked.validation_file is not None:
            raise RequestRefusal(
                "a validation file would change nothing of the model, and is not read here",
                param="validation_file",
            )
        self.files.find(asked.training_file, "training_file")
        name = f"ftjob-{secrets.token_hex(12)}"
        knobs = asked.knobs.model_dump(exclude=set() if kind == "dpo" else {"beta"})
        job = {
            "object": "fine_tuning.job",
            "id": name,
            "model": asked.model,
            "created_at": int(time.time()),
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "whatworks",
            "result_files": [],
            "status": "validating_files",
            "training_file": asked.training_file,
            "validation_file": None,
            "hyperparameters": {key: knobs[key] for key in knobs if key != "beta"},
            "method": {"type": kind, kind: {"hyperparameters": knobs}},
            "trained_tokens": None,
            "error": None,
            "seed": 0 if asked.seed is None else asked.seed,
            "estimated_finish": None,
            "integrations": [],
            "metadata": asked.metadata,
            # Ours: what the model's name ends in, and what it stands on.
            "user_provided_suffix": asked.suffix,
            "base_digest": served.candidate.weights.key,
        }
        folder = JobFolder(self._jobs / name)
        with self._lock:
            folder.write(job)
            folder.tell(f"Created fine-tuning job: {name}")
            folder.tell("Validating training file: " + asked.training_file)
        self._queue.put(folder)
        return job

    def find(self, name: str) -> JobFolder:
        """A job.

        Raises:
            RequestRefusal: 404 where there is none of that id.
        """
        folder = JobFolder(self._jobs / name)
        if not re.fullmatch(r"ftjob-[0-9a-f]{24}", name) or not folder.known:
            raise RequestRefusal(
                f"Could not find fine tune: {name}", status=404, param="fine_tuning_job_id"
            )
        return folder

    def describe(self, folder: JobFolder) -> dict[str, Any]:
        """What a client is told of a job."""
        job = folder.job
        if job["status"] == "running":
            job["estimated_finish"] = self._finish.get(job["id"])
        return job

    def list_jobs(self) -> list[dict[str, Any]]:
        """All jobs, newest first."""
        return [self.describe(folder) for folder in self._list_oldest_first()[::-1]]

    def cancel(self, name: str) -> dict[str, Any]:
        """Give a job up; one that has ended stays as it is.

        Raises:
            RequestRefusal: If it has ended, or there is none of that id.
        """
        folder = self.find(name)
        with self._lock:
            status = folder.job["status"]
            if status not in UNDER_WAY:
                raise RequestRefusal(
                    f"The fine-tune job {name} has already {status}.", param="fine_tuning_job_id"
                )
            self._cancelled.add(name)
            folder.tell("The job was cancelled.")
            return folder.change(status="cancelled", finished_at=int(time.time()))

    def list_checkpoints(self, name: str) -> list[dict[str, Any]]:
        """The models that a finished job left, newest first.

        Raises:
            RequestRefusal: If there is none of that id.
        """
        folder = self.find(name)
        job, trained = folder.job, RunFolder(folder.run).result()
        if job["status"] != "succeeded" or trained is None:
            return []
        return [
            {
                "id": f"ftckpt-{name[-12:]}-{one.step}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": job["finished_at"],
                "fine_tuned_model_checkpoint": _name_checkpoint(job, trained, at),
                "fine_tuning_job_id": name,
                "metrics": {"step": one.step, "train_loss": trained.losses[one.step - 1]},
                "step_number": one.step,
            }
            for at, one in enumerate(trained.checkpoints)
        ][::-1]

    def _list_oldest_first(self) -> list[JobFolder]:
        folders = [JobFolder(path) for path in self._jobs.glob("ftjob-*")]
        begun = [(folder.job["created_at"], folder.path.name, folder)
                 for folder in folders if folder.known]  # fmt: skip
        return [folder for _, _, folder in sorted(begun, key=lambda one: one[:2])]

    def _take_up(self, folder: JobFolder) -> None:
        """What a server that starts does with a job of before."""
        job = folder.job
        if job["status"] in UNDER_WAY:
            folder.tell("The server was started again; the job goes on.")
            self._queue.put(folder)
        elif job["status"] == "succeeded":
            trained = RunFolder(folder.run).result()
            base = self._models.get(job["model"])
            if trained and base and base.candidate.weights.key == job["base_digest"]:
                self._offer(folder, trained, base)

    def _work(self) -> None:
        while (folder := self._queue.get()) is not None and not self._closing:
            if folder.path.name in self._cancelled:
                continue
            try:
                self._train(folder)
            except _Cancelled:
                continue
            except _Closing:
                return
            except (FileProblem, RequestRefusal) as problem:
                self._fail(folder, str(problem), "invalid_training_file", "training_file")
            except WhatworksError as error:
                self._fail(folder, str(error), "training_failed", None)
            except Exception as error:  # the next job is not to wait for ever
                reason = f"{type(error).__name__}: {get_first_line(error)}"
                self._fail(folder, reason, "internal_error", None)

    def _train(self, folder: JobFolder) -> None:
        job = folder.job
        kind = job["method"]["type"]
        rows = read_training_file(self.files.read(job["training_file"], "training_file"), kind)
        base = self._models.get(job["model"])
        if base is None or base.candidate.weights.key != job["base_digest"]:
            raise RequestRefusal(NOT_MET, param="model")
        self._move(folder, "running", f"Training on {len(rows)} answers has begun.")
        files, weights = base.files, base.candidate.weights
        width = load_config(resolve(files.base)).get_text_config().hidden_size
        knobs = Hyperparameters.model_validate(job["method"][kind]["hyperparameters"])
        training = TrainingJob(
            stacking=weights.stack("lora"),
            template=files.template,
            seed=job["seed"],
            settings=make_settings(kind, knobs, len(rows), width),
        )
        trained = train(
            training,
            rows,
            base=resolve(files.base),
            adapter=files.adapter,
            folder=folder.run,
            on_progress=lambda progress: self._follow(folder, progress),
        )
        with self._lock:
            self._check(folder)
            self._offer(folder, trained, base)
            # While it trains, not every step is told of.
            for step in range(1, len(trained.losses) + 1):
                if step not in folder.told_steps:
                    folder.tell_loss(step, len(trained.losses), trained.losses[step - 1])
            if trained.dropped_rows:
                folder.tell(f"{trained.dropped_rows} answers are too long and were left out.",
                            level="warn")  # fmt: skip
            folder.tell(f"New fine-tuned model created: {_name_model(job)}")
            folder.tell("The job has successfully completed")
            folder.change(
                status="succeeded",
                finished_at=int(time.time()),
                fine_tuned_model=_name_model(job),
                trained_tokens=trained.tokens,
            )

    def _follow(self, folder: JobFolder, progress: TrainingProgress) -> None:
        self._check(folder)
        self._finish[folder.path.name] = int(time.time() + progress.seconds_left)
        folder.tell_loss(progress.step, progress.steps, progress.loss)

    def _check(self, folder: JobFolder) -> None:
        if folder.path.name in self._cancelled:
            raise _Cancelled
        if self._closing:
            raise _Closing

    def _move(self, folder: JobFolder, status: str, message: str) -> None:
        with self._lock:
            self._check(folder)
            if folder.job["status"] != status:
                folder.change(status=status)
                folder.tell(message)

    def _fail(self, folder: JobFolder, reason: str, code: str, param: str | None) -> None:
        with self._lock:
            if folder.path.name in self._cancelled:
                return
            error = {"code": code, "message": reason, "param": param}
            # Who sees the end finds its event.
            folder.tell(f"The job failed: {reason}", level="error")
            folder.change(status="failed", error=error, finished_at=int(time.time()))

    def _offer(self, folder: JobFolder, trained: Trained, base: Served) -> None:
        """Serve the models that a job left."""
        job = folder.job
        method = "dpo" if job["method"]["type"] == "dpo" else "sft"
        for at, checkpoint in enumerate(trained.checkpoints):
            stage = Stage(kind="lora", method=method, artifact=f"{job['id']}/{checkpoint.name}")
            weights = base.candidate.weights.then(stage)
            self._models.add(
                replace(
                    base,
                    name=_name_checkpoint(job, trained, at),
                    files=replace(base.files, adapter=folder.run / checkpoint.name),
                    candidate=base.candidate.with_weights(weights),
                )
            )


def _name_model(job: dict[str, Any]) -> str:
    """``ft:BASE:whatworks:SUFFIX:ID``, as OpenAI names them."""
    base = job["model"]
    root = base.split(":")[1] if base.startswith("ft:") else base
    return f"ft:{root}:whatworks:{job['user_provided_suffix'] or ''}:{job['id'][-8:]}"


def _name_checkpoint(job: dict[str, Any], trained: Trained, at: int) -> str:
    """The last one is the model itself."""
    if at == len(trained.checkpoints) - 1:
        return _name_model(job)
    return f"{_name_model(job)}:ckpt-step-{trained.checkpoints[at].step}"
