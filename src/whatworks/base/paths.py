"""Paths and the environment: one rule for what a study file names, and where data and caches lie.

Whatever a study file names, a file, a folder, a model or a vector store, is seen from the folder of
the study file, with ``~`` and environment variables filled in; what the command line names is seen
from the working folder. ``$WHATWORKS_DATA`` is the folder of public data sets (``data`` in the
working folder unless it is set), ``$WHATWORKS_CACHE`` the folder of what can be computed again (by
default where the system has such folders).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly

DATA = "WHATWORKS_DATA"
CACHE = "WHATWORKS_CACHE"

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_LONGEST = 1024
"""Characters of a path: macOS takes no more; Linux takes 4096."""
_LONGEST_PART = 255
"""Bytes of a file's name, on all usual file systems."""

NOT_FOLDERS = ("", "auto", "lexical", "minilm", "mmr", "lab", "lab-base", "lab-chat", "smollm2")
"""Names of models, embedders and rerankers that stand for themselves, whatever lies beside the
study: ``lab`` is the embedded model, ``./lab`` a folder."""
_STORES = ("lancedb", "qdrant")
_SCRIPTED = "fake"


def resolve_path(root: Path, name: str) -> Path:
    """A path of the study file, seen from its folder ``root``.

    Raises:
        InputError: If a variable is not set, no file can have the name, or it is public data that
            is not here.
    """
    path = root / fill(name)
    if DATA in _list_variables(name) and not path.exists():
        raise _make_absence_error(path)
    return path


def make_slug(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "study"


def resolve_model(name: str, root: Path) -> str:
    """A model as a study file names it: the absolute path of its folder or GGUF file, if any.

    Else the name, its variables filled in: an embedded model, a Hugging Face id, an address. The
    script of ``fake:SCRIPT.json`` is a file in the same way.

    Raises:
        InputError: As ``resolve_path``.
    """
    if name in NOT_FOLDERS:
        return name
    kind, _, script = name.partition(":")
    if kind == _SCRIPTED:
        path = resolve_path(root, script).absolute()
        return f"{kind}:{path}" if path.is_file() else name
    if "://" in name:
        return _fill_variables(name)
    path = resolve_path(root, name).absolute()
    return str(path) if path.is_dir() or is_gguf(path) else fill(name)


def is_gguf(path: Path) -> bool:
    """Whether it is a file that is called a GGUF file."""
    return path.suffix.lower() == ".gguf" and path.is_file()


def resolve_store(name: str, root: Path) -> str:
    """A vector store whose folder is absolute.

    Raises:
        InputError: As ``resolve_path``.
    """
    kind, _, place = name.partition(":")
    if kind not in _STORES or not place or place == ":memory:":
        return name
    if "://" in place:
        return _fill_variables(name)
    return f"{kind}:{resolve_path(root, place).absolute()}"


def find_data_folder() -> Path:
    """The folder of public data sets: ``$WHATWORKS_DATA``, else ``data`` in the working folder."""
    return Path(os.environ.get(DATA) or "data").expanduser().absolute()


def find_public_data(name: str) -> Path:
    """A file or folder of the public data.

    Raises:
        InputError: If it is not there.
    """
    path = find_data_folder() / name
    if not path.exists():
        raise _make_absence_error(path)
    return path


def find_cache_folder(variable: str = CACHE) -> Path:
    """Where is kept what can be computed again: the folder that ``variable`` names, if it is set.

    Else the one of ``$WHATWORKS_CACHE``, else ``whatworks`` in the user's folder of caches, as the
    system has it.
    """
    chosen = os.environ.get(variable) or os.environ.get(CACHE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("whatworks", appauthor=False)


def fill(name: str) -> str:
    """A path with ``~`` and variables filled in.

    Raises:
        InputError: If a variable is not set, or no file can have the name.
    """
    filled = os.path.expanduser(_fill_variables(name))
    fault = _find_fault(filled)
    if fault:
        raise InputError(
            f"no file is called {quote_briefly(name)}: {fault}", remedy="check the name"
        )
    return filled


def _fill_variables(name: str) -> str:
    return _VARIABLE.sub(lambda match: _read_variable(match[1] or match[2], name), name)


def _list_variables(name: str) -> set[str]:
    return {match[1] or match[2] for match in _VARIABLE.finditer(name)}


def _read_variable(variable: str, name: str) -> str:
    if variable == DATA:
        return str(find_data_folder())
    if variable not in os.environ:
        raise InputError(
            f"the variable {variable} in {quote_briefly(name)} is not set",
            remedy=f"export {variable}=FOLDER, or write the path itself",
        )
    return os.environ[variable]


def _find_fault(name: str) -> str:
    """Why no file can have this name; nothing where one can."""
    if any(ord(sign) < 32 for sign in name):
        return "it has a control character"
    try:
        parts = name.encode().replace(b"\\", b"/").split(b"/")
    except UnicodeEncodeError:
        return "it has half of a character"
    if len(name) > _LONGEST or max(map(len, parts)) > _LONGEST_PART:
        return "it is too long"
    return ""


def _make_absence_error(path: Path) -> InputError:
    return InputError(
        "this public data is not here",
        place=str(path),
        remedy=f"export {DATA}=FOLDER; docs/examples.md says what the folder holds",
    )
