"""MLflow: a run for the study, nested ones for arms, and for seeds in these.

Where to, is MLflow's own to say: ``MLFLOW_TRACKING_URI``. The experiment is the study's name.
"""

from __future__ import annotations

from typing import Any

from whatworks.app.trackers.tracked_study import TrackedStudy

_LONGEST = 500
"""Characters of a parameter that MLflow takes in every version."""


def log_study(study: TrackedStudy) -> None:
    """Log a study; adapters stay where they are, and the folder is named."""
    import mlflow as library  # pyright: ignore[reportMissingImports]

    mlflow: Any = library
    mlflow.set_experiment(study.name)
    with mlflow.start_run(run_name=study.name):
        mlflow.log_params({name: value[:_LONGEST] for name, value in study.settings.items()})
        for file in study.files:
            mlflow.log_artifact(str(file))
        for arm in study.arms:
            with mlflow.start_run(run_name=arm.name, nested=True):
                mlflow.log_params({name: value[:_LONGEST] for name, value in arm.settings.items()})
                mlflow.log_metrics(dict(arm.figures))
                mlflow.set_tags(dict(arm.tags))
                for seed, score in arm.seeds.items():
                    with mlflow.start_run(run_name=f"{arm.name} seed {seed}", nested=True):
                        mlflow.log_param("seed", seed)
                        mlflow.log_metric("score", score)
