"""The notebooks run from their first cell to their last, and show what they are about."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The cells of a notebook with what came out, run in a copy of the examples."""
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel")
    import nbformat
    from jupyter_client.manager import KernelManager

    shutil.copytree(ROOT / "examples", folder / "examples")
    place = folder / "examples" / "notebooks"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), *sys.path]))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(place / f"{name}.ipynb", as_version=4)
    manager = KernelManager(kernel_name="python3")
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv = command  # this environment's, whatever kernels are installed
    client = nbclient.NotebookClient(
        notebook, km=manager, timeout=1500, resources={"metadata": {"path": str(place)}}
    )
    client.execute()  # a cell that fails is raised, with its traceback
    return notebook.cells


def show(cell: Any) -> str:
    return json.dumps(cell.outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_output_is_kept(path: Path) -> None:
    """What a notebook shows is what it makes here, not what it made once."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 6 and all(not c["outputs"] and not c["execution_count"] for c in code)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_first_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = [c for c in run("first_study", tmp_path, monkeypatch) if c.cell_type == "code"]
    shown = [show(cell) for cell in code]
    assert "works" in shown[2] and "<table>" in shown[2]
    assert "difference_low" in shown[3] and "<iframe" in shown[4]
    assert "first-word" not in shown[2] and "knn" in shown[-1]


@pytest.mark.slow
@pytest.mark.smollm2
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_form_and_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = [c for c in run("form_and_facts", tmp_path, monkeypatch) if c.cell_type == "code"]
    shown = [show(cell) for cell in code]
    assert "few-shot" in shown[1] and "lenient" in shown[2] and "<iframe" in shown[3]
    assert "rag" in shown[4] and "Comparison(" in shown[5]
