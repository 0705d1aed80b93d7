from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows (JSON lines, or an array under .json), text or bytes to a file of that name."""

    def write(name: str, content: list[Any] | dict[str, Any] | str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        elif not isinstance(content, bytes):
            lines = isinstance(content, list) and path.suffix != ".json"
            text = "".join(f"{json.dumps(row)}\n" for row in content) if lines else ""
            content = (text or json.dumps(content)).encode()
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def shared(real_data: Path) -> Callable[[str], Path]:
    """A file or folder of the real data, or a skip."""

    def find(name: str) -> Path:
        if not (real_data / name).exists():
            pytest.skip(f"no {name} in the folder of real data")
        return real_data / name

    return find
