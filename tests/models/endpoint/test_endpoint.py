"""The endpoint engine against a real HTTP server that misbehaves in every way it can."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint_server import Handler, Server, answer, error

from whatworks.base.errors import ArmFailure, InputError, StorageError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.prices import find_price
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

KEY = "sk-very-secret-0123456789"
FILES = ModelFiles(base="anything")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATWORKS_API_KEY", KEY)


@pytest.fixture
def engine(server: Server, tmp_path: Path) -> Iterator[EndpointEngine]:
    made = EndpointEngine(
        server.url, "tiny-chat", timeout=0.5, retries=3, backoff=0.01, cache=tmp_path / "kept"
    )
    yield made
    made.close()


def prompts(n: int, word: str = "item") -> list[list[Message]]:
    return [[Message(role="user", content=f"{word} n{i}")] for i in range(n)]


def ask(engine: EndpointEngine, n: int = 12, **decoding: Any) -> list[str]:
    got = engine.generate(FILES, prompts(n), Decoding(**decoding))
    return [generation.text for generation in got]


def drip(handler: Handler, *_: Any) -> bool:
    """A byte now and then: never quiet for long, never done."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _byte in range(20):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    return True


WHOLE = answer("x")
FAULTS: dict[str, Callable[[Handler], bool]] = {
    "status 500": lambda h: h.reply(500, error("boom")),
    "status 503 page": lambda h: h.reply(503, b"<html><title>Busy</title></html>"),
    "rate limit": lambda h: h.reply(429, error("slow down"), Retry_After="0.1"),
    "stall": lambda h: bool(time.sleep(0.8)) or h.hang_up(),
    "drip": drip,
    "truncated": lambda h: h.hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + WHOLE),
    "cut JSON": lambda h: h.reply(200, WHOLE[: len(WHOLE) // 2]),
    "invalid JSON": lambda h: h.reply(200, b"\xff\xfe not JSON"),
    "no choices": lambda h: h.reply(200, b'{"choices": []}'),
    "error inside": lambda h: h.reply(200, error("upstream is gone")),
    "closed early": lambda h: h.hang_up(),
    "closed in headers": lambda h: h.hang_up(b"HTTP/1.1 200 OK\r\nConte"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_survived_and_nothing_is_paid_twice(
    server: Server, engine: EndpointEngine, fault: str
) -> None:
    def first_try_fails(handler: Handler, prompt: str, before: int) -> bool:
        return before == 0 and prompt.endswith(("n1", "n4")) and FAULTS[fault](handler)

    server.misbehave = first_try_fails
    expected = [f"n{i}" for i in range(12)]
    assert ask(engine) == expected
    assert sum(server.asked.values()) == 14  # twelve, two of them twice
    assert ask(engine) == expected
    assert sum(server.asked.values()) == 14 and set(server.paid.values()) == {1}
    assert engine.reused == 12


def test_silence_after_late_headers_has_no_time_of_its_own(server: Server) -> None:
    def late(handler: Handler, *_: Any) -> bool:
        time.sleep(0.8)
        handler.hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
        time.sleep(1.5)
        return True

    server.misbehave = late
    engine = EndpointEngine(server.url, "m", timeout=1.0, retries=0)
    began = time.monotonic()
    with pytest.raises(ArmFailure, match="within 1 seconds"):
        ask(engine, 1)
    assert time.monotonic() - began < 1.6
    engine.close()


@pytest.mark.parametrize("fault", ["status 500", "stall", "cut JSON", "closed early"])
def test_a_fault_that_stays_fails_the_arm_with_its_cause(server: Server, fault: str) -> None:
    server.misbehave = lambda handler, prompt, _: prompt.endswith("n3") and FAULTS[fault](handler)
    engine = EndpointEngine(server.url, "m", timeout=0.3, retries=2, backoff=0.01)
    with pytest.raises(ArmFailure, match=r"prompt 3 \(row-3\): .*after 3 tries") as caught:
        engine.generate(FILES, prompts(6), Decoding(), keys=[f"row-{i}" for i in range(6)])
    words = {"status 500": "500: boom", "stall": "0.3 seconds", "cut JSON": "not whole JSON"}
    assert words.get(fault, "broke") in caught.value.cause and caught.value.remedy
    assert server.asked["item n3"] == 3
    engine.close()


def test_answers_before_a_failure_are_kept(server: Server, engine: EndpointEngine) -> None:
    server.misbehave = lambda h, prompt, _: prompt.endswith("n30") and h.reply(400, error("no"))
    with pytest.raises(ArmFailure, match=r"prompt 30 .*status 400: no"):
        ask(engine, 64)
    assert sum(server.asked.values()) < 64  # no further request left after the failure
    server.misbehave = lambda *_: False
    assert ask(engine, 64) == [f"n{i}" for i in range(64)]
    assert set(server.paid.values()) == {1} and server.asked["item n30"] == 2


REFUSALS = {
    "wrong key": (401, error(f"bad key {KEY}"), "wrong key .*WHATWORKS_API_KEY", "set WHATWORKS"),
    "forbidden": (403, error("not yours"), "wrong key .*not yours", "set WHATWORKS"),
    "no model": (404, error("no such model"), "model not found: tiny-cat", "'tiny-chat'"),
    "no credit": (429, error("quota", "insufficient_quota"), "no credit left", "add credit"),
    "too long": (
        400,
        error("maximum context length is 100 tokens. However, you requested 130 tokens"),
        "longer than the model's context by 30 tokens",
        "shorter demonstrations",
    ),
    "moved": (308, b"", "sends on to", "use that address"),
    "other": (422, b'{"detail": "temperature too hot"}', "422: temperature too hot", ""),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_another_try_cannot_help_is_final_at_once(server: Server, refusal: str) -> None:
    status, body, cause, remedy = REFUSALS[refusal]
    server.misbehave = lambda handler, *_: handler.reply(status, body)
    engine = EndpointEngine(server.url, "tiny-cat", backoff=0.01, concurrency=1)
    with pytest.raises(ArmFailure, match=cause) as caught:
        ask(engine, 3)
    assert remedy in caught.value.remedy and KEY not in str(caught.value)
    assert sum(server.asked.values()) == 1
    # What any prompt would have met is not said of this one.
    general = refusal in ("wrong key", "forbidden", "no model", "no credit")
    assert ("prompt 0" in caught.value.cause) != general
    engine.close()


def test_retry_after_holds_back_every_request(server: Server, engine: EndpointEngine) -> None:
    first = threading.Event()

    def limit_once(handler: Handler, *_: Any) -> bool:
        if first.is_set():
            return False
        first.set()
        return handler.reply(429, error("slow"), Retry_After="0.4")

    server.misbehave = limit_once
    server.latency = 0.05
    assert len(ask(engine, 40)) == 40
    start = server.times[0]
    # Those already under way come through; then nothing for as long as the server said.
    assert not [t for t in server.times if start + 0.2 < t < start + 0.4]


def test_a_server_that_asks_to_wait_for_a_day_is_believed(server: Server) -> None:
    server.misbehave = lambda handler, *_: handler.reply(429, error("x"), Retry_After="86400")
    engine = EndpointEngine(server.url, "m", backoff=0.01)
    with pytest.raises(ArmFailure, match="wait 86400 seconds"):
        ask(engine, 1)
    engine.close()


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": -5, "completion_tokens": 10**9}, {"prompt_tokens": "many"},
     {"prompt_tokens": 2.5, "completion_tokens": True}, {"prompt_tokens": 0}],
)  # fmt: skip
def test_false_token_counts_are_estimated_and_marked(
    server: Server, engine: EndpointEngine, usage: Any
) -> None:
    server.misbehave = lambda h, *_: h.reply(200, answer("one two three", usage=usage))
    [got] = engine.generate(FILES, prompts(1), Decoding())
    assert (got.prompt_tokens, got.completion_tokens) == (2, 4) and engine.estimated == 1


def test_true_token_counts_are_taken(server: Server, engine: EndpointEngine) -> None:
    [got] = engine.generate(FILES, prompts(1), Decoding())
    assert (got.prompt_tokens, got.completion_tokens, got.finish) == (7, 3, "stop")
    assert engine.estimated == 0 and got.seconds > 0


def test_the_whole_decoding_is_sent(server: Server, engine: EndpointEngine) -> None:
    sampled = Decoding(max_tokens=9, temperature=0.7, top_p=0.9, seed=3, stop=("\n",))
    same = [[Message(role="user", content="a b")]] * 3
    engine.generate(FILES, same, sampled, keys=["p", "q", "r"])
    assert len({body["seed"] for body in server.bodies}) == 3  # a stream for each key
    for body in server.bodies:
        fields = {k: body[k] for k in ("model", "max_tokens", "temperature", "top_p", "stop")}
        assert fields == {
            "model": "tiny-chat", "max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "stop": ["\n"]
        }  # fmt: skip
    engine.generate(FILES, same[:1], sampled.replace(seed=4), keys=["p"])
    assert len({body["seed"] for body in server.bodies}) == 4
    engine.generate(FILES, same, sampled, keys=["p", "q", "r"])
    assert len(server.bodies) == 4
    engine.generate(FILES, same, Decoding())
    assert len(server.bodies) == 5 and "seed" not in server.bodies[-1]  # greedy: asked once


def test_length_stop_strings_and_null_content(server: Server, engine: EndpointEngine) -> None:
    cut = [{"message": {"content": "yes END no"}, "finish_reason": "length"}]
    server.misbehave = lambda h, *_: h.reply(200, answer("", choices=cut))
    [got] = engine.generate(FILES, prompts(1), Decoding(stop=("END",)))
    assert (got.text, got.finish) == ("yes ", "length")
    null = [{"message": {"content": None}, "finish_reason": "content_filter"}]
    server.misbehave = lambda h, *_: h.reply(200, answer("", choices=null))
    assert engine.generate(FILES, prompts(1), Decoding())[0].text == ""


def test_the_newer_name_of_the_limit(server: Server, engine: EndpointEngine) -> None:
    def newer(handler: Handler, *_: Any) -> bool:
        if "max_tokens" not in server.bodies[-1]:
            return False
        return handler.reply(400, error("Use 'max_completion_tokens' instead of 'max_tokens'"))

    server.misbehave = newer
    for n in (1, 2):
        assert ask(engine, n)[-1] == f"n{n - 1}"
    assert len(server.bodies) == 3 and server.bodies[-1]["max_completion_tokens"] == 64


def test_a_server_that_cannot_say_how_likely_an_answer_is(engine: EndpointEngine) -> None:
    with pytest.raises(ArmFailure, match=r"how likely .*status 404") as caught:
        engine.logprobs(FILES, prompts(2), ["a", "b"])
    assert "vLLM" in caught.value.remedy


def test_the_limit_of_requests_at_once_holds(server: Server) -> None:
    server.latency = 0.05
    engine = EndpointEngine(server.url, "m", concurrency=3)
    done: list[int] = []
    began = time.monotonic()
    got = engine.generate(FILES, prompts(15), Decoding(), on_done=done.append)
    wall = time.monotonic() - began
    engine.close()
    assert server.most_under_way == 3 and sum(done) == 15
    # Shares of the wall time, not of the sum over requests under way at once.
    assert 5 * 0.05 <= sum(g.seconds for g in got) <= wall + 0.05
    engine.close()


def test_the_key_is_sent_and_shown_nowhere(
    server: Server, engine: EndpointEngine, tmp_path: Path
) -> None:
    server.misbehave = lambda h, *_: h.reply(200, answer(f"the key is {KEY}"))
    assert ask(engine, 1) == ["the key is ***"]
    assert server.keys == {f"Bearer {KEY}"}
    kept = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert len(kept) == 1 and KEY not in kept[0] and KEY not in engine.identity


@pytest.mark.parametrize("status", [200, 401])
def test_a_key_in_a_long_complaint_is_hidden_before_it_is_cut(server: Server, status: int) -> None:
    body = error(f"{'x' * 285} key {KEY} is bad")
    server.misbehave = lambda handler, *_: handler.reply(status, body)
    engine = EndpointEngine(server.url, "m", retries=0)
    with pytest.raises(ArmFailure, match="xxx") as caught:
        ask(engine, 1)
    assert KEY[:6] not in str(caught.value)
    engine.close()


def test_keys_come_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHATWORKS_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "other-key")
    for there in ("", server.url):  # no server of OpenAI's, until the environment says that it is
        monkeypatch.setenv("OPENAI_BASE_URL", there)
        engine = EndpointEngine(server.url, "m")
        ask(engine, 1)
        engine.close()
    assert server.keys == {None, "Bearer other-key"}
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("WHATWORKS_API_KEY", "two words-secret")
    with pytest.raises(InputError, match="WHATWORKS_API_KEY") as caught:
        EndpointEngine(server.url, "m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["https://host/v1", "https://host/v1#", "ftp://host#m", "https://#m", "https://h:x/v1#m",
     "https://me:hidden@host/v1#m", "https://host/v1?key=hidden#m"],
)  # fmt: skip
def test_addresses_that_cannot_be_used(name: str) -> None:
    with pytest.raises(InputError, match=r"https://host/v1#model-name") as caught:
        EndpointEngine.from_name(name)
    assert "hidden" not in str(caught.value)


