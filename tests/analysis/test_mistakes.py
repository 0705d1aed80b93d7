"""Mistakes into patterns, through the real metrics; what a next run fixed and broke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whatworks.analysis.mistakes import find_changes, find_mistake, group_mistakes
from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.app.cli import app
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.citations import EVIDENCE
from whatworks.metrics.registry import load

OBJECT = '{"name": "Bo", "age": 3}'
MR = "inform(name[Sky], genres[puzzle])"
LABELS = {"labels": ["card_lost", "card_new", "loan"]}


def named(metric: str, target: str, said: str, parts: Any = None, **options: Any) -> Any:
    example = Example(id="e", inputs={"text": "x"}, target=target)
    score = load(MetricSpec(name=metric, options=options))(example, said)
    if parts:
        from dataclasses import replace

        score = replace(score, parts={**score.parts, **parts})
    found = find_mistake(metric, example, said, score)
    return found and (found.name, found.detail)


@pytest.mark.parametrize(
    ("metric", "target", "said", "name", "detail"),
    [
        ("json", OBJECT, f"Here it is: {OBJECT}", "extra text around the answer", "before it"),
        ("json", OBJECT, '{"name": "Bo"', "malformed", ""),
        ("json", OBJECT, '{"name": "Bo"}', "missing field", "$.age"),
        ("json", OBJECT, '{"name": "Bo", "years": 3}', "missing field", "$.age, written $.years"),
        ("json", OBJECT, '{"name": "Bo", "age": 3, "x": 1}', "field not wanted", "$.x"),
        ("json", OBJECT, '{"name": "Bo", "age": 4}', "wrong value", "$.age"),
        ("mr", MR, "inform(name[Sky])", "missing field", "genres"),
        ("mr", MR, "ask(name[Sky], genres[puzzle])", "label confused", "inform taken for ask"),
        ("mr", MR, "inform(name[Sky], genres[horror])", "wrong value", "genres"),
        ("mr", MR, "about Sky", "malformed", ""),
        ("facts", "Paris", "So Paris!", "extra text around the answer", "before it and after it"),
        ("facts", "Paris", "Lyon", "fact not known", ""),
        ("facts", "Paris", "I do not know.", "refused", ""),
        ("exact", "Paris", "paris", "wrong style", None),
        ("exact", "Paris", "", "empty", ""),
        ("exact", "ten men", "Well " * 40, "too long", "40 words where about 2 are wanted"),
        ("exact", "It is in the house that is there", "Das ist in dem Haus und nicht da",
         "wrong language", "German instead of English"),
        ("exact", "a house", "дом и ещё", "wrong language",
         "Cyrillic script instead of Latin script"),
        ("exact", "a house", "a horse", "wrong answer", ""),
    ],
)  # fmt: skip
def test_each_mistake_has_its_pattern(
    metric: str, target: str, said: str, name: str, detail: str | None
) -> None:
    found = named(metric, target, said)
    assert found is not None and found[0] == name
    if detail:
        assert found[1] == detail


def test_labels_and_passages() -> None:
    assert named("category", "card_new", "card_lost", **LABELS) == (
        "label confused",
        "card_new taken for card_lost",
    )
    # A label that sounds like a refusal is a label, where it is one.
    assert named("category", "spam", "unknown", labels=["spam", "unknown"]) == (
        "label confused",
        "spam taken for unknown",
    )
    assert named("category", "loan", "unknown", **LABELS)[0] == "refused"
    assert named("category", "card_new", "cards", **LABELS)[0] == "label not in the list"
    assert named("category", "loan", "It is loan", **LABELS)[0] == "extra text around the answer"
    assert named("category", "loan", "loan", **LABELS) is None
    assert named("facts", "Paris", "Lyon", {EVIDENCE: 1.0})[0] == "passage misread"
    assert named("facts", "Paris", "Lyon", {EVIDENCE: 0.0})[0] == "passage not found"


def test_patterns_are_counted_with_their_details() -> None:
    example = Example(id="e", inputs={"text": "x"}, target=OBJECT)
    metric = load(MetricSpec(name="json"))
    texts = ['{"name": "Bo"}', '{"name": "Al"}', '{"age": 3}', "no", OBJECT]
    found = group_mistakes(
        one
        for t in texts
        if (one := find_mistake("json", example, t, metric(example, t))) is not None
    )
    assert [(p.name, p.count) for p in found] == [("missing field", 3), ("malformed", 1)]
    assert found[0].details == [("$.age", 2), ("$.name", 1)]


def row(example: str, value: float, seed: int = 0) -> ResultRow:
    return ResultRow("a", seed, "scored", example=example, value=value, kind="wrong")


def test_changes_take_the_majority_of_seeds() -> None:
    before = [row("1", 0), row("2", 1), row("3", 0), row("4", 1), row("5", 0)]
    after = [row("1", 1), row("2", 0.5), row("3", 0), row("4", 1)]
    after += [row("1", 1, 1), row("1", 0, 2)]
    found = find_changes(before, after)
    assert found.fixed == ("1",)
    assert found.broken == ("2",)
    assert found.still_wrong == ("3",)
    assert found.still_right == ("4",)


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


def test_the_next_run_shows_what_was_fixed_and_broken(tmp_path: Path) -> None:
    """The first prompt is right on even rows, the second on all but row 4."""
    rows = [{"id": f"r{i}", "input": f"Say number {i}.", "target": f"n{i}"} for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers: list[dict[str, Any]] = []
    for i in range(24):
        first, second = f"n{i}" if i % 2 == 0 else f"It is n{i}!", f"n{i}" if i != 4 else ""
        answers += [
            {"contains": "First", "last": f"number {i}.", "answer": first},
            {"contains": "Second", "last": f"number {i}.", "answer": second},
        ]
    (tmp_path / "script.json").write_text(json.dumps({"answers": answers}))
    out = tmp_path / "out"
    study = tmp_path / "study.yaml"
    text = (
        "task: {train: rows.jsonl, metric: contains, split: {dev: 4, test: 12}}\n"
        "model: fake:script.json\narms:\n- {prompt: {variants: [%s]}}\n"
    ).replace("contains", "exact")
    for version in ("First", "Second"):
        study.write_text(text % version)
        run_study(study, out=out, watcher=Quiet())
    results = Results(out / "results.jsonl")
    old, new = results.rows(back=1), results.rows()
    assert len(old) == len(new) == 12 and results.rows(back=2) == []
    shown = CliRunner().invoke(app, ["errors", str(out), "prompt"])
    assert shown.exit_code == 0, shown.output
    odd = {r.example for r in old if r.value < 1}
    assert f"fixed: {len(odd)}" in shown.output
    assert f"broken: {sum(r.value < 1 for r in new)}" in shown.output
    against = CliRunner().invoke(app, ["errors", str(out), "--against", f"{out}/prompt"])
    assert "fixed: 0" in against.output and "broken: 0" in against.output
    unknown = CliRunner().invoke(app, ["errors", str(out), "--against", "promt"])
    assert isinstance(unknown.exception, InputError) and "promt" in unknown.exception.cause
    assert "its arms: prompt" in unknown.exception.remedy
    page = (out / "report.html").read_text()
    assert any(r.value < 1 for r in new) == ("What goes wrong" in page)


def test_an_unknown_arm_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished study"):
        CliRunner().invoke(app, ["errors", str(tmp_path)], catch_exceptions=False)
