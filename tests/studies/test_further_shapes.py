"""Further public shapes, rebuilt in rows of our own: what `init` makes of each as it stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.data import read
from whatworks.data.raw_row import RawRow
from whatworks.metrics.registry import find_unscorable, load_task_metric
from whatworks.studies.first_files import Files, sort_files
from whatworks.studies.first_metric import guess_metric
from whatworks.studies.first_study_file import render_study
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

TOWNS = [a + b for a in ("Ar", "Bel", "Cor", "Dun", "El", "Fen") for b in
         ("holm", "ford", "mere", "wick", "gate", "by", "ton", "dale", "stow", "ham")]  # fmt: skip
TRADES = ["weaver", "miller", "baker", "smith"]
N = 60
ask = "Who was the {} of {}?".format
Row = dict[str, Any]


def tell(i: int, words: int = 9) -> str:
    return " ".join(f"{TOWNS[(i * 7 + k * 11) % N]} sold its {TRADES[(i + k) % 4]}"
                    for k in range(words))  # fmt: skip


def mmlu_pro(i: int) -> Row:
    return {"question_id": i, "question": ask(TRADES[i % 4], TOWNS[i]), "options": TOWNS[:7],
            "answer": "ABCDEFG"[i % 7], "answer_index": i % 7, "cot_content": "",
            "category": TRADES[i % 3], "src": "made"}  # fmt: skip


def trivia(i: int) -> Row:
    name = f"Bo {TOWNS[i]}"
    return {"question": ask(TRADES[i % 4], TOWNS[i]), "question_id": f"tc_{i}",
            "entity_pages": {"title": [], "wiki_context": []},
            "answer": {"value": name, "aliases": [name, f"B. {TOWNS[i]}"],
                       "normalized_value": name.lower(), "type": "WikipediaEntity"}}  # fmt: skip


def drop(i: int) -> Row:
    spans = [TOWNS[i], TOWNS[i - 1]] if i % 4 == 0 else [str(i)]
    return {"section_id": f"history_{i // 3}", "query_id": f"q{i}", "passage": tell(i // 3),
            "question": f"How many came to {TOWNS[i]}?",
            "answers_spans": {"spans": spans, "types": ["span"] * len(spans)}}  # fmt: skip


def commonsense(i: int) -> Row:
    return {"id": f"c{i}", "question": ask(TRADES[i % 4], TOWNS[i]), "question_concept": "town",
            "choices": {"label": list("ABCDE"), "text": TOWNS[i % 50 : i % 50 + 5]},
            "answerKey": "ABCDE"[i % 5]}  # fmt: skip


def spider(i: int) -> Row:
    return {"db_id": f"shop_{i % 6}", "query": f"SELECT name FROM people WHERE age > {i}",
            "query_toks": ["SELECT", "name"], "question": f"Who of {TOWNS[i]} is over {i}?",
            "question_toks": ["Who"], "sql": {"select": [False, []]}}  # fmt: skip


def samsum(i: int) -> Row:
    return {"id": f"1{i:05}", "dialogue": f"Ann: {tell(i, 3)}\r\nBo: oh?\r\nAnn: yes",
            "summary": f"Ann tells Bo that {tell(i, 2)}."}  # fmt: skip


def piqa(i: int) -> Row:
    return {"goal": f"How to be a {TRADES[i % 4]} of {TOWNS[i]}", "sol1": tell(i, 2),
            "sol2": tell(i + 1, 2), "label": i % 2}  # fmt: skip


def copa(i: int) -> Row:
    return {"premise": tell(i, 2), "choice1": TOWNS[i], "choice2": TOWNS[i - 1],
            "question": "cause", "label": i % 2, "idx": i}  # fmt: skip


def conll(i: int) -> Row:
    return {"id": str(i), "tokens": ["Bo", "Lind", "of", TOWNS[i], "met", "Ann", "."],
            "pos_tags": [22, 22, 15, 22, 38, 22, 7], "ner_tags": [1, 2, 0, 3, 0, 1, 0]}  # fmt: skip


def xnli(i: int) -> Row:
    return {"premise": f"{TOWNS[i]} is a town of {TRADES[i % 4]}s.",
            "hypothesis": f"A {TRADES[(i * i) % 4]} of {TOWNS[i]}", "label": i % 3}  # fmt: skip


def code(i: int) -> Row:
    return {"task_id": i, "text": f"Write a function that adds {i} to a number.",
            "code": f"def add_{i}(x):\r\n  return x + {i}", "test_list": [f"assert add_{i}(1)"],
            "test_setup_code": ""}  # fmt: skip


def multirc(i: int) -> Row:
    return {"paragraph": tell(i // 4), "question": ask(TRADES[0], TOWNS[i]), "answer": tell(i, 1),
            "idx": {"paragraph": i // 4, "question": i}, "label": i % 2}  # fmt: skip


NER = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
NLI = ("entailment", "neutral", "contradiction")
CARDS = {
    "conll": ("ner_tags", "sequence", NER),
    "xnli": ("label", "dtype", NLI),
}
ENTITIES = [{"text": "Bo Lind", "label": "PER"}, {"text": TOWNS[1], "label": "LOC"},
            {"text": "Ann", "label": "PER"}]  # fmt: skip
WANTED: dict[str, tuple[Callable[[int], Row], str, str, str]] = {
    "mmlu-pro": (mmlu_pro, "multiple-choice", "category", "B"),
    "triviaqa": (trivia, "generic", "facts", "Bo Arford"),
    "drop": (drop, "drop", "facts", "1"),
    "commonsenseqa": (commonsense, "multiple-choice", "category", "B"),
    "spider": (spider, "generic", "exact", "SELECT name FROM people WHERE age > 1"),
    "samsum": (samsum, "generic", "chat", samsum(1)["summary"]),
    "piqa": (piqa, "multiple-choice", "category", "2"),
    "copa": (copa, "multiple-choice", "category", "2"),
    "conll": (conll, "tagged", "json", json.dumps(ENTITIES)),
    "xnli": (xnli, "generic", "category", "neutral"),
    "mbpp": (code, "generic", "exact", code(1)["code"]),
    "multirc": (multirc, "generic", "", tell(1, 1)),
}


PAIR = {"input": ["premise", "hypothesis"], "target": "label"}


def write(folder: Path, name: str, *, carded: bool = True) -> Path:
    path = folder / "data" / "train.jsonl"
    path.parent.mkdir()
    path.write_text("\n".join(json.dumps(WANTED[name][0](i)) for i in range(N)), encoding="utf-8")
    if carded and name in CARDS:
        column, holder, names = CARDS[name]
        numbered = "".join(f"          '{at}': {one}\n" for at, one in enumerate(names))
        (folder / "README.md").write_text(
            "---\nlanguage: en\ndataset_info:\n  features:\n"
            f"  - name: {column}\n    {holder}:\n      class_label:\n        names:\n{numbered}"
            "---\n# A card\n",
            encoding="utf-8",
        )
    return path


def begin(folder: Path, name: str) -> tuple[Files, str]:
    files = sort_files([write(folder, name)])
    guess = guess_metric(files)
    text = render_study(files, guess, folder, "lab")
    study = folder / "study.yaml"
    study.write_text(text, encoding="utf-8")
    task = read_task(read_study(study), folder)
    assert find_unscorable(load_task_metric(task), task.splits.test) == {}
    return files, text


@pytest.mark.parametrize("name", WANTED)
def test_it_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    _, form, metric, target = WANTED[name]
    files, text = begin(tmp_path, name)
    data = files.task["train"][1]
    assert (data.format, len(data.examples)) == (form, N)
    assert data.examples[1].target == target
    assert not metric or f"\n  metric: {metric}\n" in text


def test_what_is_said_of_them(tmp_path: Path) -> None:
    texts: dict[str, str] = {}
    for name in WANTED:
        (tmp_path / name).mkdir()
        texts[name] = begin(tmp_path / name, name)[1]
    assert "nothing to run them on" in texts["spider"]
    assert "of which every sign counts" in texts["mbpp"]
    assert "as README.md says (0 is 'entailment')" in texts["xnli"]
    assert "where: {label: 1}" in texts["multirc"]
    assert all("may say which answers" not in texts[name] for name in texts if name != "multirc")


def test_numbers_stay_numbers_without_a_card(tmp_path: Path) -> None:
    data = read(write(tmp_path, "xnli", carded=False), columns=PAIR)
    assert {row.target for row in data.examples} == {"0", "1", "2"}
    (tmp_path / "other").mkdir()
    tags = read(write(tmp_path / "other", "conll", carded=False))
    assert json.loads(tags.examples[0].target)[:2] == ["1", "2"]
    assert any("numbers without names" in note for note in tags.notes)


@pytest.mark.parametrize(
    "card",
    ["", "# A plain README", "---\nnot: [yaml\n---\n", "---\ndataset_info: 3\n---\n",
     "---\ndataset_info:\n  features: [{name: label, dtype: string}]\n---\n",
     "---\ndataset_info:\n- features: [{name: label, dtype: {class_label: {names: [a, b, c]}}}]\n"
     "- features: [{name: label, dtype: {class_label: {names: [c, b, a]}}}]\n---\n",
     "---\ndataset_info: {features: [{name: l, dtype: {class_label: {names: [a, b]}}}]}\n---\n"],
)  # fmt: skip
def test_a_readme_that_names_no_classes_of_these_rows_changes_nothing(
    tmp_path: Path, card: str
) -> None:
    path = write(tmp_path, "xnli", carded=False)
    plain = read(path, columns=PAIR)
    (path.parent / "README.md").write_text(card, encoding="utf-8")
    again = read(path, columns=PAIR)
    assert (again.examples, again.notes) == (plain.examples, plain.notes)


TAGS = {
    "B-PER I-PER O B-LOC": [("a b", "PER"), ("d", "LOC")],
    "B-PER B-PER O O": [("a", "PER"), ("b", "PER")],
    "I-PER I-PER O I-PER": [("a b", "PER"), ("d", "PER")],
    "B-PER I-LOC I-LOC O": [("a", "PER"), ("b c", "LOC")],
    "S-PER B-LOC I-LOC E-LOC": [("a", "PER"), ("b c d", "LOC")],
    "O O O O": [],
}


@pytest.mark.parametrize("tags", TAGS)
def test_entities_of_tags(tmp_path: Path, tags: str) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"tokens": list("abcd"), "ner_tags": tags.split()}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    [example] = read(path).examples
    assert example.text.endswith("a b c d")
    found = [(one["text"], one["label"]) for one in json.loads(example.target)]
    assert found == TAGS[tags]


def test_a_card_of_this_machine_is_not_that_of_a_dataset_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "xnli")
    rows = [RawRow(xnli(i), f"row {i}", f"r-{i}") for i in range(9)]
    reading = sys.modules["whatworks.data.read"]  # `whatworks.data.read` is the function
    monkeypatch.setattr(reading, "read_rows", lambda path: iter(rows))
    for place, wanted in (("hf:owner/name", "1"), ("data/train.jsonl", "neutral")):
        data = read(tmp_path / place, columns=PAIR)
        assert data.examples[1].target == wanted
