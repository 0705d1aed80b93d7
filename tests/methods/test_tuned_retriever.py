"""tuned-retriever: the loss falls, the map moves, the passages' vectors and the weights do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whatworks.analysis.method_outcomes import Losses
from whatworks.base.errors import ArmFailure
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render_each
from whatworks.prompts.retrieval import load_embedder
from whatworks.prompts.retrieval.query_map import QueryMap, embed_queries
from whatworks.training.query_map_fit import MapSettings, fit_query_map

# Requests use words that stand in no passage: what they stand for has to be learned.
SAID = {"fare": "price", "moggy": "cat", "motor": "car", "abode": "house", "lad": "boy"}
TALK = ("The {} is described on this page with its usual details.", "Rules that concern every {}.")
DOCUMENTS = tuple(
    Document(id=f"{word}{i}", text=talk.format(word))
    for word in SAID.values()
    for i, talk in enumerate(TALK)
)
ASKED = ("Tell me of my {}, please", "What holds for a {}?", "My {} again", "Any {} at all?")


def ask(said: str, at: int, split: str) -> Example:
    word = SAID[said]
    return Example(
        id=f"{split}-{said}-{at}",
        inputs={"q": ASKED[at].format(said)},
        target=f"{word}.",
        evidence=tuple(f"{word}{i}" for i in range(len(TALK))),
    )


TRAIN = tuple(ask(said, at, "t") for said in SAID for at in (0, 1, 2))
DEV = tuple(ask(said, 3, "d") for said in SAID)
START = Candidate(prompt=Prompt(instructions="Answer."), weights=Weights(base="fake:"))


def make_bench(folder: Path, **more: Any) -> Bench:
    examiner = Examiner(
        FakeEngine(lambda m: "x"), load(MetricSpec(name="exact"), TRAIN), Store(folder)
    )
    fields: dict[str, Any] = {"train": TRAIN, "dev": DEV, "documents": DOCUMENTS, "seed": 1}
    return Bench(examiner, **{**fields, **more})


def tune(bench: Bench, spec: str = "tuned-retriever", **rag: Any) -> Candidate:
    own: dict[str, Any] = {
        "tuned-retriever": {
            "embedder": "lexical",
            "k": 2,
            "rank": 8,
            "learning_rate": 1e-2,
            "epochs": 40,
        }
    }
    return build_chain(
        spec, {**own, "rag": {"k": 2, "search": "vector", **rag}} if "rag" in spec else own
    ).adapt(START, bench)


def test_words_that_stand_in_no_passage_are_learned_and_rag_searches_by_them(
    tmp_path: Path,
) -> None:
    bench = make_bench(tmp_path)
    made = tune(bench, "tuned-retriever+rag")
    losses = next(one.values for one in bench.outcomes if isinstance(one, Losses))
    assert losses[-1] < 0.5 * losses[0]
    before, after = (bench.notes[f"recall_at_2_{when}"] for when in ("before", "after"))
    assert before < 0.7 and after == 1.0
    assert bench.notes["recall"] == 1.0  # rag's own figure, of what it shows
    shown = render_each(made.prompt, DEV)
    assert all(
        {p.id.partition("#")[0] for p in one.passages} == set(one.example.evidence) for one in shown
    )
    plain = render_each(made.prompt.replace(query_map=None), DEV)
    assert [one.passages for one in plain] != [one.passages for one in shown]
    assert made.weights == START.weights


def test_only_requests_are_moved(tmp_path: Path) -> None:
    by = load_embedder("lexical").over([d.text for d in DOCUMENTS])
    before = by.embed([d.text for d in DOCUMENTS]).copy()
    made = tune(make_bench(tmp_path))
    assert made.prompt.query_map is not None and made.prompt.context is None
    down, up = made.prompt.query_map.matrices
    assert np.abs(up).max() > 0 and down.shape == (8, 1024) == up.shape[::-1]
    assert (by.embed([d.text for d in DOCUMENTS]) == before).all()
    queries = [e.text for e in DEV]
    moved = embed_queries(by, queries, made.prompt.query_map)
    assert not np.allclose(moved, by.embed(queries))
    assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)
    one = embed_queries(by, queries[2:3], made.prompt.query_map)
    assert (one[0] == moved[2]).all()  # the same bits alone


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    queries, passages = (rng.standard_normal((n, 6)).astype(np.float32) for n in (5, 7))
    queries, passages = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, passages))
    positives = [[0], [1, 2], [3], [4], [5, 6]]
    # One step of Adam moves each number by the learning rate against the sign of its gradient.
    rate = 1e-3
    first = next(fit_query_map(queries, passages, positives, MapSettings(2, 1, rate, 0)))

    def loss(up: Any) -> float:
        scores = (queries + queries @ down.T @ up.T) @ passages.T / 0.05
        every = np.log(np.exp(scores).sum(axis=1))
        return float(
            np.mean(
                [every[i] - np.log(np.exp(scores[i, own]).sum()) for i, own in enumerate(positives)]
            )
        )

    start = np.random.default_rng(0).standard_normal((2, 6)) / np.sqrt(6)
    down = start.astype(np.float64)
    assert first.losses[0] == pytest.approx(loss(np.zeros((6, 2))), rel=1e-4)
    for at in np.ndindex(6, 2):
        step = np.zeros((6, 2))
        step[at] = 1e-4
        slope = (loss(step) - loss(-step)) / 2e-4
        assert first.up[at] == pytest.approx(-rate * np.sign(slope), rel=1e-2)


def test_without_evidence_or_with_another_embedder_it_is_refused(tmp_path: Path) -> None:
    bare = tuple(row.replace(evidence=()) for row in TRAIN)
    with pytest.raises(ArmFailure, match="no train row says"):
        tune(make_bench(tmp_path, train=bare))
    with pytest.raises(ArmFailure, match="`search: lexical` has none"):
        tune(make_bench(tmp_path), "tuned-retriever+rag", search="lexical")


def test_a_map_survives_being_written(tmp_path: Path) -> None:
    made = tune(make_bench(tmp_path))
    again = Candidate.model_validate_json(made.model_dump_json())
    assert again.key == made.key
    assert isinstance(again.prompt.query_map, QueryMap) and made.prompt.query_map is not None
    for one, other in zip(
        again.prompt.query_map.matrices, made.prompt.query_map.matrices, strict=True
    ):
        assert (one == other).all()
    assert "query_map" not in START.model_dump_json()  # keys of what has none are what they were


@pytest.fixture(scope="module")
def encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder that knows nothing yet."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "encoder"
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    shape: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=64, **shape)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tune_encoder(bench: Bench, encoder: Path, spec: str = "tuned-retriever", **more: Any) -> Any:
    settings = {"fits": "encoder", "embedder": str(encoder), "k": 2, "learning_rate": 1e-2}
    own = {"tuned-retriever": {**settings, "epochs": 15, **more}}
    rag = {"rag": {"k": 2, "search": "vector"}} if "rag" in spec else {}
    return build_chain(spec, {**own, **rag}).adapt(START, bench)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_encoder_is_tuned_and_rag_searches_with_it(encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    bench = make_bench(tmp_path)
    tuned = tune_encoder(bench, encoder, "tuned-retriever+rag")
    losses = next(one for one in bench.outcomes if isinstance(one, Losses)).values
    assert len(losses) == 15 * 2  # 30 pairs, none twice in a batch of 16
    assert losses[-1] < 0.8 * losses[0]
    notes = bench.notes
    assert notes["recall_at_2_after"] > notes["recall_at_2_before"]
    folder = Path(str(tuned.prompt.query_map.embedder))
    assert folder.is_relative_to(tmp_path) and str(tuned.prompt.context.embedder) == str(folder)
    before, after = (
        load_file(encoder / "model.safetensors"),
        load_file(folder / "model.safetensors"),
    )
    moved = {name for name in before if not before[name].equal(after[name])}
    assert {name for name in before if "pooler" not in name} == moved | {
        name for name in before if "position" in name and name not in moved
    }
    assert not list(folder.glob("optimizer*"))
    # Found again and not tuned twice, with the same outcome.
    seconds = bench.ledger.training_seconds
    again = make_bench(tmp_path)
    assert tune_encoder(again, encoder, "tuned-retriever+rag").key == tuned.key
    assert again.ledger.training_seconds == seconds


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_each_loss_of_an_encoder_falls(encoder: Path, tmp_path: Path) -> None:
    for loss in ("symmetric", "cached"):
        bench = make_bench(tmp_path / loss)
        tune_encoder(bench, encoder, loss=loss)
        losses = next(one for one in bench.outcomes if isinstance(one, Losses)).values
        assert losses[-1] < losses[0]


def test_words_alone_are_no_encoder_and_a_missing_package_is_said(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArmFailure, match="no encoder to tune"):
        tune_encoder(make_bench(tmp_path), encoder, embedder="lexical")
    monkeypatch.setattr("whatworks.training.encoder_fit.find_spec", lambda name: None)
    with pytest.raises(ArmFailure, match="not installed") as caught:
        tune_encoder(make_bench(tmp_path), encoder)
    assert "whatworks[retriever]" in (caught.value.remedy or "")
