"""The study as a whole, on the scripted engine: phases, resume, failures, the test opened once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from whatworks.analysis.figures import ArmInfo
from whatworks.analysis.method_outcomes import Note, SearchStep, SearchTrail
from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.app.report.terminal import print_summary
from whatworks.app.run_study import report_study, run_study
from whatworks.base.errors import ArmFailure, InputError
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.metering import Budget
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.studies.study import Study
from whatworks.studies.study_file import Arm, read_arms, read_study
from whatworks.studies.study_folder import StudyFolder
from whatworks.studies.study_task import read_task

STUDY = """
name: towns
task: {train: rows.jsonl, metric: exact, documents: docs.jsonl, split: {dev: 12, test: 20}}
model: fake:script.json
arms:
- zero-shot
- {few-shot: {k: 2, draws: 2}}
- {knn: {k: 2, embedder: lexical}}
- {rag: {k: 2, search: lexical}}
- {arm: rag+few-shot, name: both, rag: {k: 2, search: lexical}, few-shot: {k: 1}}
seeds: 2
"""


def town(i: int) -> str:
    return f"Town{i * 7 % 13}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study whose model reads passages and, less well, examples, by script."""
    place = tmp_path / "towns"
    place.mkdir()
    rows = [
        {"id": f"r{i}", "input": f"Where does person {i} of lane {i * 31 % 57} live?"}
        | {"target": town(i), "group": f"p{i}"}
        for i in range(60)
    ]
    docs = [{"id": f"d{i}", "text": f"Person {i} lives in {town(i)}."} for i in range(60)]
    answers = [
        {"contains": f"Person {i} lives in {town(i)}.", "last": f"person {i} of"}
        | {"answer": town(i)}
        for i in range(60)
    ]
    answers += [{"last": f"person {i} of", "answer": town(i), "chance": 0.3} for i in range(60)]
    script = {"answers": answers, "default": "Nowhere"}
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (place / "docs.jsonl").write_text("\n".join(map(json.dumps, docs)))
    (place / "script.json").write_text(json.dumps(script))
    (place / "study.yaml").write_text(STUDY)
    return place


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


class Bars(Quiet):
    """Follows every bar, and notes where one passes its end."""

    def __init__(self) -> None:
        self.bars: dict[str, tuple[int, int]] = {}
        self.notes: list[str] = []
        self.beyond: list[str] = []

    def start(self, name: str, total: int) -> None:
        self.bars[name] = (0, total)

    def advance(self, name: str, n: int = 1, note: str = "") -> None:
        done, total = self.bars[name]
        self.bars[name] = (done + n, total)
        self.notes.append(note)
        if done + n > total:
            self.beyond.append(f"{name}: {note}, {done + n} of {total}")


def run(folder: Path, out: Path, **more: Any) -> list[ResultRow]:
    run_study(folder / "study.yaml", out=out, watcher=Quiet(), **more)
    return Results(out / "results.jsonl").rows()


def essence(rows: Sequence[ResultRow]) -> list[tuple[Any, ...]]:
    """All of a row but the seconds, which no two runs share."""
    return sorted(
        (r.arm, r.seed, r.status, r.example, r.output, r.value, r.kind, r.candidate, r.cause)
        for r in rows
    )


def build(folder: Path, out: Path, engine: FakeEngine | None = None, **more: Any) -> Study:
    file = read_study(folder / "study.yaml")
    script = FakeEngine.from_name(f"fake:{folder / 'script.json'}")
    return Study(
        more.pop("task", None) or read_task(file, folder),
        more.pop("arms", read_arms(file)),
        engine or script,
        Weights(base="fake", digest="f"),
        out,
        decoding=Decoding(max_tokens=0),
        seeds=2,
        **more,
    )


def test_no_bar_passes_its_end(folder: Path, tmp_path: Path) -> None:
    """A search shows its rounds and what it asks in the same bar, by turns."""
    file = folder / "study.yaml"
    file.write_text(STUDY.replace("- zero-shot", "- zero-shot\n- prompt-search"))
    watcher = Bars()
    run_study(file, out=tmp_path / "out", watcher=watcher)
    assert any("racing" in note for note in watcher.notes)
    assert not watcher.beyond


