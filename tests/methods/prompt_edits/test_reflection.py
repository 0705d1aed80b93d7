"""prompt-search with a helper model: GEPA driven through the bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Budget, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

pytest.importorskip("gepa")

DEV = tuple(
    Example(
        id=f"d{i}", inputs={"text": f"Add one to {i * 37 % 101}."}, target=str(i * 37 % 101 + 1)
    )
    for i in range(20)
)
START = Candidate(
    prompt=Prompt(instructions="Do the sum."),
    weights=Weights(base="fake:"),
    decoding=Decoding(max_tokens=10),
)


def adds(messages: Sequence[Message]) -> str:
    """Chatty until it is told to give the number only."""
    number = int(re.findall(r"\d+", messages[-1].content)[-1]) + 1
    return str(number) if "number only" in messages[0].content else f"The sum makes {number}"


def writes(messages: Sequence[Message]) -> str:
    """A helper that reads the pattern in the feedback and writes the cure."""
    assert "extra text around the answer" in messages[-1].content
    return "Here is a better one:\n```\nDo the sum. Give the number only.\n```"


def search(
    folder: Path, engine: FakeEngine, calls: int = 120, budget: Budget | None = None
) -> tuple[Candidate, Bench]:
    store = Store(folder)
    meter = Meter(budget or Budget(), helper=True)
    helper = Helper(HelperModel(engine, Weights(base="fake:")), store, meter)
    bench = Bench(
        Examiner(FakeEngine(adds), load(MetricSpec(name="normalised")), store),
        train=DEV,
        dev=DEV,
        budget=meter.budget,
        ledger=meter.ledger,
        helper=helper,
    )
    settings = {"prompt-search": {"calls": calls}}
    return build_chain("prompt-search", settings).adapt(START, bench), bench


def test_the_helper_writes_the_cure_from_the_patterns(tmp_path: Path) -> None:
    engine = FakeEngine(writes)
    found, bench = search(tmp_path, engine)
    assert found.prompt.instructions == "Do the sum. Give the number only."
    assert bench.notes["held_out"] == {"seed": 0.0, "found": 1.0}
    assert bench.notes["requests"] <= 120
    asked = len(engine.seen)
    assert asked >= 1
    again, _ = search(tmp_path, engine)
    assert again.key == found.key and len(engine.seen) == asked  # answers are kept


def test_proposals_that_are_no_better_are_reported_as_such(tmp_path: Path) -> None:
    made, bench = search(tmp_path, FakeEngine(lambda m: "```\nSay more about it.\n```"))
    assert made.prompt.instructions == "Say more about it."
    assert "none of" in bench.notes["rejected"]


@pytest.mark.parametrize("requests", [80, 100, 160])
def test_a_budget_is_kept_with_what_the_helper_and_the_decision_take(
    tmp_path: Path, requests: int
) -> None:
    texts = iter(range(1000))

    def busy(messages: Sequence[Message]) -> str:
        return f"```\nSay more about it, version {next(texts)}.\n```"

    _, bench = search(tmp_path, FakeEngine(busy), 800, Budget(requests=requests))
    assert bench.ledger.all_requests <= requests
    assert bench.ledger.helper_requests > 0 and bench.notes["held_out_rows"] > 0


def test_a_helper_that_fails_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="on which the script fails"):
        search(tmp_path, FakeEngine(writes, fail="sum"))
