"""Names of files in frozen values: what is in a file counts, and keys read nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.base.errors import InputError
from whatworks.base.file_ref import FileRef, locate
from whatworks.base.frozen import Frozen
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks.methods.best_of_n import BestOfN
from whatworks.methods.knn import Knn
from whatworks.methods.method import Chain
from whatworks.methods.rag import Indexing, Rag
from whatworks.metrics.registry import resolve_metric
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Demos, Prompt

ROW = Example(id="1", inputs={"input": "2 + 2"}, target="4")


def _resolve(value: dict[str, object], root: Path) -> MetricSpec:
    return resolve_metric(value, root)


def _resolve_schema(root: Path) -> MetricSpec:
    return _resolve({"json": {"schema": "schema.json"}}, root)


MAKE: dict[str, tuple[Callable[[Path], Frozen], str]] = {
    "knn": (lambda root: Knn(embedder="enc").locate(root), "35fe33248f7c09f1"),
    "absolute": (lambda root: Knn(embedder=str(root / "enc")), "35fe33248f7c09f1"),
    "rag": (
        lambda root: Rag(
            embedder="enc", index=Indexing(rerank="enc", store="lancedb:x")
        ).locate(root),
        "c77857c5af514f1f",
    ),
    "python": (lambda root: _resolve({"python": "m.py:score"}, root), "9b4282a1b6f1a026"),
    "schema": (_resolve_schema, "8b9ac913b88568f0"),
    "reward": (lambda root: _resolve({"reward": {"folder": "enc"}}, root), "0a4d70340959f04e"),
    "judge": (
        lambda root: _resolve({"judge": {"model": "enc", "labels": "schema.json"}}, root),
        "07955ad8cc96eca5",
    ),
}  # fmt: skip
"""How each is made, and the key that stores of the first version have it under."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    (folder / "enc").mkdir(parents=True)
    (folder / "enc" / "config.json").write_text('{"model_type":"bert"}', "utf-8")
    (folder / "enc" / "model.safetensors").write_bytes(b"x" * 100)
    (folder / "m.py").write_text("def score(e,t): return 1.0\n", "utf-8")
    (folder / "schema.json").write_text('{"type":"object"}', "utf-8")
    return folder


@pytest.mark.parametrize("name", MAKE)
def test_a_key_is_what_it_was_and_reads_no_file(name: str, root: Path):
    make, key = MAKE[name]
    value = make(root)
    shutil.rmtree(root)  # whoever read anything now would not find it
    assert value.key == key


@pytest.mark.parametrize("name", MAKE)
def test_another_content_is_another_key_and_another_place_the_same(name: str, root: Path):
    make, key = MAKE[name]
    moved = Path(shutil.copytree(root, root.parent / "elsewhere"))
    assert make(moved).key == key
    (root / "enc" / "model.safetensors").write_bytes(b"y" * 100)
    (root / "m.py").write_text("def score(e,t): return 0.0\n", "utf-8")
    (root / "schema.json").write_text('{"type":"array"}', "utf-8")
    assert make(root).key != key


def _make_candidate(root: Path) -> Candidate:
    """A candidate with files in its prompt and its decoding."""
    encoder = str(root / "enc")
    prompt = Prompt(
        demos=Demos(pool=(ROW,), k=1, select="nearest", embedder=encoder),
        context=Context(chunks=(), k=1, embedder=encoder, rerank=encoder),
    )
    start = Candidate(prompt=prompt, weights=Weights(base="lab", digest="d"))
    reward = _resolve({"reward": {"folder": "enc"}}, root)
    return start.with_decoding(samples=3, pick="reward", reward=reward)


def test_what_a_store_keeps_says_what_the_file_held(root: Path):
    candidate = _make_candidate(root)
    kept = candidate.model_dump(mode="json")
    (root / "enc" / "model.safetensors").write_bytes(b"y" * 100)
    read = Candidate.model_validate(kept)
    assert read == candidate and read.key == candidate.key
    assert _make_candidate(root).key != candidate.key


def test_a_store_that_kept_only_names_is_read_as_it_was(root: Path):
    candidate = _make_candidate(root)
    kept = candidate.model_dump(mode="json")
    encoder = str(root / "enc")
    kept["prompt"]["demos"]["embedder"] = encoder
    kept["prompt"]["context"] |= {"embedder": encoder, "rerank": encoder}
    del kept["decoding"]["reward"]["files"]
    assert Candidate.model_validate(kept) == candidate


def test_files_stay_with_a_metric_through_a_task_and_a_method(root: Path):
    spec = _resolve_schema(root)
    task = Task(name="t", splits=Splits(train=(ROW,), dev=(), test=()), metric=spec)
    chain = Chain(steps=(BestOfN(reward=spec),))
    dumped = task.model_dump_json()
    keys = [task.key, chain.key]
    (root / "schema.json").unlink()
    assert Task.model_validate_json(dumped).key == keys[0]
    assert [task.replace(name="t").key, chain.replace().key] == keys
    other = spec.replace(options={})
    assert other.files == () and other.key == MetricSpec(name="json").key


def test_names_and_folders_that_are_no_models_stand_for_themselves(root: Path):
    (root / "plain").mkdir()
    for name in ("minilm", "org/model", "enc", str(root / "plain"), str(root / "absent"), "a\0b"):
        assert locate(name) == name
    assert isinstance(locate(str(root / "enc")), FileRef)
    assert str(locate(str(root / "m.py"))) == str(root / "m.py")


def test_a_file_that_cannot_be_read_is_said(root: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("whatworks.base.file_ref.compute_digest", refuse)
    with pytest.raises(InputError, match="it cannot be read") as caught:
        Knn(embedder=str(root / "enc"))
    assert caught.value.place == str(root / "enc") and caught.value.remedy
