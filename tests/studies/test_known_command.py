"""``whatworks known``: classes as a column of the data, for any model that a study can name."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.data import read
from whatworks.methods.bench.known_facts import CLASSES


def test_a_study_gets_its_column(tmp_path: Path):
    rows = [
        {"id": f"r{i}", "input": f"Where does person {i} of lane {i * 31 % 57} live?"}
        | {"target": f"Town{i}", "group": f"p{i}"}
        for i in range(40)
    ]
    answers = [
        {"last": row["input"], "answer": row["target"]} for i, row in enumerate(rows) if i % 2
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "script.json").write_text(json.dumps({"answers": answers, "default": "Nowhere"}))
    (tmp_path / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: facts, split: {dev: 8, test: 12}}\n"
        "model: fake:script.json\narms: [zero-shot]\n"
    )
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, ["known", str(tmp_path), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert "HighlyKnown   50.0%" in ran.output
    found = [e for part in ("train", "dev", "test") for e in read(out / f"{part}.jsonl").examples]
    assert len(found) == 40
    for example in found:
        number = int(example.id.removeprefix("r"))
        assert example.meta["known"] == (CLASSES[0] if number % 2 else CLASSES[3])
