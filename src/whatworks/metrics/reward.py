"""A reward model as a metric: is the answer as good as the target, by learned preferences?

The model is one that ``rlhf`` learned and stored, or any Hugging Face model with one output; its
scores mean something only as differences. Bradley and Terry (1952) make a difference of scores the
probability of being preferred, by the logistic function: that is what the model was trained to say
(Ouyang et al. 2022, "InstructGPT", equation 1). Empty answers are wrong and not shown.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts
from whatworks.models.engine import ModelFiles
from whatworks.models.reward_model import RewardModel
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

_FAR = 30.0
"""Beyond it the logistic function is 0 or 1 to twelve digits."""


class RewardOptions(Options):
    """Options of ``reward``. Answers to one request are put in order without a target.

    Attributes:
        folder: A Hugging Face model with one output, or a PEFT adapter that names its base.
        instructions: What stood before the inputs of the pairs that the model learned from.
    """

    folder: Path
    instructions: str = ""


@metric(
    RewardOptions, figures=average_parts, blind=lambda _: True, asks=True, seconds=lambda _: None
)
def reward(example: Example, text: str, options: RewardOptions) -> Score:
    """How good the answer is against the target, by the reward model.

    Strict: twice the probability that the answer is preferred to the target, and 1 where it is at
    least even. Without a target, as where a reward chooses among samples, the logistic function of
    the score: answers to one request stand in the right order, the number alone says nothing. Part
    ``reward``: the model's own score, of any size.

    Args:
        example: What was asked; its target, if any, is what the answer is measured against.
        text: The answer.
        options: The model.

    Raises:
        InputError: If there is no such model.
        ArmFailure: If it has no form with one output.
    """
    reply = text.encode("utf-8", "replace").decode().strip()  # lone surrogates have no tokens
    target = example.target.strip()
    if not reply:
        return Score(0.0, "wrong", "says nothing")
    model = _load_model(options.folder)
    request = render(Prompt(instructions=options.instructions), example, exclude=[example])
    ids = [model.ids(request.messages, answer) for answer in (reply, target) if answer]
    if model.context is not None and len(ids[0]) > model.context:
        return Score(0.0, "wrong", "longer than the reward model's context")
    scores = model.score(ids)
    parts = {"reward": scores[0]}
    if not target:
        return Score(_logistic(scores[0]), "wrong", "there is no target", parts=parts)
    value = 1.0 if reply == target else min(1.0, 2 * _logistic(scores[0] - scores[1]))
    if value == 1.0:
        return Score(value, "correct", parts=parts)
    return Score(value, "wrong", "less preferred than the target", parts=parts)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-_FAR, min(_FAR, x))))


@lru_cache(maxsize=2)
def _load_model(folder: Path) -> RewardModel:

    return RewardModel(_find_files(folder))


def _find_files(folder: Path) -> ModelFiles:
    """The reward model of a folder: a model, or an adapter on the base that it names."""
    adapter = folder / "adapter_config.json"
    if not adapter.is_file():
        return ModelFiles(str(folder))
    try:
        base = json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            "the adapter does not name its base",
            place=str(adapter),
            remedy="write `base_model_name_or_path` into it",
        ) from error
    return ModelFiles(str(base), folder)
