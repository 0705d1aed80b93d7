"""`whatworks next` and `run --auto`: what is proposed, predicted, written, run, and what came."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.analysis.next_step.predictions import hold_against
from whatworks.app.next_step import Limit, propose, run_rounds
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent
from whatworks.data.task import Example, Message, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.diagnosis import diagnose_study
from whatworks.studies.next_step.added_arms import add_arms
from whatworks.studies.next_step.arm_entry import read_entry
from whatworks.studies.next_step.proposals import propose_arms
from whatworks.studies.open_study import open_study
from whatworks.studies.study import Study
from whatworks.studies.study_folder import StudyFolder
from whatworks_lab import make_facts_rows

Command = Callable[..., tuple[int, str]]

FACTS = """# People that nobody has read of.
name: people
task:
  train: train.jsonl   # with the evidence
  test: test.jsonl
  metric: facts
  documents: documents.jsonl
  instructions: Answer the question from the text.
  split: {dev: 50}
model: lab
seeds: 1
retention: none
arms:
  - zero-shot      # the instructions alone
  - {few-shot: {k: 2}}

# the end
"""


def save(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Facts of the lab's kind: the answers stand in documents, and no arm reads them."""
    rows, documents = make_facts_rows(170, 7)
    save(tmp_path / "train.jsonl", [row for row in rows if row["split"] == "train"][:90])
    save(tmp_path / "test.jsonl", [row for row in rows if row["split"] == "test"][:40])
    save(tmp_path / "documents.jsonl", documents)
    (tmp_path / "study.yaml").write_text(FACTS, encoding="utf-8")
    return tmp_path / "study.yaml"


def test_facts_that_stand_in_documents_are_retrieved_next(people: Path, command: Command) -> None:
    out = people.parent / "out"
    code, said = command("next", people, "--out", out, "--dry-run")
    assert code == 0 and people.read_text() == FACTS
    assert said.splitlines()[-1].startswith("rag: ") and "expected +" in said
    assert not (out / "test_openings.jsonl").exists() and not (out / "results.jsonl").exists()

    code, said = command("next", people, "--out", out)
    text = people.read_text()
    assert code == 0 and "written into" in said
    assert text.startswith(FACTS[: FACTS.index("\n# the end")]) and text.endswith("# the end\n")
    assert yaml.safe_load(text)["arms"] == [
        "zero-shot",
        {"few-shot": {"k": 2}},
        {"arm": "rag", "rag": {"k": 1}},
    ]
    [expected] = StudyFolder(out).predictions()
    assert expected.arm == "rag" and expected.gain.low > 0.3

    summary, _ = run_study(people, out=out, watcher=Silent())
    [came] = summary.study.predicted
    assert came.gain is not None and came.within and came.seconds
    assert any("predicted gain" in line for line in summary.study.findings)


@pytest.mark.slow
def test_rounds_end_where_nothing_is_worth_trying_and_test_is_opened_once(people: Path) -> None:
    out = people.parent / "out"
    summary, page = run_rounds(people, Limit(rounds=4), out=out, watcher=Silent())
    assert summary.study.openings == 1
    assert "rag" in {arm.name for arm in summary.arms} and page.exists()
    arms = yaml.safe_load(people.read_text())["arms"]
    assert len(arms) <= 2 + 4 * 3
    assert {one.prediction.arm for one in summary.study.predicted} == {
        read_entry(entry).name for entry in arms[2:]
    }
    before = people.read_text()
    again, _ = run_rounds(people, Limit(rounds=1), out=out, watcher=Silent())
    assert again.study.openings == 1 or people.read_text() != before


def test_a_limit_of_time_keeps_out_what_does_not_fit(people: Path) -> None:
    summary, _ = run_rounds(
        people, Limit(rounds=2, seconds=0.01), out=people.parent / "out", watcher=Silent()
    )
    assert people.read_text() == FACTS and not summary.study.predicted


@pytest.mark.slow
def test_killed_rounds_end_in_the_same_file_and_rows(people: Path) -> None:
    """Stopped at several moments, the command ends as if it had never been."""

    def prepare(name: str) -> tuple[list[str], Path]:
        folder = people.parent / name
        folder.mkdir()
        for file in people.parent.glob("*.jsonl"):
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "study.yaml").write_text(FACTS, encoding="utf-8")
        command = [sys.executable, "-m", "whatworks", "run", str(folder), "--auto", "--rounds", "2"]
        return [*command, "--out", str(folder / "out")], folder

    whole, untouched = prepare("whole")
    assert subprocess.run(whole, capture_output=True, check=False).returncode == 0
    command, killed = prepare("killed")
    for wait in (4.0, 7.0, 10.0):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    arms = [yaml.safe_load((one / "study.yaml").read_text())["arms"] for one in (untouched, killed)]
    assert arms[0] == arms[1] and len(arms[0]) > 2

    def tell(folder: Path) -> list[tuple[Any, ...]]:
        rows = StudyFolder(folder / "out").results.rows()
        return sorted((r.arm, r.seed, r.example, r.output, r.value) for r in rows)

    assert tell(untouched) == tell(killed)
    assert StudyFolder(killed / "out").openings == 1


