"""The content of a file or of a model folder as a short hash."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

WHOLE = 64 * 2**20
"""Bytes up to which ``compute_digest`` reads a file whole."""


_EDGE = 2**20


WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")


TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)


_WRAPPING = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")


_TEMPLATES = ("chat_template.jinja", "chat_template.json")


def compute_digest(path: Path) -> str:
    """Content hash of a model folder, or of a file: 16 hex digits of SHA-256.

    Covers config, generation config, tokenizer and weight files by name and content. Files above
    ``WHOLE`` (64 MB) count with their size and their first and last MiB only: enough to tell
    trained weights apart, since training moves every tensor, and quick on large models.
    """
    return _hash_files(read_identity(path))


Identity = tuple[Path, tuple[tuple[str, int, int], ...]]


def read_identity(path: Path) -> Identity:
    """Tells a folder from the same folder written again, without reading the files."""
    stats = ((file.name, file.stat()) for file in _list_files(path))
    return path, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@lru_cache(maxsize=64)
def _hash_files(which: Identity) -> str:
    path = which[0]
    total = hashlib.sha256()
    for file in _list_files(path):
        size = file.stat().st_size
        total.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as stream:
            if size <= WHOLE:
                while block := stream.read(_EDGE):
                    total.update(block)
            else:
                total.update(stream.read(_EDGE))
                stream.seek(-_EDGE, os.SEEK_END)
                total.update(stream.read(_EDGE))
    return total.hexdigest()[:KEY_LENGTH]


def _list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    names = ("config.json", "generation_config.json", *TOKENIZER_FILES, *_WRAPPING, *_TEMPLATES)
    files = [path / name for name in names if (path / name).is_file()]
    for pattern in WEIGHT_FILES:
        files.extend(path.glob(pattern))
    return sorted(files)


KEY_LENGTH = 16
