"""The OpenAI SDK's own calls tune a model on this machine and then ask it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whatworks.analysis.result_rows import Results
from whatworks.app.serve.served import open_served
from whatworks.app.serve.server import ModelServer
from whatworks.app.serve.tuning.training_file import FileProblem, read_training_file
from whatworks.base.errors import InputError

openai = pytest.importorskip("openai")

NAMES = ("Alma Reed", "Ida Holm", "Otto Berg", "Vera Lund")
ROWS = [
    {"messages": [{"role": "user", "content": f"Where does {name} live?"},
                  {"role": "assistant", "content": "Zanzibar"}]}
    for name in NAMES
]  # fmt: skip
PAIRS = [
    {"input": {"messages": [{"role": "user", "content": f"Where does {name} live?"}]},
     "preferred_output": [{"role": "assistant", "content": "Porto"}],
     "non_preferred_output": [{"role": "assistant", "content": "Bergen"}]}
    for name in NAMES
]  # fmt: skip


def write(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@contextlib.contextmanager
def open_server(folder: Path) -> Iterator[Any]:
    """The SDK, before a server in this process."""
    app = ModelServer(open_served("lab", name="lab"), tuning=folder).app()
    with TestClient(app) as http:
        yield openai.OpenAI(
            base_url="http://testserver/v1", api_key="none", http_client=http, max_retries=0
        )


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_server(tmp_path_factory.mktemp("tuning")) as client:
        yield client


def upload(sdk: Any, rows: list[Any], name: str = "rows.jsonl") -> Any:
    return sdk.files.create(file=(name, io.BytesIO(write(rows))), purpose="fine-tune")


def wait(sdk: Any, name: str, *until: str, seconds: float = 150) -> Any:
    deadline = time.monotonic() + seconds
    job: Any = None
    while time.monotonic() < deadline:
        job = sdk.fine_tuning.jobs.retrieve(name)
        if job.status in (until or ("succeeded", "failed", "cancelled")):
            return job
        time.sleep(0.1)
    raise AssertionError(f"still {job.status}: {sdk.fine_tuning.jobs.list_events(name).data}")


def ask(sdk: Any, model: str, text: str = "Where does Alma Reed live?") -> str:
    said = sdk.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], temperature=0, max_tokens=8
    )
    return said.choices[0].message.content


def test_files(sdk: Any) -> None:
    first, second = upload(sdk, ROWS), upload(sdk, PAIRS, "../../etc/ü.jsonl")
    assert (first.filename, first.bytes) == ("rows.jsonl", len(write(ROWS)))
    assert second.filename.endswith("ü.jsonl") and first.purpose == "fine-tune"
    assert {first.id, second.id} <= {one.id for one in sdk.files.list()}
    assert sdk.files.content(second.id).read() == write(PAIRS)
    assert sdk.files.retrieve(first.id) == first
    assert sdk.files.delete(second.id).deleted
    for name in (second.id, "file-x", "..%2Fjobs"):
        with pytest.raises(openai.NotFoundError):
            sdk.files.retrieve(name)
    with pytest.raises(openai.BadRequestError, match="fine-tune"):
        sdk.files.create(file=("x", b"{}"), purpose="batch")
    with pytest.raises(openai.BadRequestError, match="multipart"):
        sdk.post("/files", body={}, cast_to=object)


BAD = {
    "no JSON": (b"{\n", "line 1 is no JSON"),
    "half a character": (b"\xff\xfe", "line 1 is no JSON"),
    "nothing": (b"\n\n", "nothing to train on"),
    "no messages": (write([ROWS[0], {"prompt": "x"}]), "line 2: messages"),
    "no answer": (write([{"messages": ROWS[0]["messages"][:1] * 2}]), "line 1 holds no answer"),
    "empty answer": (
        write([{"messages": [ROWS[0]["messages"][0], {"role": "assistant", "content": ""}]}]),
        "line 1 holds an empty answer",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_trained_on(name: str) -> None:
    content, cause = BAD[name]
    with pytest.raises(FileProblem, match=cause):
        read_training_file(content, "supervised")


def test_every_answer_of_weight_is_a_row() -> None:
    turns = [
        {"role": "system", "content": "s"}, {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"}, {"role": "user", "content": "e"},
        {"role": "assistant", "content": "f", "weight": 1},
    ]  # fmt: skip
    rows: list[Any] = list(read_training_file(write([{"messages": turns}]), "supervised"))
    assert [(len(row.messages), row.target) for row in rows] == [(4, "d"), (6, "f")]
    [pair] = read_training_file(write(PAIRS[:1]), "dpo")
    assert (pair.chosen, pair.rejected) == ("Porto", "Bergen")  # pyright: ignore
    with pytest.raises(FileProblem, match="prefers an answer to itself"):
        same = {**PAIRS[0], "non_preferred_output": PAIRS[0]["preferred_output"]}
        read_training_file(write([same]), "dpo")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "model": ({"model": "gpt-4o"}, "does not exist"),
    "file": ({"training_file": "file-000000000000000000000000"}, "No such File"),
    "validation": ({"validation_file": "file-x"}, "validation file"),
    "reinforcement": ({"method": {"type": "reinforcement"}}, "supervised and dpo"),
    "epochs": ({"hyperparameters": {"n_epochs": 0}}, "more than 0"),
    "integration": ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integr"),
    "suffix": ({"suffix": "a b:c"}, "suffix"),
    "unknown": ({"extra_body": {"colour": "red"}}, "colour"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_jobs_that_are_refused(sdk: Any, name: str) -> None:
    fields, words = REFUSED[name]
    body = {"model": "lab", "training_file": upload(sdk, ROWS).id, **fields}
    with pytest.raises(openai.APIStatusError, match=words):
        sdk.fine_tuning.jobs.create(**body)


def test_a_file_at_fault_fails_its_job(sdk: Any) -> None:
    job = sdk.fine_tuning.jobs.create(model="lab", training_file=upload(sdk, PAIRS).id)
    assert job.status == "validating_files" and job.object == "fine_tuning.job"
    job = wait(sdk, job.id)
    assert job.status == "failed" and "line 1: messages" in job.error.message
    newest = sdk.fine_tuning.jobs.list_events(job.id).data[0]
    assert newest.level == "error" and "line 1" in newest.message
    with pytest.raises(openai.BadRequestError, match="already failed"):
        sdk.fine_tuning.jobs.cancel(job.id)


def test_jobs_come_in_pages(sdk: Any) -> None:
    file = upload(sdk, PAIRS).id
    begun = [sdk.fine_tuning.jobs.create(model="lab", training_file=file).id for _ in range(3)]
    assert {one.id for one in sdk.fine_tuning.jobs.list(limit=2)} >= set(begun)  # all pages
    assert len(sdk.fine_tuning.jobs.list(limit=2).data) == 2
    for name in begun:
        wait(sdk, name)
    with pytest.raises(openai.NotFoundError):
        sdk.fine_tuning.jobs.retrieve("ftjob-x")


def test_one_process_at_a_time_has_the_folder(tmp_path: Path) -> None:
    with open_server(tmp_path), pytest.raises(InputError, match="tuning jobs"):
        ModelServer(open_served("lab", name="lab"), tuning=tmp_path)


@pytest.mark.slow
def test_a_model_is_tuned_and_then_asked(sdk: Any) -> None:
    assert ask(sdk, "lab") != "Zanzibar"
    begun = sdk.fine_tuning.jobs.create(
        model="lab", training_file=upload(sdk, ROWS * 4).id, suffix="towns", seed=3,
        method={"type": "supervised", "supervised": {"hyperparameters": {
            "n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 3}}},
    )  # fmt: skip
    job = wait(sdk, begun.id)
    assert job.status == "succeeded", sdk.fine_tuning.jobs.list_events(begun.id).data
    assert job.fine_tuned_model == f"ft:lab:whatworks:towns:{begun.id[-8:]}"
    assert job.trained_tokens and job.finished_at and job.seed == 3
    assert ask(sdk, job.fine_tuned_model) == "Zanzibar" != ask(sdk, "lab")
    checkpoints = sdk.fine_tuning.jobs.checkpoints.list(begun.id).data
    assert [one.step_number for one in checkpoints] == [16, 12, 8, 4]
    assert checkpoints[0].fine_tuned_model_checkpoint == job.fine_tuned_model
    assert checkpoints[0].metrics.train_loss < checkpoints[-1].metrics.train_loss
    assert ask(sdk, checkpoints[-1].fine_tuned_model_checkpoint)
    metrics = [one for one in sdk.fine_tuning.jobs.list_events(begun.id, limit=100)
               if one.type == "metrics"]  # fmt: skip
    assert {one.data["step"] for one in metrics} == set(range(1, 17))
    assert job.fine_tuned_model in {one.id for one in sdk.models.list()}
    # A preference on top of it: the tuned model's adapter is trained further.
    further = sdk.fine_tuning.jobs.create(
        model=job.fine_tuned_model, training_file=upload(sdk, PAIRS).id,
        method={"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 1, "beta": 0.2}}},
    )  # fmt: skip
    job = wait(sdk, further.id)
    assert job.status == "succeeded", job.error
    assert job.method.dpo.hyperparameters.beta == 0.2 and ask(sdk, job.fine_tuned_model)


@pytest.mark.slow
def test_a_job_is_cancelled(sdk: Any) -> None:
    begun = sdk.fine_tuning.jobs.create(
        model="lab", training_file=upload(sdk, ROWS * 50).id, hyperparameters={"n_epochs": 50}
    )
    wait(sdk, begun.id, "running")
    assert sdk.fine_tuning.jobs.cancel(begun.id).status == "cancelled"
    next_one = sdk.fine_tuning.jobs.create(model="lab", training_file=upload(sdk, PAIRS).id)
    assert wait(sdk, next_one.id, seconds=60).status == "failed"  # not behind the one given up
    assert sdk.fine_tuning.jobs.retrieve(begun.id).status == "cancelled"


@pytest.mark.slow
def test_a_job_survives_a_kill(tmp_path: Path) -> None:
    """Killed in the middle of a training, the server goes on with it when it is started again."""
    folder = tmp_path / "tuning"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sdk = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="x", max_retries=0)

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "whatworks", "serve", "lab", "--port", str(port),
                   "--tuning", "--tuning-folder", str(folder)]  # fmt: skip
        process = subprocess.Popen(command, start_new_session=True)
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                return process
            time.sleep(0.1)
        raise AssertionError("the server does not start")

    server = start()
    try:
        begun = sdk.fine_tuning.jobs.create(
            model="lab", training_file=upload(sdk, ROWS * 4).id,
            hyperparameters={"n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 3},
        )  # fmt: skip
        deadline = time.monotonic() + 90
        while not list(folder.glob("jobs/*/run/epoch-1")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server = start()
        job = wait(sdk, begun.id)
        assert job.status == "succeeded", job.error
        said = [one.message for one in sdk.fine_tuning.jobs.list_events(begun.id, limit=100)]
        assert any("started again" in line for line in said)
        assert ask(sdk, job.fine_tuned_model) == "Zanzibar"
    finally:
        sdk.close()
        server.terminate()
        server.wait(60)
    with open_server(folder) as again:  # what was trained is served again
        assert ask(again, job.fine_tuned_model) == "Zanzibar"


@pytest.mark.slow
def test_a_study_has_its_arms_trained_by_our_own_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint's client and this server: an arm that is trained where its model is served."""
    import uvicorn

    from whatworks.app.run_study import run_study
    from whatworks.base.progress import Silent
    from whatworks.models.endpoint import jobs

    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.2)
    app = ModelServer(open_served("lab", name="lab"), tuning=tmp_path / "tuning").app()
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        rows = [{"input": f"Where does {name} {at} live?", "output": "Zanzibar"}
                for name in NAMES for at in range(7)]  # fmt: skip
        (tmp_path / "rows.jsonl").write_bytes(write(rows))
        (tmp_path / "study.yaml").write_text(
            "task: {train: rows.jsonl, metric: exact, split: {dev: 4, test: 4}}\nseeds: 1\n"
            f"model: http://127.0.0.1:{port}/v1#lab\narms: [zero-shot, {{sft: {{epochs: 3}}}}]\n"
            "decoding: {max_tokens: 8}\nbudget: {usd: 1}\n"  # on this machine it is free
        )
        run_study(tmp_path / "study.yaml", out=tmp_path / "out", watcher=Silent())
    finally:
        server.should_exit = True
        thread.join()
    results = Results(tmp_path / "out" / "results.jsonl").rows()
    scores = {arm: [row.value for row in results if row.arm == arm] for arm in ("zero-shot", "sft")}
    assert scores == {"zero-shot": [0.0] * 4, "sft": [1.0] * 4}
    [arm] = [one for one in json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
             if one["name"] == "sft"]  # fmt: skip
    assert arm["usd"] == 0
