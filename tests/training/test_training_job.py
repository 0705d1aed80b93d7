"""The frozen job and what failures are told as."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from whatworks.base.errors import ArmFailure
from whatworks.data.task import MetricSpec
from whatworks.training.failure import diagnose, diagnose_exit
from whatworks.training.job import TrainingJob
from whatworks.training.run_folder import AttemptPlan
from whatworks.training.settings import (
    SETTINGS,
    KTOSettings,
    RLSettings,
    Schedule,
    SFTSettings,
    SoftPromptSettings,
)


def test_key_says_what_is_trained() -> None:
    job = TrainingJob(settings=SFTSettings(rank=8))
    assert job.key == TrainingJob(settings=SFTSettings(rank=8)).key
    other = [TrainingJob(), job.replace(seed=1), job.replace(template="chatml")]
    assert len({job.key, *(o.key for o in other)}) == 4
    assert TrainingJob.model_validate_json(job.model_dump_json()).key == job.key


def test_at_most_nine_knobs() -> None:
    for kind in (SFTSettings, SoftPromptSettings):
        assert len(kind.model_fields) <= 9


@pytest.mark.parametrize("kind", SETTINGS.values())
def test_a_job_read_again_has_the_settings_of_its_trainer(kind: Any) -> None:
    needed: dict[str, Any] = {"metric": MetricSpec(name="exact")} if kind is RLSettings else {}
    job = TrainingJob(settings=kind(epochs=7, **needed))
    again = TrainingJob.model_validate_json(job.model_dump_json())
    assert type(again.settings) is kind
    assert (again, again.key) == (job, job.key)
    with pytest.raises(ValidationError, match="does not take"):
        TrainingJob(trainer="sft" if kind.trainer != "sft" else "dpo", settings=kind(**needed))


def test_lora_learns_at_ten_times_the_rate_and_small_models_faster() -> None:
    lora, full = SFTSettings(), SFTSettings(kind="full")
    assert lora.learning_rate_for(512) == pytest.approx(10 * full.learning_rate_for(512))
    assert full.learning_rate_for(2000) == pytest.approx(5e-5)
    assert full.learning_rate_for(64) > full.learning_rate_for(4096)
    assert SFTSettings(learning_rate=0.5).learning_rate_for(64) == 0.5


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (SFTSettings(batch_size=12), [(12, 0), (6, 0), (3, 0), (1, 0), (1, 1)]),
        (SoftPromptSettings(batch_size=12, form="prefix"), [(12, 0), (6, 0), (3, 0), (1, 0)]),
        (KTOSettings(batch_size=12), [(12, 0), (6, 0), (3, 0), (3, 1)]),
        (KTOSettings(batch_size=8), [(8, 0), (4, 0), (2, 0), (2, 1)]),
    ],
)
def test_plans_need_less_memory_and_keep_the_batch(
    settings: Schedule, wanted: list[tuple[int, bool]]
) -> None:
    plan: AttemptPlan | None = AttemptPlan(
        base=Path("b"),
        adapter=None,
        micro_batch=settings.batch_size,
        recompute=False,
        save_seconds=1,
    )
    seen: list[tuple[int, bool]] = []
    while plan is not None:
        seen.append((plan.micro_batch, plan.recompute))
        plan = plan.smaller(settings)
    assert seen == wanted


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory", "out of memory"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "memory",
            "out of memory",
        ),
        (MemoryError(), "memory", "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "other", "disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "other", "disk is full"),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"),
            "other",
            "disk is full",
        ),
        (ArmFailure("the loss diverged", remedy="lower it"), "other", "the loss diverged"),
        (KeyError("surprise"), "other", "KeyError"),
    ],
)
def test_every_failure_has_cause_and_remedy(error: Exception, kind: str, words: str) -> None:
    failure = diagnose(error)
    assert failure.kind == kind
    assert words in failure.cause
    assert failure.remedy


def test_a_killed_process_is_told_as_memory_but_not_retried_as_such() -> None:
    failure = diagnose_exit(-9, "")
    assert failure.kind == "other"
    assert "memory" in failure.cause
    assert "resumes" in failure.remedy
    assert "signal 11" in diagnose_exit(-11, "").cause
    assert "last words" in diagnose_exit(3, "last words").cause
