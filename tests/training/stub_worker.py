"""A worker that trains nothing: it runs out of memory until the plan is small enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from whatworks.training.failure import make_memory_failure
from whatworks.training.job import Trained
from whatworks.training.run_folder import RunFolder


def preload() -> None:
    """Nothing."""


def main() -> int:
    folder = RunFolder(Path(sys.argv[1]))
    plan = folder.plan()
    assert plan is not None
    attempt = f"{plan.micro_batch}{' recomputing' if plan.recompute else ''}"
    with (folder.path / "attempts").open("a") as file:
        file.write(attempt + "\n")
    if attempt == folder.job().template:  # the attempt that is to succeed
        folder.finish(
            Trained(
                checkpoints=(),
                losses=(),
                seconds=0,
                tokens=0,
                dropped_rows=0,
                parameters=0,
                learning_rate=1,
            )
        )
    else:
        print(
            json.dumps({"failure": make_memory_failure("CUDA out of memory").model_dump()}),
            flush=True,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
