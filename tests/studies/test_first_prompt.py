"""The prompts that `whatworks init` writes: what a practitioner would tell a model first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.task import Example
from whatworks.studies.first_prompt import BUDGET, CHARACTERS, guess_score, write_prompts
from whatworks.studies.first_study_file import _format_block
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_task import read_task

Command = Callable[..., tuple[int, str]]


def rows(targets: list[str], text: str = "Where is it?", **meta: object) -> list[Example]:
    return [Example(id=str(i), inputs={"q": text}, target=target, meta=meta)
            for i, target in enumerate(targets)]  # fmt: skip


def test_labels_are_named_all_of_them() -> None:
    labels = [f"label_{i}" for i in range(77)]
    for prompt in write_prompts("category", rows(labels * 2)):
        assert all(label in prompt for label in labels)


def test_labels_have_a_budget_and_the_frequent_ones_stand_first() -> None:
    many = [f"a very long label of some class or other {i}" for i in range(1000)]
    for prompt in write_prompts("category", rows([*many, "common", "common"])):
        assert len(prompt) < BUDGET * CHARACTERS + 4000 and "common" in prompt
        assert "others like them" in prompt


def test_keys_kinds_and_values_of_json_are_named() -> None:
    targets = [
        json.dumps({"city": f"n{i}", "guests": i, "kind": ["a", "b"][i % 2],
                    "items": [{"price": i / 2}], **({"note": "x"} if i % 3 else {})})
        for i in range(24)
    ]  # fmt: skip
    for prompt in write_prompts("json", rows(targets)):
        for part in ('"city": text', '"guests": whole number', '"a" or "b"', '"price"', "left out"):
            assert part in prompt, prompt


def test_the_grammar_and_the_tables_are_named() -> None:
    targets = ["inform(name[X], rating[good])", "request(genres[])"]
    for prompt in write_prompts("mr", rows(targets)):
        for part in ("inform", "request", "name", "rating", "genres", "act(slot[value]"):
            assert part in prompt
    table = "CREATE TABLE t (a INTEGER)"
    for prompt in write_prompts("sql", rows(["SELECT a FROM t"] * 3, context=table)):
        assert table in prompt
    apart = [*rows(["SELECT 1"], context="CREATE TABLE a (b)"), *rows(["SELECT 1"], context=table)]
    assert all("CREATE TABLE" not in prompt for prompt in write_prompts("sql", apart))


def test_short_answers_are_asked_for_shortly_and_unanswerable_rows_for_saying_so() -> None:
    plain = write_prompts("facts", rows(["Rome"] * 4))
    assert "the name only" in plain[0] and not any("don't know" in one for one in plain)
    open_ = [*rows(["Rome"] * 4), Example(id="u", inputs={"q": "?"}, meta={"answerable": False})]
    assert all("don't know" in one for one in write_prompts("facts", open_))
    assert all("passages" in one for one in write_prompts("facts", open_, documents=True))
    assert "number or date" in write_prompts("facts", rows(["1969"] * 4))[0]


def test_the_labels_of_sets_are_named_with_what_parts_them() -> None:
    for prompt in write_prompts("set", rows(["billing; urgent", "urgent", "access; billing"])):
        assert '";"' in prompt and all(one in prompt for one in ("billing", "urgent", "access"))


@pytest.mark.parametrize(
    "metric",
    ["category", "set", "json", "tool_call", "mr", "sql", "python", "facts", "numeric", "chat"],
)
def test_there_are_two_or_three_variants_whatever_the_rows(metric: str) -> None:
    for targets in (["{}", "{}"], ["x", "y z"], ["", "-"], ["[1]", "3"]):
        found = write_prompts(metric, rows(targets))
        assert 1 <= len(found) <= 3 and all(one.strip() for one in found)
        assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("metric", "text", "score"),
    [
        ("facts", "Where is it?", "lenient"),
        ("numeric", "How many are there?", "lenient"),
        ("numeric", "3 + 4 =", "strict"),
        ("normalised", "say it", "strict"),
        ("json", "Where is it?", "strict"),
        ("category", "Where is it?", "strict"),
        ("chat", "Hello", "strict"),
    ],
)
def test_what_counts_is_guessed_from_who_reads_the_answer(
    metric: str, text: str, score: str
) -> None:
    found, why = guess_score(metric, rows(["1", "2"], text))
    assert found == score and why


@given(st.text(min_size=1))
def test_any_text_comes_back_from_the_yaml(text: str) -> None:
    import yaml

    from whatworks.base.yaml_file import _Loader

    text = "".join(c for c in text if c.isprintable() or c == "\n") or "x"
    written = "key:\n  - " + _format_block(text, 4) + "\nother: 1\n"
    assert yaml.load(written, Loader=_Loader) == {"key": [text], "other": 1}


def test_the_study_that_is_written_tries_a_form_on_top_of_passages(
    tmp_path: Path, command: Command
) -> None:
    asked = [{"question": f"Where is place {i * 7919}?", "answer": f"Town{i}"} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nPlaces are in towns. " * 20)
    out = tmp_path / "study.yaml"
    code, said = command("init", tmp_path / "rows.jsonl", tmp_path / "docs", "--out", out)
    assert code == 0, said
    study = read_study(out)
    arms = {arm.name: arm for arm in read_arms(study)}
    assert {"prompt", "rag", "rag+prompt", "rag+sft"} <= set(arms)
    assert study.score == "lenient" and read_task(study, tmp_path).metric.score == "lenient"
    variants = arms["prompt"].chain.steps[0].model_dump()["variants"]
    assert 2 <= len(variants) <= 3 and variants[0] == study.task.instructions
    assert all("passages" in one for one in arms["rag+prompt"].chain.steps[1].variants)  # type: ignore[attr-defined]


def test_labels_are_in_the_first_prompt_of_a_written_study(
    tmp_path: Path, command: Command
) -> None:
    labels = [f"very_long_label_number_{i}" for i in range(20)]
    asked = [{"text": f"Text {i * 7919}", "label": labels[i % 20]} for i in range(200)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    out = tmp_path / "study.yaml"
    assert command("init", tmp_path / "rows.jsonl", "--out", out)[0] == 0
    study = read_study(out)
    assert all(label in (study.task.instructions or "") for label in labels)
    assert study.score == "strict" and "constrained" in {arm.name for arm in read_arms(study)}
