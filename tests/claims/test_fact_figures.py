"""Planted truths: a scripted model knows, refuses and makes up at chosen rates."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.known_facts import CLASSES, add_classes, classify, measure_shares
from whatworks.metrics.fact_counts import FIGURES, is_answerable
from whatworks.metrics.registry import load
from whatworks.metrics.score import Kind, Score
from whatworks.models.fake import FakeEngine, is_drawn
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks_claims.calibration import measure_calibration
from whatworks_claims.fact_figures import compute_figures
from whatworks_claims.unsupported import find_unsupported

METRIC = load(MetricSpec(name="facts"))


def question(i: int, *, answer: bool = True, **meta: object) -> Example:
    return Example(
        id=f"q{i}",
        inputs={"question": f"Where does person {i} of lane {i * 31 % 97} live?"},
        target=f"Town{i}" if answer else "",
        group=f"p{i // 2}",
        meta={**({} if answer else {"answerable": False}), **meta},
    )


def asked(tmp_path: Path, engine: FakeEngine, rows: Sequence[Example]) -> list[ResultRow]:
    examiner = Examiner(engine, METRIC, Store(tmp_path / "store"))
    start = Candidate(prompt=Prompt(), weights=Weights(base="fake", digest="f"))
    return [
        ResultRow("arm", 0, "scored", example=a.example.id, group=a.example.group or "",
            output=a.generation.text, value=a.score.value, kind=a.score.kind,
            parts=dict(a.score.parts))
        for a in examiner.ask(start, rows)
    ]  # fmt: skip


@pytest.mark.parametrize(("knows", "refuses"), [(0.7, 0.5), (0.3, 0.9), (0.95, 0.1)])
def test_every_figure_finds_the_planted_rate(tmp_path: Path, knows: float, refuses: float):
    rows = [question(i) for i in range(300)]
    rows += [question(i, answer=False) for i in range(300, 400)]
    truth = {row.text: row.target for row in rows}

    def scripted(messages: Sequence[Message]) -> str:
        right = truth[messages[-1].content]
        if right and is_drawn(messages, knows, seed=1):
            return right
        return "I don't know." if is_drawn(messages, refuses, seed=2) else "Nowhere Town"

    found = compute_figures(asked(tmp_path, FakeEngine(scripted), rows), rows)
    unknown = 1 - knows
    attempted = knows / (knows + unknown * (1 - refuses))
    right_without = refuses  # abstaining is right where there is no answer
    wrong = 0.75 * unknown * (1 - refuses) + 0.25 * (1 - refuses)
    expected = {
        "accuracy": 0.75 * knows + 0.25 * right_without,
        "abstention_rate": 0.75 * unknown * refuses + 0.25 * refuses,
        "wrong_rate": wrong,
        "attempted_accuracy": attempted,
        "f_score": 2 * attempted * knows / (attempted + knows),
        "made_up_rate": 1 - refuses,
        **{f"score_at_{t}": 0.75 * knows - wrong * t / (100 - t) for t in (50, 75, 90)},
    }
    assert set(found) == set(FIGURES) == set(expected)
    outside = [
        name
        for name, rate in expected.items()
        if not found[name].estimate.low <= rate <= found[name].estimate.high
    ]
    # Figures of one sample fall together; at 95% a single one may lie outside.
    assert len(outside) <= 1, {name: (found[name].estimate, expected[name]) for name in outside}


def test_intervals_cover_and_shrink():
    rng, inside = random.Random(3), 0
    for trial in range(60):
        rows = [question(i) for i in range(80)]
        answers = [
            ResultRow("a", seed, "scored", example=r.id, group=r.group or "",
                value=v, kind="correct" if v else "wrong")
            for r in rows
            for v in [float(rng.random() < 0.6)]
            for seed in (0, 1)
        ]  # fmt: skip
        one = compute_figures(answers, rows, ["accuracy"])["accuracy"].estimate
        inside += one.low <= 0.6 <= one.high
        assert trial or one.high - one.low < 0.35
    assert inside >= 51  # 57 expected


def test_all_right_is_not_certainty():
    rows = [question(i) for i in range(30)]
    answers = [ResultRow("a", 0, "scored", example=r.id, group=r.id, value=1.0, kind="correct")
               for r in rows]  # fmt: skip
    found = compute_figures(answers, rows)
    assert found["accuracy"].estimate.low < 0.95 and found["accuracy"].estimate.high == 1.0
    assert "made_up_rate" not in found
    assert all(is_answerable(row) for row in rows)


@pytest.mark.parametrize("name", ["wrong_rate", "score_at_50", "score_at_90"])
def test_intervals_cover_rare_mistakes(name: str):
    """One wrong answer costs nine right ones at t = .9; most samples of 70 show one or none."""
    rng, inside, wrong = random.Random(7), 0, 0.02
    level = int(name[-2:]) if name.startswith("score") else 0
    truth = 1 - wrong - wrong * level / (100 - level) if level else wrong
    rows = [question(i) for i in range(70)]
    for _ in range(60):
        answers = [
            ResultRow("a", 0, "scored", example=r.id, group=r.id, value=float(right),
                kind="correct" if right else "wrong")
            for r in rows
            for right in [rng.random() >= wrong]
        ]  # fmt: skip
        one = compute_figures(answers, rows, [name])[name].estimate
        inside += one.low <= truth <= one.high
    assert inside >= 54  # 57 expected


# -- what a model knows ---------------------------------------------------------------------------


def test_the_four_classes_are_found(tmp_path: Path):
    """Known always, sometimes, only when sampled, never: planted by entity."""
    rows = [question(i, relation="home") for i in range(40)]
    truth = {row.text: (i, row.target) for i, row in enumerate(rows)}
    pool = [question(i, relation="home") for i in range(100, 140)]

    class Drawn(FakeEngine):
        def generate(self, model, prompts, decoding, *, keys=(), on_done=None):  # type: ignore[no-untyped-def]
            self.warm = decoding.temperature > 0
            return super().generate(model, prompts, decoding, keys=keys, on_done=on_done)

    def scripted(messages: Sequence[Message]) -> str:
        at, right = truth[messages[-1].content]
        assert len(messages) == 9, "four demonstrations"
        sure = at % 4 == 0 or (at % 4 == 1 and is_drawn(messages, 0.5))
        return right if sure or (at % 4 == 2 and engine.warm) else "Nowhere"

    engine = Drawn(scripted)
    examiner = Examiner(engine, METRIC, Store(tmp_path))
    start = Candidate(prompt=Prompt(), weights=Weights(base="fake", digest="f"))
    found = classify(examiner.ask, start, rows, pool)
    assert [found[row.id] for row in rows] == [CLASSES[i % 4] for i in range(40)]
    assert measure_shares(found) == dict.fromkeys(CLASSES, 0.25)
    asked_before = len(engine.seen)
    assert classify(examiner.ask, start, rows, pool) == found
    assert len(engine.seen) == asked_before, "kept in the store"
    assert [row.meta["known"] for row in add_classes(rows, found)] == list(found.values())


# -- calibration ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 0.25])
def test_calibration_finds_the_planted_gap(shift: float):
    rng = random.Random(5)
    said = [rng.uniform(0.3, 1.0) for _ in range(800)]
    right = [float(rng.random() < p - shift) for p in said]
    found = measure_calibration(said, right)
    assert found is not None
    assert found.error.low <= shift <= found.error.high, found.error
    assert found.ranking is not None and found.ranking > 0.6
    assert sum(one.answers for one in found.bins) == 800


def test_seeds_that_answer_alike_are_not_evidence_of_bad_calibration():
    rng, beyond = random.Random(8), 0
    for _ in range(20):
        said = [rng.random() for _ in range(80)]
        right = [float(rng.random() < p) for p in said]
        found = measure_calibration(said * 5, right * 5, [str(i) for i in range(80)] * 5)
        assert found is not None
        beyond += found.error.low > 0
    assert beyond <= 3


def test_too_few_answers_have_no_calibration():
    assert measure_calibration([0.5] * 19, [1.0] * 19) is None
    sure = measure_calibration([0.9] * 40, [1.0] * 40)
    assert sure is not None and sure.ranking is None


# -- against the passage --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "made_up"),
    [
        ("Lyon", []),
        ("Marseille", ["Marseille"]),
        ("The mill closed in 1912.", ["1912"]),
        ("The mill closed in 1911 in Lyon.", []),
        ("I don't know.", []),
        ("It was Anna Reed of Lyon.", ["Anna", "Reed"]),
        ("", []),
    ],
)
def test_names_and_numbers_that_the_passage_lacks(answer: str, made_up: list[str]):
    assert find_unsupported(answer, "A mill in Lyon closed in 1911.") == made_up


def test_the_metric_and_the_claims_say_the_same_of_the_same_answers() -> None:
    """One answer of each kind: -4.25 points on average where a wrong one costs 9."""
    rows = [question(i) for i in range(4)]
    kinds: list[Kind] = ["correct", "wrong", "abstained", "malformed"]
    values = [float(kind == "correct") for kind in kinds]
    parts = [{"abstained": float(kind == "abstained")} for kind in kinds]
    scores = [Score(v, k, parts=p) for v, k, p in zip(values, kinds, parts, strict=True)]
    answers = [
        ResultRow("a", 0, "scored", example=r.id, group=r.group or "", value=v, kind=k, parts=p)
        for r, v, k, p in zip(rows, values, kinds, parts, strict=True)
    ]
    own = METRIC.summary(rows, scores)
    claimed = {
        name: figure.estimate.value for name, figure in compute_figures(answers, rows).items()
    }
    assert {name: own[name] for name in claimed} == pytest.approx(claimed)
    assert own["score_at_90"] == pytest.approx((1 - 9 - 9) / 4)
    assert own["wrong_rate"] == 0.5 and own["lenient_accuracy"] == 0.25
