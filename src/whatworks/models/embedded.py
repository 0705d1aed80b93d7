"""The weights that ship with the package, checked against their SHA-256 sums before use."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from whatworks.base.errors import InputError

SUMS = "sha256.json"
FOLDER = Path(__file__).parent / "shipped"
ALIASES = {"lab": "lab-base"}
NAMES = ("lab", "lab-base", "lab-chat")


class WeightsError(InputError):
    """The shipped weights are missing or not what they should be."""


def find_weights(name: str = "lab", folder: Path | None = None) -> Path:
    """The folder of a shipped model, in Hugging Face form. `lab` is `lab-base`.

    Every file is compared with its recorded SHA-256 sum the first time a process asks.
    """
    root = FOLDER if folder is None else folder
    here = sorted(path.parent.name for path in root.glob(f"*/{SUMS}"))
    if name not in NAMES or ALIASES.get(name, name) not in here:
        raise WeightsError(
            f"no embedded model called {name!r}: the package holds {', '.join(here) or 'none'}",
            remedy="name one of those, or train one with `whatworks lab train`",
        )
    return _verify(root / ALIASES.get(name, name))


@cache
def _verify(folder: Path) -> Path:
    recorded: dict[str, str] = json.loads((folder / SUMS).read_text(encoding="utf-8"))
    for file, expected in recorded.items():
        path = folder / file
        actual = compute_sha256(path) if path.is_file() else "no file"
        if actual != expected:
            raise WeightsError(
                f"SHA-256 is {actual}, expected {expected}: the file is damaged or was changed",
                place=str(path),
                remedy="install the package again, or train with `whatworks lab train`",
            )
    return folder


def compute_sha256(path: Path) -> str:
    """The SHA-256 sum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish(model: Path, name: str = "lab-base", folder: Path | None = None) -> Path:
    """Put a trained model's folder in the package, with its sums; readers never see half of it."""
    root = FOLDER if folder is None else folder
    root.mkdir(parents=True, exist_ok=True)
    target = root / name
    with tempfile.TemporaryDirectory(dir=root, prefix=".") as temporary:
        fresh = Path(temporary) / "new"
        shutil.copytree(model, fresh)
        card = target / "README.md"
        if card.is_file() and not (fresh / "README.md").exists():
            shutil.copy2(card, fresh)
        files = sorted(path for path in fresh.iterdir() if path.suffix != ".md")
        for path in files:
            path.chmod(0o644)
        sums = {path.name: compute_sha256(path) for path in files if path.name != SUMS}
        (fresh / SUMS).write_text(json.dumps(sums, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            os.rename(target, Path(temporary) / "old")
        os.rename(fresh, target)
    _verify.cache_clear()
    return target
