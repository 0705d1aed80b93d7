"""`whatworks init` on each shape of data: the written file reads, and its metric fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.run_study import run_study
from whatworks.metrics.registry import find_refused, load_task_metric
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_task import read_task

Command = Callable[..., tuple[int, str]]
N = range(40)
NAMES = [f"{a}{b}" for a in ("Al", "Bo", "Cy", "Di", "Ed") for b in
         ("dan", "mir", "nor", "sel", "tov", "ulf", "van", "wyn")]  # fmt: skip
LONG = "The wide river carries many wooden boats and their patient crews to the distant sea in"


def ask(i: int) -> str:
    return f"Where did {NAMES[i]} {i * 7919} live in those days?"


def some(i: int, divider: str) -> str:
    """One to three of five labels."""
    kinds = ("billing", "urgent", "refund", "card lost", "other")
    return divider.join(kinds[(i + n) % 5] for n in range(i % 3 + 1))


SHAPES: dict[str, tuple[Callable[[int], dict[str, Any]], str]] = {
    "json": (lambda i: {"input": ask(i), "target": json.dumps({"city": NAMES[i]})}, "json"),
    "category": (lambda i: {"text": ask(i), "label": f"class {i % 4}"}, "category"),
    "class ids": (lambda i: {"text": ask(i), "label": i % 4}, "category"),
    "stars": (lambda i: {"input": f"{NAMES[i]} liked it", "output": str(1 + i % 5)}, "category"),
    "sums": (lambda i: {"input": f"{i % 7} + {i} =", "output": str(i % 5)}, "numeric"),
    "how many": (lambda i: {"question": f"{NAMES[i]} has how many?", "answer": i % 5}, "numeric"),
    "scales": (lambda i: {"text": f"{NAMES[i]} is well", "label": i % 5 / 2}, "numeric"),
    "numeric": (lambda i: {"question": ask(i), "answer": f"{i * 38}"}, "numeric"),
    "commas": (lambda i: {"question": ask(i), "answer": f"{i * 38},{i % 9}5"}, "numeric"),
    "ranges": (lambda i: {"question": ask(i), "answer": f"{i}-{i * 2 + 1}"}, "numeric"),
    "times": (lambda i: {"question": ask(i), "answer": f"{i % 24}:{i + 10}"}, "numeric"),
    "days": (lambda i: {"question": ask(i), "answer": f"2024-05-{i % 28 + 1:02}"}, "numeric"),
    "shares": (lambda i: {"question": ask(i), "answer": f"{i * 2}.5%"}, "numeric"),
    "euros": (lambda i: {"question": ask(i), "answer": f"{i * 38},50 €"}, "numeric"),
    "semicolons": (lambda i: {"text": ask(i), "labels": some(i, "; ")}, "set"),
    "bars": (lambda i: {"text": ask(i), "labels": some(i, "|")}, "set"),
    "commas between": (lambda i: {"text": ask(i), "labels": some(i, ", ")}, "set"),
    "lists": (lambda i: {"input": ask(i), "target": some(i, ",").replace(",", "\n")}, "set"),
    "one or two": (lambda i: {"input": ask(i), "target": some(i if i % 3 else 0, "; ")}, "set"),
    "calls": (
        lambda i: {
            "input": ask(i),
            "target": json.dumps({"name": "find", "arguments": {"who": NAMES[i]}}),
        },
        "tool_call",
    ),
    "questions": (lambda i: {"question": ask(i), "answer": NAMES[i]}, "facts"),
    "viggo": (lambda i: {"mr": f"inform(name[{NAMES[i]}])", "ref": f"{NAMES[i]} it is"}, "mr"),
    "sql": (
        lambda i: {
            "question": ask(i),
            "context": "CREATE TABLE t (a INTEGER)",
            "answer": f"SELECT a FROM t WHERE a = {i}",
        },
        "sql",
    ),
    "alpaca": (lambda i: {"instruction": ask(i), "output": f"{LONG} {NAMES[i]}."}, "chat"),
    "sharegpt": (
        lambda i: {
            "conversations": [
                {"from": "human", "value": ask(i)},
                {"from": "gpt", "value": f"{LONG} {NAMES[i]}."},
            ]
        },
        "chat",
    ),
    "turns": (
        lambda i: {
            "conversations": [
                {"from": "human", "value": "Hello"},
                {"from": "gpt", "value": "Hello to you."},
                {"from": "human", "value": ask(i)},
                {"from": "gpt", "value": f"{LONG} {NAMES[i]}."},
            ]
        },
        "chat",
    ),
    "words": (lambda i: {"input": f"say {NAMES[i]} {i * 7919}", "target": NAMES[-i]}, "normalised"),
    "pairs": (
        lambda i: {"prompt": ask(i), "chosen": f"{LONG} {NAMES[i]}.", "rejected": "No."},
        "chat",
    ),
}  # fmt: skip


def save(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", SHAPES)
def test_the_written_file_reads_and_its_metric_fits(
    tmp_path: Path, command: Command, name: str
) -> None:
    row, metric = SHAPES[name]
    save(tmp_path / "rows.jsonl", [row(i) for i in N])
    out = tmp_path / "study.yaml"
    code, said = command("init", tmp_path / "rows.jsonl", "--out", out)
    assert (code, f"metric: {metric};" in said) == (0, True), said
    study = read_study(out)
    task = read_task(study, tmp_path)
    arms = [arm.name for arm in read_arms(study)]
    assert task.metric.name == metric
    assert sum(task.splits.counts().values()) == len(N)
    assert find_refused(load_task_metric(task), (*task.splits.dev, *task.splits.test)) == {}
    assert {"zero-shot", "few-shot", "knn", "sft"} <= set(arms)
    assert ("sft+dpo" in arms) == (name == "pairs") and "rag" not in arms
    assert "cut from train" in out.read_text()
    assert ("turns: every" in out.read_text()) == (name == "turns")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".whatworks",
        "rows.jsonl",
        "study.yaml",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("commas", "1.234,5 (de"),
        ("numeric", "1,234.5 (en)"),
        ("euros", "1.234,5 (de"),
        ("semicolons", "parted by ';'"),
        ("bars", "parted by '|'"),
        ("commas between", "parted by ','"),
    ],
)
def test_how_a_column_is_read_is_said(
    tmp_path: Path, command: Command, name: str, says: str
) -> None:
    save(tmp_path / "rows.jsonl", [SHAPES[name][0](i) for i in N])
    out = tmp_path / "study.yaml"
    assert command("init", tmp_path / "rows.jsonl", "--out", out)[0] == 0
    assert says in out.read_text()


def test_splits_documents_and_pairs_are_told_apart(tmp_path: Path, command: Command) -> None:
    question = SHAPES["questions"][0]
    train = save(tmp_path / "train.jsonl", [question(i) for i in N if not 30 <= i < 40])
    test = save(tmp_path / "test.jsonl", [question(i) for i in range(30, 40)])
    pairs = save(tmp_path / "liked.jsonl", [SHAPES["pairs"][0](i) for i in N])
    (tmp_path / "hand book").mkdir()
    (tmp_path / "hand book" / "a.md").write_text("# A\n\nLong ago they lived in towns. " * 20)
    out = tmp_path / "study.yaml"
    code, said = command("init", test, train, tmp_path / "hand book", pairs, "--out", out)
    assert code == 0, said
    study = read_study(out)
    task = read_task(study, tmp_path)
    assert (study.task.train, study.task.test) == ("train.jsonl", "test.jsonl")
    assert len(task.splits.test) == 10
    assert len(task.documents) == 1 and len(task.preferences) >= 10
    assert task.metric.name == "facts"
    assert {"rag", "rag+sft", "sft+dpo"} <= {arm.name for arm in read_arms(study)}


def test_it_runs_and_is_never_overwritten(tmp_path: Path, command: Command) -> None:
    save(tmp_path / "rows.jsonl", [SHAPES["questions"][0](i) for i in N])
    out = tmp_path / "study.yaml"
    assert command("init", tmp_path / "rows.jsonl", "--out", out, "--model", "fake:")[0] == 0
    summary, _ = run_study(out, only=["zero-shot", "few-shot"], out=tmp_path / "run")
    assert not any(arm.failures for arm in summary.arms)

    out.write_text("mine")
    code, said = command("init", tmp_path / "rows.jsonl", "--out", out)
    assert code == 2 and "there already" in said and out.read_text() == "mine"
    assert "--force" not in said, "init has no such option"


def test_a_folder_takes_the_study_file(tmp_path: Path, command: Command) -> None:
    save(tmp_path / "rows.jsonl", [SHAPES["questions"][0](i) for i in N])
    code, said = command("init", tmp_path / "rows.jsonl", "--out", tmp_path / "new" / "tickets")
    out = tmp_path / "new" / "tickets" / "study.yaml"
    assert code == 0 and str(out) in said
    assert read_task(read_study(out), out.parent).splits.train


def test_what_cannot_be_guessed_is_said_and_nothing_written(
    tmp_path: Path, command: Command
) -> None:
    one = save(tmp_path / "a.jsonl", [{"x1": "a", "x2": "b"}])
    two = save(tmp_path / "b.jsonl", [SHAPES["words"][0](i) for i in N])
    three = save(tmp_path / "c.jsonl", [SHAPES["words"][0](i) for i in N])
    out = tmp_path / "study.yaml"
    for files, words in (
        ([one], "--input x1 --target x2"),
        ([two, three], "could both be train"),
        ([tmp_path / "none.jsonl"], "no such file"),
    ):
        code, said = command("init", *files, "--out", out)
        assert code == 2 and words in said
        assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "metric"), [("viggo", "mr"), ("banking77", "category"), ("entityquestions", "facts")]
)
def test_real_files(
    real_data: Path, tmp_path: Path, command: Command, name: str, metric: str
) -> None:
    place = real_data / name
    if not place.exists():
        pytest.skip(f"no {name} in the folder of real data")
    files = sorted(place.glob("*.*")) if place.is_dir() else [place]
    out = tmp_path / "study.yaml"
    code, said = command("init", *files, "--out", out)
    assert code == 0 and f"metric: {metric};" in said, said
    study = read_study(out)
    counts = read_task(study, tmp_path).splits.counts()
    assert 0 < counts["train"] <= 1000 and counts["dev"] <= 200 and counts["test"] <= 300
