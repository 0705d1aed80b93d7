"""The child process: resuming, ending with its parent, failures told as failed arms."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from training_helpers import job_of, kill_servers, kill_worker, moved, workers

from whatworks.base.errors import ArmFailure
from whatworks.models.local import threads
from whatworks.training import launch
from whatworks.training import process as child
from whatworks.training.job import Trained, TrainingProgress
from whatworks.training.rows import TrainingRow
from whatworks.training.run_folder import RunFolder
from whatworks.training.settings import SFTSettings

LORA = SFTSettings(epochs=3, batch_size=4, rank=4, learning_rate=1e-2)
slow = pytest.mark.slow


def train(
    rows: list[TrainingRow],
    base: Path,
    folder: Path,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    settings: SFTSettings = LORA,
    **fields: object,
) -> Trained:
    return launch.train(
        job_of(settings, **fields),
        rows,
        base=base,
        adapter=None,
        folder=folder,
        on_progress=on_progress,
    )


@pytest.fixture(scope="module")
def undisturbed(
    rows: list[TrainingRow], lively_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, Path, list[TrainingProgress]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    seen: list[TrainingProgress] = []
    return train(rows, lively_model, folder, seen.append), folder, seen


@slow
def test_progress_is_told_up_to_the_last_step(
    undisturbed: tuple[Trained, Path, list[TrainingProgress]],
) -> None:
    trained, _, seen = undisturbed
    assert [p.step for p in seen] == sorted({p.step for p in seen})
    last = seen[-1]
    assert (last.step, last.steps, last.seconds_left) == (15, 15, 0)
    assert last.loss == pytest.approx(trained.losses[-1])
    assert 0 < last.seconds <= trained.seconds


@slow
def test_finished_training_returns_at_once_and_its_folder_is_its_own(
    undisturbed: tuple[Trained, Path, list[TrainingProgress]],
    rows: list[TrainingRow],
    lively_model: Path,
) -> None:
    trained, folder, _ = undisturbed
    start = time.monotonic()
    assert train(rows, lively_model, folder) == trained
    assert time.monotonic() - start < 1
    with pytest.raises(ArmFailure, match=r"rows\.jsonl"):
        train(rows[1:], lively_model, folder)
    with pytest.raises(ArmFailure, match=r"job\.json"):
        train(rows, lively_model, folder, seed=7)


@slow
def test_killed_training_ends_in_the_same_weights(
    undisturbed: tuple[Trained, Path, list[TrainingProgress]],
    rows: list[TrainingRow],
    lively_model: Path,
    tmp_path: Path,
    saved_each_step: None,
) -> None:
    """Killed in the second epoch, with state saved after every step."""

    def kill(progress: TrainingProgress) -> None:
        if progress.step >= 7:
            kill_worker()

    with pytest.raises(ArmFailure, match="killed") as failure:
        train(rows, lively_model, tmp_path, kill)
    assert "resumes" in failure.value.remedy
    seen: list[TrainingProgress] = []
    trained = train(rows, lively_model, tmp_path, seen.append)
    assert seen[0].step > 5
    expected, folder, _ = undisturbed
    assert trained.losses == expected.losses
    assert trained.checkpoints == expected.checkpoints
    for checkpoint in trained.checkpoints:
        assert not moved(folder / checkpoint.name, tmp_path / checkpoint.name)


@slow
def test_a_training_outlives_the_server_that_forked_it(
    undisturbed: tuple[Trained, Path, list[TrainingProgress]],
    rows: list[TrainingRow],
    lively_model: Path,
    tmp_path: Path,
) -> None:
    trained = train(rows, lively_model, tmp_path / "a", lambda _: kill_servers())
    assert trained.losses == undisturbed[0].losses
    assert train(rows, lively_model, tmp_path / "b").losses == trained.losses


def test_a_worker_that_cannot_be_imported_says_so(
    rows: list[TrainingRow], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a trainer's package is damaged: the server cannot start either."""
    monkeypatch.setattr(launch, "WORKER", "no_such_worker")
    for name in ("a", "b"):
        with pytest.raises(ArmFailure, match="No module named no_such_worker"):
            train(rows, tiny_model, tmp_path / name)


