"""Trackers by their real backends, offline, where they are installed; and one that fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent


def run(place: Path, *names: str) -> Path:
    for part, n in {"train": 6, "dev": 6, "test": 20}.items():
        rows = [
            {"id": f"{part}{i}", "input": f"{part} {i * 37}?", "target": f"{int(i % 10 < 7)}"}
            for i in range(n)
        ]
        (place / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (place / "script.json").write_text(json.dumps({"default": "1"}))
    (place / "study.yaml").write_text(
        "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}\n"
        "model: fake:script.json\narms: [zero-shot, {few-shot: {k: 2}}]\nname: ones\nseeds: 2\n"
        f"track: [{', '.join(names)}]\n"
    )
    run_study(place / "study.yaml", out=place / "out", watcher=Silent())
    return place / "out"


def test_one_that_fails_is_a_warning_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    out = run(tmp_path, "mlflow")
    assert "The tracker mlflow was not told" in (out / "report.html").read_text()
    assert (out / "results.jsonl").is_file()


@pytest.mark.filterwarnings("ignore:The ``noload``")  # MLflow's own use of SQLAlchemy
def test_mlflow_with_a_sqlite_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow: Any = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    out = run(tmp_path, "mlflow")
    assert "was not told" not in (out / "report.html").read_text()
    client = mlflow.MlflowClient()
    found = client.search_runs([client.get_experiment_by_name("ones").experiment_id])
    runs = {one.info.run_name: one for one in found}
    assert {"ones", "zero-shot", "few-shot", "zero-shot seed 0"} <= set(runs)
    assert runs["zero-shot"].data.metrics["score"] == pytest.approx(0.7)
    assert runs["zero-shot"].data.metrics["score_low"] < 0.7
    assert runs["few-shot"].data.params["few-shot.k"] == "2"
    assert runs["zero-shot seed 0"].data.metrics == {"score": pytest.approx(0.7)}
    parents = {name: one.data.tags.get("mlflow.parentRunId") for name, one in runs.items()}
    assert parents["zero-shot"] == runs["ones"].info.run_id
    assert parents["zero-shot seed 0"] == runs["zero-shot"].info.run_id
    files = {file.path for file in client.list_artifacts(runs["ones"].info.run_id)}
    assert "report.html" in files


def test_event_files_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # pyright: ignore
        EventAccumulator,
    )

    out = run(tmp_path, "tensorboard")
    for place, tags in {"zero-shot": {"score", "score_low"}, "zero-shot/seed-0": {"score"}}.items():
        read: Any = EventAccumulator(str(out / "tensorboard" / place))
        read.Reload()
        assert tags <= set(read.Tags()["scalars"])
        assert read.Scalars("score")[0].value == pytest.approx(0.7)


def read_log(path: Path) -> Iterator[bytes]:
    """The records of a file of wandb: LevelDB's log format, after 7 bytes of its own."""
    content, at, record = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:  # the rest of a block
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of a library that is not ours
def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2 as protos  # pyright: ignore

    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    out = run(tmp_path, "wandb")
    assert "was not told" not in (out / "report.html").read_text()
    runs: dict[str, dict[str, Any]] = {}
    for path in (out / "wandb").glob("offline-run-*/*.wandb"):
        told: dict[str, Any] = {"config": {}, "history": {}, "artifacts": []}
        for content in read_log(path):
            record: Any = protos.Record.FromString(content)
            if record.HasField("run") and record.run.display_name:
                told |= {"group": record.run.run_group, "kind": record.run.job_type}
                runs[record.run.display_name] = told
                told["config"] |= {
                    i.key: json.loads(i.value_json) for i in record.run.config.update
                }
            for item in record.history.item:
                name = item.key or ".".join(item.nested_key)
                told["history"][name] = json.loads(item.value_json)
            if record.request.HasField("log_artifact"):
                manifest = record.request.log_artifact.artifact.manifest
                told["artifacts"] += [entry.path for entry in manifest.contents]
            if record.HasField("artifact"):
                told["artifacts"] += [entry.path for entry in record.artifact.manifest.contents]
    assert {"ones", "zero-shot", "few-shot", "zero-shot seed 0", "few-shot seed 1"} <= set(runs)
    assert {one["group"] for one in runs.values()} == {"ones"}
    assert runs["zero-shot"]["kind"] == "arm"
    assert runs["zero-shot"]["history"]["score"] == pytest.approx(0.7)
    assert runs["zero-shot"]["history"]["score_low"] < 0.7
    assert runs["few-shot"]["config"]["few-shot.k"] == "2"
    assert runs["few-shot seed 1"]["history"]["score"] == pytest.approx(0.7)
    assert "report.html" in runs["ones"]["artifacts"]


@pytest.mark.filterwarnings("ignore")  # of a library that is not ours
def test_trackio_in_its_own_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when it is imported
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    trackio: Any = pytest.importorskip("trackio")
    out = run(tmp_path, "trackio")
    assert "was not told" not in (out / "report.html").read_text()
    assert capsys.readouterr().out == ""
    runs = {one.name: one for one in trackio.Api().runs("ones")}
    assert {"ones", "zero-shot", "few-shot", "zero-shot seed 0", "few-shot seed 1"} <= set(runs)
    assert runs["few-shot"].config["few-shot.k"] == "2"
    storage: Any = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    (figures,) = storage.get_logs("ones", "zero-shot")
    assert figures["score"] == pytest.approx(0.7) and figures["score_low"] < 0.7
    (seed,) = storage.get_logs("ones", "few-shot seed 1")
    assert seed["score"] == pytest.approx(0.7)
    assert [one["name"] for one in storage.get_artifacts("ones")] == ["report"]
