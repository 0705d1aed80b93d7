"""Room for answers: not cut by the targets, more where the model reasons; too little is said."""

from __future__ import annotations

import copy
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from whatworks.analysis.cut_answers import measure_cut_share, warn_of_cuts
from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.app.report.terminal import print_summary
from whatworks.app.run_study import report_study, run_study
from whatworks.base.progress import Silent
from whatworks.data.task import Example
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.local.engine import LocalEngine
from whatworks.studies.answer_room import SENTENCE, measure_room
from whatworks.studies.checks.check_task import check_task
from whatworks.studies.open_study import open_study

ROWS = [Example(id="1", inputs={"text": "sky"}, target="a b c d")]
THOUGHTS = "The sky is what is asked for. " * 20
OPENS = "{% for m in messages %}{{ m['content'] }}</s>{% endfor %}<think>\n"


def write_study(folder: Path, *, model: str, thinks: bool = False, **more: Any) -> Path:
    block = "<think>A thought.</think>" if thinks else ""
    rows = [{"input": f"colour {i}", "target": f"{block}blue {i % 2}"} for i in range(30)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"train": "rows.jsonl", "metric": "exact", "split": {"dev": 8, "test": 10}}
    study = {"task": task, "model": model, "seeds": 1, "arms": ["zero-shot"], **more}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder / "study.yaml"


def write_script(folder: Path, answer: str) -> str:
    lines = [
        {"last": f"colour {i}", "answer": answer.replace("ANSWER", f"blue {i % 2}")}
        for i in range(29, -1, -1)
    ]
    (folder / "script.json").write_text(json.dumps({"answers": lines}))
    return "fake:script.json"


def test_a_sentence_has_room() -> None:
    assert measure_room(FakeEngine(), ModelFiles("fake"), ROWS) == SENTENCE
    long = [ROWS[0].replace(target="word " * 80)]
    assert measure_room(FakeEngine(), ModelFiles("fake"), long) == 80 + 20 + 4


def test_the_embedded_model_answers_in_targets_alone() -> None:
    engine = LocalEngine(threads=1)
    longest = engine.count_tokens(ModelFiles("lab"), [ROWS[0].target])[0]
    assert measure_room(engine, ModelFiles("lab"), ROWS) == longest + longest // 4 + 4


