"""Arms added to the text of a study file, all else in it left as it is, comments too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from whatworks.base.errors import InputError
from whatworks.base.yaml_file import parse_yaml
from whatworks.studies.rounds import Entry


def add_arms(text: str, path: Path, added: Sequence[tuple[Entry, str]]) -> str:
    """The text of a study file with further arms at the end of its ``arms:``.

    Args:
        text: What the file holds.
        path: The file, for errors.
        added: Arms as the file writes them, each with a comment that stands before it.

    Raises:
        InputError: If they cannot be added to a file that is written like this one.
    """
    before = parse_yaml(text, path)
    place = _find_arms(text)
    entries = [entry for entry, _ in added]
    if place is not None:
        node = place[1]
        new = (
            _add_to_flow(text, *place, added)
            if node.flow_style
            else _add_to_block(text, node, added)
        )
        if parse_yaml(new, path) == {**before, "arms": [*before["arms"], *entries]}:
            return new
    shown = "; ".join(map(_write_flow, entries))
    raise InputError(
        "the arms cannot be added to a file that is written like this one",
        place=str(path),
        remedy=f"write them below `arms:` yourself: {shown}",
    )


def _find_arms(text: str) -> tuple[int, Any] | None:
    """Where ``arms:`` begins, and its list, with the marks where that begins and ends."""
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key, value in root.value:
        if key.value == "arms" and value.value:
            here = value.start_mark.index >= key.end_mark.index  # an alias stands elsewhere
            return (key.start_mark.index, value) if here else None
    return None


def _add_to_flow(text: str, begin: int, place: Any, added: Sequence[tuple[Entry, str]]) -> str:
    """Behind the last arm; the comments stand before ``arms:``."""
    at = place.value[-1].end_mark.index
    new = "".join(f", {_write_flow(entry)}" for entry, _ in added)
    comments = "".join(f"# {comment}{_end_line(text)}" for _, comment in added if comment)
    return f"{text[:begin]}{comments}{text[begin:at]}{new}{text[at:]}"


def _end_line(text: str) -> str:
    """What ends the lines of a text."""
    return "\r\n" if "\r\n" in text else "\n"


def _add_to_block(text: str, place: Any, added: Sequence[tuple[Entry, str]]) -> str:
    """Below the last arm, as far in as the others."""
    lines = text.splitlines(keepends=True)
    end_line = _end_line(text)
    dash = " " * place.start_mark.column
    end = min(place.end_mark.line, len(lines))
    if end == place.end_mark.line and place.end_mark.column:
        end += 1  # the file ends without a line break
    while end > 0 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += end_line
    new: list[str] = []
    for entry, comment in added:
        if comment:
            new.append(f"{dash}# {comment}{end_line}")
        new.append(f"{dash}- {_write_flow(entry)}{end_line}")
    return "".join([*lines[:end], *new, *lines[end:]])


def _write_flow(entry: Entry) -> str:
    """An arm in one line."""
    dumped = yaml.safe_dump(
        entry, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return dumped.removesuffix("...\n").strip()
