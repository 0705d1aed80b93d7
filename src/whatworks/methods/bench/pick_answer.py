"""Several answers to one prompt, and which of them counts: the one place for it.

``majority`` is self-consistency (Wang et al. 2022, section 2): the label with the most votes;
``likeliest`` and ``reward`` are best-of-n. Nothing here sees a target: votes are counted over what
the metric takes an answer to mean, rewards to what a server has of a request.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load
from whatworks.metrics.score import Metric
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, Generation, ModelFiles, Prompts


def generate(
    engine: Engine,
    model: ModelFiles,
    prompts: Prompts,
    decoding: Decoding,
    *,
    examples: Sequence[Example],
    metric: Metric,
    read: Callable[[str], str] = str,
) -> list[Generation]:
    """One answer per prompt; of ``decoding.samples`` drawn ones, the one that is picked.

    Tokens and seconds are those of all samples.

    Args:
        engine: Draws them.
        model: The weights to run.
        prompts: Rendered messages.
        decoding: How to draw, how many, and which to pick.
        examples: What each prompt asks; their ids name the random streams.
        metric: What answers mean.
        read: The answer in a generated text (``citations.make_answer_reader``): citations
            neither vote nor are rewarded.
    """
    ids = [example.id for example in examples]
    if decoding.samples == 1:
        return engine.generate(model, prompts, decoding, keys=ids)
    n = decoding.samples
    every = [prompt for prompt in prompts for _ in range(n)]
    keys = [f"{name}#{i}" for name in ids for i in range(n)]
    drawn = engine.generate(model, every, decoding, keys=keys)
    groups = [drawn[at : at + n] for at in range(0, len(drawn), n)]
    return [
        choose(group, decoding, example, metric, read)
        for group, example in zip(groups, examples, strict=True)
    ]


def choose(
    samples: Sequence[Generation],
    decoding: Decoding,
    example: Example,
    metric: Metric,
    read: Callable[[str], str] = str,
) -> Generation:
    """The sample that counts, with the tokens and seconds of all of them."""
    return _merge(samples[pick(samples, decoding, example, metric, read)], samples)


def pick(
    samples: Sequence[Generation],
    decoding: Decoding,
    example: Example,
    metric: Metric,
    read: Callable[[str], str] = str,
) -> int:
    """Which of the samples counts; the likeliest among equals, then the earliest."""
    best = range(len(samples))
    if decoding.pick == "majority":
        votes: dict[str, list[int]] = defaultdict(list)
        for at, sample in enumerate(samples):
            meaning = "" if sample.finish == "length" else metric.label(read(sample.text))
            votes[meaning].append(at)
        # What means nothing counts only where nothing else was said.
        groups = [ats for label, ats in votes.items() if label] or list(votes.values())
        best = max(
            groups, key=lambda ats: (len(ats), max(_measure_likelihood(samples[at]) for at in ats))
        )
    elif decoding.pick == "reward" and decoding.reward is not None:
        reward = load_reward(decoding.reward)
        values = [reward(example.request, read(sample.text)).value for sample in samples]
        best = [at for at, value in enumerate(values) if value == max(values)]
    return max(best, key=lambda at: (_measure_likelihood(samples[at]), -at))


def _measure_likelihood(sample: Generation) -> float:
    """Mean log-probability of a token: sums would favour short answers."""
    if sample.logprob is None:
        return -math.inf
    return sample.logprob / max(1, sample.completion_tokens)


def _merge(chosen: Generation, group: Sequence[Generation]) -> Generation:
    return replace(
        chosen,
        prompt_tokens=sum(g.prompt_tokens for g in group),
        completion_tokens=sum(g.completion_tokens for g in group),
        seconds=sum(g.seconds for g in group),
        samples=len(group),
    )


@lru_cache(maxsize=8)
def _load(spec_json: str) -> Metric:
    return load(MetricSpec.model_validate_json(spec_json))


def load_reward(spec: MetricSpec) -> Metric:
    """The metric that chooses among answers to a request.

    Raises:
        InputError: If there is no such metric, its options do not fit, or it compares with a
            target, which no request has.
    """
    metric = _load(spec.model_dump_json())
    if not metric.blind:
        raise InputError(
            f"the metric {spec.name} compares with a target, so it cannot be a reward",
            remedy="reward, json with `schema`, instructions with `constraints`, and style with "
            "`content: input` do without",
        )
    return metric