def test_a_study_runs_and_tells_what_works(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary, page = run_study(folder / "study.yaml", out=out, watcher=Quiet())
    rows = Results(out / "results.jsonl").rows()
    assert {(r.arm, r.seed) for r in rows} == {
        *(("zero-shot", 0), ("knn", 0), ("rag", 0)),
        *((arm, seed) for arm in ("few-shot", "both") for seed in (0, 1)),
    }
    assert len(rows) == 7 * 20
    verdicts = {arm.name: arm.verdict.label for arm in summary.arms}
    assert verdicts["zero-shot"] == "baseline"
    assert verdicts["rag"] == "works"
    assert summary.study.winner in {"rag", "both"}
    html = page.read_text()
    assert "<html" in html and "rag" in html
    assert "https:" not in html and "src=" not in html, "self-contained"


def test_prefixes_are_shared_and_nothing_is_asked_twice(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(folder, out)
    before = sorted((out / "store").rglob("*.json"))
    again = run(folder, out)
    assert again == first, "seconds too: everything came from the store"
    assert sorted((out / "store").rglob("*.json")) == before
    steps = [json.loads(p.read_text()) for p in (out / "store" / "steps").rglob("*.json")]
    assert len(steps) == 1 + 2 + 1 + 1 + 2, "rag is one step, whether alone or in a chain"


def test_test_is_opened_once_after_the_decisions(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study = build(folder, out)
    engine = study.examiner.engine
    assert isinstance(engine, FakeEngine)
    tests = {e.text for e in study.task.splits.test}
    asked_early: list[str] = []
    original = engine.generate

    def watch(model: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        if not (out / "decisions.json").exists():
            asked_early.extend(p[-1].content for p in prompts)
        return original(model, prompts, *args, **kwargs)

    engine.generate = watch  # type: ignore[method-assign]
    study.run(Quiet())
    assert asked_early and not any(text in asked for text in tests for asked in asked_early)
    assert study.folder.openings == 1
    study.run(Quiet())
    assert study.folder.openings == 1, "the same decisions are the same opening"
    other = build(folder, out, arms=[Arm(name="knn2", chain=study.arms[2].chain)])
    other.run(Quiet())
    assert other.folder.openings == 2


def test_more_test_rows_are_another_look_and_fewer_another_study(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    whole = read_task(read_study(folder / "study.yaml"), folder)

    def look(count: int) -> Study:
        splits = whole.splits.replace(test=whole.splits.test[:count])
        study = build(folder, out, task=whole.replace(splits=splits))
        study.run(Quiet())
        return study

    assert look(12).folder.looks == 1
    assert look(12).folder.looks == 1, "the same rows and candidates are nothing new"
    grown = look(20)
    assert grown.folder.looks == 2 and grown.folder.openings == 2
    assert len({row.example for row in grown.folder.results.rows()}) == 20
    with pytest.raises(InputError, match="8 test rows are gone"):
        look(12)


class Fails:
    """A method that fails as told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, start: Candidate, bench: Any) -> Candidate:
        raise self.error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ArmFailure("the loss is not finite", remedy="lower it"), "the loss is not finite"),
        (MemoryError(), "out of memory"),
        (InputError("no embedder here", remedy="install one"), "no embedder here"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_failed_arm_is_a_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    from whatworks.methods.knn import Knn

    monkeypatch.setattr(Knn, "adapt", lambda self, start, bench: Fails(error)(start, bench))
    rows = run(folder, tmp_path / "out")
    (failed,) = [r for r in rows if r.arm == "knn"]
    assert (failed.status, failed.cause) == ("failed", cause)
    assert failed.remedy
    assert sum(r.status == "scored" for r in rows) == 6 * 20
    monkeypatch.undo()
    mended = run(folder, tmp_path / "out")
    assert {r.status for r in mended} == {"scored"}


def test_a_failed_arm_says_where(folder: Path, tmp_path: Path) -> None:
    study = folder / "study.yaml"
    model = tmp_path / "nomodel"
    model.mkdir()
    study.write_text(study.read_text().replace("embedder: lexical", f"embedder: {model}"))
    out = tmp_path / "out"
    summary, page = run_study(study, out=out, watcher=Quiet())
    (failed,) = [row for row in Results(out / "results.jsonl").rows() if row.arm == "knn"]
    assert failed.place == str(model) and failed.cause and failed.remedy
    knn = summary.arm("knn")
    assert knn is not None and knn.failures[0].in_words == f"{failed.place}: {failed.cause}"
    assert f"{failed.place}: " in page.read_text()
    console = Console(record=True, width=400)
    print_summary(summary, console)
    assert f"! knn, seed 0: {failed.place}: {failed.cause}" in console.export_text()
    old = {name: value for name, value in asdict(failed).items() if name != "place"}
    (out / "results.jsonl").write_text(json.dumps(old) + "\n")
    assert Results(out / "results.jsonl").rows()[0].failure == failed.cause


def test_missing_documents_fail_one_arm(folder: Path, tmp_path: Path) -> None:
    text = (folder / "study.yaml").read_text().replace("documents: docs.jsonl, ", "")
    (folder / "study.yaml").write_text(text)
    rows = run(folder, tmp_path / "out")
    failed = {r.arm: (r.cause, r.remedy) for r in rows if r.status == "failed"}
    assert set(failed) == {"rag", "both"}
    assert "no documents" in failed["rag"][0] and "documents" in failed["rag"][1]


def test_budget_fails_the_arms_that_pass_it(folder: Path, tmp_path: Path) -> None:
    study = build(folder, tmp_path / "out", budget=Budget(requests=20))
    runs = study.run(Quiet())
    failed = {run.arm for run in runs if run.failure}
    assert failed == {"few-shot"}, "two draws of twelve dev rows are over twenty requests"


def test_same_seed_same_report(folder: Path, tmp_path: Path) -> None:
    one, two = (run(folder, tmp_path / name) for name in ("a", "b"))
    assert essence(one) == essence(two)


def test_a_folder_of_another_study_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(folder, out)
    kept = (out / "results.jsonl").read_bytes()
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("metric: exact", "metric: contains"))
    with pytest.raises(InputError, match="different study"):
        run(folder, out)
    assert (out / "results.jsonl").read_bytes() == kept
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_text("")
    with pytest.raises(InputError, match="something else"):
        run(folder, other)
    assert [p.name for p in other.iterdir()] == ["cat.jpg"]


def test_only_some_arms_then_the_rest(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert {r.arm for r in run(folder, out, only=["rag"])} == {"rag"}
    assert {r.arm for r in run(folder, out)} == {"zero-shot", "few-shot", "knn", "rag", "both"}
    summary, _ = report_study(out)
    assert summary.study.openings == 2
    with pytest.raises(InputError, match="unknown arm"):
        run(folder, out, only=["rga"])


def test_some_arms_again_leave_the_answer_as_it_is(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(folder, out)
    before, _ = report_study(out)
    decided = (out / "decisions.json").read_bytes()
    run(folder, out, only=["few-shot"])
    after, _ = report_study(out)
    assert after.recommendation == before.recommendation
    assert (after.study.baseline, after.study.winner) == ("zero-shot", before.study.winner)
    assert [arm.verdict for arm in after.arms] == [arm.verdict for arm in before.arms]
    assert after.study.openings == 1, "nothing new was decided"
    kept, again = (
        json.loads(text)["runs"] for text in (decided, (out / "decisions.json").read_bytes())
    )
    assert sorted(map(str, again)) == sorted(map(str, kept))


def test_killed_at_random_moments_it_ends_the_same(folder: Path, tmp_path: Path) -> None:
    """SIGKILL at 20 random moments, then one undisturbed run: the rows are equal."""
    script = json.loads((folder / "script.json").read_text())
    undisturbed = run(folder, tmp_path / "whole")
    # Slowed down, so that kills fall everywhere; the fake's identity is the script's.
    (folder / "script.json").write_text(json.dumps({**script, "latency": 0.004}))
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "whatworks", "run", str(folder), "--out", str(out)]
    rng = random.Random(5)
    kills = 0
    for _ in range(20):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        time.sleep(0.4 + 1.2 * rng.random())
        kills += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.communicate()
    final = subprocess.run(command, capture_output=True, text=True, check=False)
    assert final.returncode == 0, final.stderr
    assert kills >= 5, "the kills must have hit running studies"
    got = [row[:7] + row[8:] for row in essence(Results(out / "results.jsonl").rows())]
    assert got == [row[:7] + row[8:] for row in essence(undisturbed)]
    openings = (out / "test_openings.jsonl").read_text().splitlines()
    assert len(openings) == 1


def test_ctrl_c_stops_cleanly_and_run_resumes(folder: Path, tmp_path: Path) -> None:
    script = json.loads((folder / "script.json").read_text())
    (folder / "script.json").write_text(json.dumps({**script, "latency": 0.1}))
    command = [sys.executable, "-m", "whatworks", "run", str(folder), "--out", str(tmp_path / "o")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "o" / "store" / "answers").exists())
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "goes on from here" in errors and "Traceback" not in errors
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("waited in vain")
        time.sleep(0.02)


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['whatworks', '--help']\n"
        "try: runpy.run_module('whatworks', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'numpy', 'datasets', 'trl', 'peft', 'scipy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr


def test_what_methods_tell_is_kept_whole_and_typed(folder: Path, tmp_path: Path) -> None:
    """A trail of many edits comes back from the folder as it was told, however long."""
    file = folder / "study.yaml"
    file.write_text("\n".join(STUDY.split("\n")[:4]) + "\narms: [zero-shot, prompt-search, rag]\n")
    out, infos = tmp_path / "out", dict[str, ArmInfo]()
    for _ in range(2):  # the second time from the store
        run_study(file, out=out, watcher=Quiet())
        infos = {info.name: info for info in StudyFolder(out).read_finished().arms}
        told = infos["prompt-search"].outcomes[0]
        (trail,) = [one for one in told if isinstance(one, SearchTrail)]
        assert trail.method == "prompt-search" and trail.steps[0].edit == "seed"
        notes = {one.label: one.value for one in infos["rag"].outcomes[0] if isinstance(one, Note)}
        assert notes["rag.chunks"] == 60 and infos["rag"].passages == "retrieved"
    long = replace(
        infos["prompt-search"],
        outcomes=[[SearchTrail(steps=tuple(SearchStep(edit="x" * 99, score=0.5) for _ in "1234"))]],
    )
    StudyFolder(out).write_summary(StudyFolder(out).read_finished().study, [long])
    (back,) = StudyFolder(out).read_finished().arms
    assert back == long and back.notes[0].count("x" * 99) == 4
