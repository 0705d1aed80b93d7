"""The server in a process of its own, asked by the real `openai` client."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from whatworks.data.task import Message
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
openai = pytest.importorskip("openai")
ASK: list[Any] = [{"role": "user", "content": "Where does Alma Reed live?"}]
OURS = [Message(role="user", content="Where does Alma Reed live?")]


def start(*words: str) -> tuple[subprocess.Popen[str], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "whatworks", "serve", *words, "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, f"http://127.0.0.1:{port}/v1"
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[1])


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    os.environ["NO_PROXY"] = "127.0.0.1"
    process, url = start(str(tiny_model), "--name", "tiny")
    yield process, url
    process.kill()
    process.communicate()


@pytest.fixture
def client(server: tuple[Any, str]) -> Iterator[Any]:
    with openai.OpenAI(base_url=server[1], api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def local() -> LocalEngine:
    return LocalEngine(dtype="float32", device="cpu", threads=1)


def test_greedy_answers_are_those_of_the_engine(
    client: Any, local: LocalEngine, tiny_model: Path
) -> None:
    assert [m.id for m in client.models.list()] == ["tiny"]
    asked = {"model": "tiny", "messages": ASK, "max_tokens": 12, "temperature": 0}
    said = client.chat.completions.create(**asked, logprobs=True)
    files = ModelFiles(str(tiny_model))
    [wanted] = local.generate(files, [OURS], Decoding(max_tokens=12))
    choice = said.choices[0]
    assert (choice.message.content, choice.finish_reason) == (wanted.text, wanted.finish)
    counts = (said.usage.prompt_tokens, said.usage.completion_tokens)
    assert counts == (wanted.prompt_tokens, wanted.completion_tokens)
    values = [token.logprob for token in choice.logprobs.content]
    assert len(values) == 12 and sum(values) == pytest.approx(wanted.logprob, abs=1e-3)
    counted = {"include_usage": True}
    pieces = list(client.chat.completions.create(**asked, stream=True, stream_options=counted))
    texts = [p.choices[0].delta.content or "" for p in pieces if p.choices]
    assert "".join(texts) == wanted.text and len([t for t in texts if t]) > 1
    assert pieces[-1].usage.completion_tokens == wanted.completion_tokens
    assert [p.choices[0].finish_reason for p in pieces if p.choices][-1] == wanted.finish


def test_seeds_and_several_answers(client: Any) -> None:
    def drawn(seed: int) -> list[str]:
        said = client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=6, temperature=1.5, seed=seed, n=4
        )
        return [choice.message.content for choice in said.choices]

    assert drawn(3) == drawn(3) != drawn(4)
    assert len(set(drawn(3))) > 1


def test_stop_strings_and_forms(client: Any) -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"],
              "additionalProperties": False}  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    said = client.chat.completions.create(
        model="tiny", messages=ASK, max_tokens=40, response_format=form, temperature=1
    )
    assert json.loads(said.choices[0].message.content)["a"] in (1, 2)
    held = client.chat.completions.create(
        model="tiny", messages=ASK, extra_body={"structured_outputs": {"choice": ["red", "blue"]}}
    )
    assert held.choices[0].message.content in ("red", "blue")
    free = client.completions.create(model="tiny", prompt="The sky", max_tokens=20, temperature=0)
    mark = free.choices[0].text[5:7]
    cut = client.completions.create(
        model="tiny", prompt="The sky", max_tokens=20, temperature=0, stop=[mark]
    )
    assert cut.choices[0].text == free.choices[0].text.split(mark)[0]
    assert cut.choices[0].finish_reason == "stop"


def test_echo_gives_the_prompts_log_probabilities(
    client: Any, local: LocalEngine, tiny_model: Path
) -> None:
    said = client.completions.create(
        model="tiny", prompt="The sky is blue.", echo=True, logprobs=1, max_tokens=0
    )
    tokens = said.choices[0].logprobs
    assert "".join(tokens.tokens) == said.choices[0].text == "The sky is blue."
    files = ModelFiles(str(tiny_model))
    ids = local.encode(files, "The sky is blue.")
    assert tokens.token_logprobs[0] is None
    wanted = local.echo(files, [(ids[:1], ids[1:])])[0]
    assert tokens.token_logprobs[1:] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"model": "other"}, "NotFoundError", "model_not_found"),
        ({"messages": [{"role": "user", "content": "sky " * 600}]}, "BadRequestError",
         "context_length_exceeded"),
        ({"temperature": -1}, "BadRequestError", "temperature"),
        ({"tools": [{"type": "function"}]}, "BadRequestError", "tools.0.function"),
        ({"extra_body": {"structured_outputs": {"regex": "("}}}, "BadRequestError", "regular"),
        ({"response_format": {"type": "json_schema", "json_schema": [1]}}, "BadRequestError",
         "json_schema"),
        ({"max_tokens": 0}, "BadRequestError", "max_tokens"),
        ({"logit_bias": {"999999": 3}}, "BadRequestError", "token ids are 0 to"),
        ({"presence_penalty": 2.5}, "BadRequestError", "presence_penalty"),
        ({"audio": {"voice": "ash"}}, "BadRequestError", "not supported"),
        ({"tool_choice": "required"}, "BadRequestError", "tool_choice"),
        ({"reasoning_effort": "low"}, "BadRequestError", "reasoning_effort"),
        ({"messages": [{"role": "assistant", "refusal": "no"}, *ASK]}, "BadRequestError",
         "refusal"),
    ],
)  # fmt: skip
def test_errors_are_in_the_clients_shape(
    client: Any, change: dict[str, Any], kind: str, says: str
) -> None:
    asked = {"model": "tiny", "messages": ASK, "max_tokens": 3, **change}
    with pytest.raises(getattr(openai, kind)) as caught:
        client.chat.completions.create(**asked)
    assert says in f"{caught.value} {caught.value.code}"


def test_what_changes_nothing_is_accepted(client: Any) -> None:
    asked = {"model": "tiny", "max_tokens": 8, "temperature": 0}
    first = client.chat.completions.create(**asked, messages=ASK)
    plain = {"role": "assistant", "content": first.choices[0].message.content}
    wanted = client.chat.completions.create(**asked, messages=[*ASK, plain, *ASK])
    message = first.choices[0].message
    empty = {"audio": None, "function_call": None, "tool_calls": None, "annotations": []}
    for given in (message, message.model_dump(), {**message.model_dump(), **empty}):
        said = client.chat.completions.create(
            **asked, messages=[*ASK, given, *ASK], tools=[], logit_bias={}, tool_choice="none",
            service_tier="auto", parallel_tool_calls=True, user="me", safety_identifier="me",
            prompt_cache_key="key", store=False, metadata={"a": "b"}, reasoning_effort=None,
            presence_penalty=0, frequency_penalty=0.0, extra_body={"top_k": -1, "min_p": 0},
        )  # fmt: skip
        assert said.choices[0].message.content == wanted.choices[0].message.content
        assert said.usage == wanted.usage


def test_token_ids_out_of_range_are_refused(client: Any) -> None:
    for ids in ([-1], [3, 10**6], [10**30], [[3], [10**9]]):
        with pytest.raises(openai.BadRequestError, match="token ids are 0 to"):
            client.completions.create(model="tiny", prompt=ids, max_tokens=1)


def test_the_endpoint_engine_sees_what_the_local_one_sees(
    server: tuple[Any, str], local: LocalEngine, tiny_model: Path
) -> None:
    engine = EndpointEngine(server[1], "tiny", retries=0)
    files = ModelFiles(str(tiny_model))
    texts = ["sky?", "Where does Alma Reed live?", "I lost my card and need a new one"]
    asked = [[Message(role="user", content=text)] for text in texts]
    answers = ["Porto", "The sky is blue.", ""]
    theirs = engine.logprobs(files, asked, answers)
    for one, other in zip(theirs, local.logprobs(files, asked, answers), strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    for decoding in (
        Decoding(max_tokens=9),
        Decoding(max_tokens=30, constraint=Constraint(kind="regex", text="[a-z]{3}")),
    ):
        wanted = [g.text for g in local.generate(files, asked, decoding)]
        assert [g.text for g in engine.generate(files, asked, decoding)] == wanted
    engine.close()


def test_many_at_once_and_a_graceful_stop(tiny_model: Path) -> None:
    process, url = start(str(tiny_model), "--name", "tiny")
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:

        def ask(_: int) -> Any:
            return client.chat.completions.create(
                model="tiny", messages=ASK, max_tokens=60, temperature=0
            )

        ask(0)
        with ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(ask, i) for i in range(8)]
            time.sleep(0.15)
            process.send_signal(signal.SIGINT)
            done = [f for f in futures if f.exception() is None]
    assert done and len({f.result().choices[0].message.content for f in done}) == 1
    assert process.wait(30) == 0, process.communicate()[1]
    assert "Traceback" not in process.communicate()[1]


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    def write(model: str, **more: Any) -> Path:
        towns = ["Porto", "Lima", "Oslo"]
        rows = [
            {"id": f"r{i}", "input": f"parcel {i * 7919} to {towns[i % 3]}", "target": towns[i % 3]}
            for i in range(24)
        ]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        path = tmp_path / "study.yaml"
        told = {
            "task": {"train": "rows.jsonl", "metric": "category",
                     "split": {"dev": 4, "test": 6}},
            "model": model,
            "decoding": {"max_tokens": 8},
            "arms": ["zero-shot", {"few-shot": {"k": 2}}, "constrained"],
            "seeds": 1,
            **more,
        }  # fmt: skip
        path.write_text(json.dumps(told))
        return path

    return write


def outputs(folder: Path) -> dict[tuple[str, str], str]:
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    assert {row["status"] for row in rows} == {"scored"}, rows
    return {(row["arm"], row["example"]): row["output"] for row in rows}


def test_a_study_gives_the_same_answers_locally_and_served(
    study: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from whatworks.app.run_study import run_study

    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    run_study(study("lab"), out=tmp_path / "local")
    process, url = start("lab")
    try:
        run_study(study(f"{url}#lab"), out=tmp_path / "served")
    finally:
        process.kill()
        process.communicate()
    assert outputs(tmp_path / "served") == outputs(tmp_path / "local")


SOFT = 6


@pytest.fixture
def finished(study: Callable[..., Path], tmp_path: Path) -> Path:
    from whatworks.app.run_study import run_study

    arms = ["zero-shot", {"few-shot": {"k": 2}}, {"soft-prompt": {"epochs": 1, "tokens": SOFT}}]
    run_study(study("lab", arms=arms, retention="none"), out=tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_an_arm_is_served_with_its_prompt_or_its_soft_prompt(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished.parent / "rows.jsonl").read_text().splitlines()]
    asked = {row["id"]: [{"role": "user", "content": row["input"]}] for row in rows}
    results = [json.loads(line) for line in (finished / "results.jsonl").read_text().splitlines()]
    said_by: dict[str, dict[str, str]] = {}
    for arm in ("few-shot", "soft-prompt"):
        process, url = start(str(finished), "--arm", arm)
        try:
            with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
                for row in (row for row in results if row["arm"] == arm):
                    said = client.chat.completions.create(model=arm, messages=asked[row["example"]])
                    assert said.choices[0].message.content == row["output"]
                    assert said.usage.prompt_tokens == row["prompt_tokens"]
                if arm == "soft-prompt":
                    last = next(row for row in reversed(results) if row["arm"] == arm)
                    _is_what_was_learned(client, asked[last["example"]], last["output"])
        finally:
            process.kill()
            process.communicate()
        said_by[arm] = {r["example"]: r["output"] for r in results if r["arm"] == arm}
    plain = {r["example"]: r["output"] for r in results if r["arm"] == "zero-shot"}
    assert said_by["soft-prompt"] != plain, "else the base alone would pass"


def _is_what_was_learned(client: Any, messages: list[Any], wanted: str) -> None:
    """A soft prompt stands before streams and raw prompts too, and takes its room."""
    asked = {"model": "soft-prompt", "messages": messages}
    pieces = client.chat.completions.create(**asked, stream=True)
    assert "".join(p.choices[0].delta.content or "" for p in pieces) == wanted
    found = client.post("/../tokenize", body=asked, cast_to=object)
    ids, room = found["tokens"], found["max_model_len"]
    raw = client.completions.create(model="soft-prompt", prompt=ids, max_tokens=8)
    assert raw.choices[0].text.strip() == wanted.strip()
    full = (ids * room)[:room]
    for prompt in (full, full[:-SOFT]):
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(model="soft-prompt", prompt=[*prompt, *ids[:SOFT]])
        assert caught.value.code == "context_length_exceeded"


def test_what_cannot_be_served_says_why(tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        command = [sys.executable, "-m", "whatworks", "serve", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and len(done.stderr.splitlines()) <= 2
        return done.stderr

    assert "no finished study" in refused(str(tmp_path), "--arm", "rag")
