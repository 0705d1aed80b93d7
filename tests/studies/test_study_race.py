"""A study that races: what is asked, what is opened, what stays on the board, and after a kill."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from whatworks.analysis.result_rows import Results
from whatworks.app.export.chosen_arm import choose
from whatworks.app.report.terminal import print_summary
from whatworks.app.run_study import run_study
from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.progress import Silent
from whatworks.models.fake import FakeEngine
from whatworks.studies.study_file import read_study
from whatworks.studies.study_folder import StudyFolder

STUDY = """
name: towns
task: {train: rows.jsonl, metric: exact, documents: docs.jsonl, split: {dev: 40, test: 30}}
model: fake:script.json
decoding: {max_tokens: 8}
race: true
diagnose: false  # requests are counted
arms:
- zero-shot
- {few-shot: {k: 2}}
- {knn: {k: 2, embedder: lexical}}
- {rag: {k: 2, search: lexical}}
- {arm: rag+few-shot, name: both, rag: {k: 2, search: lexical}, few-shot: {k: 1}}
seeds: 3
"""
COUNT = 110


def town(i: int) -> str:
    return f"Town{i * 7 % 13}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study whose model reads passages and nothing else."""
    place = tmp_path / "towns"
    place.mkdir()
    rows = [
        {"id": f"r{i}", "input": f"Where does person {i} of lane {i * 31 % 57} live?"}
        | {"target": town(i), "group": f"p{i}"}
        for i in range(COUNT)
    ]
    docs = [{"id": f"d{i}", "text": f"Person {i} lives in {town(i)}."} for i in range(COUNT)]
    answers = [
        {"contains": f"Person {i} lives in {town(i)}.", "last": f"person {i} of"}
        | {"answer": town(i)}
        for i in range(COUNT)
    ]
    answers += [{"last": f"person {i} of", "answer": town(i), "chance": 0.2} for i in range(COUNT)]
    script = {"answers": answers, "default": "Nowhere"}
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (place / "docs.jsonl").write_text("\n".join(map(json.dumps, docs)))
    (place / "script.json").write_text(json.dumps(script))
    (place / "study.yaml").write_text(STUDY)
    return place


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "study.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def count_asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every question that the model is asked from now on."""
    asked: list[str] = []
    original = FakeEngine.generate

    def watch(self: FakeEngine, model: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        asked.extend(prompt[-1].content for prompt in prompts)
        return original(self, model, prompts, *args, **kwargs)

    monkeypatch.setattr(FakeEngine, "generate", watch)
    return asked


def test_a_race_asks_less_and_recommends_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count_asked(monkeypatch)
    raced, _ = run_study(folder, out=tmp_path / "raced", watcher=Silent())
    fewer = len(asked)
    change(folder, "race: true", "race: false")
    asked.clear()
    whole, _ = run_study(folder, out=tmp_path / "whole", watcher=Silent())
    assert len(asked) == 9 * (40 + 30), "every arm and seed, all rows"
    assert fewer <= 0.6 * len(asked)
    assert raced.recommendation.winner == whole.recommendation.winner == "rag"
    assert raced.study.baseline == whole.study.baseline == "zero-shot"
    change(folder, "race: false\n", "")
    asked.clear()
    run_study(folder, out=tmp_path / "whole", watcher=Silent())
    assert not asked, "without the key nothing has changed"


def test_every_arm_keeps_its_row_and_says_what_it_left_on(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary, page = run_study(folder, out=out, watcher=Silent())
    labels = {arm.name: arm.verdict.label for arm in summary.arms}
    assert labels == {
        "zero-shot": "baseline",
        "few-shot": "behind on dev",
        "knn": "behind on dev",
        "rag": "works",
        "both": "works",
    }
    knn = summary.arm("knn")
    assert knn is not None and knn.info.left.startswith(
        "out after 10 of 40 dev rows, behind rag by"
    )
    console = Console(record=True, width=200)
    print_summary(summary, console)
    text = console.export_text()
    assert knn.info.left in " ".join(text.split()) and "Behind on dev, not opened on test" in text
    assert knn.info.left in page.read_text()
    rows = Results(out / "results.jsonl").rows()
    assert {row.arm for row in rows} == {"zero-shot", "rag", "both"}, "test is for finalists"
    decided = {(one.arm, one.seed): one.left for one in StudyFolder(out).decisions()}
    assert decided["knn", 0] == knn.info.left and not decided["rag", 0]
    assert ("few-shot", 1) not in decided, "further seeds are for what is in the race"
    assert ("both", 2) in decided


def test_test_is_asked_only_when_all_is_decided(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, early = tmp_path / "out", []
    original = FakeEngine.generate

    def watch(self: FakeEngine, model: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        if not (out / "decisions.json").exists():
            early.extend(prompt[-1].content for prompt in prompts)
        return original(self, model, prompts, *args, **kwargs)

    monkeypatch.setattr(FakeEngine, "generate", watch)
    run_study(folder, out=out, watcher=Silent())
    tests = {row.text for row in StudyFolder(out).task().splits.test}
    assert early and not any(text in asked for text in tests for asked in early)
    assert StudyFolder(out).openings == 1
    run_study(folder, out=out, watcher=Silent())
    assert StudyFolder(out).openings == 1, "the same race is the same opening"


def test_what_is_kept_is_run_to_the_end(folder: Path, tmp_path: Path) -> None:
    change(folder, "race: true", "race: true\nkeep: [few-shot]")
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    kept = summary.arm("few-shot")
    assert kept is not None and kept.score is not None and kept.seeds == 3 and not kept.info.left
    change(folder, "keep: [few-shot]", "keep: [few-shoot]")
    with pytest.raises(InputError, match="unknown arm 'few-shoot'"):
        run_study(folder, out=tmp_path / "out", watcher=Silent())


def test_a_limit_of_the_race_holds_and_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, "race: true", "race: {requests: 60}")
    asked = count_asked(monkeypatch)
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    opened = {row.arm for row in Results(tmp_path / "out" / "results.jsonl").rows()}
    # What was open at the limit ends for the baseline and the leader; then test, with one seed.
    assert summary.recommendation.winner == "rag" and {"zero-shot", "rag"} <= opened
    dev = len(asked) - sum(1 for _ in Results(tmp_path / "out" / "results.jsonl").rows())
    assert 60 <= dev <= 60 + 10 + 2 * 30
    left = {arm.name: arm.info.left for arm in summary.arms}
    assert "the limit of the race was reached" in left["both"]
    before = list(asked)
    run_study(folder, out=tmp_path / "again", watcher=Silent())
    assert asked[len(before) :] == before


def test_points_of_a_curve_are_opened_with_one_seed(folder: Path, tmp_path: Path) -> None:
    text = STUDY + "curve: {arm: {few-shot: {k: 2}}, rows: [5, all], shots: [1]}\n"
    (folder / "study.yaml").write_text(text)
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    assert summary.curve is not None
    assert [point.rows for point in summary.curve.points] == [5, 40]
    assert all(point.score for point in summary.curve.points)
    assert summary.curve.against is not None and summary.curve.against.score is not None
    five = summary.arm("few-shot@5")
    assert five is not None and five.seeds == 1


def test_what_a_method_asked_of_dev_is_not_asked_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, "{few-shot: {k: 2}}", "{few-shot: {k: 2, draws: 2}}")
    asked = count_asked(monkeypatch)
    run_study(folder, out=tmp_path / "out", watcher=Silent(), only=["few-shot", "zero-shot"])
    dev = {row.text for row in StudyFolder(tmp_path / "out").task().splits.dev}
    on_dev = [one for one in asked if any(text in one for text in dev)]
    seeds = {o.seed for o in StudyFolder(tmp_path / "out").decisions() if o.arm == "few-shot"}
    assert len(on_dev) == 40 + 2 * 40 * len(seeds), "two draws a seed, and nothing on top"


def test_an_arm_that_fails_is_a_row_and_the_race_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from whatworks.methods.knn import Knn

    def fail(self: Knn, start: Any, bench: Any) -> Any:
        raise ArmFailure("no embedder here", remedy="install one")

    monkeypatch.setattr(Knn, "adapt", fail)
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    failed = summary.arm("knn")
    assert failed is not None and failed.verdict.label == "failed" and not failed.info.left
    assert failed.failures[0].cause == "no embedder here"
    assert summary.recommendation.winner == "rag"
    monkeypatch.undo()
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    mended = summary.arm("knn")
    assert mended is not None and mended.verdict.label == "behind on dev"


def test_an_arm_that_fails_in_the_middle_of_dev_is_not_chosen(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = FakeEngine.generate, []

    def fail(self: FakeEngine, model: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        shown = any(message.role == "assistant" for message in prompts[0])
        if not shown and "lives in" in prompts[0][-1].content:  # rag alone: passages, no examples
            calls.append(len(prompts))
            if len(calls) == 3:
                raise ArmFailure("the model is gone", remedy="look for it")
        return original(self, model, prompts, *args, **kwargs)

    monkeypatch.setattr(FakeEngine, "generate", fail)
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    failed = summary.arm("rag")
    assert calls == [10, 10, 10], "it answered two blocks"
    assert failed is not None and failed.verdict.label == "failed" and failed.info.dev_score is None
    assert summary.recommendation.winner == "both"


def test_arms_added_later_join_what_was_decided(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_study(folder, out=out, watcher=Silent())
    before = StudyFolder(out).decisions()
    summary, _ = run_study(folder, out=out, watcher=Silent(), only=["few-shot"])
    asked_for = summary.arm("few-shot")
    assert asked_for is not None and asked_for.score is not None, "named by hand, it is opened"
    kept = [one for one in StudyFolder(out).decisions() if one.arm != "few-shot"]
    assert kept == [one for one in before if one.arm != "few-shot"]
    assert summary.recommendation.winner == "rag"


def test_an_arm_that_left_is_not_exported_and_says_how_it_could_be(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_study(folder, out=out, watcher=Silent())
    with pytest.raises(InputError, match="'knn' has no result: out after 10 of 40") as caught:
        choose(out, "knn")
    assert "--only knn" in (caught.value.remedy or "")
    assert choose(out, None).arm == "rag"


def test_init_writes_a_race_and_old_files_have_none(
    folder: Path, tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "first.yaml"
    assert command("init", folder / "rows.jsonl", "--out", out)[0] == 0
    assert read_study(out).race is True
    change(folder, "race: true\n", "")
    assert read_study(folder / "study.yaml").race is False


def test_killed_at_random_moments_it_decides_the_same(folder: Path, tmp_path: Path) -> None:
    """SIGKILL at random moments of a race, then one undisturbed run: decisions and rows."""
    script = json.loads((folder / "script.json").read_text())  # slow, so that kills fall everywhere
    (folder / "script.json").write_text(json.dumps({**script, "latency": 0.004}))
    run_study(folder, out=tmp_path / "whole", watcher=Silent())
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "whatworks", "run", str(folder), "--out", str(out)]
    rng, kills, before_test = random.Random(5), 0, 0
    for _ in range(12):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        while not (out / "store").exists() and time.monotonic() - began < 20:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.6))
        running = child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += running
        before_test += running and not (out / "decisions.json").exists()
    final = subprocess.run(command, capture_output=True, text=True, check=False)
    assert final.returncode == 0, final.stderr
    assert kills >= 4 and before_test >= 1, "the kills must have hit running races"
    whole, killed = (StudyFolder(tmp_path / name) for name in ("whole", "killed"))
    assert killed.decisions() == whole.decisions()
    same = ("arm", "seed", "example", "output", "value", "candidate")

    def tell(own: StudyFolder) -> list[tuple[Any, ...]]:
        return sorted(tuple(getattr(row, name) for name in same) for row in own.results.rows())

    assert tell(killed) == tell(whole)


def test_where_no_arm_can_be_told_all_are_opened(folder: Path, tmp_path: Path) -> None:
    (folder / "script.json").write_text(json.dumps({"answers": [], "default": "Nowhere"}))
    summary, _ = run_study(folder, out=tmp_path / "out", watcher=Silent())
    assert all(arm.score is not None and not arm.info.left for arm in summary.arms)
    assert {arm.name: arm.seeds for arm in summary.arms}["few-shot"] == 3
