"""Trackio: a run for the study, one for each arm and each seed, in a group of its name.

They lie in its local database (``TRACKIO_DIR``) unless its own variables name a Space or a server.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Any

from whatworks.app.trackers.tracked_study import TrackedStudy


def log_study(study: TrackedStudy) -> None:
    """Log a study; adapters stay where they are, and the folder is named."""
    import trackio as library  # pyright: ignore[reportMissingImports]

    trackio: Any = library
    with redirect_stdout(sys.stderr):  # it prints, and standard output is for programs
        run = trackio.init(study.name, study.name, study.name, config=dict(study.settings))
        report: Any = trackio.Artifact("report", type="report")
        for file in study.files:
            report.add_file(str(file))
        run.log_artifact(report)
        trackio.finish()
        for arm in study.arms:
            settings = {**arm.settings, **arm.tags}
            trackio.init(study.name, arm.name, study.name, config=settings)
            trackio.log(dict(arm.figures))
            trackio.finish()
            for seed, score in arm.seeds.items():
                name = f"{arm.name} seed {seed}"
                config = {"arm": arm.name, "seed": seed}
                trackio.init(study.name, name, study.name, config=config)
                trackio.log({"score": score})
                trackio.finish()
