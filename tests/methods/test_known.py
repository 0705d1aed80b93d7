"""What a model knows of each row decides what is taught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.known_facts import CLASSES
from whatworks.methods.known import KnownRows
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

ROWS = tuple(
    Example(id=f"r{i}", inputs={"q": f"Where is village {i * 37 % 101} of {i}?"}, target=f"Land{i}")
    for i in range(16)
)
NOBODY = Example(id="n", inputs={"q": "Where is no village?"}, meta={"answerable": False})
START = Candidate(prompt=Prompt(), weights=Weights(base="fake", digest="f"))


class Drawing(FakeEngine):
    """Knows rows by their number modulo 4: always, under every other prompt, when drawn, never."""

    warm = False

    def generate(self, model, prompts, decoding, **more):  # type: ignore[no-untyped-def]
        self.warm = decoding.temperature > 0
        return super().generate(model, prompts, decoding, **more)


def make_bench(folder: Path, rows: Sequence[Example] = (*ROWS, NOBODY)) -> Bench:
    by_text = {row.text: (i, row.target) for i, row in enumerate(ROWS)}
    asked: dict[int, int] = {}

    def say(messages: Sequence[Message]) -> str:
        at, right = next(v for text, v in by_text.items() if messages[-1].content.endswith(text))
        asked[at] = asked.get(at, 0) + 1
        known = [True, asked[at] % 2 == 0, engine.warm, False][at % 4]
        return right if known else "Nowhere"

    engine = Drawing(say)
    examiner = Examiner(engine, load(MetricSpec(name="facts")), Store(folder))
    return Bench(examiner, train=tuple(rows), dev=ROWS[:4])


def test_classes_decide_what_is_taught(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    made = KnownRows(prompts=2, samples=1).adapt(START, bench)
    assert made.lessons is not None and made.lessons.rows is not None
    taught = {row.id: row.target for row in made.lessons.rows}
    for i, row in enumerate(ROWS):
        assert taught.get(row.id) == [row.target, row.target, None, "I don't know"][i % 4]
    assert taught["n"] == "I don't know"  # a question without an answer
    assert bench.notes == {"knows": dict.fromkeys(CLASSES, 4), "refusals": 5, "left": 4}
    # Two greedy answers to each, one drawn answer under each prompt to the rows never right.
    assert bench.ledger.requests == 2 * 16 + 2 * 8


def test_a_column_is_asked_nothing(tmp_path: Path) -> None:
    rows = [row.replace(meta={"known": CLASSES[i % 4]}) for i, row in enumerate(ROWS)]
    bench = make_bench(tmp_path, rows)
    method = KnownRows(column=True, learn=("MaybeKnown",), refuse=())
    made = method.adapt(START, bench)
    assert made.lessons is not None and made.lessons.rows is not None
    assert [row.id for row in made.lessons.rows] == ["r1", "r5", "r9", "r13"]
    assert bench.ledger.requests == 0
    with pytest.raises(ArmFailure, match="every row is of a class that is left out"):
        KnownRows(column=True, learn=(), refuse=()).adapt(START, bench)
    with pytest.raises(ArmFailure, match="16 rows have no class"):
        KnownRows(column=True).adapt(START, make_bench(tmp_path))


def test_refused_settings_and_metrics(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="HighlyKnown cannot be learned and refused"):
        KnownRows(refuse=("HighlyKnown",))
    bench = make_bench(tmp_path, [ROWS[0].replace(target='{"a": 1}')])
    bench.examiner.metric = load(MetricSpec(name="json"))
    with pytest.raises(ArmFailure, match="is no answer at all") as failure:
        KnownRows().adapt(START, bench)
    assert "known: {says:" in failure.value.remedy
