"""What a tracker is told of a finished study, and the telling: one that fails is a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.base.errors import get_first_line
from whatworks.methods.bench.examiner import mean
from whatworks.studies.study_folder import StudyFolder

_TRACKERS: Mapping[str, str] = {
    "mlflow": "mlflow_runs:log_study",
    "tensorboard": "event_files:log_study",
    "trackio": "trackio_runs:log_study",
    "wandb": "wandb_runs:log_study",
}


@dataclass(frozen=True)
class TrackedArm:
    """An arm.

    Attributes:
        name: Its name.
        settings: Settings of its methods, flat: ``sft.rank``.
        figures: Scores and intervals as shares, tokens, seconds, money.
        seeds: Mean score of each seed that was scored.
        tags: Verdict and its reason.
    """

    name: str
    settings: Mapping[str, str]
    figures: Mapping[str, float]
    seeds: Mapping[int, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class TrackedStudy:
    """A study.

    Attributes:
        name: Its name.
        folder: Where it lies, for what is told of as a link.
        settings: Model, metric and the like.
        files: Report and prompts.
        arms: In order.
    """

    name: str
    folder: Path
    settings: Mapping[str, str]
    files: Sequence[Path]
    arms: Sequence[TrackedArm]


def track_study(names: Sequence[str], folder: StudyFolder, summary: Summary) -> list[str]:
    """Tell the trackers of a study.

    Returns:
        A warning for each that failed, by whatever it raised.
    """
    warnings: list[str] = []
    for name in names:
        module, function = _TRACKERS[name].split(":")
        try:
            log = getattr(import_module(f"whatworks.app.trackers.{module}"), function)
            cast("Callable[[TrackedStudy], None]", log)(_collect(folder, summary))
        except Exception as error:  # of any library; the study has run, whatever it is
            warnings.append(f"The tracker {name} was not told: {get_first_line(error)}.")
    return warnings


def _collect(folder: StudyFolder, summary: Summary) -> TrackedStudy:
    study = summary.study
    values: dict[tuple[str, int], list[float]] = {}
    for row in folder.read_finished().rows():
        if row.status == "scored":
            value = row.value if study.score == "strict" else row.lenient
            values.setdefault((row.arm, row.seed), []).append(value)
    arms = [
        TrackedArm(
            arm.name,
            _flatten(arm.info.settings),
            _list_figures(arm),
            {seed: mean(scores) for (name, seed), scores in values.items() if name == arm.name},
            {"verdict": arm.verdict.label, "reason": arm.verdict.reason},
        )
        for arm in summary.arms
    ]
    settings = {
        "model": study.model,
        "metric": study.metric,
        "baseline": study.baseline,
        "recommended": summary.recommendation.winner or "",
        "folder": str(folder.path.absolute()),
        "version": study.version,
    }
    prompts = sorted((folder.path / "prompts").glob("*.txt"))
    return TrackedStudy(study.name, folder.path, settings, [folder.report, *prompts], arms)


def _list_figures(arm: ArmSummary) -> dict[str, float]:
    score, gain = arm.score, arm.difference
    figures: dict[str, float | None] = {
        "score": score and score.value,
        "score_low": score and score.low,
        "score_high": score and score.high,
        "difference": gain and gain.difference,
        "difference_low": gain and gain.low,
        "difference_high": gain and gain.high,
        "lenient": arm.lenient,
        "dev": arm.info.dev_score,
        "prompt_tokens": arm.prompt_tokens,
        "completion_tokens": arm.completion_tokens,
        "seconds": arm.seconds,
        "training_seconds": arm.info.training_seconds,
        "usd": arm.info.usd,
    }
    return {name: float(value) for name, value in figures.items() if value is not None}


def _flatten(settings: Mapping[str, Any], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(cast("Mapping[str, Any]", value), f"{before}{name}."))
        else:
            flat[f"{before}{name}"] = str(value)
    return flat
