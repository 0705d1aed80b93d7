"""Tuning an encoder on requests and the passages that answer them, in a child process.

The losses and the trainer are those of sentence-transformers (Reimers and Gurevych 2019), which the
extra ``retriever`` installs. A killed tuning begins anew: it takes minutes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import Frozen
from whatworks.base.store import write_atomic
from whatworks.training import process as child
from whatworks.training.failure import TrainingFailure, diagnose_exit
from whatworks.training.launch import make_environment

WORKER = "whatworks.training.encoder_worker"
EncoderLoss = Literal["multiple-negatives", "symmetric", "cached"]


class EncoderJob(Frozen):
    """What the tuning needs.

    Attributes:
        encoder: Folder or id of the encoder that it starts from.
        digest: What determines its vectors.
        pairs: Requests, each with a passage that answers it.
        loss: ``multiple-negatives`` (Henderson et al. 2017: the passages of a batch stand against
            one another), ``symmetric`` (requests against one another, too), ``cached`` (Gao et al.
            2021: the first, with all of a large batch, in parts).
        epochs: Passes over the pairs.
        learning_rate: Peak rate of AdamW.
        batch_size: Pairs a step.
        max_tokens: Texts are read up to here.
        seed: Of the order.
    """

    encoder: str
    digest: str
    pairs: tuple[tuple[str, str], ...]
    loss: EncoderLoss = "multiple-negatives"
    epochs: int = 3
    learning_rate: float = 2e-5
    batch_size: int = 16
    max_tokens: int = 256
    seed: int = 0


class FittedEncoder(Frozen):
    """What a tuning left.

    Attributes:
        epochs: Folders of the encoder after each epoch, below the folder of the job.
        losses: Of each step.
        seconds: That it took.
    """

    epochs: tuple[str, ...]
    losses: tuple[float, ...]
    seconds: float


def fit_encoder(
    job: EncoderJob, folder: Path, on_step: Callable[[int, int], None]
) -> FittedEncoder:
    """Tune in a child process; the encoders lie in ``epoch-N`` below the folder.

    Raises:
        ArmFailure: If sentence-transformers is not installed, or the tuning fails.
    """
    if find_spec("sentence_transformers") is None:
        raise ArmFailure(
            "an encoder is tuned by sentence-transformers, which is not installed",
            remedy="pip install 'whatworks[retriever]', or learn a map: `fits: map`",
        )
    result = folder / "result.json"
    if not result.exists():
        for part in folder.glob("epoch-*"):
            shutil.rmtree(part)
        write_atomic(folder / "encoder.json", job.model_dump_json())
        failure = _run(folder, on_step)
        if not result.exists():
            raise failure.error(str(folder))
    return FittedEncoder.model_validate_json(result.read_text("utf-8"))


def _run(folder: Path, on_step: Callable[[int, int], None]) -> TrainingFailure:
    failure: TrainingFailure | None = None
    log = folder / "worker.log"
    environment = make_environment(dict(os.environ))
    with child.start_child(WORKER, folder, log, environment) as process:
        for message in process.messages():
            if "failure" in message:
                failure = TrainingFailure.model_validate(message["failure"])
            else:
                on_step(*message["step"])
    assert process.code is not None
    said = log.read_text("utf-8", errors="replace").strip().splitlines()
    return failure or diagnose_exit(process.code, said[-1][:200] if said else "")


def read_job(folder: Path) -> EncoderJob:
    """The job of a folder."""
    return EncoderJob.model_validate(json.loads((folder / "encoder.json").read_text("utf-8")))


def list_folders(folder: Path, fitted: FittedEncoder) -> list[Path]:
    """Where the encoders lie, the first epoch first."""
    return [folder / name for name in fitted.epochs]