def test_names_of_models(server: Server, tmp_path: Path) -> None:
    engine = EndpointEngine.from_name(f"{server.url}/chat/completions#org/m:1", cache=tmp_path)
    assert engine.identity == f"{server.url}#org/m:1" and ask(engine, 1) == ["n0"]
    engine.close()


def test_no_server_there(server: Server) -> None:
    engine = EndpointEngine("http://127.0.0.1:9/v1", "m", retries=1, backoff=0.01)
    with pytest.raises(ArmFailure, match=r"no server answers at http://127\.0\.0\.1:9/v1"):
        ask(engine, 2)
    engine.close()


def test_a_damaged_kept_answer_is_named(engine: EndpointEngine, tmp_path: Path) -> None:
    ask(engine, 1)
    [path] = tmp_path.rglob("*.json")
    path.write_text("{")
    with pytest.raises(StorageError, match=path.stem):
        ask(engine, 1)


def test_money(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"m": {"input": 1_000_000, "output": 2_000_000}}
    engine = EndpointEngine(server.url, "m", cache=tmp_path / "kept", prices=prices)
    got = engine.generate(FILES, prompts(2), Decoding())
    assert engine.cost(got) == engine.spent == 2 * (7 + 2 * 3)
    assert engine.cost(engine.generate(FILES, prompts(2), Decoding())) == 26
    assert engine.spent == 26  # kept answers cost nothing again
    engine.close()

    pytest.importorskip("genai_prices")

    def price(model: str, url: str = "https://api.openai.com/v1") -> float | None:
        found = find_price(url, model)
        return found.input if found else None

    assert price("gpt-4o-mini") == price("gpt-4o-mini-2024-07-18") == 0.15
    assert price("gpt-none") is price("gpt-4o-mini", "http://h/v1") is None
    mine = tmp_path / "mine.yaml"
    monkeypatch.setenv("WHATWORKS_PRICES", str(mine))
    mine.write_text("gpt-4o-mini: {input: 1e-1, output: 0}\nhttp://h/v1#x: {input: 5, output: 5}\n")
    assert price("gpt-4o-mini") == 0.1 and price("gpt-4o") == 2.5
    assert price("x", "http://h/v1") == 5 and price("x") is None
    for wrong in ("x: {input: -1, output: 1}", "x: 3", "- x", "x: {", "x: {input: 1}"):
        mine.write_text(wrong)
        with pytest.raises(InputError, match=r"mine\.yaml"):
            price("x")
    mine.unlink()
    with pytest.raises(InputError, match="no such file"):
        price("x")


