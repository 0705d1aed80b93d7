"""The order of rows, and how many are in memory at once."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_helpers import Train
from transformers import LlamaConfig

from whatworks.training import memory
from whatworks.training.job import TrainingJob
from whatworks.training.memory import count_rows_in_memory
from whatworks.training.row_order import RowOrder
from whatworks.training.rows import TrainingRow
from whatworks.training.settings import SFTSettings

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=70)


def order(lengths: list[int], *, seed: int = 0, epoch: int = 0, part: int = 16) -> list[int]:
    rows = RowOrder(range(len(lengths)), lengths, seed=seed, step=16, part=part)
    rows.set_epoch(epoch)
    return [rows[at] for at in range(len(rows))]


@given(LENGTHS, st.integers(0, 5), st.integers(0, 5), st.sampled_from([4, 16]))
def test_every_row_once_and_the_longest_first(
    lengths: list[int], seed: int, epoch: int, part: int
) -> None:
    found = order(lengths, seed=seed, epoch=epoch, part=part)
    assert sorted(found) == list(range(len(lengths)))
    assert lengths[found[0]] == max(lengths)


@given(LENGTHS, st.integers(0, 5))
def test_parts_are_sorted_within_the_steps_that_there_were(lengths: list[int], seed: int) -> None:
    whole, parts = (order(lengths, seed=seed, part=part) for part in (16, 4))
    for at in range(0, len(lengths), 16):
        step = parts[at : at + 16]
        assert sorted(step) == sorted(whole[at : at + 16]), "a step has the same rows"
        assert [lengths[i] for i in step] == sorted((lengths[i] for i in step), reverse=True)


def test_no_two_seeds_share_the_order_of_any_epoch() -> None:
    orders = [tuple(order([3] * 40, seed=s, epoch=e)) for s in range(4) for e in range(5)]
    assert all(one != other for one, other in combinations(orders, 2))


def test_more_rows_of_a_smaller_model_are_in_memory() -> None:
    """SmolLM2's shape: 16 rows of 185 tokens took 4 GB."""
    real = LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9
    )
    small = LlamaConfig(
        hidden_size=192, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4
    )
    assert 2 <= count_rows_in_memory(real, 185, 32) < count_rows_in_memory(real, 185, 16) <= 4
    assert count_rows_in_memory(real, 10_000, 32) == 1
    assert count_rows_in_memory(small, 185, 32) >= 16


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_step_in_parts_teaches_the_same(
    here: Train, rows: list[TrainingRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(job: TrainingJob) -> bool:
        return False

    monkeypatch.setattr("whatworks.training.worker._can_use_bfloat16", no)
    settings = SFTSettings(epochs=2, batch_size=8, learning_rate=1e-2)
    whole, _ = here(settings)
    monkeypatch.setattr(memory, "ACTIVATIONS", 1)
    parts, _ = here(settings)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-4)