def test_a_template_that_opens_reasoning_gives_room(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = copy.copy(models.load_tokenizer(tiny_model))
    engine = LocalEngine(threads=1)
    rooms: list[int] = []
    for template in (OPENS.removesuffix("<think>\n"), OPENS):
        folder = tmp_path / str(len(rooms))
        models.load_model(tiny_model, dtype=None, device="cpu").save_pretrained(folder)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        rooms.append(measure_room(engine, ModelFiles(str(folder)), ROWS))
    context = engine.context_length(ModelFiles(str(tiny_model))) or 0
    assert rooms[1] - rooms[0] == context // 2  # 1024 would not fit


def test_reasoning_is_taken_off_kept_and_counted(tmp_path: Path) -> None:
    model = write_script(tmp_path, f"<think>\n{THOUGHTS}\n</think>\n\nANSWER")
    path = write_study(tmp_path, model=model)
    summary, report = run_study(path, out=tmp_path / "out", watcher=Silent())
    arm = summary.arm("zero-shot")
    assert arm is not None and arm.score is not None
    assert (arm.score.value, arm.cut) == (1.0, 0.0)
    assert arm.reasoning_tokens == len(THOUGHTS.split()) == arm.completion_tokens - 2
    assert summary.warning == ""
    rows = Results(tmp_path / "out" / "results.jsonl").rows()
    assert {row.output.split()[0] for row in rows} == {"blue"}
    assert {row.reasoning for row in rows} == {THOUGHTS.strip()}
    assert "The sky is what is asked for" in report.read_text("utf-8")


def test_targets_with_reasoning_are_scored_by_their_answers(tmp_path: Path) -> None:
    path = write_study(tmp_path, model=write_script(tmp_path, "ANSWER"), thinks=True)
    summary, _ = run_study(path, out=tmp_path / "out", watcher=Silent())
    arm = summary.arm("zero-shot")
    assert arm is not None and arm.score is not None and arm.score.value == 1.0


def test_answers_that_were_cut_are_told_of_first(tmp_path: Path) -> None:
    model = write_script(tmp_path, f"<think>{THOUGHTS}</think>ANSWER")
    path = write_study(tmp_path, model=model, decoding={"max_tokens": 20})
    summary, report = run_study(path, out=tmp_path / "out", watcher=Silent())
    arm = summary.arm("zero-shot")
    assert arm is not None and arm.cut == 1.0
    assert summary.warning.startswith("Answers were cut at their most tokens: 100% of zero-shot")
    assert "max_tokens" in summary.warning
    page = report.read_text("utf-8")
    assert page.index("Answers were cut") < page.index("<h1>") and "100% cut" in page
    written = StringIO()
    print_summary(summary, Console(width=100, file=written))
    shown = written.getvalue()
    assert shown.strip().startswith("Answers were cut") and "100% cut" in shown


def test_a_run_again_is_the_same_study(tmp_path: Path) -> None:
    model = write_script(tmp_path, f"<think>{THOUGHTS}</think>ANSWER")
    path = write_study(tmp_path, model=model)
    run_study(path, out=tmp_path / "out", watcher=Silent())
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    run_study(path, out=tmp_path / "out", watcher=Silent())
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_rows_of_an_older_version_say_nothing_of_their_end(tmp_path: Path) -> None:
    path = write_study(tmp_path, model=write_script(tmp_path, "ANSWER"))
    run_study(path, out=tmp_path / "out", watcher=Silent())
    file = tmp_path / "out" / "results.jsonl"
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for record in records:
        for name in ("finish", "reasoning", "reasoning_tokens"):
            del record[name]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    arm = report_study(tmp_path / "out")[0].arm("zero-shot")
    assert arm is not None and arm.cut is None


def test_a_few_cut_answers_are_no_news() -> None:
    rows = [
        ResultRow(arm="a", seed=0, status="scored", finish=f) for f in ["length", *["stop"] * 40]
    ]
    assert measure_cut_share(rows) == pytest.approx(1 / 41)
    assert warn_of_cuts({"a": measure_cut_share(rows), "b": None}) == ""
    assert "10% of b" in warn_of_cuts({"a": 0.0, "b": 0.1})
    assert measure_cut_share([ResultRow(arm="a", seed=0, status="scored")]) is None


@pytest.mark.parametrize(
    ("template", "thinks", "level", "said"),
    [
        (OPENS, True, "fine", "learned inside it"),
        (OPENS, False, "doubt", "teaches not to reason"),
        (OPENS + "\n</think>\n\n", True, "doubt", "it is not learned"),
        (OPENS.removesuffix("<think>\n"), True, "fine", "learned as it stands"),
        (OPENS.removesuffix("<think>\n"), False, None, ""),
    ],
)
def test_check_compares_header_and_targets(
    template: str, thinks: bool, level: str | None, said: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    models.load_model(tiny_model, dtype=None, device="cpu").save_pretrained(folder)
    tokenizer = copy.deepcopy(models.load_tokenizer(tiny_model))
    tokenizer.chat_template = template
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.save_pretrained(folder)
    opened = open_study(write_study(tmp_path, model="model", thinks=thinks))
    findings = check_task(
        opened.task, opened.engine, opened.weights, opened.decoding, opened.file.min_effect
    )
    found = [finding for finding in findings if finding.check == "reasoning"]
    assert [finding.level for finding in found] == ([level] if level else [])
    assert all(said in finding.says for finding in found)
    (mask,) = (finding for finding in findings if finding.check == "trained tokens")
    plain = mask.detail[0].replace("[", "").replace("]", "")
    assert plain.count("<think>") == plain.count("</think>") == (1 if level else 0)


def test_a_study_says_whether_the_model_reasons(tmp_path: Path, tiny_model: Path) -> None:
    for said, name in ((None, "auto"), (True, "auto+thinking"), (False, "auto-thinking")):
        more = {} if said is None else {"enable_thinking": said}
        opened = open_study(write_study(tmp_path, model=str(tiny_model), **more))
        assert opened.weights.template == name
        assert templates.read_thinking(name) is said


def test_a_form_has_no_room_for_reasoning(tiny_model: Path, tmp_path: Path) -> None:
    from whatworks.models.constraint import Constraint

    folder = tmp_path / "model"
    models.load_model(tiny_model, dtype=None, device="cpu").save_pretrained(folder)
    tokenizer = copy.copy(models.load_tokenizer(tiny_model))
    tokenizer.chat_template = OPENS
    tokenizer.save_pretrained(folder)
    from whatworks.data.task import Message

    form = Decoding(constraint=Constraint(kind="choices", choices=("yes", "no")))
    (found,) = LocalEngine(threads=1).generate(
        ModelFiles(str(folder)), [[Message(role="user", content="Is it?")]], form
    )
    assert found.text in ("yes", "no") and found.reasoning == ""