@slow
def test_what_a_quick_child_says_is_not_cut(tmp_path: Path) -> None:
    """On a busy machine its first words met the server's: one in ten was unreadable."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    try:
        for _ in range(100):
            with child.start_child(
                "quick_worker", tmp_path, tmp_path / "log", environment
            ) as process:
                assert list(process.messages()) == [{"progress": 1}]
            assert process.code == 0
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()


@pytest.mark.parametrize(
    ("enough", "attempts"),
    [("2", ["4", "2"]), ("1 recomputing", ["4", "2", "1", "1 recomputing"])],
)
def test_out_of_memory_is_answered_by_a_smaller_plan(
    rows: list[TrainingRow],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    enough: str,
    attempts: list[str],
) -> None:
    monkeypatch.setattr(launch, "WORKER", "stub_worker")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    train(rows, tiny_model, tmp_path / "a", template=enough)
    assert (tmp_path / "a" / "attempts").read_text().splitlines() == attempts
    with pytest.raises(ArmFailure, match="out of memory") as failure:
        train(rows, tiny_model, tmp_path / "b", template="never")
    assert failure.value.remedy
    again = (tmp_path / "b" / "attempts").read_text().splitlines()
    assert again == ["4", "2", "1", "1 recomputing"]


@slow
def test_leaving_the_call_ends_the_child(
    rows: list[TrainingRow], lively_model: Path, tmp_path: Path
) -> None:
    started: list[psutil.Process] = []

    def stop(progress: TrainingProgress) -> None:
        started.extend(workers())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(rows, lively_model, tmp_path, stop, LORA.replace(epochs=500))
    assert len(started) == 1
    assert not started[0].is_running()


@slow
def test_child_ends_when_its_parent_is_killed(
    rows: list[TrainingRow], lively_model: Path, tmp_path: Path
) -> None:
    """Killed early, the child has nothing to tell yet: a broken pipe is not what ends it."""
    run = RunFolder(tmp_path / "run")
    run.begin(job_of(LORA), rows)
    script = f"""
from pathlib import Path
from whatworks.training.run_folder import RunFolder
from whatworks.training.launch import train
run = RunFolder(Path({str(run.path)!r}))
train(run.job(), run.rows(), base=Path({str(lively_model)!r}), adapter=None, folder=run.path)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        while not (workers := psutil.Process(parent.pid).children(recursive=True)):
            time.sleep(0.01)
        parent.kill()
    psutil.wait_procs(workers, 60)
    assert not any(worker.is_running() for worker in workers)
    assert not run.state.exists()
    assert not run.log.read_text()


def test_no_rows_and_no_model_fail_before_anything_starts(
    rows: list[TrainingRow], tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArmFailure, match="no rows") as failure:
        train([], tiny_model, tmp_path / "a")
    assert failure.value.remedy
    with pytest.raises(ArmFailure, match="model folder") as failure:
        train(rows, tmp_path, tmp_path / "b")
    assert failure.value.remedy
    with pytest.raises(ArmFailure, match="takes an adapter"):
        train(rows, tiny_model, tmp_path / "c", stacking="continue")


@slow
def test_rows_too_long_are_a_failed_arm_told_by_the_child(
    rows: list[TrainingRow], tiny_model: Path, tmp_path: Path
) -> None:
    long = [row.replace(target="x" * 600) for row in rows[:2]]
    with pytest.raises(ArmFailure, match="all 2 rows are too long") as failure:
        train(long, tiny_model, tmp_path)
    assert failure.value.place == str(tmp_path)
    assert "longer context" in failure.value.remedy


def test_small_models_get_one_thread_unless_the_user_says_otherwise(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = vars(launch)["_build_environment"]
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(threads, "count_cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert environment(tiny_model)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setattr(threads, "PARAMETERS_PER_THREAD", 1000)
    assert "OMP_NUM_THREADS" not in environment(tiny_model)
    monkeypatch.setattr(threads, "count_cores", lambda: 2)  # a share of the machine's
    assert environment(tiny_model)["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment(tiny_model)["OMP_NUM_THREADS"] == "3"


@slow
def test_training_ends_when_enough_epochs_were_seen(
    rows: list[TrainingRow], lively_model: Path, tmp_path: Path
) -> None:
    asked: list[int] = []

    def enough(epoch: int) -> bool:
        assert (tmp_path / f"epoch-{epoch}" / "adapter_model.safetensors").exists()
        asked.append(epoch)
        return epoch == 2

    trained = launch.train(
        job_of(LORA.replace(epochs=300)),
        rows,
        base=lively_model,
        adapter=None,
        folder=tmp_path,
        enough=enough,
    )
    assert asked == [1, 2]
    assert 2 <= len(trained.checkpoints) < 300
    assert len(trained.losses) == 5 * len(trained.checkpoints)


def test_four_bits_without_a_gpu_are_refused_before_anything_starts(
    rows: list[TrainingRow], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ArmFailure, match="qlora needs an NVIDIA GPU") as failure:
        train(rows, tiny_model, tmp_path, settings=LORA.replace(variant="qlora"))
    assert "variant: lora" in failure.value.remedy
    assert not (tmp_path / "worker.log").exists()
