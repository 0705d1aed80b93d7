"""Preference trainers: what they move, what they measure against, what they refuse."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from training_helpers import Run, Train, moved, tensors

from whatworks.training.rows import LabelledRow, PairRow, RenderedRow, TrainingRow
from whatworks.training.settings import DPOSettings, KTOSettings, Settings, SFTSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SHAPE = {"batch_size": 4, "rank": 4, "learning_rate": 1e-2}
DPO = DPOSettings(epochs=3, **SHAPE)
KTO = KTOSettings(epochs=3, **SHAPE)
# What the loss is where the model is its own reference: nothing is preferred yet.
EVEN = {"dpo": math.log(2), "kto": 0.5}


@pytest.fixture(scope="module")
def pairs(rows: list[TrainingRow]) -> list[PairRow]:
    """Of two answers, the shorter one is wanted."""
    return [
        PairRow(id=row.id, messages=row.messages, chosen="ok", rejected=row.target) for row in rows
    ]


@pytest.fixture(scope="module")
def labelled(pairs: list[PairRow]) -> list[LabelledRow]:
    return [
        LabelledRow(id=pair.id + text, messages=pair.messages, answer=text, good=good)
        for pair in pairs
        for text, good in ((pair.chosen, True), (pair.rejected, False))
    ]


@pytest.fixture(scope="module")
def tuned(here: Train) -> Run:
    return here(SFTSettings(epochs=1, **SHAPE))


@pytest.fixture(scope="module")
def given(pairs: list[PairRow], labelled: list[LabelledRow]) -> dict[str, list[RenderedRow]]:
    return {"dpo": list(pairs), "kto": list(labelled)}


@pytest.mark.parametrize(
    "settings",
    [DPO, KTO, *(DPO.replace(loss=loss) for loss in ("ipo", "simpo", "orpo"))],
    ids=lambda s: getattr(s, "loss", s.trainer),
)
def test_continues_the_adapter_and_its_state_is_the_reference(
    settings: Settings, here: Train, tuned: Run, given: dict[str, list[RenderedRow]]
) -> None:
    before = tuned[1] / "epoch-1"
    rows = given[settings.trainer]
    trained, folder = here(settings, rows=rows, adapter=before, stacking="continue")
    if settings.key in (DPO.key, KTO.key):
        assert trained.losses[0] == pytest.approx(EVEN[settings.trainer], abs=1e-4)
    assert trained.losses[-1] < 0.9 * trained.losses[0]
    after = folder / "epoch-3"
    assert moved(before, after) == tensors(after).keys()
    assert not (after / "ref").exists()


@pytest.mark.parametrize("settings", [DPO, KTO], ids=lambda s: s.trainer)
def test_full_training_measures_against_the_merged_start(
    settings: Settings,
    here: Train,
    tuned: Run,
    lively_model: Path,
    given: dict[str, list[RenderedRow]],
) -> None:
    full = settings.replace(kind="full", rank=16, learning_rate=1e-3)
    rows = given[settings.trainer]
    trained, folder = here(full, rows=rows, adapter=tuned[1] / "epoch-1", stacking="merge")
    assert trained.losses[0] == pytest.approx(EVEN[settings.trainer], abs=1e-4)
    assert trained.losses[-1] < 0.9 * trained.losses[0]
    assert moved(lively_model, folder / "epoch-3") == tensors(lively_model).keys()


def test_a_new_adapter_leaves_the_base_as_its_reference(here: Train, pairs: list[PairRow]) -> None:
    trained, folder = here(DPO, rows=pairs)
    assert trained.losses[0] == pytest.approx(math.log(2), abs=1e-4)
    up = {name: t for name, t in tensors(folder / "epoch-3").items() if "lora_B" in name}
    assert len(up) == 2 * 7
    assert all(t.abs().max() > 0 for t in up.values())


def test_where_memory_is_short_kto_ends_with_two_rows_at_once(
    here: Train, labelled: list[LabelledRow]
) -> None:
    """One would be measured against itself."""
    once = KTO.replace(epochs=1)
    trained, _ = here(once, rows=labelled, micro_batch=1)
    two, _ = here(once, rows=labelled, micro_batch=2)
    assert trained.losses == two.losses
    alone, _ = here(once, rows=labelled[:1])
    assert len(alone.losses) == 1


def test_same_seed_same_weights(here: Train, pairs: list[PairRow]) -> None:
    once = DPO.replace(epochs=1)
    (first, one), (second, two), (other, _) = (
        here(once, rows=pairs, seed=seed) for seed in (0, 0, 1)
    )
    assert first.losses == second.losses
    assert not moved(one / "epoch-1", two / "epoch-1")
    assert other.losses != first.losses
