"""Planted faults are found, graded and taken out; clean data passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.run_study import run_study
from whatworks.data import read
from whatworks.data.formats.base import SHARED_SCHEMA, UNANSWERABLE, UNPAIRED
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.open_engine import open_engine
from whatworks.studies.checks.check_task import CheckFinding, check_task
from whatworks.studies.checks.row_checks import check_rows
from whatworks.studies.checks.token_checks import LOOKED_AT, check_tokens
from whatworks.studies.open_study import open_study

Parts = dict[str, list[dict[str, Any]]]
Command = Callable[..., tuple[int, str]]
Write = Callable[..., Path]


def findings(path: Path) -> dict[str, CheckFinding]:
    opened = open_study(path, checked=False)
    found = check_task(
        opened.task, opened.engine, opened.weights, opened.decoding, opened.file.min_effect
    )
    named = {finding.check: finding for finding in found}
    assert len(named) == len(found)
    return named


def copied(parts: Parts) -> None:
    parts["test"][3] |= {**parts["train"][5], "id": "test-3"}
    parts["test"][3]["input"] = parts["test"][3]["input"].upper()


def nearly(parts: Parts) -> None:
    parts["dev"][2]["input"] = parts["train"][5]["input"] + " today"


def torn(parts: Parts) -> None:
    parts["train"][1]["group"] = parts["train"][2]["group"] = parts["test"][0]["group"] = "acme"


def contradicted(parts: Parts) -> None:
    parts["test"][7]["input"] = parts["test"][8]["input"]


def unparsable(parts: Parts) -> None:
    parts["test"][9]["target"] = '{"count": '


def untaught(parts: Parts) -> None:
    parts["train"][4]["target"] = "  "


def twins(parts: Parts) -> None:
    parts["test"][1]["id"] = parts["dev"][1]["id"]


FAULTS: dict[str, tuple[Callable[[Parts], None], str, str, list[str]]] = {
    "copied": (copied, "the same input in two splits", "spoils", ["test-3"]),
    "nearly": (nearly, "nearly the same input in two splits", "spoils", ["dev-2"]),
    "torn": (torn, "groups in two splits", "spoils", ["test-0"]),
    "contradicted": (contradicted, "conflicting targets", "spoils", ["test-7", "test-8"]),
    "unparsable": (unparsable, "targets under the metric json", "spoils", ["test-9"]),
    "untaught": (untaught, "targets under the metric json", "doubt", ["train-4"]),
    "twins": (twins, "ids", "spoils", ["dev-1"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_alone(study: Write, name: str) -> None:
    plant, check, level, rows = FAULTS[name]
    clean, spoilt = findings(study()), findings(study(plant))
    assert all(finding.level == "fine" for finding in clean.values())
    assert spoilt[check].level == level
    assert sorted(spoilt[check].rows) == rows
    assert spoilt[check].remedy
    others = {c for c, f in spoilt.items() if f.level == "spoils"} - {check}
    assert not others


def test_a_small_leak_is_in_doubt_and_a_large_one_spoils(study: Write) -> None:
    def leak(parts: Parts) -> None:
        parts["test"][0]["input"] = parts["train"][0]["input"] + " today"

    check = "nearly the same input in two splits"
    assert findings(study(leak, more="model: 'fake:'\nmin_effect: 0.1\n"))[check].level == "doubt"
    assert findings(study(leak, more="model: 'fake:'\nmin_effect: 0.01\n"))[check].level == "spoils"


def test_evidence_that_is_the_row_written_out_is_told(study: Write, tmp_path: Path) -> None:
    def evident(parts: Parts) -> None:
        rows = [row for part in parts.values() for row in part]
        texts = [f"Nobody knows why {row['id']} was the {i}th." for i, row in enumerate(rows)]
        texts[70] = f"{rows[70]['input']}\n{rows[70]['target']}"
        for row in rows:
            row["evidence"] = [row["id"]]
        documents = [{"id": row["id"], "text": text} for row, text in zip(rows, texts, strict=True)]
        (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, documents)))

    found = findings(study(evident, metric="json, documents: docs.jsonl"))
    finding = found["evidence that may be shown"]
    assert (list(finding.rows), finding.level) == (["dev-10"], "spoils")


def test_an_answer_that_the_metric_accepts_is_no_conflict(study: Write) -> None:
    def same(parts: Parts) -> None:
        parts["train"][7]["input"] = parts["train"][8]["input"]
        parts["train"][7]["target"] = '{ "count":  63352}'

    found = findings(study(same))
    assert found["conflicting targets"].level == "fine"
    assert found["exact duplicates"].level == "doubt"


def test_the_command_says_it_and_the_exit_code_too(study: Write, command: Command) -> None:
    code, said = command("check", study())
    assert code == 0 and "0 checks found what spoils the result" in said
    code, said = command("check", study(copied))
    assert (
        code == 1
        and "1 of 50 (2.0%) test rows stand in an earlier split" in said
        and "test-3" in said
    )
    path = study()
    path.write_text(path.read_text().replace("metric: json", "metric: jsn"))
    code, said = command("check", path)
    assert code == 2 and "did you mean 'json'" in said


def everything(parts: Parts) -> None:
    for plant in (copied, nearly, torn, contradicted, unparsable, untaught):
        plant(parts)


def test_fix_writes_a_copy_that_passes_and_runs(
    study: Write, command: Command, tmp_path: Path
) -> None:
    path = study(everything)
    before = path.read_text()
    code, said = command("check", path, "--fix")
    assert code == 1
    assert "1 (the same input in two splits)" in said
    assert "2 (conflicting targets)" in said and "45 rows are left" in said
    assert path.read_text() == before

    clean = tmp_path / "study-clean.yaml"
    assert command("check", clean)[0] == 0
    kept = {part: read(tmp_path / f"study-clean/{part}.jsonl").examples for part in
            ("train", "dev", "test")}  # fmt: skip
    assert {part: len(rows) for part, rows in kept.items()} == {"train": 59, "dev": 19, "test": 45}
    given = {row.id: row for row in read(tmp_path / "test.jsonl").examples}
    assert all(given[row.id] == row for row in kept["test"])
    summary, _ = run_study(clean, out=tmp_path / "run")
    assert dict(summary.study.counts) == {"train": 59, "dev": 19, "test": 45}

    code, said = command("check", path, "--fix")
    assert code == 2 and "--force" in said
    assert command("check", path, "--fix", "--force")[0] == 1


def test_a_target_that_cannot_be_scored_stops_a_study_before_it_begins(
    study: Write, command: Command, tmp_path: Path
) -> None:
    code, said = command("run", study(unparsable), "--out", tmp_path / "run")
    assert code == 2
    assert "1 rows of dev and test cannot be scored, the first is 'test-9'" in said
    assert "whatworks check" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("metric", "form", "broken"),
    [
        ("json", '{{"count": {}}}', '{"a": 7'),
        ("json", '{{"count": {}}}', '{"a": NaN}'),
        ("mr", "inform(count[{}])", "f(0)"),
    ],
)
def test_a_broken_train_target_is_in_doubt_and_stops_nothing(
    study: Write, command: Command, tmp_path: Path, metric: str, form: str, broken: str
) -> None:
    def plant(parts: Parts) -> None:
        for part, rows in parts.items():
            for i, row in enumerate(rows):
                row["target"] = broken if (part, i) == ("train", 7) else form.format(i)

    path = study(plant, metric=metric)
    code, said = command("check", path, "--fix")
    assert code == 0 and "1 of 130 (0.8%) cannot be scored against" in said and "train-7" in said
    assert f"dropped from train: 1 (targets under the metric {metric}); 59 rows are left" in said
    summary, _ = run_study(path, out=tmp_path / "run")
    assert not any(arm.failures for arm in summary.arms)
    code, said = command("init", tmp_path / "train.jsonl", "--out", tmp_path / "guessed.yaml")
    assert code == 0 and f"metric: {metric};" in said


def test_classes(study: Write) -> None:
    def label(parts: Parts) -> None:
        for rows in parts.values():
            for i, row in enumerate(rows):
                row["target"] = "rare" if row["id"] == "train-3" else f"class{i % 3}"

    found = findings(study(label, metric="category"))["class balance"]
    assert found.level == "doubt" and "'rare'" in found.says
    assert "4 classes, from 1 to 20 train rows" in found.says
    assert any(line.startswith("class1") and line.endswith("█" * 20) for line in found.detail)

    def unseen(parts: Parts) -> None:
        label(parts)
        parts["train"][3]["target"] = "class0"
        parts["test"][3]["target"] = "other"

    found = findings(study(unseen, metric="exact"))
    assert "not in train: 'other'" in found["class balance"].says
    metric = "{category: {labels: [class0, class1, class2]}}"
    found = findings(study(unseen, metric=metric))["targets among the labels"]
    assert found.level == "spoils" and list(found.rows) == ["test-3"]


# What takes a tokenizer.


def long(parts: Parts) -> None:
    for row in parts["test"][:2]:
        row["input"] = f"{row['input']} stone and water " * 30


def with_model(folder: Path, more: str = "") -> str:
    return f"model: {folder}\n{more}"


def test_tokens_are_those_of_the_studys_model(study: Write, tiny_model: Path) -> None:
    found = findings(study(long, more=with_model(tiny_model)))
    assert found["rows longer than the context"].level == "spoils"
    assert list(found["rows longer than the context"].rows) == ["test-0", "test-1"]
    assert len(found["prompt tokens"].detail) == 3
    assert found["end of turn"].level == "fine" and "</s>" in found["end of turn"].says
    (preview,) = found["trained tokens"].detail
    read, _, learned = preview.partition("[")
    assert read.endswith("Output:")
    assert "".join(learned.strip("[]").split("][")).strip() == '{"count": 0}</s>'


def test_room_for_the_answer(study: Write, tiny_model: Path) -> None:
    more = with_model(tiny_model, "decoding: {max_tokens: 3}\n")
    found = findings(study(more=more))["room for the answer"]
    assert found.level == "spoils" and len(found.rows) == 70


@pytest.mark.parametrize(
    ("template", "target"),
    [("plain", "yes\nInput: no"), ("vicuna", "yes USER: no"), ("chatml", "yes</s>no")],
)
def test_targets_that_end_generation_early(
    study: Write, tiny_model: Path, template: str, target: str
) -> None:
    def plant(parts: Parts) -> None:
        for rows in parts.values():
            for row in rows:
                row["target"] = "yes"
        parts["train"][6]["target"] = target

    more = with_model(tiny_model, f"template: {template}\n")
    found = findings(study(plant, metric="exact", more=more))["end of turn"]
    assert found.level == "spoils" and list(found.rows) == ["train-6"]


def test_of_many_rows_a_figure_says_how_many_and_what_is_dropped_is_all(tiny_model: Path) -> None:
    def row(part: str, i: int) -> Example:
        # A pattern in the order of the rows hides nothing.
        long, ends = part == "train" and i % 40 == 1, part == "train" and i % 40 == 3
        text = f"{i} stones " * (120 if long else 1)
        return Example(id=f"{part}-{i}", inputs={"x": text}, target="a</s>b" if ends else "yes")

    count = LOOKED_AT + 1_000
    splits = Splits(**{
        part: tuple(row(part, i) for i in range(n))
        for part, n in (("train", count), ("dev", 1), ("test", 1))
    })  # fmt: skip
    task = Task(name="many", splits=splits, metric=MetricSpec(name="exact"))
    engine, weights = open_engine(str(tiny_model))
    found = {f.check: f for f in check_tokens(task, engine, weights, Decoding(max_tokens=9), 0.02)}
    engine.close()
    long, ends = found["rows longer than the context"], found["end of turn"]
    assert list(long.drop) == [f"train-{i}" for i in range(count) if i % 40 == 1]
    assert list(ends.drop) == [f"train-{i}" for i in range(count) if i % 40 == 3]
    assert f"{len(ends.drop)} of {count} " in ends.says
    assert found["prompt tokens"].says.endswith("; 5,000 of 6,000 train rows looked at")
    assert "looked at" not in found["room for the answer"].says


SAME: dict[str, list[dict[str, Any]]] = {
    "texts": [{"prompt": "p{}", "chosen": "yes {}", "rejected": "yes {}"}],
    "space": [{"prompt": "p{}", "chosen": "yes {}", "rejected": " yes {}\n"}],
    "turns": [
        {
            "prompt": [{"role": "user", "content": "p{}"}],
            "chosen": [{"role": "assistant", "content": "yes {}"}],
            "rejected": [{"role": "assistant", "content": "yes {}"}],
        }
    ],
    "labelled": [
        {"prompt": "p{}", "completion": "yes {}", "label": True},
        {"prompt": "p{}", "completion": "yes {}", "label": False},
    ],
    "openai": [
        {
            "input": {"messages": [{"role": "user", "content": "p{}"}]},
            "preferred_output": [{"role": "assistant", "content": "yes {}"}],
            "non_preferred_output": [{"role": "assistant", "content": "yes {}"}],
        }
    ],
}


@pytest.mark.parametrize("name", SAME)
def test_pairs_that_prefer_nothing_are_counted_and_no_pairs(
    study: Write, tmp_path: Path, name: str
) -> None:
    def rows(i: int, better: str) -> list[str]:
        lines = [json.dumps(row).replace("{}", str(i * 7919)) for row in SAME[name]]
        lines[0] = lines[0].replace('"yes ', f'"{better} ', 1)
        return lines

    kept = [line for i in range(4) for line in rows(i, "indeed")]
    alike = [line for i in range(4, 7) for line in rows(i, "yes")]
    (tmp_path / "liked.jsonl").write_text("\n".join([*kept, *alike]))
    data = read(tmp_path / "liked.jsonl")
    assert len(data.pairs) == 4 and len(data.examples) == 7
    found = findings(study(metric="json, preferences: liked.jsonl"))["reading"]
    assert found.level == "doubt"
    assert "preferences: 3 pairs have the same answer twice" in found.says


NOTES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "nothing": ((), []),
    "unanswerable": ((f"train: 5 rows {UNANSWERABLE}",), ["fine"]),
    "labelled": ((f"preferences: 9 {UNPAIRED}",), ["fine"]),
    "one schema": ((f"train: {SHARED_SCHEMA}",), ["fine"]),
    "pictures": (("train: 2 rows were left out: they hold 'image'",), ["doubt"]),
    "fields": (("train: 2 rows have turns with 'name', which the model is not shown",), ["doubt"]),
    "both": ((f"dev: 1 rows {UNANSWERABLE}", "a.pdf: no text on 1 of 2 pages"), ["doubt", "fine"]),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes_that_are_information_are_fine(study: Write, name: str) -> None:
    notes, levels = NOTES[name]
    task = open_study(study(), checked=False).task.replace(notes=notes)
    found = [f for f in check_rows(task, 0.05) if f.check in ("reading", "as read")]
    assert [one.level for one in found] == levels
    assert sorted(one.says for one in found) == sorted(notes)


def test_pages_of_a_pdf_without_text_are_told(study: Write, tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(k): NameObject(v) for k, v in names.items()})
    page = writer.add_blank_page(300, 200)
    fonts = DictionaryObject({NameObject("/F1"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    drawn = DecodedStreamObject()
    drawn.set_data(b"BT /F1 12 Tf 20 100 Td (A mill grinds rye.) Tj ET")
    page[NameObject("/Contents")] = writer._add_object(drawn)
    writer.add_blank_page(300, 200)
    (tmp_path / "papers").mkdir()
    writer.write(tmp_path / "papers" / "mill.pdf")
    found = findings(study(metric="json, documents: papers"))["reading"]
    assert found.level == "doubt"
    assert found.says.startswith("mill.pdf: no text on 1 of 2 pages (2)")


@pytest.mark.parametrize("value", [None, "nan", "NaN", "None", "null"])
def test_rows_left_out_for_missing_values_are_counted(study: Write, value: Any) -> None:
    def plant(parts: Parts) -> None:
        for row in parts["train"][:3]:
            row["target"] = value
        parts["test"][0]["input"] = value

    found = findings(study(plant, metric="json, missing: drop"))["reading"]
    assert "train: 3 rows were left out: no 'target'" in found.says
    assert "test: 1 rows were left out: no 'input'" in found.says


@pytest.mark.parametrize(
    "other", ["Class1", "CLASS1", " class1 ", "class1.", "class-1", "Class 1", "class_1"]
)
def test_classes_that_are_spelt_alike(study: Write, other: str) -> None:
    name = "class 1" if other in ("class-1", "Class 1", "class_1") else "class1"

    def label(parts: Parts) -> None:
        for part, rows in parts.items():
            for at, row in enumerate(rows):
                row["target"] = name if at % 2 else "class two"
            rows[1]["target"] = other if part == "train" else name

    found = findings(study(label, metric="category"))
    if other.strip() == name:  # space around a label has never counted
        assert "classes spelt alike" not in found
        return
    spelt = found["classes spelt alike"]
    assert (spelt.level, list(spelt.rows)) == ("spoils", ["train-1"])
    assert {key: mend.row.target for key, mend in spelt.mend.items()} == {"train-1": name}
    folded = findings(study(label, metric="{category: {fold: true}}"))["classes spelt alike"]
    assert folded.level == "fine"


def test_fix_writes_the_commonest_spelling(
    study: Write, command: Command, tiny_model: Path
) -> None:
    def label(parts: Parts) -> None:
        for rows in parts.values():
            for at, row in enumerate(rows):
                row["target"] = "lost card" if at % 2 else "other"
        parts["train"][1]["target"] = parts["test"][3]["target"] = "Lost Card"

    path = study(label, metric="category")
    code, said = command("check", path, "--fix")
    assert code == 1 and "mended: 2 rows, targets written anew: 'lost card' in 2" in said
    cleaned = path.with_name(f"{path.stem}-clean.yaml")
    assert "classes spelt alike" not in findings(cleaned)
    targets = {row.target for row in open_study(cleaned).task.splits.train}
    assert targets == {"lost card", "other"}


@pytest.mark.parametrize("token", ["<|end|>", "<|pad|>", "<|user|>", "<|system|>", "<|assistant|>"])
def test_targets_with_special_tokens_do_not_come_back(token: str) -> None:
    engine, weights = open_engine("lab")
    rows = [Example(id=f"r{i}", inputs={"q": f"say {i}"}, target=f"shop {i}") for i in range(6)]
    marked = rows[2].replace(target=f"{token}shop3")
    splits = Splits(train=(*rows[:2], marked), dev=(rows[3],), test=(rows[4],))
    task = Task(name="t", splits=splits, metric=MetricSpec(name="exact"))
    found = {f.check: f for f in check_tokens(task, engine, weights, Decoding(), 0.02)}
    back = found["targets that come back"]
    assert (back.level, list(back.rows), list(back.drop)) == ("spoils", ["r2"], ["r2"])
    assert "comes back as" in back.reason
    plain = Task(
        name="t", splits=splits.replace(train=tuple(rows[:3])), metric=MetricSpec(name="exact")
    )
    found = {f.check: f for f in check_tokens(plain, engine, weights, Decoding(), 0.02)}
    assert found["targets that come back"].level == "fine"
