"""The shipped example studies read and plan; what they hold is what they say."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from whatworks.analysis.result_rows import Results
from whatworks.app.cli import app
from whatworks.app.cli.run import find_study_file
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent
from whatworks.data import import_logs, read
from whatworks.data.task import Task
from whatworks.methods.constrained import Constrained
from whatworks.metrics.registry import load_task_metric
from whatworks.models.weights import Weights
from whatworks.prompts.retrieval import resolve_embedder
from whatworks.studies.clustering import categorise, measure_agreement
from whatworks.studies.plan import read_plan
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_folder import StudyFolder
from whatworks.studies.study_task import read_task

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FORMS = ("chat", "instructions", "style", "json", "mr", "sql", "category", "cluster", "from_logs")
STUDIES = sorted(path.parent.name for path in EXAMPLES.glob("*/study.yaml"))
REAL = sorted(
    str(path.relative_to(EXAMPLES))
    for path in EXAMPLES.glob("*/*.yaml")
    if path.stem != "study" and path.parent.name != "cluster"  # that one embeds 3,000 texts
)
STRUCTURED = ("json", "mr", "sql", "category", "cluster", "from_logs")


def task_of(path: Path) -> Task:
    return read_task(read_study(path), path.parent)


def test_there_is_one_for_every_form():
    assert set(FORMS) <= set(STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_it_reads_and_every_target_scores_one(name: str):
    path = EXAMPLES / name / "study.yaml"
    study, task = read_study(path), task_of(path)
    metric = load_task_metric(task)
    for split, least in ((task.splits.train, 60), (task.splits.dev, 20), (task.splits.test, 50)):
        assert len(split) >= least
        right = sum(metric(example, example.target).value == 1.0 for example in split)
        assert right == len(split) or (name == "style" and right >= 0.9 * len(split))
    for arm in read_arms(study):
        arm.chain.plan(Weights(base="lab"))
        assert arm.rows is None or arm.rows <= len(task.splits.train)


@pytest.mark.parametrize("name", ["json", "category", "mr", "facts"])
def test_it_has_every_way_of_prompting(name: str):
    arms = read_arms(read_study(EXAMPLES / name / "study.yaml"))
    used = {method for arm in arms for method in arm.name.split("+")}
    assert used >= {"prompt", "prompt-search", "few-shot", "knn", "rag", "constrained",
                    "self-consistency", "best-of-n"}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_it_shows_prompt_examples_training_and_the_curve(name: str):
    study = read_study(EXAMPLES / name / "study.yaml")
    names = [arm.name for arm in read_arms(study)]
    assert {"zero-shot", "few-shot", "knn", "sft"} <= set(names)
    assert ("constrained" in names) == (name in STRUCTURED)
    assert study.curve is not None
    assert set(study.curve.names) <= set(names) and len(study.curve.names) >= 3


@pytest.mark.parametrize("name", REAL)
def test_the_real_variant_reads(
    name: str, real_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("WHATWORKS_DATA", str(real_data))
    path = EXAMPLES / name
    assert find_study_file(path.parent, path.stem) == path
    study, task = read_study(path), task_of(path)
    metric = load_task_metric(task)
    assert len(task.splits.test) >= 40
    right = sum(metric(e, e.target).value == 1.0 for e in task.splits.test)
    assert right >= 0.95 * len(task.splits.test)
    for arm in read_arms(study):
        arm.chain.plan(Weights(base="lab"))
        assert arm.rows is None or arm.rows <= len(task.splits.train)


def test_one_flag_chooses_the_data_and_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    assert find_study_file(EXAMPLES / "mr") == EXAMPLES / "mr" / "study.yaml"
    with pytest.raises(InputError, match=r"no really.yaml"):
        find_study_file(EXAMPLES / "mr", "really")
    for setting in (None, str(tmp_path / "nowhere")):
        monkeypatch.chdir(tmp_path)
        if setting is None:
            monkeypatch.delenv("WHATWORKS_DATA", raising=False)
        else:
            monkeypatch.setenv("WHATWORKS_DATA", setting)
        with pytest.raises(InputError, match="is not here"):  # nothing is run before this holds
            task_of(find_study_file(EXAMPLES / "mr", "real"))
        for command in (["run", "--out", str(tmp_path / "out")], ["plan"], ["check"], ["known"]):
            with pytest.raises(InputError) as caught:
                asked = [*command, str(EXAMPLES / "mr"), "--data", "real"]
                CliRunner().invoke(app, asked, catch_exceptions=False)
            assert "this public data is not here" in str(caught.value)
            assert "export WHATWORKS_DATA" in str(caught.value)
            place = setting or str(tmp_path / "data")
            assert caught.value.place == f"{place}/viggo/train.csv"
            assert list(tmp_path.iterdir()) == []


# -- their data --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def make() -> Iterator[ModuleType]:
    """``python examples/make`` as a module."""
    place = EXAMPLES / "make" / "__main__.py"
    spec = importlib.util.spec_from_file_location("examples_make", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before, names = list(sys.path), set(sys.modules)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before
    for name in set(sys.modules) - names:
        if str(place.parent) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_the_data_is_small_and_what_the_generator_writes(make: ModuleType):
    for name, rows in make.files().items():
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        assert [json.loads(line) for line in text.splitlines()] == rows, name
        assert len(text) < 100_000 or name.startswith("facts"), name


def test_facts_are_about_other_people_in_test():
    task = task_of(EXAMPLES / "facts" / "study.yaml")
    train, dev, test = (
        {e.group for e in part} for part in (task.splits.train, task.splits.dev, task.splits.test)
    )
    assert not train & test and not train & dev and not dev & test
    documents = {document.id: document.text for document in task.documents}
    for example in task.splits.test:
        told = " ".join(documents[name] for name in example.evidence)
        assert example.target.casefold() in told.casefold()


def test_conversations_ask_for_what_was_said_turns_ago():
    rows = read(EXAMPLES / "chat" / "conversations.jsonl").examples
    for row in rows:
        before = " ".join(message.content for message in row.messages[:-1])
        assert row.meta["uses"]
        assert all(one in before and one in row.target for one in row.meta["uses"])


def test_instructions_are_of_many_kinds_and_not_met_by_the_sentence_itself():
    task = task_of(EXAMPLES / "instructions" / "study.yaml")
    metric = load_task_metric(task)
    rows = (*task.splits.train, *task.splits.test)
    kinds = {one["kind"] for row in rows for one in row.meta["constraints"]}
    assert len(kinds) >= 10
    copied = [metric(row, row.inputs["input"]).value for row in rows]
    assert sum(copied) < 0.05 * len(copied)


def test_logs_are_imported_as_their_study_says():
    folder = EXAMPLES / "from_logs"
    made = import_logs(folder / "logs.jsonl", min_score=0.5, strip="system").examples
    assert read(folder / "data.jsonl").examples == made
    long = read_study(folder / "study.yaml").arms[1]
    assert isinstance(long, dict)
    logged = json.loads((folder / "logs.jsonl").read_text().splitlines()[0])
    assert long["prompt"]["variants"] == [logged["input"][0]["content"]]
    task = task_of(folder / "study.yaml")
    [form] = [arm.chain.steps[0] for arm in read_arms(read_study(folder / "study.yaml"))
              if arm.name == "constrained"]  # fmt: skip
    import re

    assert isinstance(form, Constrained) and isinstance(form.to, dict)
    assert all(re.fullmatch(form.to["regex"], e.target) for e in task.splits.test)


@pytest.mark.skipif(resolve_embedder() != "minilm", reason="the encoder is not installed")
def test_clusters_of_the_example_are_its_domains():
    rows = read(EXAMPLES / "cluster" / "texts.jsonl").examples
    made, found = categorise(rows, most=9)
    assert len({row.target for row in made}) == len(found.names)
    assert measure_agreement([row.target for row in rows], found.labels)["v_measure"] > 0.8


# -- each, checked and planned ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    sorted(
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.glob("*/*.yaml")
        if (path.parent.name, path.stem) != ("cluster", "real")  # that one embeds 3,000 texts
    ),
)
def test_it_is_checked_and_planned(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The commands on a scripted model: every arm that trains nothing is rehearsed to its end."""
    path, out = EXAMPLES / name, tmp_path / "out"
    if path.stem in ("real", "lima"):
        monkeypatch.setenv("WHATWORKS_DATA", str(request.getfixturevalue("real_data")))
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [], "default": "I don't know"}), encoding="utf-8")

    def invoke(*command: str) -> int:
        call = [*command, "--model", f"fake:{script}"]
        return CliRunner().invoke(app, call, catch_exceptions=False).exit_code

    spoilt = invoke("check", str(path))  # public data holds duplicates: that is for its user to say
    assert spoilt == 0 if path.stem == "study" else spoilt in (0, 1)
    assert invoke("plan", str(path), "--out", str(out)) == 0
    plan, arms = read_plan(StudyFolder(out)), read_arms(read_study(path))
    assert plan is not None and [arm.name for arm in plan.arms] == [arm.name for arm in arms]
    for arm, planned in zip(arms, plan.arms, strict=True):
        if arm.chain.trains:  # a scripted model has no weights
            assert "no model" in planned.failure
        else:
            assert not planned.failure and planned.requests >= plan.rows["test"], arm.name


