"""Requests join and leave a running batch; each is answered as it is alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles, Token
from whatworks.models.local import batching, running_batch
from whatworks.models.local.engine import LocalEngine
from whatworks.models.local.open_batch import OpenBatch

GREEDY = Decoding(max_tokens=14)
WAYS = [
    GREEDY,
    Decoding(max_tokens=5),
    Decoding(max_tokens=20, temperature=1.2, seed=3),
    Decoding(max_tokens=20, constraint=Constraint(kind="regex", text="[a-z]{3,9}")),
]


@pytest.fixture
def engine() -> LocalEngine:
    return LocalEngine(dtype="float32", device="cpu", threads=1, batch_size=6)


def make_prompts(count: int, seed: int = 0) -> list[list[int]]:
    """Prompts of 3 to 90 tokens; a third begins alike."""
    rng = random.Random(seed)
    head = [rng.randrange(5, 300) for _ in range(24)]
    return [
        (head if at % 3 == 0 else [])
        + [rng.randrange(5, 300) for _ in range(rng.choice((3, 9, 30, 66)))]
        for at in range(count)
    ]


@pytest.mark.parametrize("piece", [8, 512])
def test_answers_are_those_of_each_request_alone(
    tiny_model: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(running_batch, "SMALL_PIECE", piece)
    files, prompts = ModelFiles(str(tiny_model)), make_prompts(30)
    ways = [WAYS[at % len(WAYS)] for at in range(30)]
    open_batch = OpenBatch(engine, files)
    given: dict[int, Generation | Exception] = {}
    told: dict[int, list[Token]] = {at: [] for at in range(30)}
    cancelled = {5, 11, 20, 21}
    for at, (prompt, way) in enumerate(zip(prompts, ways, strict=True)):
        member = open_batch.add(
            prompt, way, f"k{at}", lambda one, at=at: given.__setitem__(at, one), told[at].append
        )
        open_batch.run(60, lambda: True)  # between two steps
        steps = iter(range(3))
        open_batch.run(60, lambda steps=steps: next(steps, None) is None)
        member.gone = at in cancelled
    open_batch.run(60, lambda: False)
    assert not open_batch.busy
    early = {at for at in cancelled if at in given}  # those that were answered before
    assert set(given) == set(range(30)) - cancelled | early
    alone = LocalEngine(dtype="float32", device="cpu", threads=1, batch_size=1)
    for at, answer in given.items():
        (wanted,) = alone.complete(files, [prompts[at]], ways[at], keys=[f"k{at}"])
        assert isinstance(answer, Generation)
        assert (answer.ids, answer.finish, answer.text) == (wanted.ids, wanted.finish, wanted.text)
        assert answer.prompt_tokens == len(prompts[at]) and answer.seconds > 0
        assert len(told[at]) == answer.completion_tokens
        assert answer.logprob == pytest.approx(wanted.logprob, abs=1e-3)


def test_a_short_request_does_not_wait_for_a_long_prompt_nor_the_other_way_round(
    tiny_model: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_batch, "SMALL_PIECE", 16)
    open_batch = OpenBatch(engine, ModelFiles(str(tiny_model)))
    ended: list[str] = []
    rng = random.Random(1)

    def add(name: str, length: int) -> None:
        ids = [rng.randrange(5, 300) for _ in range(length)]
        open_batch.add(ids, Decoding(max_tokens=1), name, lambda _: ended.append(name))

    add("long", 320)  # 20 pieces
    add("short", 6)
    for at in range(200):
        steps = iter(range(1))
        open_batch.run(60, lambda steps=steps: next(steps, None) is None)
        if at % 2 == 0:
            add("more", 6)
        if "long" in ended:
            break
    assert ended[0] == "short"
    assert 15 <= ended.index("long") <= 25, "half of the turns are the oldest's"


def test_what_fails_in_company_is_tried_alone(
    tiny_model: Path, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_batch = OpenBatch(engine, ModelFiles(str(tiny_model)))
    given: dict[int, Generation | Exception] = {}
    prompts = [[7 + at] * length for at, length in enumerate((5, 8, 60, 9))]
    run_forward = batching.run_forward

    def fail(model: object, cache: object, state: batching.StepState) -> object:
        if len(state.tokens) > 1 or int(state.positions[0, 0]) == len(prompts[2]) + 1:
            raise RuntimeError("broken")
        return run_forward(model, cache, state)  # type: ignore[arg-type]

    for at, prompt in enumerate(prompts):
        open_batch.add(prompt, GREEDY, "k", lambda one, at=at: given.__setitem__(at, one))
    monkeypatch.setattr(batching, "run_forward", fail)
    open_batch.run(60, lambda: False)
    monkeypatch.undo()
    assert isinstance(given[2], RuntimeError) and set(given) == {0, 1, 2, 3}
    for at in (0, 1, 3):
        (wanted,) = engine.complete(ModelFiles(str(tiny_model)), [prompts[at]], GREEDY, keys=["k"])
        assert isinstance(one := given[at], Generation) and one.ids == wanted.ids
    with pytest.raises(ArmFailure, match="context"):
        open_batch.add([5] * 600, GREEDY, "k", lambda _: None)
