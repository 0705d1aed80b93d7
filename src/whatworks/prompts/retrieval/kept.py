"""Vectors on disk, so that a later process need not compute them again.

One SQLite file per folder, safe to share between processes and to kill at any moment: every batch
is a transaction of its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.encoder import Encoder
from whatworks.prompts.retrieval.vectors import CACHE_VARIABLE, Vectors


class Kept:
    """An encoder whose vectors are looked up in a folder first and written there."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        self._file = folder / "embeddings.sqlite"
        with self._open() as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB)")

    @property
    def dimensions(self) -> int:
        """Width of the model."""
        return self._encoder.dimensions

    @property
    def fingerprint(self) -> str:
        """The encoder's."""
        return self._encoder.fingerprint

    def over(self, pool: Sequence[str]) -> Kept:
        """Itself: an encoder's vectors do not depend on the pool."""
        return self

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Positions and vectors: first those on disk, then the others as they are computed."""
        if not texts:
            return
        keys = [self._key(text) for text in texts]
        missing: list[int] = []
        with self._open() as db:
            for i, key in enumerate(keys):
                row = db.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
                if row is None:
                    missing.append(i)
                else:
                    yield [i], np.frombuffer(row[0], np.float32)[None, :]
            for positions, vectors in self._encoder.batches([texts[i] for i in missing]):
                places = [missing[p] for p in positions]
                rows = [(keys[i], v.tobytes()) for i, v in zip(places, vectors, strict=True)]
                with db:
                    db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)
                yield places, vectors

    def _key(self, text: str) -> bytes:
        content = f"{self._encoder.fingerprint}\0{text}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(content).digest()

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=60)) as db:
                yield db
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"embeddings cannot be kept here: {error}",
                place=str(self._file),
                remedy=f"set {CACHE_VARIABLE} to another folder, or to off",
            ) from error
