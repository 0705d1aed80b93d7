"""What a rehearsal takes a training to be: rows padded as they will be, steps as counted."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from whatworks.rehearsal import usual_length
from whatworks.task import MetricSpec
from whatworks.training.settings import KTOSettings, RLSettings, SFTSettings


@pytest.mark.parametrize("rows", [40, 100, 300, 2000])
@pytest.mark.parametrize("by_length", [True, False])
def test_batches_are_padded_as_the_sampler_pads_them(rows: int, by_length: bool):
    """Lengths as of texts, the longest many times the usual; on average over shuffles."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    rng = random.Random(rows)
    lengths = sorted((int(rng.lognormvariate(4.5, 0.7)) for _ in range(rows)), reverse=True)
    settings = SFTSettings() if by_length else KTOSettings()
    assert settings.by_length is by_length
    size, tops = settings.batch_size, list[int]()
    for seed in range(60):
        if by_length:
            generator = torch.Generator().manual_seed(seed)
            order = get_length_grouped_indices(lengths, size, generator=generator)
        else:
            order = rng.sample(range(rows), rows)
        tops += [
            max(lengths[i] for i in order[at : at + size])
            for at in range(size if by_length else 0, rows - size + 1, size)
        ]
    assert usual_length(lengths, settings) == pytest.approx(fmean(tops), rel=0.15)


def test_reinforcement_steps_by_prompts():
    settings = RLSettings(metric=MetricSpec(name="exact"), batch_size=16, samples=4, epochs=2)
    assert settings.prompts == 4 and settings.steps(9) == 6
