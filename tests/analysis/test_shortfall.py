"""Why a tuned arm is below an untuned one is told from what was measured, and from nothing else."""

from __future__ import annotations

import json

from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.shortfall import ShortfallCase, Shortfalls
from whatworks.data.task import Example

N = 40
EXAMPLES = {str(i): Example(id=str(i), target=json.dumps({"a": i, "b": i})) for i in range(N)}


def trial(name: str, right: int, said: str = '{"a": 0, "b": 0}', **more: object) -> ShortfallCase:
    """An arm that is right in the first so many examples, and says ``said`` in the others."""
    rows: list[ResultRow] = []
    for i, example in enumerate(EXAMPLES.values()):
        answer = example.target if i < right else said
        kind = "correct" if i < right else "wrong"
        value = float(i < right)
        rows.append(ResultRow(name, 0, "scored", str(i), output=answer, value=value, kind=kind))
    chain = name.partition("@")[0]
    return ShortfallCase(name, chain, rows, trains="sft" in name, **more)  # type: ignore[arg-type]


def told(*trials: ShortfallCase, **more: object) -> list[str]:
    return Shortfalls(trials, metric="json", examples=EXAMPLES, **more).lines()  # type: ignore[arg-type]


def test_nothing_is_said_of_what_is_not_below():
    assert told(trial("knn", 20), trial("sft", 30), trial("knn+sft", 20)) == []
    assert Shortfalls([trial("sft", 0)]).lines() == []
    (close,) = told(trial("knn", 20), trial("sft", 19, epochs=[[0.1, 0.5]]))
    assert close.endswith("which the test does not tell from no difference.")


def test_every_arm_that_trains_nothing_counts_whatever_is_recommended():
    few, knn, sft = trial("few-shot", 24), trial("knn", 38), trial("sft", 28)
    (line,) = told(few, knn, sft)
    assert line.startswith(
        "sft ends below knn, the best on test of those that train nothing: 70.0% against 95.0%"
    )
    (line,) = told(few, knn, trial("sft", 16))
    assert "below knn" in line and "40.0% against 95.0%" in line
    assert told(few, trial("sft", 28)) == []


def test_what_was_still_rising_is_told_from_what_was_not():
    knn, few = trial("knn", 38), trial("sft@10", 0, rows=10)
    rising = trial("sft", 20, rows=200, epochs=[[0.0, 0.4, 0.8], [0.0, 0.6, 0.8]])
    (line,) = told(knn, few, rising, curve=["sft@10", "sft"])
    assert "Dev by epoch: 0.0%, 50.0%, 80.0%, still rising at the last one" in line
    assert "0.0% with 10, 50.0% with 200, still rising: more rows may help" in line
    flat = trial("sft", 1, rows=200, epochs=[[0.5, 0.5]])
    (line,) = told(knn, few, flat, curve=["sft@10", "sft"])
    assert "50.0%, 50.0%, not rising" in line and "2.5% with 200, not seen to rise" in line
    assert "may help" not in line


def test_the_mistakes_that_differ_are_named_not_the_most_frequent_ones():
    knn = trial("knn", 30, '{"a": -1, "b": -1}')
    (line,) = told(knn, trial("sft", 10, '{"a": -1}'))
    assert "differs most in “missing field”: 75.0% of its answers, 0.0% of those of knn" in line
    (bare,) = Shortfalls([knn, trial("sft", 10)], metric="json").lines()
    assert "differs most" not in bare


def test_the_same_tuning_with_that_prompt_says_what_the_rows_lack():
    knn, sft = trial("knn", 36), trial("sft", 10)
    (line,) = told(knn, sft, trial("knn+sft", 38))
    assert "knn+sft 95.0%: what that prompt shows is what sft lacks." in line
    lines = told(knn, sft, trial("knn+sft", 11))
    assert len(lines) == 2 and "knn+sft 27.5%." in lines[0] and "lacks" not in lines[0]
    (other,) = told(knn, sft, trial("rag+sft", 38))
    assert "same tuning" not in other, "rag is no arm of this study"
