"""Candidate + examples to training rows, through the one renderer.

A row holds the messages that the engine would be asked with, and what a trainer learns from: an
answer, a better and a worse one, an answer with a label, or the example that a reward is computed
from. Which tokens that makes is decided by ``whatworks.models.chat_templates``, for training and
generation alike.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import Frozen
from whatworks.data.scripted_tools import is_scripted
from whatworks.data.task import Example, Message, Pair
from whatworks.metrics.citations import make_training_target
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import Rendering, render, render_each, warm


class RenderedRow(Frozen):
    """What every row has: an id and the rendered prompt."""

    id: str
    messages: tuple[Message, ...]


class TrainingRow(RenderedRow):
    """An answer to learn; only the answer and its end token are trained.

    Without messages it is plain text: no template stands around it, and all of it is learned.
    """

    target: str


class PairRow(RenderedRow):
    """A better and a worse answer to the same prompt."""

    chosen: str
    rejected: str


class LabelledRow(RenderedRow):
    """One answer that is wanted (``good``) or not."""

    answer: str
    good: bool


class TaughtRow(RenderedRow):
    """A prompt that the model answers itself, and what a teacher is shown to judge the answer.

    Attributes:
        shown: The teacher's prompt; that of the row itself where it sees no more.
    """

    shown: tuple[Message, ...]


class PromptRow(RenderedRow):
    """A prompt that the model answers itself; the reward is computed from its example."""

    example: Example


def make_training_rows(prompt: Prompt, examples: Sequence[Example]) -> list[TrainingRow]:
    """One row per example, rendered as for evaluation: the row itself never helps in its prompt.

    A share of the rows with evidence (``Context.drop_gold``) is rendered without it, so that the
    model learns what to do when retrieval fails; ``make_training_target`` decides what they teach.

    Raises:
        ArmFailure: If a row is played to an end state.
    """
    if any(is_scripted(example) for example in examples):
        raise ArmFailure(
            "rows with a script are played to their end state: there is no answer to learn",
            remedy="train on logged conversations in a study of their own, and give its model here",
        )
    without = _drop_gold(prompt)
    prompts = [without if _is_dropped(prompt, e) else prompt for e in examples]
    warm(prompt, [e for e in examples if not e.bare])
    return [
        TrainingRow(id=e.id, messages=(), target=e.target)
        if e.bare
        else _make_answer_row(render(p, e, exclude=[e]))
        for p, e in zip(prompts, examples, strict=True)
    ]


def _make_answer_row(request: Rendering) -> TrainingRow:
    return TrainingRow(
        id=request.example.id, messages=request.messages, target=make_training_target(request)
    )


def make_pair_rows(prompt: Prompt, pairs: Sequence[Pair]) -> list[PairRow]:
    """One row per pair that has two sides which differ, rendered as ``make_training_rows`` does."""
    return [
        PairRow(
            id=pair.example.id,
            messages=request.messages,
            chosen=pair.chosen,
            rejected=pair.rejected,
        )
        for pair, request in _render_pairs(prompt, pairs)
        if pair.chosen and pair.rejected not in ("", pair.chosen)
    ]


def make_labelled_rows(prompt: Prompt, pairs: Sequence[Pair]) -> list[LabelledRow]:
    """One row per side of a pair that is not empty."""
    return [
        LabelledRow(
            id=f"{pair.example.id}/{side}",
            messages=request.messages,
            answer=text,
            good=side == "+",
        )
        for pair, request in _render_pairs(prompt, pairs)
        for side, text in (("+", pair.chosen), ("-", pair.rejected))
        if text
    ]


def make_prompt_rows(prompt: Prompt, examples: Sequence[Example]) -> list[PromptRow]:
    """One row per example, to be answered and rewarded."""
    return [
        PromptRow(id=request.example.id, messages=request.messages, example=request.example)
        for request in render_each(prompt, examples)
    ]


def make_taught_rows(
    prompt: Prompt, teacher: Prompt, examples: Sequence[Example]
) -> list[TaughtRow]:
    """One row per example, rendered by the learner's prompt and by the teacher's."""
    asked, shown = render_each(prompt, examples), render_each(teacher, examples)
    return [
        TaughtRow(id=one.example.id, messages=one.messages, shown=more.messages)
        for one, more in zip(asked, shown, strict=True)
    ]


def _drop_gold(prompt: Prompt) -> Prompt:
    context = prompt.context
    if context is None or not context.drop_gold:
        return prompt
    return prompt.replace(context=context.replace(passages="wrong"))


def _is_dropped(prompt: Prompt, example: Example) -> bool:
    share = prompt.context.drop_gold if prompt.context else 0.0
    return bool(example.evidence) and random.Random(f"drop_gold {example.id}").random() < share


def _render_pairs(prompt: Prompt, pairs: Sequence[Pair]) -> list[tuple[Pair, Rendering]]:
    """Each pair and its request.

    A preferred answer that is the row's target is what the row teaches to say.
    """
    requests = render_each(prompt, [pair.example for pair in pairs])
    return [
        (
            pair.replace(chosen=make_training_target(request))
            if pair.chosen and pair.chosen == pair.example.target
            else pair,
            request,
        )
        for pair, request in zip(pairs, requests, strict=True)
    ]
