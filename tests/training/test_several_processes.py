"""Two processes that train together through ``accelerate launch``, on the CPU with gloo."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from training_helpers import Run, Train, job_of, tensors, workers

from whatworks.base.errors import ArmFailure
from whatworks.training import launch, worker
from whatworks.training.job import Trained, TrainingProgress
from whatworks.training.rows import TrainingRow
from whatworks.training.settings import SFTSettings

LORA = SFTSettings(epochs=2, batch_size=4, rank=4, learning_rate=1e-2)
slow = pytest.mark.slow
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "accelerate.json"
    several = {"distributed_type": "MULTI_GPU", "num_processes": 2, "num_machines": 1}
    here = {"compute_environment": "LOCAL_MACHINE", "main_process_port": 0, "machine_rank": 0}
    config.write_text(json.dumps({**several, **here, "mixed_precision": "no", "use_cpu": False}))
    monkeypatch.setenv(launch.ACCELERATE, str(config))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def alone(here: Train) -> Run:
    return here(LORA)


@slow
def test_two_processes_train_as_one_does_and_resume(
    two_processes: None,
    alone: Run,
    rows: list[TrainingRow],
    lively_model: Path,
    tmp_path: Path,
    saved_each_step: None,
) -> None:
    """Killed in the second epoch, all its processes, and started again."""
    folder = tmp_path / "run"
    half = LORA.steps(len(rows)) // 2
    seen: list[TrainingProgress] = []
    killed: list[psutil.Process] = []

    def told(progress: TrainingProgress) -> None:
        seen.append(progress)
        if progress.step > half and not killed:
            both = [w for w in workers() if "accelerate.commands.launch" not in w.cmdline()]
            killed.extend(both)
            killed[1].kill()

    def train() -> Trained:
        return launch.train(
            job_of(LORA), rows, base=lively_model, adapter=None, folder=folder, on_progress=told
        )

    with pytest.raises(ArmFailure):
        train()
    assert len(killed) == 2
    assert not psutil.wait_procs(killed, timeout=5)[1]
    seen.clear()
    trained = train()
    assert [progress.step for progress in seen] == sorted({p.step for p in seen})
    assert seen[0].step > half
    assert trained.losses == pytest.approx(alone[0].losses, rel=2e-2)
    assert [c.name for c in trained.checkpoints] == ["epoch-1", "epoch-2"]
    assert tensors(folder / "epoch-2").keys() == tensors(alone[1] / "epoch-2").keys()
    assert not (folder / "state").exists()


def test_a_configuration_that_is_not_there_is_a_failure(
    rows: list[TrainingRow], lively_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(launch.ACCELERATE, str(tmp_path / "none.yaml"))
    with pytest.raises(ArmFailure, match="not there"):
        launch.train(job_of(LORA), rows, base=lively_model, adapter=None, folder=tmp_path / "run")


@slow
def test_rows_that_processes_cannot_share_are_a_failure(
    here: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROCESSES", 3)
    monkeypatch.setattr(worker, "_let_first_process_first", nullcontext)
    with pytest.raises(ArmFailure, match="cannot share 4 rows"):
        here(LORA)