def test_through_the_examiner(server: Server, engine: EndpointEngine, tmp_path: Path) -> None:
    server.misbehave = lambda h, _, before: before == 0 and h.reply(503, error("starting"))
    rows = [Example(id=f"r{i}", inputs={"q": f"q n{i}"}, target=f"n{i}") for i in range(70)]
    examiner = Examiner(engine, load(MetricSpec(name="exact")), Store(tmp_path / "store"))
    got = examiner.ask(Candidate(prompt=Prompt(), weights=Weights(base="m")), rows)
    assert [a.score.value for a in got] == [1.0] * 70 and set(server.paid.values()) == {1}


CHILD = """
import sys
from pathlib import Path
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles

engine = EndpointEngine(sys.argv[1], "tiny-chat", concurrency=4, cache=Path(sys.argv[2]))
asked = [[Message(role="user", content=f"item n{i}")] for i in range(40)]
engine.generate(ModelFiles(base="m"), asked, Decoding())
"""


def test_a_kill_loses_at_most_the_requests_under_way(server: Server, tmp_path: Path) -> None:
    server.latency = 0.05
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url, str(tmp_path)], env=environment
    )
    until = time.monotonic() + 20
    while sum(server.paid.values()) < 14 and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    time.sleep(0.2)
    before = sum(server.asked.values())
    assert 14 <= before < 40
    server.latency = 0.0
    engine = EndpointEngine(server.url, "tiny-chat", cache=tmp_path)
    assert ask(engine, 40) == [f"n{i}" for i in range(40)]
    assert sum(server.asked.values()) <= 40 + 4 and engine.reused >= before - 4
    engine.close()
