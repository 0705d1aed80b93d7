"""The helper model: kept, metered apart, within the budget; and what a method sees of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.errors import ArmFailure, BudgetExceeded
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles, Prompts, Unanswered
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel, require_helper
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.models.prices import Price
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

PRICE = Price(input=1e6, output=1e6)  # a dollar per token


def engine() -> FakeEngine:
    return FakeEngine(lambda messages: messages[-1].content.split()[-1], price=PRICE)


def helper(fake: FakeEngine, folder: Path, ledger: Ledger, budget: Budget | None = None) -> Helper:
    model = HelperModel(fake, Weights(base="fake:", digest="helper"))
    meter = Meter(budget or Budget(), ledger, fake.price, helper=True)
    return Helper(model, Store(folder), meter)


def asked(*texts: str) -> list[list[Message]]:
    return [[Message(role="user", content=text)] for text in texts]


def test_answers_are_kept_and_charged_apart(tmp_path: Path) -> None:
    fake, first, second = engine(), Ledger(), Ledger()
    got = helper(fake, tmp_path, first).ask(asked("say red", "say blue"))
    assert [g.text for g in got] == ["red", "blue"]
    again = helper(fake, tmp_path, second).ask(asked("say blue", "say red", "say grey"))
    assert [g.text for g in again] == ["blue", "red", "grey"]
    assert len(fake.seen) == 3  # red and blue were kept
    assert (first.requests, first.helper_requests, first.helper_tokens) == (0, 2, 6)
    assert second.helper_requests == 3 and second.helper_usd == 9.0 and second.usd == 0.0


def test_the_same_prompt_twice_is_drawn_twice(tmp_path: Path) -> None:
    fake = engine()
    helper(fake, tmp_path, Ledger()).ask(asked("say red", "say red"), Decoding(temperature=1.0))
    assert len(fake.seen) == 2


@pytest.mark.parametrize(
    "budget", [Budget(requests=1), Budget(tokens=4), Budget(usd=4), Budget(seconds=0)]
)
def test_a_budget_holds_before_a_request_leaves(budget: Budget, tmp_path: Path) -> None:
    fake = engine()
    with pytest.raises(BudgetExceeded):
        helper(fake, tmp_path, Ledger(), budget).ask(
            asked("say red", "say blue"), Decoding(max_tokens=3)
        )
    assert fake.seen == []


def test_what_was_not_used_makes_room_for_more(tmp_path: Path) -> None:
    # Each may take 2 + 10 tokens and takes 2 + 1.
    fake, ledger = engine(), Ledger()
    texts = [f"say w{i}" for i in range(6)]
    decoding = Decoding(max_tokens=10)
    helper(fake, tmp_path, ledger, Budget(tokens=30)).ask(asked(*texts), decoding)
    assert ledger.helper_tokens == 18 and len(fake.seen) == 6


def test_what_was_answered_before_a_failure_is_charged(tmp_path: Path) -> None:
    class Failing(FakeEngine):
        def generate(self, model: ModelFiles, prompts: Prompts, *args: Any, **more: Any) -> Any:
            got = super().generate(model, prompts[:-1], *args, keys=more["keys"][:-1])
            raise Unanswered(ArmFailure("the last one was refused"), got)

    ledger = Ledger()
    with pytest.raises(ArmFailure, match="refused"):
        helper(Failing(price=PRICE), tmp_path, ledger).ask(asked("say red", "say blue"))
    assert ledger.helper_requests == 1 and ledger.helper_usd == ledger.helper_tokens > 0


def test_money_needs_a_price(tmp_path: Path) -> None:
    fake = FakeEngine(price=None)
    with pytest.raises(BudgetExceeded, match="price"):
        helper(fake, tmp_path, Ledger(), Budget(usd=1)).ask(asked("say red"))
    assert fake.seen == []


def test_model_and_helper_share_one_budget(tmp_path: Path) -> None:
    fake, ledger, budget = engine(), Ledger(), Budget(requests=4)
    rows = tuple(Example(id=str(i), inputs={"q": f"say {i}"}, target=str(i)) for i in range(2))
    store = Store(tmp_path)
    bench = Bench(
        Examiner(fake, load(MetricSpec(name="exact")), store),
        train=rows, dev=rows, budget=budget, ledger=ledger,
        helper=helper(fake, tmp_path, ledger, budget),
    )  # fmt: skip
    candidate = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    assert bench.dev_score(candidate) == 1.0
    assert bench.logprobs(candidate, rows[:1], ["0"])[0][-1] < 0
    assert bench.logprobs(candidate, rows[:1], ["0"])  # kept, and charged
    assert (ledger.requests, len(fake.seen)) == (4, 3)
    with pytest.raises(BudgetExceeded):
        require_helper(bench.helper, "a method").ask(asked("say red"))


def test_without_one_the_failure_says_what_to_write() -> None:
    with pytest.raises(ArmFailure, match="augment needs a helper model") as caught:
        require_helper(None, "augment")
    assert "helper:" in caught.value.remedy


def test_a_study_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that asks the helper gets the study's, and the ledger says so."""
    from whatworks.methods.zero_shot import ZeroShot

    seen: list[Any] = []

    def adapt(self: ZeroShot, start: Candidate, bench: Bench) -> Candidate:
        words = require_helper(bench.helper, self.name).ask(asked("write an instruction"))[0].text
        seen.append(words)
        return start.with_prompt(instructions=words)

    monkeypatch.setattr(ZeroShot, "adapt", adapt)
    (tmp_path / "helper.json").write_text(json.dumps({"default": "Answer well."}))
    (tmp_path / "model.json").write_text(json.dumps({"default": "no"}))
    rows = [{"input": f"q {i}", "output": "a"} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = tmp_path / "study.yaml"
    text = "task: {train: rows.jsonl, metric: exact}\nmodel: fake:model.json\narms: [zero-shot]\n"
    study.write_text(text + "helper: fake:helper.json\n")
    run_study(study, out=tmp_path / "out")
    assert seen == ["Answer well."]
    run_study(study, out=tmp_path / "out")
    assert len(seen) == 1  # kept
    study.write_text(text)
    summary, _ = run_study(study, out=tmp_path / "none")
    assert "needs a helper model" in (tmp_path / "none" / "results.jsonl").read_text()
    assert summary
