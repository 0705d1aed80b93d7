"""Weights & Biases: a run for the study, one for each arm and each seed, in a group of its name.

Offline unless ``WANDB_MODE`` says otherwise: nothing leaves the machine, and nobody is asked to log
in. The runs lie below ``wandb/`` of the study; ``wandb sync`` sends them.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from whatworks.app.trackers.tracked_study import TrackedStudy


def log_study(study: TrackedStudy) -> None:
    """Log a study; adapters stay where they are, and the folder is named."""
    with _open_run(study, study.name, "study", study.settings) as run:
        import wandb as library  # pyright: ignore[reportMissingImports]

        wandb: Any = library
        report: Any = wandb.Artifact("report", type="report")
        for file in study.files:
            report.add_file(str(file))
        run.log_artifact(report)
    for arm in study.arms:
        with _open_run(study, arm.name, "arm", arm.settings) as run:
            run.log(dict(arm.figures))
            run.summary.update(dict(arm.tags))
        for seed, score in arm.seeds.items():
            name = f"{arm.name} seed {seed}"
            with _open_run(study, name, "seed", {"arm": arm.name, "seed": str(seed)}) as run:
                run.log({"score": score})


@contextmanager
def _open_run(
    study: TrackedStudy, name: str, kind: str, settings: Mapping[str, str]
) -> Generator[Any]:
    import wandb as library  # pyright: ignore[reportMissingImports]

    wandb: Any = library
    run = wandb.init(
        project=study.name,
        group=study.name,
        name=name,
        job_type=kind,
        config=dict(settings),
        dir=str(study.folder),
        mode=os.environ.get("WANDB_MODE", "offline"),
        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        reinit="finish_previous",
    )
    try:
        yield run
    finally:
        run.finish()
