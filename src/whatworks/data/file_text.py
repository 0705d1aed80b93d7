"""Bytes to text: one place that opens, unpacks, decodes and says what is wrong with a file.

Files are UTF-8 (with or without a byte order mark), plain or packed as gzip or xz.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from whatworks.base.errors import InputError

_PACKED = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ": lzma.open}
MARK = b"\xef\xbb\xbf"
"""The byte order mark that UTF-8 files may begin with."""

HEAD = 4096
"""Bytes that ``read_head`` returns at most."""

_WIDE = (b"\xff\xfe", b"\xfe\xff")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file, numbered from 1, with their line ends.

    Raises:
        InputError: If the file is missing, is no text, or is not UTF-8 (naming line and column).
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    raw = raw.removeprefix(MARK)
                if b"\0" in raw or (number == 1 and raw.startswith(_WIDE)):
                    raise _make_encoding_error(path, raw)
                yield number, _decode(raw, f"{path}:{number}")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _make_read_error(path, error) from error


def read_text(path: Path) -> str:
    """The text of a file; errors as in ``read_lines``."""
    return "".join(line for _, line in read_lines(path))


def read_head(path: Path) -> bytes:
    """The first bytes of a file, unpacked.

    Raises:
        InputError: If the file cannot be opened or unpacked.
    """
    try:
        with _open(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise _make_read_error(path, error) from error


def get_suffix(path: Path) -> str:
    """The lower-case file ending without the packing: ``.csv`` of ``rows.csv.gz``."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in (".gz", ".xz"):
        endings.pop()
    return endings[-1] if endings else ""


def get_stem(path: Path) -> str:
    """The file name without packing and ending."""
    name = path.name
    for _ in range(2):
        inner = Path(name)
        packed = inner.suffix.lower() in (".gz", ".xz")
        name = inner.stem
        if not packed:
            break
    return name


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    for magic, opener in _PACKED.items():
        if start.startswith(magic):
            return cast("IO[bytes]", opener(path, "rb"))
    return path.open("rb")


def _decode(raw: bytes, place: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode("utf-8")) + 1
        raise InputError(
            f"byte 0x{raw[error.start]:02X} in column {column} is not UTF-8",
            place=place,
            remedy="save the file as UTF-8, for example with `iconv -f LATIN1 -t UTF-8`",
        ) from error


def _make_encoding_error(path: Path, raw: bytes) -> InputError:
    if raw.startswith(_WIDE):
        return InputError(
            "the file is UTF-16, not UTF-8",
            place=str(path),
            remedy="convert it with `iconv -f UTF-16 -t UTF-8`",
        )
    return InputError(
        "the file is binary, not text",
        place=str(path),
        remedy="give JSONL, JSON, CSV, TSV, Parquet, plain text, or a dataset folder",
    )


def _make_read_error(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("no such file", place=str(path), remedy="check the path")
    if isinstance(error, IsADirectoryError):
        return InputError("this is a folder", place=str(path), remedy="name a file in it")
    if isinstance(error, PermissionError):
        return InputError("no permission to read", place=str(path), remedy="check its mode")
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"cannot be read: {reason}", place=str(path), remedy="check the file")
