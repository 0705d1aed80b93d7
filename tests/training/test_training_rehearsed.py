"""What a rehearsal takes a training to be: rows padded as they will be, steps as counted."""

from __future__ import annotations

import random
from math import comb

import pytest

from whatworks.data.task import MetricSpec
from whatworks.methods.bench.rehearsal import TrainingPace, estimate_length
from whatworks.models.weights import Weights
from whatworks.training.settings import RLSettings


@pytest.mark.parametrize("rows", [5, 40, 300])
def test_a_batch_is_as_long_as_the_longest_of_so_many(rows: int):
    """Lengths as of texts, the longest many times the usual; by counting all possible batches."""
    rng, batch = random.Random(rows), 16
    lengths = sorted(int(rng.lognormvariate(4.5, 0.7)) for _ in range(rows))
    least = min(batch, rows)
    expected = sum(n * comb(i, least - 1) for i, n in enumerate(lengths)) / comb(rows, least)
    assert estimate_length(rng.sample(lengths, rows), batch) == pytest.approx(expected, rel=0.1)


def test_the_steps_of_reinforcement_are_those_of_its_prompts():
    """16 answers a step are 4 prompts: 9 prompts are 3 steps a pass, the first of each longer."""
    settings = RLSettings(metric=MetricSpec(name="exact"), batch_size=16, samples=4, epochs=2)
    pace = TrainingPace(
        around=10, first=5, longest=3, step=1, save=2, tokens=0, weights=Weights(base="b")
    )
    assert pace.seconds(settings, 9) == 10 + 5 + 3 + 4 * 1 + 2 * 2
