"""Log-probabilities in batches against plain forward passes, one answer at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import STRAY, SURE, FakeEngine
from whatworks.models.local.engine import LocalEngine

ANSWERS = ["Porto", "card_lost", "", "The sky is blue.", "7 4 [1]", "Alma Reed lives in Porto."]


def prompts(shared: bool) -> list[list[Message]]:
    """Questions of very different lengths, after the same long system text or without one."""
    draw = random.Random(5)
    head = [Message(role="system", content="What is the colour of the sky? " * 4)] if shared else []
    words = ["sky", "blue", "Reed", "lives", "Porto", "please", "7", "?"]
    texts = [" ".join(draw.choices(words, k=n)) for n in (1, 30, 4, 17, 2, 9)]
    return [[*head, Message(role="user", content=text)] for text in texts]


def plain(folder: Path, prompt: Sequence[Message], answer: str) -> list[float]:
    """The same from one forward pass without batch, cache or padding."""
    model = models.load_model(folder, dtype=torch.float32, device="cpu")
    tokenizer = templates.use(models.load_tokenizer(folder))
    before, after = templates.encode_training(tokenizer, prompt, answer)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([before + after])).logits[0].log_softmax(-1)
    return [float(logits[len(before) - 1 + i, token]) for i, token in enumerate(after)]


@pytest.mark.parametrize("shared", [False, True])
def test_batches_give_what_one_forward_pass_each_gives(
    engine: LocalEngine, model: Path, shared: bool
) -> None:
    given = prompts(shared)
    got = engine.logprobs(ModelFiles(str(model)), given, ANSWERS)
    for prompt, answer, values in zip(given, ANSWERS, got, strict=True):
        assert list(values) == pytest.approx(plain(model, prompt, answer), abs=1e-4)


def test_small_batches_give_the_same(model: Path) -> None:
    given, files = prompts(True), ModelFiles(str(model))
    whole = LocalEngine(dtype="float32", device="cpu", threads=1).logprobs(files, given, ANSWERS)
    pairs = LocalEngine(dtype="float32", device="cpu", threads=1, batch_size=2)
    for one, other in zip(whole, pairs.logprobs(files, given, ANSWERS), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_generation_says_how_likely_it_was(
    engine: LocalEngine, stories: Path, temperature: float
) -> None:
    """An answer that ended by itself is as likely as the same answer given."""
    files = ModelFiles(str(stories), template="plain")
    given, how = prompts(False), Decoding(max_tokens=12, temperature=temperature, seed=2)
    cut = engine.generate(files, given, how)
    for answer, single in zip(cut, engine.generate(files, given[:1], how), strict=False):
        assert answer.logprob == pytest.approx(single.logprob, abs=1e-3)
    tokenizer = templates.use(models.load_tokenizer(stories), "plain")
    checked = 0
    for prompt, answer in zip(given, cut, strict=True):
        assert answer.logprob is not None and answer.logprob < 0
        if len(templates.encode_completion(tokenizer, answer.text, end=False)) != 12:
            continue  # a stop string is part of what was drawn, or the text tokenises otherwise
        values = engine.logprobs(files, [prompt], [answer.text])[0]
        assert answer.logprob == pytest.approx(sum(values[:12]), abs=1e-2)
        checked += 1
    assert checked


def test_the_scripted_model_is_sure_of_its_own_words() -> None:
    engine = FakeEngine(lambda messages: "in the north")
    asked = [[Message(role="user", content="where?")]] * 3
    got = engine.logprobs(ModelFiles("fake:"), asked, ["in the north", "in the south", "in"])
    assert got == [(SURE,) * 4, (SURE, SURE, STRAY, STRAY), (SURE, STRAY)]
    own = engine.generate(ModelFiles("fake:"), asked[:1], Decoding())[0]
    assert own.logprob == pytest.approx(sum(got[0]))
