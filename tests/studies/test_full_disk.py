"""A disk that is full when a checkpoint is written: a failed arm, and the others finish."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.training import process

STUDY = """
name: full
task: {train: rows.jsonl, metric: exact, split: {dev: 2, test: 4}}
model: lab
seeds: 1
arms: [zero-shot, {sft: {kind: full, epochs: 1}}, {few-shot: {k: 1}}]
"""
MEGABYTES = 6
"""Less than the weights of the embedded model."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: it takes root on Linux")
    yield disk
    process.close()  # whose log may be the one of a training there
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_fails_its_arm_and_leaves_room_for_the_others(
    small_disk: Path, tmp_path: Path
) -> None:
    rows = [{"input": f"colour {i}?", "target": f"shade {i}"} for i in range(14)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "study.yaml").write_text(STUDY)
    summary, _ = run_study(tmp_path / "study.yaml", out=small_disk / "run", watcher=Silent())
    arms = {arm.name: arm for arm in summary.arms}
    [failure] = arms["sft"].failures
    assert "the disk is full" in failure.cause
    assert "free some space" in failure.remedy
    assert arms["zero-shot"].score is not None
    assert arms["few-shot"].score is not None
    assert (small_disk / "run" / "report.html").exists()