def test_a_form_that_lacks_is_given_next(tmp_path: Path) -> None:
    """The model says the right thing in a sentence until it is shown how to answer."""
    rows = [
        Example(id=f"r{n}", inputs={"input": f"What is {n} doubled?"}, target=str(2 * n))
        for n in range(200)
    ]

    def answer(messages: Sequence[Message]) -> str:
        shown = any(message.role == "assistant" for message in messages)
        right = str(2 * int(messages[-1].content.rpartition("What is ")[2].split()[0]))
        return right if shown else f"It is {right}, of course."

    task = Task(
        name="doubled",
        splits=Splits(train=tuple(rows[:40]), dev=tuple(rows[40:120]), test=tuple(rows[120:])),
        metric=MetricSpec(name="exact"),
    )
    study = Study(task, [read_arm("zero-shot")], FakeEngine(answer), Weights(base="fake:"),
                  tmp_path, decoding=Decoding(max_tokens=20), seeds=1)  # fmt: skip
    runs, _ = study.run_on_dev(Silent())
    found = diagnose_study(study, runs, ["zero-shot"], Silent())
    [proposal] = propose_arms(study, runs, found, ["zero-shot"], ["few-shot"])
    assert proposal.entry == "few-shot" and proposal.prediction.gain.low > 0.3
    assert "came right with the form given" in proposal.prediction.why
    assert propose_arms(study, runs, found, ["zero-shot"], []) == []
    test = {row.inputs["input"] for row in task.splits.test}
    engine = study.examiner_of("zero-shot").engine
    assert isinstance(engine, FakeEngine)
    assert not any(message.content in test for seen in engine.seen for message in seen)


@pytest.mark.slow
def test_what_retrieval_misses_is_searched_otherwise(people: Path) -> None:
    """One passage by meaning alone misses names; words find them."""
    text = FACTS.replace(
        "  - {few-shot: {k: 2}}\n", "  - {rag: {k: 1, search: vector, size: 400}}\n"
    )
    people.write_text(text, encoding="utf-8")
    opened = open_study(people, out=people.parent / "out")
    proposals = propose(opened, Silent())
    opened.close()
    for one in proposals:
        entry = read_entry(one.entry)
        assert "rag" in entry.steps and one.prediction.gain.value > 0
        assert one.prediction.why


# -- the file -----------------------------------------------------------------------------------

NEW = [("rag+sft", "because"), ({"arm": "rag", "name": "rag-2", "rag": {"k": 6}}, "")]


@pytest.mark.parametrize(
    "text",
    [
        "arms:\n  - zero-shot\n  - few-shot   # two\n# end\nmodel: lab\n",
        "arms:\n- zero-shot\n- {few-shot: {k: 2}}",
        "arms: [zero-shot, few-shot]\nmodel: lab\n",
        "arms: [zero-shot,\n       few-shot,\n      ]\n",
        "arms: [\n  zero-shot,   # one\n  few-shot  # two\n]\n",
        "arms:\r\n  - zero-shot\r\nseeds: 1\r\n",
        "arms:\n  - prompt:\n      variants:\n        - |\n          Say it.\nseeds: 1\n",
        "model: lab\narms:\n    - prompt:\n        variants:\n          - one\n          - two\n",
        "arms:\n  -   zero-shot\n\n\n",
    ],
)
def test_arms_are_added_and_nothing_else_is_touched(text: str) -> None:
    new = add_arms(text, Path("study.yaml"), NEW)
    before, after = yaml.safe_load(text), yaml.safe_load(new)
    assert after == {**before, "arms": [*before["arms"], *(entry for entry, _ in NEW)]}
    kept = iter(new)
    assert all(any(sign == one for one in kept) for sign in text.rstrip()), "no sign was lost"
    assert "# because" in new
    assert new.count("\r\n") == (new.count("\n") if "\r\n" in text else 0)


def test_a_file_that_cannot_be_added_to_is_said() -> None:
    text = "some: &arms [zero-shot]\narms: *arms\n"
    with pytest.raises(InputError, match="cannot be added") as caught:
        add_arms(text, Path("study.yaml"), NEW)
    assert "rag+sft" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("entry", "steps", "settings"),
    [
        ("rag+sft", ("rag", "sft"), {}),
        ({"few-shot": {"k": 8}}, ("few-shot",), {"few-shot": {"k": 8}}),
        ({"arm": "rag", "name": "r", "k": 2}, ("rag",), {"rag": {"k": 2}}),
        ({"rag+sft": {"rag": {"k": 1}}}, ("rag", "sft"), {"rag": {"k": 1}}),
        ("zero-shot", (), {}),
    ],
)
def test_entries_are_taken_apart(
    entry: str | dict[str, Any], steps: tuple[str, ...], settings: dict[str, Any]
) -> None:
    read = read_entry(entry)
    assert (read.steps, dict(read.settings)) == (steps, settings)
    changed = read.change((*steps, "constrained"), {"constrained": {"to": "auto"}})
    again = read_entry(changed.write())
    assert again.steps == (*steps, "constrained")
    assert again.settings == {**settings, "constrained": {"to": "auto"}}


def test_json_and_auto_of_some_arms(people: Path, command: Command) -> None:
    code, said = command("run", people, "--auto", "--only", "zero-shot")
    assert code == 2 and "--auto" in said
    assert hold_against((), {}, {}) == ()
