"""An arm with a model of its own, beside the study's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent
from whatworks.studies.open_study import open_study
from whatworks.studies.plan import make_plan
from whatworks.studies.study_folder import StudyFolder

ARMS = """
arms:
  - zero-shot
  - {arm: zero-shot, name: large, model: 'fake:large.json'}
  - {arm: few-shot, name: large-shots, model: 'fake:large.json', k: 2}
"""


def answer(part: str, i: int) -> dict[str, str]:
    return {
        "contains": f"the {part} order of {i * 7919} ",
        "answer": json.dumps({"count": i * 7919}),
    }


@pytest.fixture
def both(study: Callable[..., Path], tmp_path: Path) -> Path:
    """A study of a model that knows every second answer and a larger one that knows all."""
    known = [(part, i) for part, count in (("dev", 20), ("test", 50)) for i in range(count)]
    for name, step in (("small", 2), ("large", 1)):
        lines = [answer(part, i) for part, i in known if i % step == 0]
        (tmp_path / f"{name}.json").write_text(json.dumps({"answers": lines}))
    path = study(more="model: 'fake:small.json'\nretention: none\nseeds: 1\n")
    path.write_text(path.read_text().replace("arms: [zero-shot]", ARMS.strip()))
    return path


def test_each_arm_asks_its_own_model_on_the_same_rows(both: Path, tmp_path: Path) -> None:
    summary, page = run_study(both, out=tmp_path / "run", watcher=Silent())
    scores = {arm.name: arm.score.value for arm in summary.arms if arm.score}
    assert scores == {"zero-shot": 0.5, "large": 1.0, "large-shots": 1.0}
    assert summary.study.baseline == "zero-shot"  # of the study's own model, though less on dev
    large = summary.arm("large")
    assert large is not None and large.verdict.label == "works"
    assert any(
        "large and large-shots ran on fake:large.json" in one for one in summary.study.decisions
    )
    rows = StudyFolder(page.parent).results.rows()
    asked = {arm: {row.example for row in rows if row.arm == arm} for arm in scores}
    assert len({frozenset(own) for own in asked.values()}) == 1


def test_again_it_asks_nothing_and_says_the_same(both: Path, tmp_path: Path) -> None:
    first, _ = run_study(both, out=tmp_path / "run", watcher=Silent())
    again, page = run_study(both, out=tmp_path / "run", watcher=Silent())
    assert [arm.score for arm in again.arms] == [arm.score for arm in first.arms]
    assert StudyFolder(page.parent).openings == 1


def test_a_plan_rehearses_each_model(both: Path, tmp_path: Path) -> None:
    opened = open_study(both, out=tmp_path / "planned")
    plan = make_plan(opened.study(), Silent())
    assert {arm.name: arm.failure for arm in plan.arms} == {
        "zero-shot": "",
        "large": "",
        "large-shots": "",
    }
    assert len(opened.engines) == 2  # the large one is opened once


def test_a_model_that_is_not_here_names_its_arm(both: Path) -> None:
    both.write_text(both.read_text().replace("fake:large.json', k", "./nowhere', k"))
    with pytest.raises(InputError) as told:
        open_study(both)
    assert "arm 'large-shots'" in (told.value.place or "")


def test_two_models_of_this_machine_take_turns_in_one_engine(
    study: Callable[..., Path], tiny_model: Path, tmp_path: Path
) -> None:
    from whatworks.models.local.engine import LocalEngine

    path = study(
        more=f"model: {tiny_model}\ndiagnose: false\nretention: none\ndecoding: {{max_tokens: 2}}\n"
    )
    arms = "arms: [zero-shot, {arm: zero-shot, name: other, model: lab}]"
    limit = "metric: exact, limit: {train: 4, dev: 3, test: 3}}"
    text = path.read_text().replace("arms: [zero-shot]", arms).replace("metric: json}", limit)
    path.write_text(text)
    opened = open_study(path, out=tmp_path / "run")
    assert [type(one) for one in opened.engines] == [LocalEngine]  # one resident at a time
    summary, page = run_study(path, out=tmp_path / "run", watcher=Silent())
    assert all(arm.score is not None for arm in summary.arms)
    rows = StudyFolder(page.parent).results.rows()
    said = {arm: [row.output for row in rows if row.arm == arm] for arm in ("zero-shot", "other")}
    assert said["zero-shot"] != said["other"]
