"""A built wheel in an environment without torch: enough for a study of a served model.

It installs packages: only where ``WHATWORKS_TEST_ENVIRONMENTS=1`` asks for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "models"))
from endpoint_server import Server

ROOT = Path(__file__).parent.parent
MOST = 150_000_000
"""Bytes that the core install may take, beside Python's own."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("WHATWORKS_TEST_ENVIRONMENTS"), reason="installs packages when asked to"
    ),
]


def do(*words: str | Path, **more: Any) -> str:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it cannot do without."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    do(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("whatworks-*.whl")
    place = tmp_path / "bare"
    do(sys.executable, "-m", "venv", "--without-pip", place)
    limits = ROOT / "constraints.txt"
    do(
        sys.executable,
        "-m",
        "pip",
        "--python",
        find_python(place),
        "install",
        "-q",
        "-c",
        limits,
        wheel,
    )
    return place


def find_python(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@pytest.mark.xfail(
    reason="scipy and numpy alone take 215 MB: scipy has to go from the core first", strict=True
)
def test_the_core_is_small(place: Path) -> None:
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert size < MOST, f"{size:,} bytes"


def test_an_endpoint_study_in_a_bare_environment(place: Path, tmp_path: Path) -> None:
    python = find_python(place)
    rows = [{"input": f"Say word{i * 7919}", "target": f"word{i * 7919}"} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    server = Server()  # answers with the last word of the prompt
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        (tmp_path / "study.yaml").write_text(
            "task: {train: rows.jsonl, metric: exact, instructions: Repeat the word.}\n"
            f"model: {server.url}#big\nseeds: 1\narms: [zero-shot, {{few-shot: {{k: 2}}}}]\n"
            "prices: {big: {input: 0, output: 0}}\n"
        )
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        said = do(
            python, "-m", "whatworks", "run", "study.yaml", "--out", "out", "--json",
            cwd=tmp_path, env=env,
        )  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
    scores = {arm["arm"]: arm["score"] for arm in json.loads(said)["arms"]}
    assert scores == {"zero-shot": 1.0, "few-shot": 1.0}
    code = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('transformers'))"
    assert do(python, "-c", code, env=env).split() == ["None", "None"]
