"""Files and folders that a study names: where they are, seen from the study file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from whatworks.base.errors import InputError

DATA_VARIABLE = "$WHATWORKS_DATA"


def path_of(root: Path, name: str) -> Path:
    """A path of the study file: relative to it, with environment variables filled in.

    ``$WHATWORKS_DATA``, the folder of public data sets, is ``data`` here unless it is set.

    Raises:
        InputError: If another variable is not set, or there is no such public data.
    """
    filled = os.path.expandvars(os.path.expanduser(name))
    if DATA_VARIABLE in filled:
        filled = str(Path(filled.replace(DATA_VARIABLE, "data")).absolute())
    if unset := re.search(r"\$\{?(\w+)", filled):
        raise InputError(
            f"the variable {unset[1]} in {name!r} is not set",
            remedy=f"export {unset[1]}=FOLDER, or write the path itself",
        )
    path = root / filled
    if name.startswith(DATA_VARIABLE) and not path.exists():
        raise InputError(
            "this public data is not here",
            place=str(path),
            remedy="export WHATWORKS_DATA=FOLDER; docs/examples.md says what the folder holds",
        )
    return path


NO_FOLDERS = ("", "auto", "lexical", "minilm", "mmr")
"""Names of embedders and rerankers that mean something else, whatever lies beside the study."""


def model_at(name: str, root: Path) -> str:
    """The folder of a model, absolute, where there is one; else the name, such as an id."""
    if name in NO_FOLDERS:
        return name
    path = path_of(root, name).absolute()
    return str(path) if path.is_dir() else name


def store_at(name: str, root: Path) -> str:
    """A vector store whose folder is absolute."""
    kind, _, place = name.partition(":")
    if kind not in ("lancedb", "qdrant") or not place or "://" in place or place == ":memory:":
        return name
    return f"{kind}:{path_of(root, place).absolute()}"
