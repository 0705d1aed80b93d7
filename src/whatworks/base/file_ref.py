"""A file or a model's folder that a setting names, with the digest of what it held then.

What is in a file counts in the key of whatever names it, not where it lies. It is read once, here,
where a setting becomes a frozen value; keys are computed from the digest and read nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.file_digest import compute_digest
from whatworks.base.frozen import Frozen, is_for_key


class FileRef(Frozen):
    """A file or a model's folder.

    Attributes:
        path: Where it lies, absolute.
        digest: Content hash of what it held, 16 hex digits (``file_digest``).
    """

    path: str
    digest: str

    def __str__(self) -> str:
        return self.path

    @property
    def content(self) -> str:
        """What it counts for in a key."""
        return f"content {self.digest}"

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler, info: SerializationInfo) -> object:
        return self.content if is_for_key(info) else write(self)


def locate(name: str) -> FileRef | str:
    """The file or model's folder that has this absolute path, read for its digest; else the name.

    A folder is a model's if it holds ``config.json``.

    Raises:
        InputError: If it cannot be read.
    """
    path = Path(name)
    try:
        there = path.is_absolute() and (path.is_file() or (path / "config.json").is_file())
    except (OSError, ValueError):  # no name of a file at all
        there = False
    if not there:
        return name
    try:
        return FileRef(path=name, digest=compute_digest(path))
    except OSError as error:
        raise InputError(
            f"it cannot be read: {get_first_line(error)}",
            place=name,
            remedy="make it readable, or name another",
        ) from error


def _locate_text(value: object) -> object:
    return locate(value) if isinstance(value, str) else value


def _serialize_store(name: str, info: SerializationInfo) -> str:
    kind, _, place = name.partition(":")
    return kind if is_for_key(info) and Path(place).is_absolute() else name


Named = Annotated[FileRef | str, BeforeValidator(_locate_text)]
"""The name of something, perhaps the absolute path of its file or folder: then a ``FileRef``."""

NamedStore = Annotated[str, PlainSerializer(_serialize_store)]
"""A vector store, ``kind:place``; what lies in its folder decides nothing."""
