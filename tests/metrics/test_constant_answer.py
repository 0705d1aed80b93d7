from __future__ import annotations

from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.constant_answer import find_best_constant
from whatworks.metrics.registry import load


def rows(targets: list[str]) -> list[Example]:
    return [Example(id=str(i), inputs={"q": str(i)}, target=t) for i, t in enumerate(targets)]


def test_the_most_frequent_label_is_the_best_constant() -> None:
    given = rows(["no"] * 3 + ["yes"] * 5)
    assert find_best_constant(load(MetricSpec(name="category"), given), given) == "yes"


def test_what_scores_best_is_not_always_the_most_frequent() -> None:
    """A number within the tolerance of many others beats one that comes twice."""
    given = rows(["100", "100", "5", "6", "7"])
    metric = load(MetricSpec(name="numeric", options={"tolerance": 1.0}))
    assert find_best_constant(metric, given) == "6"


def test_to_say_that_one_does_not_know_is_an_answer() -> None:
    unknown = [row.replace(meta={"answerable": False}) for row in rows([""] * 4)]
    known = [row.replace(id=f"k{row.id}") for row in rows(["Rome"])]
    metric = load(MetricSpec(name="facts"))
    found = find_best_constant(metric, [*unknown, *known])
    assert found is not None and metric(unknown[0], found).value == 1


def test_there_is_none_where_no_answer_is_worth_anything() -> None:
    assert find_best_constant(load(MetricSpec(name="exact")), []) is None
