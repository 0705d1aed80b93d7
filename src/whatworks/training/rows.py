"""Candidate + examples to training rows, through the one renderer.

A row holds the messages that the engine would be asked with, and what a trainer learns from: an
answer, a better and a worse one, an answer with a label, or the example that a reward is computed
from. Which tokens that makes is decided by ``whatworks.models.chat_templates``, for training and
generation alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from whatworks.base.frozen import Frozen
from whatworks.data.task import Example, Message, Pair
from whatworks.metrics.citations import taught
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render, warm


class Row(Frozen):
    """What every row has: an id and the rendered prompt."""

    id: str
    messages: tuple[Message, ...]


class TrainingRow(Row):
    """An answer to learn; only the answer and its end token are trained.

    Without messages it is plain text: no template stands around it, and all of it is learned.
    """

    target: str


class PairRow(Row):
    """A better and a worse answer to the same prompt."""

    chosen: str
    rejected: str


class LabelledRow(Row):
    """One answer that is wanted (``good``) or not."""

    answer: str
    good: bool


class PromptRow(Row):
    """A prompt that the model answers itself; the reward is computed from its example."""

    example: Example


def training_rows(prompt: Prompt, examples: Sequence[Example]) -> list[TrainingRow]:
    """One row per example, rendered as for evaluation: the row itself never helps in its prompt.

    A share of the rows with evidence (``Context.drop_gold``) is rendered without it, so that the
    model learns what to do when retrieval fails; what they teach is decided by ``taught``.
    """
    without = _without_gold(prompt)
    prompts = [without if _dropped(prompt, e) else prompt for e in examples]
    warm(prompt, [e for e in examples if not e.bare])
    return [
        TrainingRow(id=e.id, messages=(), target=e.target)
        if e.bare
        else TrainingRow(id=e.id, messages=render(p, e, exclude=[e]), target=taught(p, e))
        for p, e in zip(prompts, examples, strict=True)
    ]


def pair_rows(prompt: Prompt, pairs: Sequence[Pair]) -> list[PairRow]:
    """One row per pair that has two sides which differ, rendered as ``training_rows`` does."""
    pairs = [_as_taught(prompt, pair) for pair in pairs]
    whole = [pair for pair in pairs if pair.chosen and pair.rejected not in ("", pair.chosen)]
    asked = _rendered(prompt, [pair.example for pair in whole])
    return [
        PairRow(id=p.example.id, messages=messages, chosen=p.chosen, rejected=p.rejected)
        for p, messages in zip(whole, asked, strict=True)
    ]


def labelled_rows(prompt: Prompt, pairs: Sequence[Pair]) -> list[LabelledRow]:
    """One row per side of a pair that is not empty."""
    pairs = [_as_taught(prompt, pair) for pair in pairs]
    asked = _rendered(prompt, [pair.example for pair in pairs])
    return [
        LabelledRow(id=f"{p.example.id}/{side}", messages=messages, answer=text, good=side == "+")
        for p, messages in zip(pairs, asked, strict=True)
        for side, text in (("+", p.chosen), ("-", p.rejected))
        if text
    ]


def prompt_rows(prompt: Prompt, examples: Sequence[Example]) -> list[PromptRow]:
    """One row per example, to be answered and rewarded."""
    asked = _rendered(prompt, examples)
    return [
        PromptRow(id=e.id, messages=messages, example=e)
        for e, messages in zip(examples, asked, strict=True)
    ]


def _without_gold(prompt: Prompt) -> Prompt:
    context = prompt.context
    if context is None or not context.drop_gold:
        return prompt
    return prompt.replace(context=context.replace(passages="wrong"))


def _dropped(prompt: Prompt, example: Example) -> bool:
    share = prompt.context.drop_gold if prompt.context else 0.0
    return bool(example.evidence) and random.Random(f"drop_gold {example.id}").random() < share


def _as_taught(prompt: Prompt, pair: Pair) -> Pair:
    """The pair; a preferred answer that is the row's target is what the row teaches to say."""
    if not pair.chosen or pair.chosen != pair.example.target:
        return pair
    return pair.replace(chosen=taught(prompt, pair.example))


def _rendered(prompt: Prompt, examples: Iterable[Example]) -> list[tuple[Message, ...]]:
    examples = tuple(examples)
    warm(prompt, examples)
    return [render(prompt, example, exclude=[example]) for example in examples]
