"""TensorBoard: event files below ``tensorboard/`` of the study, one run an arm and seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatworks.app.trackers.tracked_study import TrackedStudy
from whatworks.base.paths import make_slug


def log_study(study: TrackedStudy) -> None:
    """Write a study's figures as scalars; a seed is a run below its arm's."""
    root = study.folder / "tensorboard"
    for arm in study.arms:
        place = root / make_slug(arm.name)
        _write(str(place), arm.figures)
        for seed, score in arm.seeds.items():
            _write(str(place / f"seed-{seed}"), {"score": score})


def _write(folder: str, figures: Mapping[str, float]) -> None:
    from tensorboard.compat.proto import event_pb2, summary_pb2  # pyright: ignore
    from tensorboard.summary.writer.event_file_writer import EventFileWriter  # pyright: ignore

    protos: Any = (event_pb2, summary_pb2)
    events, summaries = protos
    writer: Any = EventFileWriter(folder)
    try:
        for name, value in figures.items():
            scalar = summaries.Summary.Value(tag=name, simple_value=value)
            writer.add_event(events.Event(step=0, summary=summaries.Summary(value=[scalar])))
    finally:
        writer.close()
