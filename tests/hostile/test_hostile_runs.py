"""Two runs that begin together on one folder: one holds it, the other says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from whatworks.base.lock import LOCK
from whatworks.studies.study_folder import StudyFolder

RUN = [sys.executable, "-m", "whatworks", "run"]


def test_of_two_runs_that_begin_together_one_refuses_in_two_lines(tmp_path: Path) -> None:
    rows = [{"input": f"where is crate {i * 7919}?", "target": f"shelf {i}"} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = {"answers": [], "default": "shelf 1", "latency": 0.1}
    (tmp_path / "script.json").write_text(json.dumps(script))
    (tmp_path / "study.yaml").write_text(
        "model: fake:script.json\narms: [zero-shot]\n"
        "task: {train: rows.jsonl, metric: exact, split: {dev: 5, test: 20}}\n"
    )
    words = [*RUN, str(tmp_path / "study.yaml"), "--out", str(tmp_path / "out")]
    both = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {child.pid: child.communicate(timeout=90)[1] for child in both}
    codes = {child.pid: child.returncode for child in both}
    assert sorted(codes.values()) == [0, 2], said
    winner, loser = sorted(codes, key=lambda pid: codes[pid])
    refusal = said[loser].strip().splitlines()
    assert len(refusal) == 2 and refusal[0].startswith("whatworks: ")
    assert f"process {winner} on " in refusal[0] and "holds this folder" in refusal[0]
    folder = StudyFolder(tmp_path / "out")
    counted = Counter(row.example for row in folder.read_finished().rows())
    assert len(counted) == 20 and set(counted.values()) == {1}
    assert folder.openings == 1 and not (tmp_path / "out" / LOCK).exists()
