"""Figures against independent implementations, on a thousand random cases each."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load

CASES = 1_000


def test_category_figures_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = random.Random(1)
    for _ in range(CASES):
        labels = [f"id_{i}" for i in range(rng.randint(1, 6))]
        size = rng.randint(1, 20)
        wanted = rng.choices(labels, k=size)
        said = [rng.choice([*labels, "nonsense", ""]) for _ in range(size)]
        metric = load(MetricSpec(name="category", options={"labels": labels}))
        examples = [Example(id=str(i), target=one) for i, one in enumerate(wanted)]
        figures = metric.summary(
            examples, [metric(e, s) for e, s in zip(examples, said, strict=True)]
        )
        macro = metrics.f1_score(
            wanted, said, average="macro", labels=sorted(set(wanted)), zero_division=0.0
        )
        assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(wanted, said))
        assert figures["macro_f1"] == pytest.approx(macro)
        assert figures["invalid_rate"] == pytest.approx(
            sum(one not in labels for one in said) / size
        )


def value(rng: random.Random, depth: int = 3) -> Any:
    """A random JSON value of few different leaves, so that two of them often overlap."""
    kind = rng.randrange(6 if depth else 4)
    if kind == 4:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 5:
        return {rng.choice("abc"): value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return [None, rng.random() < 0.5, rng.randrange(3), rng.choice("xy")][kind]


def leaves(one: Any, path: str = "$") -> list[str]:
    """Every leaf as text; an independent and naive reading of the module's docstring."""
    if isinstance(one, dict) and one:
        return [leaf for key in one for leaf in leaves(one[key], f"{path}.{key}")]
    if isinstance(one, list) and one:
        return [leaf for inner in one for leaf in leaves(inner, f"{path}[]")]
    return [f"{path}={json.dumps(one)}"]


def brute(said: list[str], wanted: list[str]) -> dict[str, float]:
    """Pair off equal leaves one by one; the shares of what was said and of what was wanted."""
    rest, common = list(wanted), 0
    for leaf in said:
        if leaf in rest:
            rest.remove(leaf)
            common += 1
    precision, recall = common / len(said), common / len(wanted)
    f1 = 2 * precision * recall / (precision + recall) if common else 0.0
    return {"field_precision": precision, "field_recall": recall, "field_f1": f1}


def test_json_fields_agree_with_a_brute_force_multiset():
    rng, metric = random.Random(2), load(MetricSpec(name="json"))
    equal = 0
    for _ in range(CASES):
        said, wanted = value(rng), value(rng)
        score = metric(Example(id="e", target=json.dumps(wanted)), json.dumps(said, indent=1))
        figures = brute(leaves(said), leaves(wanted))
        assert {name: score.parts[name] for name in figures} == pytest.approx(figures)
        same = json.dumps(said, sort_keys=True) == json.dumps(wanted, sort_keys=True)
        assert (score.value == 1.0) == same, (said, wanted)
        equal += same
    assert 20 < equal < CASES  # both outcomes were seen


def schema(rng: random.Random, depth: int = 2) -> dict[str, Any]:
    """A random schema of the common keywords."""
    kinds = ["null", "boolean", "integer", "string", "array", "object"]
    kind = rng.choice(kinds if depth else kinds[:4])
    if rng.random() < 0.15:
        return {"type": rng.sample(kinds, 3)}
    extra: dict[str, Any] = {
        "integer": {"maximum": rng.randrange(3)},
        "string": {"enum": ["x"]} if rng.random() < 0.5 else {"minLength": 1},
    }.get(kind, {})
    if kind == "array":
        extra = {"items": schema(rng, depth - 1), "maxItems": 2}
    if kind == "object":
        extra = {"properties": {name: schema(rng, depth - 1) for name in "ab"}}
        extra |= {"required": ["a"]} if rng.random() < 0.4 else {"additionalProperties": False}
    return {"type": kind, **extra}


def test_schema_validity_agrees_with_jsonschema():
    jsonschema = pytest.importorskip("jsonschema")
    rng = random.Random(3)
    verdicts: Counter[bool] = Counter()
    for _ in range(CASES // 10):
        wanted = schema(rng)
        metric = load(MetricSpec(name="json", options={"schema": wanted}))
        judge = jsonschema.Draft202012Validator(wanted)
        for _ in range(10):
            said = value(rng)
            valid = judge.is_valid(said)
            score = metric(Example(id="e"), json.dumps(said))
            assert score.parts["schema_valid"] == score.value == float(valid), (wanted, said)
            assert (score.kind == "malformed") == (not valid)
            verdicts[valid] += 1
    assert min(verdicts.values()) > 100


def random_query(rng: random.Random) -> str:
    columns = rng.sample(["a", "b", "c"], rng.randint(1, 2))
    total = rng.choice(["COUNT(*)", "SUM(a)", "MAX(b)"])
    what = ", ".join(columns) if rng.random() < 0.7 else total
    query = f"SELECT {what} FROM t"
    if rng.random() < 0.7:
        query += f" WHERE {rng.choice('ab')} {rng.choice(['=', '<', '>='])} {rng.randrange(4)}"
    if "(" not in what and rng.random() < 0.5:
        query += f" ORDER BY {', '.join(columns)}" + rng.choice(["", " DESC"])
    return query


def test_sql_execution_agrees_with_sqlite3(tmp_path: Path):
    rng = random.Random(4)
    file = tmp_path / "t.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (a INTEGER, b INTEGER, c TEXT)")
    rows = [(rng.randrange(4), rng.randrange(4), rng.choice("xyz")) for _ in range(12)]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    connection.commit()
    metric = load(MetricSpec(name="sql", options={"database": str(file)}))
    outcomes: Counter[bool] = Counter()
    for _ in range(CASES):
        wanted, said = random_query(rng), random_query(rng)
        if rng.random() < 0.3:
            said = wanted.replace("SELECT", "select").replace(" FROM t", " FROM t AS t")
        ours, theirs = (connection.execute(query).fetchall() for query in (said, wanted))
        if "ORDER BY" in wanted:
            same = ours == theirs
        else:
            same = sorted(map(repr, ours)) == sorted(map(repr, theirs))
        score = metric(Example(id="e", target=wanted), said)
        assert score.parts["execution"] == score.value == float(same), (wanted, said)
        outcomes[same] += 1
    connection.close()
    assert min(outcomes.values()) > 100