# -- a slice of each, run ----------------------------------------------------------------------


def slice_of(name: str, folder: Path, **fields: Any) -> Path:
    """The study with few rows and one seed, on the same data."""
    path = EXAMPLES / name / "study.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    for part in {"train", "test", "documents"} & study["task"].keys():
        study["task"][part] = str(EXAMPLES / name / study["task"][part])
    if "cluster" in study["task"]:
        study["task"]["cluster"] = {"k": 6, "embedder": "lexical"}
    study["task"]["limit"] = {"train": 24, "dev": 4, "test": 8}
    study.update({"seeds": 1, **fields})
    study.pop("curve", None)
    made = folder / "study.yaml"
    made.write_text(yaml.safe_dump(study), encoding="utf-8")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_every_arm_without_training_ends_as_rows(name: str, tmp_path: Path):
    few = ["zero-shot", {"few-shot": {"k": 2}}, {"knn": {"k": 2, "embedder": "lexical"}}]
    own = yaml.safe_load((EXAMPLES / name / "study.yaml").read_text())["arms"]
    wanted = {"constrained", "rag", "name"}  # arms with a name of their own choose otherwise
    few += [arm for arm in own if wanted & ({arm} if isinstance(arm, str) else arm.keys())]
    path, out = slice_of(name, tmp_path, arms=few), tmp_path / "out"
    run_study(path, out=out, watcher=Silent())
    rows = Results(out / "results.jsonl").rows()
    assert [row.cause for row in rows if row.status == "failed"] == []
    arms = {arm.name for arm in read_arms(read_study(path))}
    assert {row.arm for row in rows} == arms and len(rows) == 8 * len(arms)


@pytest.mark.slow
def test_a_curve_trains_and_says_where_it_overtakes(tmp_path: Path):
    arms: list[Any] = [{"few-shot": {"k": 1}}, {"sft": {"epochs": 1}}]
    path = slice_of("json", tmp_path, arms=arms)
    study = yaml.safe_load(path.read_text())
    study["curve"] = {"arm": {"sft": {"epochs": 1}}, "rows": [8, "all"], "shots": []}
    path.write_text(yaml.safe_dump(study))
    summary, _ = run_study(path, out=tmp_path / "out", watcher=Silent())
    assert summary.curve is not None and summary.curve.against is not None
    assert [(p.arm, p.rows) for p in summary.curve.points] == [("sft@8", 8), ("sft", 24)]
    assert summary.curve.against.arm == "few-shot" and summary.curve.crossover is not None
    # The tuned arm reads shorter prompts than the one with examples.
    assert summary.curve.points[0].prompt_tokens < summary.curve.against.prompt_tokens
