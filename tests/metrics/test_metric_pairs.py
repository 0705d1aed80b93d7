"""Tables of pairs: a target, an answer, and what a careful reader says of it.

``right``; ``form``: right, but not usable as it stands; ``wrong``. Written by hand, before the
metrics were tried on them. A line that begins with ``@`` says with which options the next ones are
read; one with ``#`` is a remark.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load
from whatworks.metrics.score import Metric

FOLDER = Path(__file__).with_name("pairs")
LEAST = 200
VERDICTS = ("right", "form", "wrong")


class Pair(NamedTuple):
    setting: str
    target: str
    answer: str
    verdict: str
    line: int


def pairs(family: str) -> list[Pair]:
    found: list[Pair] = []
    setting = ""
    text = (FOLDER / f"{family}.tsv").read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("@ "):
            setting = line[2:]
        elif line and not line.startswith("# "):
            target, answer, verdict = (p.replace("\\n", "\n") for p in line.split("\t"))
            assert verdict in VERDICTS, line
            found.append(Pair(setting, target, answer, verdict, number))
    assert len(found) >= LEAST and len({pair[:3] for pair in found}) == len(found)
    return found


def judged_otherwise(metric: Metric, pair: Pair, meta: dict[str, Any] | None = None) -> str:
    """What a metric says of a pair that the reader does not, "" where both agree."""
    example = Example(id=f"line {pair.line}", target=pair.target, meta=meta or {})
    score = metric(example, pair.answer)
    wanted = {"right": (1.0, 1.0), "form": (0.0, 1.0), "wrong": (0.0, 0.0)}[pair.verdict]
    if (float(score.value == 1.0), float(score.forgiving == 1.0)) == wanted:
        return ""
    place = f"{pair.line}: {pair.target!r} {pair.answer!r} is {pair.verdict}"
    return f"{place}, not {score.value}, lenient {score.forgiving}"


def test_numbers():
    family = pairs("numbers")
    metrics = {
        name: load(MetricSpec(name="numeric", options={"locale": name}))
        for name in {pair.setting for pair in family}
    }
    assert [w for p in family if (w := judged_otherwise(metrics[p.setting], p))] == []


@pytest.mark.parametrize("name", ["facts", "normalised"])
def test_names(name: str):
    metric = load(MetricSpec(name=name))
    assert [w for pair in pairs("names") if (w := judged_otherwise(metric, pair))] == []


def test_categories():
    family = pairs("categories")
    metrics = {
        labels: load(MetricSpec(name="category", options={"labels": labels.split(",")}))
        for labels in {pair.setting for pair in family}
    }
    assert [w for p in family if (w := judged_otherwise(metrics[p.setting], p))] == []


def test_json():
    metric = load(MetricSpec(name="json"))
    assert [w for pair in pairs("json") if (w := judged_otherwise(metric, pair))] == []


TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, city TEXT, salary REAL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER, item TEXT, amount REAL);
"""
ROWS = {
    "people": [
        [1, "Ann", 34, "Oslo", 5200.5],
        [2, "Bo", 28, "Rome", 4100],
        [3, "Cy", 34, "Oslo", 3900],
        [4, "Di", 45, "Paris", 7000],
        [5, "Ed", 28, "Rome", 4100],
        [6, "Flo", None, "Oslo", None],
    ],
    "orders": [
        [1, 1, "pen", 3],
        [2, 1, "book", 12],
        [3, 2, "pen", 5],
        [4, 4, "lamp", 40],
        [5, 4, "pen", 3],
        [6, 5, "book", 12],
    ],
}


def test_sql():
    metric, meta = load(MetricSpec(name="sql")), {"context": TABLES, "rows": ROWS}
    assert [w for pair in pairs("sql") if (w := judged_otherwise(metric, pair, meta))] == []
