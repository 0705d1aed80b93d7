"""Examples to files: what is written in a format is read back equal, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.store import open_atomic
from whatworks.data.formats import FORMATS
from whatworks.data.formats.base import RowProblem
from whatworks.data.json_text import parse
from whatworks.data.raw_row import RawRow
from whatworks.data.read import Reader
from whatworks.data.task import Example, Message

_SHAREGPT_ROLES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def write(examples: Iterable[Example], path: Path, format: str = "whatworks") -> int:
    """Write examples as JSON lines, all of them or none.

    Args:
        examples: At least one.
        path: The file to write; an existing one is replaced once everything is written.
        format: ``whatworks`` holds any example. ``alpaca`` holds inputs named ``instruction`` and
            ``input``, or alternating turns; ``sharegpt`` and ``openai`` hold conversations.

    Returns:
        Number of rows written.

    Raises:
        InputError: If there is no example, the format is unknown or cannot hold an example without
            loss, or the file cannot be written.
        StorageError: If the disk is full or fails.
    """
    path = Path(path)
    if format not in WRITERS:
        raise InputError(
            f"cannot write the format {format!r}", remedy=suggest_nearest(format, WRITERS)
        )
    if not path.parent.is_dir():
        raise InputError(
            "cannot be written: the folder is not there",
            place=str(path),
            remedy="make it, or choose another path",
        )
    count = 0
    with open_atomic(path) as file:
        for line in _format_lines(examples, format):
            file.write(line + "\n")
            count += 1
        if not count:
            raise InputError(
                "no examples to write", place=str(path), remedy="see what was read, or filtered out"
            )
    return count


def _format_lines(examples: Iterable[Example], format: str) -> Iterator[str]:
    form = next(form for form in FORMATS if form.name == format)
    for example in examples:
        line = json.dumps(WRITERS[format](example), ensure_ascii=False)
        fields: dict[str, Any] = parse(line, format)
        try:
            back = Reader(form, {}, list(fields), "keep").item(RawRow(fields, "", "")).example
        except RowProblem:
            back = None
        if back != example:
            raise InputError(
                f"the format {format} cannot hold the example {example.id!r} without loss",
                remedy="write it as whatworks, which holds any example",
            )
        yield line


def _build_own(example: Example) -> dict[str, Any]:
    row = example.model_dump(mode="json")
    fields = {name: value for name, value in row.items() if value not in (None, [], {})}
    return fields if example.messages else {"inputs": {}, **fields}


def _build_alpaca(example: Example) -> dict[str, Any]:
    if not example.messages:
        return {"input": "", **example.inputs, "output": example.target, **_collect_rest(example)}
    turns = [message.content for message in example.messages]
    row: dict[str, Any] = {}
    if example.messages[0].role == "system":
        row["system"] = turns.pop(0)
    *earlier, question = turns
    history = [list(pair) for pair in zip(earlier[::2], earlier[1::2], strict=False)]
    row |= {"instruction": question, "input": "", "history": history, "output": example.target}
    return {**row, **_collect_rest(example)}


def _build_sharegpt(example: Example) -> dict[str, Any]:
    turns = [{"from": _SHAREGPT_ROLES[m.role], "value": m.content} for m in _list_turns(example)]
    return {"conversations": turns, **_collect_rest(example)}


def _build_openai(example: Example) -> dict[str, Any]:
    turns = [{"role": message.role, "content": message.content} for message in _list_turns(example)]
    row: dict[str, Any] = {"messages": turns, **_collect_rest(example)}
    if "tools" in example.meta:  # where the OpenAI format has them
        row["tools"] = example.meta["tools"]
        row["meta"] = {k: v for k, v in row["meta"].items() if k != "tools"}
    return row


def _list_turns(example: Example) -> tuple[Message, ...]:
    return (*example.messages, Message(role="assistant", content=example.target))


def _collect_rest(example: Example) -> dict[str, Any]:
    row = example.model_dump(mode="json", include={"id", "group", "evidence", "meta"})
    return {name: value for name, value in row.items() if value not in (None, [], {})}


WRITERS: Mapping[str, Callable[[Example], dict[str, Any]]] = {
    "whatworks": _build_own,
    "alpaca": _build_alpaca,
    "sharegpt": _build_sharegpt,
    "openai": _build_openai,
}
