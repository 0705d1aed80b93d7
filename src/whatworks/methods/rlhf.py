"""rlhf: a reward model from preference pairs, then reinforcement with it as the reward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from whatworks.data.task import Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.preference_pairs import (
    find_pairs,
    keep_differing,
    measure_agreement,
    split_pairs,
)
from whatworks.methods.rl import Reinforced
from whatworks.models.reward_model import RewardModel
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.prompts.prompt import Prompt
from whatworks.training.rows import make_pair_rows
from whatworks.training.settings import RewardSettings


class RLHF(Reinforced):
    """Learn what is preferred, then reinforce it (Ouyang et al. 2022, "InstructGPT").

    Attributes:
        reward_epochs: Passes over the pairs when the reward model is learned.
    """

    name: ClassVar[str] = "rlhf"
    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    learns: ClassVar[frozenset[Lesson]] = frozenset({"pairs"})

    reward_epochs: int = Field(default=3, ge=1)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with reinforced weights.

        Raises:
            ArmFailure: If there are no pairs, or too few.
        """
        pairs, aside = split_pairs(keep_differing(find_pairs(start, bench.preferences)), bench.seed)
        start = start.drop_lesson("pairs")
        model = train_reward_model(start, bench, pairs, self.reward_epochs)
        bench.note("reward_model", model.stages[-1].artifact)
        for name, value in measure_agreement(
            measure_margins(bench, model, start.prompt, aside)
        ).items():
            bench.note(f"reward_{name}", round(value, 4))
        bench.note("reward_held_out", len(aside))
        return self.reinforce(start, bench, reward=model)


def train_reward_model(
    start: Candidate, bench: Bench, pairs: Sequence[Pair], epochs: int
) -> Weights:
    """A reward model on the untouched base, so that it judges every arm alike; stored.

    What its training tells is kept beside what the policy's will, under ``reward``.
    """
    base = start.with_weights(start.weights.replace(stages=()))
    rows = make_pair_rows(start.prompt, pairs)
    aside = replace(bench, outcomes=[])
    weights = aside.fit(base, RewardSettings(epochs=epochs), rows, "reward")[-1]
    for outcome in aside.outcomes:
        bench.tell(outcome.replace(name=f"reward.{outcome.name}".strip(".")))
    return weights


def measure_margins(
    bench: Bench, model: Weights, prompt: Prompt, pairs: Sequence[Pair]
) -> list[float]:
    """By how much the reward model prefers the better answer of each pair."""

    scorer = RewardModel(bench.examiner.files(model))
    rows = make_pair_rows(prompt, pairs)
    better, worse = (
        scorer.score([scorer.ids(row.messages, getattr(row, side)) for row in rows])
        for side in ("chosen", "rejected")
    )
    return [b - w for b, w in zip(better, worse, strict=True)]
