"""Runs a training job in a child process: memory comes back, and a crash is a failed arm.

``train`` may be called again with the same folder after anything: it goes on from the last saved
state, or returns at once when the training is finished.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from whatworks.base.errors import ArmFailure, InputError
from whatworks.models.engine import ModelFiles
from whatworks.models.files import resolve
from whatworks.models.local import threads
from whatworks.training import process as child
from whatworks.training.failure import TrainingFailure, diagnose_exit
from whatworks.training.job import Trained, TrainingJob, TrainingProgress
from whatworks.training.rows import RenderedRow
from whatworks.training.run_folder import AttemptPlan, RunFolder
from whatworks.training.settings import SFTSettings

SAVE_SECONDS = 600.0
"""Resumable state is saved at the end of each epoch and at least this often."""
WORKER = "whatworks.training.worker"
ACCELERATE = "WHATWORKS_ACCELERATE"
"""Environment variable that names a configuration of ``accelerate launch``: several GPUs, FSDP.

Where a training runs is the machine's affair, not the study's, so no study file names it."""

_ONE_GPU = {"CUDA_VISIBLE_DEVICES": "0"}
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Tells glibc to keep what a step frees for the next one. Measured on the embedded model: getting
it from the system anew, page by page, was a sixth of a step. Elsewhere it says nothing."""
_ALWAYS = {**_KEEP_MEMORY, **threads.BRIEF_WAITS}
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRL_EXPERIMENTAL_SILENCE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


def train(
    job: TrainingJob,
    rows: Sequence[RenderedRow],
    *,
    base: Path,
    adapter: Path | None,
    folder: Path,
    second: ModelFiles | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    enough: Callable[[int], bool] | None = None,
) -> Trained:
    """Train in a child process; everything is kept below ``folder``.

    When memory runs out, the training goes on with half the rows in memory at once and the same
    effective batch, down to one row (KTO: two), and then with activations recomputed. The child
    ends when this call is left, by whatever exception, and when this process dies.

    Args:
        job: What to train.
        rows: The training rows.
        base: Folder of the base model with its tokenizer.
        adapter: Folder of the adapter that the job continues or merges, else None.
        folder: Where the run lives: one folder per job and rows.
        second: Where the reward model or the teacher lies that the job names by its key.
        on_progress: Called as training proceeds; an exception from it ends the training.
        enough: Called with each epoch whose checkpoint is there, while training goes on; when it
            says True, the training ends with the epoch that it has reached by then.

    Raises:
        ArmFailure: If the training cannot be completed; cause and remedy say why.
        StorageError: If the folder cannot be written.
    """
    run = RunFolder(folder.absolute())
    run.begin(job, rows)
    result = run.result()
    if result is not None:
        return result
    _check(job, rows, base, adapter)
    last = run.plan()
    plan: AttemptPlan | None = AttemptPlan(
        base=base.absolute(),
        adapter=adapter.absolute() if adapter else None,
        micro_batch=last.micro_batch if last else job.settings.batch_size,
        recompute=last.recompute if last else False,
        save_seconds=SAVE_SECONDS,
        second=second,
        packing=_has_flash_attention(),
    )
    failure: TrainingFailure | None = None
    while plan is not None:
        run.set_plan(plan)
        failure = _attempt(run, plan, on_progress, enough)
        result = run.result()
        if result is not None:
            return result
        plan = plan.smaller(job.settings) if failure.kind == "memory" else None
    assert failure is not None
    raise failure.error(str(folder))


def prepare() -> None:
    """Have what all trainings share ready: who times one does not want it in."""
    if not os.environ.get(ACCELERATE):
        child.prepare(WORKER, make_environment(os.environ))


