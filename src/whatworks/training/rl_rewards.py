"""Rewards as TRL asks for them: functions of drawn answers, made from the task's own metric.

An answer is read as evaluation would: it ends at a stop string too, which TRL cannot be told to
draw no further than, and citations are taken off where the prompt asks for them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from whatworks.data.task import Example, Message
from whatworks.metrics.citations import strip_citations
from whatworks.metrics.pay import compute_pay
from whatworks.metrics.registry import load
from whatworks.metrics.score import Score
from whatworks.models import chat_templates as templates
from whatworks.models.reward_model import RewardModel
from whatworks.training.settings import RLSettings


def make_rewards(
    settings: RLSettings, examples: Sequence[Example], tokenizer: Any, scorer: RewardModel | None
) -> list[Any]:
    """The reward, and beside it the metric's score, which is only recorded.

    Args:
        settings: Names the metric.
        examples: What was asked; a row's column ``at`` is its position here.
        tokenizer: Decodes answers as generation does, and asks as it does.
        scorer: The reward model; None where the metric is the reward.
    """
    metric = load(settings.metric)
    end = templates.find_ending(tokenizer)
    stops = (*settings.stop, *end.stop_texts)
    last: list[Any] = [None, []]

    def read(ids: Sequence[int]) -> tuple[str, bool]:
        """An answer's text, and whether a stop string ended it."""
        text = templates.split_answer(tokenizer, templates.decode(tokenizer, ids)).answer
        shortened = templates.cut_at_stop(text, stops)
        return shortened, shortened != text

    def score(example: Example, ids: Sequence[int]) -> Score:
        text, stopped = read(ids)
        if settings.cite:
            text, _ = strip_citations(text)
        return metric(example, text, ended=stopped or (bool(ids) and ids[-1] in end.stop_ids))

    def close(ids: Sequence[int]) -> list[int]:
        """An answer's ids as a reward model learned them, with the end of the turn."""
        text, stopped = read(ids)
        return templates.encode_completion(tokenizer, text) if stopped else list(ids)

    def scores(completion_ids: Sequence[Sequence[int]], at: Sequence[int]) -> list[Score]:
        """Both functions are called with the same answers: they are scored once."""
        if last[0] is completion_ids:
            return last[1]
        last[:] = (
            completion_ids,
            [score(examples[i], ids) for ids, i in zip(completion_ids, at, strict=True)],
        )
        return last[1]

    def gold(completion_ids: Sequence[Sequence[int]], at: Sequence[int], **_: Any) -> list[float]:
        return [score.counted for score in scores(completion_ids, at)]

    def reward(
        prompts: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        at: Sequence[int],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        if scorer is None:
            values = [
                compute_pay(s, settings.pay, settings.wrong_costs)
                for s in scores(completion_ids, at)
            ]
        else:
            prompt_ids = [
                templates.encode_prompt(tokenizer, [Message.model_validate(m) for m in prompt])
                for prompt in prompts
            ]
            values = scorer.score(
                [p + close(c) for p, c in zip(prompt_ids, completion_ids, strict=True)]
            )
        groups = [values[i : i + settings.samples] for i in range(0, len(values), settings.samples)]
        log_metric("spread", statistics.fmean(statistics.pstdev(group) for group in groups))
        return values

    return [reward, gold]
