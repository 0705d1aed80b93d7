"""The bench meters every chunk before the next one leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatworks.base.errors import BudgetExceeded
from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import CHUNK, Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.metering import Budget
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt


@pytest.mark.parametrize("budget", [Budget(requests=CHUNK + 10), Budget(tokens=2 * CHUNK + 1)])
def test_a_budget_holds_over_several_chunks(budget: Budget, tmp_path: Path) -> None:
    rows = tuple(Example(id=str(i), inputs={"q": f"word {i}"}) for i in range(3 * CHUNK))
    engine = FakeEngine()
    examiner = Examiner(engine, load(MetricSpec(name="exact")), Store(tmp_path))
    bench = Bench(examiner, train=rows, dev=rows, budget=budget)
    with pytest.raises(BudgetExceeded):
        # Prompts of two words, answers of at most one and in fact none.
        bench.dev_score(
            Candidate(
                prompt=Prompt(),
                weights=Weights(base="fake:"),
                decoding=Decoding(max_tokens=1),
            )
        )
    assert len(engine.seen) == bench.ledger.requests == CHUNK


@pytest.mark.parametrize("name", ["facts", "instructions", "chat", "json", "mr", "sql", "category"])
def test_figures_of_a_set_hold_where_some_prompts_were_too_long(name: str, tmp_path: Path) -> None:
    target = {"json": '{"a": 1}', "mr": "inform(name[Bob])", "sql": "SELECT 1"}.get(name, "Bob")
    tables = "CREATE TABLE t (a INT)"
    rows = [
        Example(id=n, inputs={"q": "who " * n_words}, target=target, meta={"context": tables})
        for n, n_words in (("short", 3), ("long", 300))
    ]
    options = {"from_target": True} if name == "instructions" else {}
    metric = load(MetricSpec(name=name, options=options), rows)
    examiner = Examiner(FakeEngine(context=200), metric, Store(tmp_path))
    candidate = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    answers = examiner.ask(candidate, rows)
    assert [answer.score.feedback.startswith("not asked") for answer in answers] == [False, True]
    figures = metric.summary(rows, [answer.score for answer in answers])
    assert figures and all(value == value for value in figures.values())