def _check(job: TrainingJob, rows: Sequence[RenderedRow], base: Path, adapter: Path | None) -> None:
    if not rows:
        raise ArmFailure("there are no rows to train on", remedy="give the task train examples")
    if not all(isinstance(row, job.settings.row) for row in rows):
        raise TypeError(f"{job.trainer} reads rows of type {job.settings.row.__name__}")
    try:
        resolve(str(base))
    except InputError as error:
        raise ArmFailure(error.cause, place=error.place, remedy=error.remedy) from error
    if isinstance(job.settings, SFTSettings) and job.settings.variant == "qlora":
        import torch

        if not torch.cuda.is_available() or find_spec("bitsandbytes") is None:
            raise ArmFailure(
                "qlora needs an NVIDIA GPU and the package bitsandbytes",
                remedy="use `variant: lora`, or install bitsandbytes on a machine with a GPU",
            )
    if job.takes_adapter != (adapter is not None):
        raise ArmFailure(
            f"{job.stacking} training of {job.kind} takes "
            + ("an adapter, none was given" if job.takes_adapter else "no adapter"),
            remedy="take the stacking rule and the adapter from the same weights",
        )


def _attempt(
    run: RunFolder,
    plan: AttemptPlan,
    on_progress: Callable[[TrainingProgress], None] | None,
    enough: Callable[[int], bool] | None,
) -> TrainingFailure:
    """Run the child once; the failure says why, if no result is there afterwards."""
    failure: TrainingFailure | None = None
    epochs = 0
    environment = _build_environment(plan.base)
    with child.start_child(
        WORKER, run.path, run.log, environment, launcher=_find_launcher()
    ) as process:
        for message in process.messages():
            if "failure" in message:
                # Where several processes train, one's failure is the cause of the others'.
                failure = failure or TrainingFailure.model_validate(message["failure"])
            elif on_progress is not None:
                on_progress(TrainingProgress.model_validate(message["progress"]))
            while enough is not None and epochs < run.count_published():
                epochs += 1
                if enough(epochs):
                    run.stop()
                    enough = None
    assert process.code is not None
    return failure or diagnose_exit(process.code, _read_last_line(run.log))


def _find_launcher() -> list[str]:
    """What starts the worker's module: nothing, or ``accelerate launch`` with a configuration.

    Raises:
        ArmFailure: If the configuration is not there.
    """
    configuration = os.environ.get(ACCELERATE)
    if not configuration:
        return []
    if not Path(configuration).is_file():
        raise ArmFailure(
            f"{ACCELERATE} names a file that is not there",
            place=configuration,
            remedy="write one with `accelerate config --config_file FILE`, or unset the variable",
        )
    return ["accelerate.commands.launch", "--config_file", configuration, "-m"]


def has_accelerator() -> bool:
    """Whether trainings run on one, which takes a step's rows at once."""
    import torch

    return torch.accelerator.is_available()


def _has_flash_attention() -> bool:
    """Whether rows that are laid end to end train faster than padded ones."""
    import torch

    return torch.cuda.is_available() and find_spec("flash_attn") is not None


def make_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a training process: offline, quiet, and one GPU.

    Args:
        own: What stands over the defaults, such as this process's.
    """
    return {**_ONE_GPU, **_ALWAYS, **own, **_QUIET}


def _build_environment(base: Path) -> dict[str, str]:
    """The child's environment: offline, quiet, threads by the size of the model, and one GPU
    unless accelerate is to take several.

    Measured: a model of 0.6M parameters trains seven times faster on one thread than on two
    contended ones, one of 2M gains from two, one of 16M from all. The number depends on model
    and machine alone, not on the load, because it decides the last bits of the weights.
    ``OMP_NUM_THREADS`` in the environment goes before it.
    """
    defaults = {**_ALWAYS, **({} if os.environ.get(ACCELERATE) else _ONE_GPU)}
    count = min(threads.choose_threads(count_parameters(base)), threads.count_cores())
    if count < (os.cpu_count() or 1):  # else torch's own choice: every physical core
        defaults[child.THREADS] = str(count)
    return {**defaults, **os.environ, **_QUIET}


def count_parameters(base: Path) -> int:
    """Number of parameters by the headers of the weight files, see the safetensors format."""
    total = 0
    for path in base.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        tensors = (tensor for name, tensor in header.items() if name != "__metadata__")
        total += sum(math.prod(tensor["shape"]) for tensor in tensors)
    return total


def _read_last_line(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""
