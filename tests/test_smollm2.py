"""The small real model, from its package to the export of a tuned arm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from whatworks.app.export.export import export
from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine

pytestmark = [pytest.mark.smollm2, pytest.mark.slow]

SMOLLM2 = ModelFiles("smollm2")


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(threads=1)


def test_it_answers_in_its_own_words(engine: LocalEngine) -> None:
    asked = [Message(role="user", content="What is the capital of France?")]
    ids = engine.encode(SMOLLM2, asked)
    prompt = "".join(engine.pieces(SMOLLM2, ids))
    assert prompt.endswith(
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    (answer,) = engine.generate(SMOLLM2, [asked], Decoding(max_tokens=24))
    assert "Paris" in answer.text
    assert answer.finish == "stop"


def test_a_study_tunes_and_exports_it(tmp_path: Path) -> None:
    pairs = [("cat", "animal"), ("oak", "plant"), ("dog", "animal"), ("fern", "plant")]
    names = ["red", "old", "small", "wild", "tall", "young"]
    rows = [
        {"id": f"{name}-{thing}", "input": f"a {name} {thing}", "target": kind}
        for name in names
        for thing, kind in pairs
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = {
        "task": {
            "train": "rows.jsonl",
            "metric": "category",
            "instructions": "Is it an animal or a plant? Answer with one word.",
            "split": {"dev": 4, "test": 8},
        },
        "model": "smollm2",
        "seeds": 1,
        "arms": ["zero-shot", {"sft": {"epochs": 2}}],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    summary, report = run_study(tmp_path / "study.yaml", out=tmp_path / "out", watcher=Silent())
    said = "SmolLM2-135M-Instruct.Q4_1.gguf, dequantised to float32"
    assert summary.study.origin.startswith(said)
    assert said in report.read_text("utf-8")
    tuned = summary.arm("sft")
    assert tuned is not None and not tuned.failures
    assert tuned.score is not None and tuned.score.value > 0.5
    export(tmp_path / "out", "sft", tmp_path / "export")
    assert (tmp_path / "export" / "base" / "model.safetensors").is_file()
    assert said in (tmp_path / "export" / "README.md").read_text("utf-8")
