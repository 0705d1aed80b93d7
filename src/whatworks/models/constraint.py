"""What an answer may look like: the constraint under which it is decoded.

A constraint is part of a candidate's decoding. Local models keep to it token by token
(``local/grammar.py``); endpoints are asked to, and their answers are checked there, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from whatworks.base.errors import InputError, get_first_line, suggest_nearest
from whatworks.base.frozen import Frozen
from whatworks.base.paths import resolve_path
from whatworks.models.json_schema import Schema

Kind = Literal["json_schema", "regex", "choices", "lark", "auto"]

KINDS: tuple[Kind, ...] = ("json_schema", "regex", "choices", "lark")

ROOM = 2
"""A form that is learned from rows leaves room for so many times what the longest of them has."""

INSTALL = "pip install 'whatworks[local]'"

# Spaces as `json.dumps` writes them, or none: no room for a model to write spaces without end.
_SPACING = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}


class Constraint(Frozen):
    """The form that every answer has.

    Attributes:
        kind: ``json_schema``, ``regex`` (the whole answer), ``choices`` (one of them), ``lark`` (a
            grammar whose rule ``start`` is the answer), or ``auto``: the form that the task's
            metric wants; a study or the method ``constrained`` puts the form itself in its place.
        text: The schema as JSON (the order of its properties is the order of the answer's keys),
            the expression, or the grammar.
        choices: The answers of ``choices``.
    """

    kind: Kind
    text: str = ""
    choices: tuple[str, ...] = ()

    @classmethod
    def from_schema(cls, contents: Mapping[str, Any] | bool) -> Constraint:
        """The constraint to a JSON Schema."""
        return cls(kind="json_schema", text=json.dumps(contents, ensure_ascii=False))

    @property
    def contents(self) -> Any:
        """The JSON Schema of a ``json_schema``."""
        return json.loads(self.text)

    def lark(self, lead: str = "") -> str:
        """The constraint as a grammar in llguidance's Lark dialect.

        Args:
            lead: Text that stands before every answer.
        """
        before = f"{json.dumps(lead, ensure_ascii=False)} " if lead else ""
        if self.kind == "lark":
            return f"start: {before}whole_answer\n{_rename_start(self.text)}" if lead else self.text
        if self.kind == "regex":
            return f"start: {before}ANSWER\nANSWER: /{_escape_slashes(self.text)}/"
        if self.kind == "choices":
            alternatives = " | ".join(json.dumps(one, ensure_ascii=False) for one in self.choices)
            return f"start: {before}answer\nanswer: {alternatives}"
        contents = self.contents
        if isinstance(contents, dict):
            contents = {"x-guidance": _SPACING, **contents}
        return f"start: {before}answer\nanswer: %json {json.dumps(contents, ensure_ascii=False)}"


AUTO = Constraint(kind="auto")


def read(written: Any, root: Path) -> Constraint:
    """A constraint as a study file writes it.

    ``auto``; ``{json_schema: {...}}`` or its file; ``{regex: ...}``; ``{choices: [...]}``;
    ``{lark: ...}``, the grammar or its file ``*.lark``.

    Args:
        written: What stands in the file.
        root: Folder that paths are relative to.

    Raises:
        InputError: If it is none of these, or a file cannot be read.
    """
    place = "constraint"
    if written == "auto":
        return AUTO
    if isinstance(written, str) or not isinstance(written, Mapping) or len(written) != 1:
        raise InputError(
            f"{written!r} is no constraint",
            place=place,
            remedy="write auto, or one of {json_schema: FILE}, {regex: ...}, {choices: [...]}, "
            "{lark: FILE}",
        )
    kind, value = next(iter(written.items()))
    if kind == "json_schema" and isinstance(value, str):
        value = Schema(resolve_path(root, value)).contents
    if kind == "lark" and isinstance(value, str) and re.fullmatch(r"\s*\S.*\.lark\s*", value):
        try:
            value = resolve_path(root, value.strip()).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InputError(
                f"the grammar cannot be read: {error}",
                place=place,
                remedy="name a text file, from the folder of the study file",
            ) from error
    return make_constraint(kind, value)


def make_constraint(kind: str, value: Any) -> Constraint:
    """A constraint by its kind and what it is itself; no file is read.

    Raises:
        InputError: If the kind is unknown, or the value is none of that kind.
    """
    place = "constraint"
    if kind not in KINDS:
        raise InputError(
            f"unknown constraint {kind!r}", place=place, remedy=suggest_nearest(kind, KINDS)
        )
    if kind == "choices":
        if not isinstance(value, list) or not value:
            raise InputError(
                "choices are a list of texts", place=place, remedy="write {choices: [yes, no]}"
            )
        if any(not isinstance(one, str | int | float) for one in value):
            raise InputError(
                "one of the choices is no text", place=place, remedy="write {choices: [yes, no]}"
            )
        return Constraint(kind="choices", choices=tuple(str(one) for one in value))
    if kind == "json_schema":
        if not isinstance(value, Mapping | bool):
            raise InputError(
                "a JSON Schema is an object", place=place, remedy="give one, or a file with one"
            )
        return Constraint.from_schema(Schema(value).contents)
    if not isinstance(value, str):
        raise InputError(
            f"a constraint of kind {kind} is a text, not {value!r}",
            place=place,
            remedy="put it in quotes",
        )
    if kind == "lark" and not re.search(r"^\s*start\s*:", value, flags=re.MULTILINE):
        raise InputError(
            "the grammar has no rule `start`", place=place, remedy="call the whole answer `start`"
        )
    if kind == "regex":
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise InputError(
                f"no regular expression: {get_first_line(error)}",
                place=place,
                remedy="mend it there; in YAML, single quotes keep backslashes as they are",
            ) from error
    return Constraint(kind=kind, text=value)


def _rename_start(grammar: str) -> str:
    """A grammar whose first rule is not called ``start``; strings and expressions stay."""
    pieces = r'"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\\n])+/|//.*|\bstart\b'
    return re.sub(pieces, lambda m: "whole_answer" if m[0] == "start" else m[0], grammar)


def _escape_slashes(pattern: str) -> str:
    """A regular expression as it stands between slashes."""
    return re.sub(r"\\.|/", lambda match: "\\/" if match[0] == "/" else match[0], pattern)
