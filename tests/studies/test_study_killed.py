"""SIGKILL while a real model is asked and trained: after `run` again the rows are the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import ResultRow, Results
from whatworks_lab import make_json_rows

STUDY = """
name: killed
task:
  train: rows.jsonl
  metric: json
  instructions: Write the message as JSON.
  split: {dev: 8, test: 16}
model: lab
seeds: 1
arms:
- zero-shot
- {knn: {k: 2, embedder: lexical}}
- {sft: {epochs: 2}}
- {arm: knn+sft, knn: {k: 2, embedder: lexical}, sft: {epochs: 1}}
"""


def rows_of(out: Path) -> list[ResultRow]:
    """All rows without their seconds."""
    rows = Results(out / "results.jsonl").rows()
    return sorted((replace(row, seconds=0.0) for row in rows), key=lambda r: (r.arm, r.example))


@pytest.mark.slow
def test_killed_while_training_it_ends_the_same(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in make_json_rows(88, seed=3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    (tmp_path / "study.yaml").write_text(STUDY)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(out: str) -> list[str]:
        study, folder = str(tmp_path / "study.yaml"), str(tmp_path / out)
        return [sys.executable, "-m", "whatworks", "run", study, "--out", folder]

    began = time.monotonic()
    whole = subprocess.run(command("whole"), env=env, capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    took = time.monotonic() - began
    rng = random.Random(8)
    hits = 0
    for _ in range(6):
        child = subprocess.Popen(
            command("killed"), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.1, 0.5) * took)
        hits += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
    final = subprocess.run(command("killed"), env=env, capture_output=True, text=True, check=False)
    assert final.returncode == 0, final.stderr
    assert hits >= 2, "the kills must have hit running studies"
    undisturbed = rows_of(tmp_path / "whole")
    assert len(undisturbed) == 4 * 16
    assert rows_of(tmp_path / "killed") == undisturbed
