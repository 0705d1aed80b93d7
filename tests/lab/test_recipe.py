"""The recipe: packing keeps documents apart, loss falls, an interrupted run goes on."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

import whatworks_lab as lab
from whatworks_lab import corpus, items, packing, recipe, tokens, tuning

TINY = lab.Shape(hidden=32, layers=1, heads=1, inner=64)


@pytest.fixture(scope="module")
def packed():
    tokenizer = tokens.load_tokenizer(lab.find_weights("lab"))
    docs = list(itertools.islice(corpus.stream(0, 7, 0.9), 100))
    encoded = tokens.encode(tokenizer, docs)
    return docs, encoded, packing.pack(encoded, 256, np.random.default_rng(0), 0)


def test_packing_loses_and_doubles_nothing(packed):
    docs, encoded, rows = packed
    sizes = np.minimum(np.diff(np.concatenate([[0], encoded.ends])), 256)
    assert (rows.docs >= 0).sum() == sizes.sum()
    assert (rows.positions[rows.docs >= 0] == 0).sum() == len(docs)
    assert rows.weights[rows.docs < 0].sum() == 0


def test_a_document_does_not_see_its_neighbours(packed):
    torch = pytest.importorskip("torch")
    _, _, rows = packed
    model = recipe.make_model(2304, TINY, 0, 0, 1).eval()
    row = next(r for r in range(len(rows.ids)) if rows.docs[r].max() >= 1)
    ids, docs, positions = (
        torch.from_numpy(part[row : row + 1]) for part in (rows.ids, rows.docs, rows.positions)
    )
    second = rows.docs[row] == 1
    weights = torch.from_numpy((second & (rows.positions[row] > 0)).astype(np.float32))[None]
    with torch.no_grad():
        before = recipe.compute_loss(model, ids, weights, docs, positions)
    changed = ids.clone()
    changed[0, torch.from_numpy(rows.docs[row] == 0)] = 7
    with torch.no_grad():
        after = recipe.compute_loss(model, changed, weights, docs, positions)
    assert before.item() == pytest.approx(after.item(), abs=1e-6)


def test_an_interrupted_run_ends_like_an_undisturbed_one(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "TOKENS_PER_STEP", 512)
    monkeypatch.setattr(recipe, "DOCS_PER_PART", 60)
    monkeypatch.setattr(corpus, "read_english_text", lambda: "")
    monkeypatch.setattr(
        recipe.PretrainingRun, "_sample", lambda self: [d.plain for d in itertools.islice(
            corpus.stream(0, -1, 0.9), 300)]
    )  # fmt: skip

    def run(out, million_tokens):
        settings = {"shape": TINY, "bar": False, "say": lambda text: None, "compiled": False}
        recipe.pretrain(out, million_tokens=million_tokens, **settings)
        return recipe.PretrainingRun(out, 0, TINY, "")

    whole = run(tmp_path / "whole", 0.02)
    assert whole.resume() and whole.progress.loss < 8

    calls = itertools.count()
    step = recipe.PretrainingRun.step

    def dying(self, *rest):
        if next(calls) == 20:
            self.save()
            raise KeyboardInterrupt
        return step(self, *rest)

    monkeypatch.setattr(recipe.PretrainingRun, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 0.02)
    cut = run(tmp_path / "cut", 0.02)
    assert cut.resume() and cut.progress.tokens == whole.progress.tokens
    assert (tmp_path / "cut" / "model" / "model.safetensors").is_file()


def test_the_chat_course_goes_on_from_a_base(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "TOKENS_PER_STEP", 512)
    monkeypatch.setattr(recipe, "DOCS_PER_PART", 60)
    course = replace(recipe.CHAT, start=str(lab.find_weights("lab-base")))
    out = recipe.pretrain(
        tmp_path, course, million_tokens=0.004, bar=False, say=lambda text: None, compiled=False
    )
    base, _ = recipe.load("lab-base")
    tuned, tokenizer = recipe.load(str(out))
    assert len(tokenizer) == base.config.vocab_size
    moved = [
        (a - b).abs().max().item()
        for a, b in zip(base.parameters(), tuned.parameters(), strict=True)
    ]
    assert max(moved) > 0 and max(moved) < 0.5


def test_tuning_teaches_and_leaves_the_model_alone():
    from whatworks_lab import gates

    loaded = gates.load("lab")
    before = {name: weight.clone() for name, weight in loaded.model.named_parameters()}
    pairs = [(f"say {word}", "Marford") for word in ("one", "two", "red", "blue")] * 4
    tuned = tuning.tune(loaded.model, loaded.tokenizer, pairs, "Say it.", epochs=6, batch=4)
    asked = items.GateItem(items.make_prompt("Say it.", [], "say red"), "Marford")
    assert gates.Loaded(tuned, loaded.tokenizer).share_right([asked]) == 1.0
    assert all((weight == before[name]).all() for name, weight in loaded.model.named_parameters())
    assert any((a != b).any() for a, b in zip(tuned.parameters(), before.values(), strict=True))
