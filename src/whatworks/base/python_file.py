"""A Python file of the user's own, run once for what it defines."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.file_digest import compute_digest

_RUN: dict[tuple[Path, str], ModuleType] = {}


def run_python_file(file: Path, why: str) -> ModuleType:
    """The module that a file makes; run again only where its content is another.

    A line on the error stream says what is run, and why.

    Args:
        file: Where it lies.
        why: What the study takes from it.

    Raises:
        InputError: If there is no such file, or it raises.
    """
    if not file.is_file():
        raise InputError(
            "there is no such file", place=str(file), remedy="name it from the study file's folder"
        )
    own = file, compute_digest(file)
    if own not in _RUN:
        _RUN[own] = _run(*own, why)
    return _RUN[own]


def _run(file: Path, digest: str, why: str) -> ModuleType:
    print(f"running {file}: {why}", file=sys.stderr)
    name = f"whatworks_own_{file.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # the types of settings are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(
            f"cannot be run: {type(error).__name__}: {get_first_line(error)}",
            place=f"{file.name}{find_line(error, file)}",
            remedy="`python FILE` shows the whole error",
        ) from error
    return module


def find_line(error: BaseException, file: Path | str) -> str:
    """The last line of a file that an error passed, as ``, line 7``; "" where it passed none."""
    lines: list[int] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
