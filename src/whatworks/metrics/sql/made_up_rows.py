"""Rows for a schema that came without any.

On empty tables every query returns the same nothing. So that results can differ, tables are
filled at random, reproducibly, with the target query's own constants among the values, and the
answer must agree on several such databases (after Zhong et al. 2020, "Semantic Evaluation for
Text-to-SQL with Distilled Test Suites"). Several conditions at once would hardly ever hold of
random rows: a few rows are made to pass all of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

ROWS = (8, 16)
"""Fewest and most rows of a table."""

_NUMERIC = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "NUMERIC", "REAL", "BOOL")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_COMPARES = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.Between, exp.In)


# What passes such a comparison lies this far from its constant.
_STEPS: Mapping[type[exp.Expr], int] = {exp.GT: 1, exp.LT: -1}
_FLIPPED: Mapping[type[exp.Expr], type[exp.Expr]] = {exp.GT: exp.LT, exp.LT: exp.GT}


@dataclass(frozen=True)
class _Constant:
    """What the query compares a column with, and a value that passes, None if unknown."""

    text: str
    passing: str | None


@dataclass(frozen=True)
class _Column:
    """A column with its type in capitals, "" where the schema gives none."""

    name: str
    kind: str


def fill(script: str, query: exp.Expr, seed: int) -> dict[str, list[list[Any]]]:
    """Rows for every table that a script creates; {} if it cannot be parsed.

    Columns of the same name, and columns that the query sets equal, draw from the same values, so
    that joins meet.

    Args:
        script: CREATE TABLE statements.
        query: The target query.
        seed: Another seed, another database.
    """
    tables = _read_tables(script)
    alike = _group_alike(query)
    constants = _find_constants(query, alike)
    rng = random.Random(f"{seed} {script}".encode("utf-8", "surrogatepass"))
    pools: dict[str, list[Any]] = {}
    passing: dict[str, list[Any]] = {}
    for column in (column for columns in tables.values() for column in columns):
        name = alike.get(column.name, column.name)
        if name not in pools:
            own = constants.get(name, [])
            pools[name] = _list_values(column, [constant.text for constant in own], rng)
            passing[name] = _list_passing(column, own)
    drawn = {
        table: [
            [rng.choice(pools[alike.get(column.name, column.name)]) for column in columns]
            for _ in range(rng.randint(*ROWS))
        ]
        for table, columns in tables.items()
    }
    # One value for a name in all tables, so that joins meet; one more such row for each seed, so
    # that counts differ. They come first: a row that breaks a constraint is left out.
    hits = [
        {
            name: passing[name][at % len(passing[name])] if passing[name] else rng.choice(pool)
            for name, pool in pools.items()
        }
        for at in range(seed, 2 * seed + 1)
    ]
    return {
        table: [
            *([hit[alike.get(column.name, column.name)] for column in columns] for hit in hits),
            *drawn[table],
        ]
        for table, columns in tables.items()
    }


@lru_cache(maxsize=64)
def _read_tables(script: str) -> Mapping[str, Sequence[_Column]]:
    """The columns of every table; kept, as a schema is often that of all rows."""
    try:
        statements = sqlglot.parse(script, read="sqlite")
    except (SqlglotError, RecursionError):
        return {}
    tables: dict[str, Sequence[_Column]] = {}
    for statement in statements:
        if isinstance(statement, exp.Create) and isinstance(statement.this, exp.Schema):
            # Without a type or a constraint a column is parsed as a bare name.
            columns = (exp.ColumnDef, exp.Identifier)
            definitions = [one for one in statement.this.expressions if isinstance(one, columns)]
            tables[statement.this.this.name] = [_read_column(one) for one in definitions]
    return tables


def _read_column(definition: exp.Expr) -> _Column:
    return _Column(definition.name.lower(), str(definition.args.get("kind") or "").upper())


def _is_numeric(column: _Column, constants: list[str]) -> bool:
    """By its type or, where it has none, by what the query compares it with."""
    if column.kind:
        return any(word in column.kind for word in _NUMERIC)
    return bool(constants) and all(map(_NUMBER.fullmatch, constants))


def _find_constants(query: exp.Expr, alike: Mapping[str, str]) -> Mapping[str, list[_Constant]]:
    """Constants that the query compares with a column, by the column's common name."""
    by_column: dict[str, list[_Constant]] = {}
    for comparison in query.find_all(*_COMPARES):
        columns = [one for one in comparison.find_all(exp.Column) if not _is_string(one)]
        constants = [_write_literal(one) for one in comparison.find_all(exp.Literal)]
        constants += [one.name for one in comparison.find_all(exp.Column) if _is_string(one)]
        both = [_Constant(text, _find_passing_value(comparison, text)) for text in constants]
        for column in columns:
            name = column.name.lower()
            by_column.setdefault(alike.get(name, name), []).extend(both)
    return by_column


def _write_literal(literal: exp.Expr) -> str:
    return f"-{literal.name}" if isinstance(literal.parent, exp.Neg) else literal.name


def _find_passing_value(comparison: exp.Expr, constant: str) -> str | None:
    """A value for which a comparison of a column with a constant holds."""
    kind = type(comparison)
    if kind is exp.NEQ or isinstance(comparison.parent, exp.Not):
        return None
    if isinstance(comparison.this, exp.Literal):
        kind = _FLIPPED.get(kind, kind)
    step = _STEPS.get(kind, 0)
    if not step:
        return constant.strip("%")
    return str(_read_number(constant) + step) if _NUMBER.fullmatch(constant) else None


def _group_alike(query: exp.Expr) -> Mapping[str, str]:
    """Names of columns that the query sets equal, each to a common one."""
    common: dict[str, str] = {}
    for equal in query.find_all(exp.EQ):
        one, other = equal.this, equal.expression
        if isinstance(one, exp.Column) and isinstance(other, exp.Column) and not _is_string(other):
            first, second = sorted((one.name.lower(), other.name.lower()))
            common[second] = common.get(first, first)
    return common


def _is_string(column: exp.Column) -> bool:
    """Whether SQLite would take it for a string: quoted twice, of no table."""
    return not column.table and bool(column.this.args.get("quoted"))


def _list_values(column: _Column, constants: list[str], rng: random.Random) -> list[Any]:
    """What a column draws from: constants, values around them, others."""
    if not _is_numeric(column, constants):
        words = [f"{column.name} {rng.randint(1, 99)}" for _ in range(4)]
        plain = [constant.strip("%") for constant in constants]
        return [*words, *plain, *plain]
    numbers: list[Any] = [rng.randint(0, 30) for _ in range(8)]
    for constant in constants:
        if _NUMBER.fullmatch(constant):
            value = _read_number(constant)
            numbers += [value, value - 1, value + 1]
    return numbers


def _list_passing(column: _Column, constants: list[_Constant]) -> list[Any]:
    """Values of a column for which the query's comparisons hold, in their order."""
    values = [constant.passing for constant in constants if constant.passing is not None]
    if not _is_numeric(column, [constant.text for constant in constants]):
        return list(values)
    return [_read_number(value) for value in values if _NUMBER.fullmatch(value)]


def _read_number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
