"""PostgreSQL with the extension pgvector: the vectors beside whatever else a database holds."""

from __future__ import annotations

import math
import weakref
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import psycopg
from pgvector.psycopg import register_vector
from psycopg import sql

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.vectors import Vectors

PASSWORD_VARIABLE = "PGPASSWORD"
PATIENCE = 10
"""Seconds until a server counts as out of reach."""


class PostgresStore:
    """A table of keys and vectors.

    Search is exact, unless the table was given an index by hand.

    Args:
        address: As libpq takes it, ``postgresql://user@host:5432/database``.
        collection: Name of the table.
        dimensions: Length of a vector.

    Raises:
        InputError: If the database cannot be used.
    """

    def __init__(self, address: str, collection: str, dimensions: int) -> None:
        self._place = address
        with self._reach():
            self._connection = psycopg.connect(address, connect_timeout=PATIENCE, autocommit=True)
            weakref.finalize(self, self._connection.close)
            self._connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            register_vector(self._connection)
            self._table = sql.Identifier(collection)
            self._connection.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} (key text PRIMARY KEY, vector vector({}))"
                ).format(self._table, sql.Literal(dimensions))
            )

    def list_known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are in the table."""
        query = sql.SQL("SELECT key FROM {} WHERE key = ANY(%s)").format(self._table)
        with self._reach():
            return {row[0] for row in self._connection.execute(query, (list(keys),))}

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Insert rows in one transaction; those that another run put there meanwhile stay."""
        query = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT DO NOTHING").format(self._table)
        with self._reach(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(query, zip(keys, vectors, strict=True))

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """By cosine."""
        query = sql.SQL(
            "SELECT key, 1 - (vector <=> %(v)s) FROM {} ORDER BY vector <=> %(v)s LIMIT %(n)s"
        ).format(self._table)
        with self._reach():
            rows = self._connection.execute(query, {"v": vector, "n": limit}).fetchall()
        # A vector of zeros has no direction: the database says NaN.
        return [(key, 0.0 if math.isnan(cosine) else cosine) for key, cosine in rows]

    @contextmanager
    def _reach(self) -> Generator[None]:
        try:
            yield
        except psycopg.Error as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"the vector store does not work: {reason}",
                place=self._place,
                remedy="start the server or correct the address; it needs the extension pgvector; "
                f"a password goes into {PASSWORD_VARIABLE} or ~/.pgpass",
            ) from error
