"""One rule for what a study file names: files, models, stores, public data, caches."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.base.paths import (
    NOT_FOLDERS,
    find_cache_folder,
    find_data_folder,
    find_public_data,
    resolve_model,
    resolve_path,
    resolve_store,
)
from whatworks.metrics.registry import resolve_metric
from whatworks.models.constraint import read as read_constraint
from whatworks.models.embedded import NAMES
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.prompts.retrieval.embedding import load_embedder
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.open_study import open_study
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task
from whatworks_lab.corpus import read_english_text


def test_files_are_seen_from_the_study_with_home_and_variables_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "rows")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert resolve_path(tmp_path, "a.jsonl") == tmp_path / "a.jsonl"
    assert (
        resolve_path(tmp_path, "$PLACE/a")
        == resolve_path(tmp_path, "${PLACE}/a")
        == tmp_path / "rows/a"
    )
    assert resolve_path(tmp_path, "~/a") == tmp_path / "home" / "a"
    assert resolve_path(tmp_path, "5$ a") == tmp_path / "5$ a"
    with pytest.raises(InputError, match=r"ABSENT in .* is not set"):
        resolve_path(tmp_path, "$ABSENT/a")


@pytest.mark.parametrize("name", ["a\0b", "half\ud800", "long" * 100, "a/" * 2500, "a\nb"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    for refuse in (partial(resolve_path, tmp_path), partial(resolve_model, root=tmp_path)):
        with pytest.raises(InputError, match="no file is called") as caught:
            refuse(name)
        assert len(str(caught.value).splitlines()) == 2 and len(str(caught.value)) < 300


@given(name=st.text(min_size=1))
def test_any_name_is_a_path_or_an_error(name: str) -> None:
    root = Path("/nowhere at all")
    try:
        assert not resolve_path(root, name).is_file() or name.startswith(("/", "~"))
        assert isinstance(resolve_model(name, root), str)
    except InputError as error:
        assert error.cause and error.remedy


def test_every_model_of_a_study_is_named_by_one_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``model: m``, ``helper``, an embedder, a reranker and a judge mean the same ``m``."""
    beside = tmp_path / "study"
    (beside / "m").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "m").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("MODELS", str(elsewhere))
    for name, there in (("m", beside / "m"), ("./m", beside / "m"), ("$MODELS/m", elsewhere / "m")):
        assert resolve_model(name, beside) == str(there)
        arm = read_arm({"rag": {"embedder": name, "index": {"rerank": name}}}).locate(beside)
        settings = arm.chain.steps[0].model_dump()
        assert settings["embedder"] == settings["index"]["rerank"] == str(there)
        judge = resolve_metric({"judge": {"model": name}}, beside)
        assert judge.options["model"] == str(there)
        assert resolve_metric("judge", beside, helper=name) == judge
    for name in ("org/model", "https://host/v1#name", "fake:", "fake:absent.json", "lab"):
        assert resolve_model(name, beside) == name
    assert "model" not in resolve_metric("judge", beside).options
    assert resolve_metric("exact", beside, helper="m").options == {}


def test_the_model_of_a_study_lies_beside_it_and_that_of_the_command_line_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, answer in (("study", "beside"), ("here", "here")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "say.json").write_text(json.dumps({"default": answer}))
    rows = [json.dumps({"input": f"say {i * 7919}", "target": str(i)}) for i in range(20)]
    (tmp_path / "study" / "rows.jsonl").write_text("\n".join(rows))
    path = tmp_path / "study" / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: judge}\nmodel: fake:$SCRIPT.json\n"
        "helper: fake:say.json\narms: [zero-shot]\n"
    )
    monkeypatch.setenv("SCRIPT", "say")
    monkeypatch.chdir(tmp_path / "here")
    opened = open_study(path)
    assert opened.weights.base == f"fake:{tmp_path}/study/say.json"
    assert opened.helper is not None and opened.helper.engine is opened.engine
    assert opened.task.metric.options["model"] == opened.weights.base
    assert read_task(read_study(path), path.parent) == opened.task
    asked = open_study(path, model="fake:say.json")
    assert asked.weights.base == f"fake:{tmp_path}/here/say.json"
    assert asked.helper is not None and asked.helper.engine is not asked.engine


def test_embedded_models_are_not_folders() -> None:
    assert set(NAMES) <= set(NOT_FOLDERS)


def test_embedded_models_go_before_a_folder_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    assert resolve_model("lab", tmp_path) == "lab"
    assert resolve_model("./lab", tmp_path) == str(tmp_path / "lab")


def test_forms_of_answers_are_files_of_the_study_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORMS", str(tmp_path))
    (tmp_path / "form.lark").write_text('start: "yes"')
    (tmp_path / "form.json").write_text('{"type": "string"}')
    for kind, name in (("lark", "form.lark"), ("json_schema", "form.json")):
        here = read_constraint({kind: name}, tmp_path)
        assert read_constraint({kind: f"$FORMS/{name}"}, Path("/nowhere")) == here


def test_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "kept")
    assert resolve_store("lancedb:$PLACE", tmp_path) == f"lancedb:{tmp_path}/kept"
    for name in ("memory", "qdrant::memory:", "qdrant:https://host", "pgvector:dbname=x"):
        assert resolve_store(name, tmp_path) == name


@pytest.mark.parametrize("setting", [None, "", "elsewhere"])
def test_public_data_has_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    """For a study file, the claims and the corpus of the embedded model."""
    monkeypatch.chdir(tmp_path)
    if setting is None:
        monkeypatch.delenv("WHATWORKS_DATA", raising=False)
    else:
        monkeypatch.setenv("WHATWORKS_DATA", setting and str(tmp_path / setting))
    folder = tmp_path / (setting or "data")
    assert find_data_folder() == folder
    assert read_english_text() == ""
    for absent in (
        lambda: resolve_path(tmp_path / "studies", "$WHATWORKS_DATA/english"),
        lambda: find_public_data("english"),
    ):
        with pytest.raises(InputError, match="this public data is not here") as caught:
            absent()
        assert caught.value.place == str(folder / "english")
    (folder / "english").mkdir(parents=True)
    (folder / "english" / "a.txt").write_text("So it is.")
    assert resolve_path(tmp_path / "studies", "$WHATWORKS_DATA/english") == folder / "english"
    assert find_public_data("english") == folder / "english"
    assert read_english_text() == "So it is."


def test_what_can_be_computed_again_has_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WHATWORKS_CACHE", "WHATWORKS_EMBEDDINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert find_cache_folder().parent == tmp_path / "caches" or "home" in str(find_cache_folder())
    monkeypatch.setenv("WHATWORKS_CACHE", "~/kept")
    assert (
        find_cache_folder()
        == find_cache_folder("WHATWORKS_EMBEDDINGS")
        == tmp_path / "home" / "kept"
    )
    monkeypatch.setenv("WHATWORKS_EMBEDDINGS", str(tmp_path / "vectors"))
    assert find_cache_folder("WHATWORKS_EMBEDDINGS") == tmp_path / "vectors"
    assert find_cache_folder() == tmp_path / "home" / "kept"
    engine = EndpointEngine.from_name("http://127.0.0.1:9/v1#m")
    assert vars(engine)["_store"].root.is_relative_to(find_cache_folder())


def test_a_path_of_a_vector_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WHATWORKS_EMBEDDINGS", str(tmp_path / "file"))
    load_embedder.cache_clear()
    with pytest.raises(InputError, match="embeddings cannot be kept here"):
        load_embedder(str(tiny_model))
    load_embedder.cache_clear()
