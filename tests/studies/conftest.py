from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.cli import main

NAMES = ["amber", "basalt", "cedar", "dorado", "ermine", "fennel", "garnet", "hazel", "indigo"]


def rows(part: str, count: int) -> list[dict[str, Any]]:
    """Rows of one split: no two alike, targets valid JSON."""
    places = [f"{a} {b}" for a in NAMES for b in reversed(NAMES) if a != b]
    return [
        {
            "id": f"{part}-{i}",
            "input": f"the {part} order of {i * 7919} {places[i % len(places)]} stones",
            "target": json.dumps({"count": i * 7919}),
        }
        for i in range(count)
    ]


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    """Writes a clean study with a fault planted in its rows."""

    def write(
        plant: Callable[[dict[str, list[dict[str, Any]]]], None] = lambda parts: None,
        *,
        metric: str = "json",
        more: str = "model: 'fake:'\n",
    ) -> Path:
        parts = {"train": rows("train", 60), "dev": rows("dev", 20), "test": rows("test", 50)}
        plant(parts)
        for name, content in parts.items():
            text = "".join(json.dumps(row) + "\n" for row in content)
            (tmp_path / f"{name}.jsonl").write_text(text)
        path = tmp_path / "study.yaml"
        path.write_text(
            "# A comment.\n"
            "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: " + metric + "}\n"
            "arms: [zero-shot]\n" + more
        )
        return path

    return write


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs ``whatworks`` with words; exit code and what it printed, space folded."""

    def call(*words: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["whatworks", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "500")
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    return call
