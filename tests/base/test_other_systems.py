"""What runs without the modules and signals that only Linux and macOS have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ELSEWHERE = """
import importlib, pkgutil, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "setitimer"):
    delattr(signal, name)
import whatworks
"""


def run_elsewhere(script: str, *arguments: str) -> str:
    """The output of a script in a process that lacks what other systems lack."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + script, *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_every_module_is_imported(tmp_path: Path) -> None:
    names = run_elsewhere(
        """
for module in pkgutil.walk_packages(whatworks.__path__, "whatworks."):
    if module.name.endswith("__main__") or ".sql.child" in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # torch and transformers for Linux want them themselves
        if "transformers" in sys.modules and "Could not import module" in str(error):
            continue
        raise
    print(module.name)
"""
    )
    assert "whatworks.training.run_folder" in names and "whatworks.methods.bench.rehearsal" in names


def test_a_study_of_prompts_runs(tmp_path: Path) -> None:
    rows = [json.dumps({"input": f"say {i * 7919}", "target": str(i)}) for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    path = tmp_path / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: exact}\nmodel: 'fake:'\narms: [zero-shot, few-shot]\n"
    )
    out = run_elsewhere(
        """
from pathlib import Path
from whatworks.app.run_study import run_study
summary, page = run_study(Path(sys.argv[1]), out=Path(sys.argv[2]))
print([arm.name for arm in summary.arms], page.is_file())
""",
        str(path),
        str(tmp_path / "run"),
    )
    assert "zero-shot" in out and "few-shot" in out and out.strip().endswith("True")
