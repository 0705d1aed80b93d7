"""A server of somebody else with the same weights: the same study, the same greedy answers."""

from __future__ import annotations

import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.models import chat_templates as templates
from whatworks.models import files as models

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model as `whatworks export` writes one: its tokenizer says how answers end."""
    made = tmp_path_factory.mktemp("served") / "lab"
    shutil.copytree(models.resolve("lab"), made)
    tokenizer = models.load_tokenizer(made)
    tokenizer.response_template = templates.describe_response(tokenizer)
    tokenizer.save_pretrained(str(made))
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """`transformers serve` with the model."""
    pytest.importorskip("fastapi")
    from transformers.cli.serve import Serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server: Any = Serve(
        str(folder), device="cpu", dtype="float32", host="127.0.0.1", port=port, non_blocking=True
    )
    root = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{root}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"{root}/v1"
    finally:
        server.kill_server()


def answers(study: dict[str, Any], out: Path) -> dict[tuple[str, str], ResultRow]:
    out.mkdir()
    (out / "study.yaml").write_text(yaml.safe_dump(study))
    run_study(out / "study.yaml", out=out / "run", watcher=Silent())
    rows = Results(out / "run" / "results.jsonl").rows()
    assert [row.cause for row in rows if row.status == "failed"] == []
    return {(row.arm, row.example): row for row in rows}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_example_study_has_the_same_answers_on_transformers_serve(
    folder: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    study = yaml.safe_load((EXAMPLE / "study.yaml").read_text())
    study["task"]["train"] = str(EXAMPLE / "messages.jsonl")
    study["task"]["limit"] = {"train": 60, "dev": 2, "test": 8}
    study |= {
        "seeds": 1,
        "model": str(folder),
        "arms": ["zero-shot", {"few-shot": {"k": 1}}, {"knn": {"k": 2, "embedder": "lexical"}}],
        # Some answers end, others are cut off.
        "decoding": {"max_tokens": 40},
    }
    del study["curve"]
    here = answers(study, tmp_path / "here")
    there = answers({**study, "model": f"{address}#{folder}"}, tmp_path / "there")
    assert len(here) == 24 and here.keys() == there.keys()
    for key, row in here.items():
        served = there[key]
        assert (served.output, served.value) == (row.output, row.value)
        assert served.prompt_tokens == row.prompt_tokens
        assert served.completion_tokens == row.completion_tokens
    cut = [row.completion_tokens == 40 for row in here.values()]
    assert any(cut) and not all(cut)
    assert any(row.value == 1.0 for row in here.values())
