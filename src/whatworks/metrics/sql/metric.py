"""SQL answers: executed on a real SQLite database and compared with the target's result.

Empty answers are malformed, and so are statements other than one query. Where the database comes
from, first found:

- the file ``meta["database"]``, or the option ``database``: a file, or a folder with one file
  ``NAME.sqlite`` for each ``meta["db"]``;
- built in memory from the CREATE TABLE statements in ``meta["context"]`` or the input field
  ``context``, with the rows in ``meta["rows"]`` (table to rows). Without rows, ``sql_fill`` makes
  them; a target that returns on all databases so made what it returns on empty tables (no row, a
  count of 0, a maximum of NULL) is scored by exact-set match instead, because equal results would
  prove nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import PositiveFloat, PositiveInt
from sqlglot import exp

from whatworks.base.errors import InputError
from whatworks.base.phrasing import cut_text, quote_briefly
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.sql.exact_set import read_clauses
from whatworks.metrics.sql.made_up_rows import fill
from whatworks.metrics.sql.parse import MalformedSQL, find, has_order, read, read_within
from whatworks.metrics.sql.sandbox import Database, Limits, QueryFailure, Row, run, run_known
from whatworks.metrics.sql.ties import Keyed, add_keys, agree, is_cut_within_ties
from whatworks.metrics.text_overlap import average_parts
from whatworks.models.constraint import Constraint

FILLED = 3
"""Databases filled for a schema without rows."""

_PARTS: tuple[str, ...] = ("parsed", "executed", "execution", "exact_set")
_DIGITS = 10
_CLAUSES = 2.0
_QUERY = re.compile(r"\s*(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
_INSERT = re.compile(r"\bINSERT\s+(?:OR\s+\w+\s+)?INTO\b", re.IGNORECASE)
_SYNTAX = ("syntax error", "incomplete input", "unrecognized token")


class SQLOptions(Options):
    """Options of ``sql``.

    Attributes:
        database: A SQLite file, or a folder of them.
        seconds: Time that a query may take to run, and an answer to be parsed.
        max_rows: Rows that a query may return.
    """

    database: Path | None = None
    seconds: PositiveFloat = 2.0
    max_rows: PositiveInt = 10_000


def _make_label(text: str, options: SQLOptions) -> str:
    """The query, written in one way; queries that differ but return the same stay apart."""
    try:
        return read_within(options.seconds, text).sql(
            dialect="sqlite", normalize=True, comments=False
        )
    except (MalformedSQL, RecursionError):
        return ""


def _describe_doubt(example: Example, options: SQLOptions) -> str:
    """A target whose limit cuts through ties: other rows are as right."""
    gold = _run_target(example, options.database, Limits(options.seconds, options.max_rows))
    for one in gold.results:
        if one.keyed is not None and is_cut_within_ties(len(one.rows), one.keyed, one.whole):
            return "its LIMIT cuts through rows that ORDER BY leaves tied: any of them counts"
    return ""


def _build_form(train: Sequence[Example], options: SQLOptions) -> Constraint:
    """A SELECT query; the tables and columns are not checked."""
    del train, options
    grammar = Path(__file__).with_name("select.lark")
    return Constraint(kind="lark", text=grammar.read_text(encoding="utf-8"))


@metric(
    SQLOptions,
    figures=average_parts,
    form=_build_form,
    label=_make_label,
    doubt=_describe_doubt,
    # Its own limits come first: this is for what they do not cover.
    seconds=lambda options: 60 + 20 * options.seconds,
)
def sql(example: Example, text: str, options: SQLOptions) -> Score:
    """The target's result: the same rows, in the same order if the target orders them.

    Rows are compared as a multiset, numbers to ten digits. Parts: ``parsed``, ``executed``,
    ``execution`` (equal results), ``exact_set`` (equal clauses). Lenient: the first query within
    the answer has that result, and no other one stands beside it.

    Args:
        example: Its target is a query; the module says where the database comes from.
        text: The answer.
        options: The database and the limits.

    Raises:
        InputError: If the target is no query, does not run, or there is no database.
    """
    limits = Limits(options.seconds, options.max_rows)
    gold = _run_target(example, options.database, limits)
    outcome, problem = None, ""
    text = text.rstrip("; \t\r\n")
    try:
        outcome = _judge(text, read_within(options.seconds, text), gold, limits)
    except MalformedSQL as error:
        problem = str(error)
        if _QUERY.match(text):  # SQLite has the last word on what it understands
            outcome = _judge(text, None, gold, limits)
    if outcome is None or not outcome.parsed:
        candidate = find(text, options.seconds)
        lenient = bool(candidate and _judge(candidate.text, candidate.query, gold, limits).right)
        problem = problem or (outcome.problem if outcome else "")
        wanted = quote_briefly(example.target, 200)
        feedback = f"not one SQL query: {problem}; wanted a query like {wanted}"
        return Score(0.0, "malformed", feedback, float(lenient), dict.fromkeys(_PARTS, 0.0))
    figures = (outcome.parsed, outcome.executed, outcome.same, outcome.exact_set)
    parts = dict(zip(_PARTS, map(float, figures), strict=True))
    if outcome.right:
        return Score(1.0, "correct", parts=parts)
    return Score(0.0, "wrong", outcome.problem, parts=parts)


@dataclass(frozen=True)
class _Gold:
    """A target, run: its databases, what it returns on each, and whether that tells anything."""

    query: exp.Expr
    results: Sequence[_Result]
    telling: bool


class _Result(NamedTuple):
    """What a target returns on a database, and its rows with their sort keys, where they tell."""

    database: Database
    rows: Sequence[Row]
    keyed: Keyed | None
    whole: Sequence[Row]


@dataclass(frozen=True)
class _QueryOutcome:
    """What became of an answer's query on the databases of a target."""

    parsed: bool
    executed: bool
    same: bool
    exact_set: bool
    right: bool
    problem: str


def _judge(text: str, query: exp.Expr | None, gold: _Gold, limits: Limits) -> _QueryOutcome:
    """Run a query on every database until a result differs."""
    exact_set = query is not None and _has_same_clauses(query, gold.query)
    problem, parsed, executed = "", True, True
    for one in gold.results:
        outcome = run(one.database, text, limits)
        if isinstance(outcome, QueryFailure):
            executed = False
            parsed = query is not None and not any(hint in outcome.reason for hint in _SYNTAX)
            problem = f"the query does not run: {outcome.reason}"
        else:
            problem = _describe_difference(outcome, one, ordered=has_order(gold.query))
        if problem:
            break
    same = not problem
    if same and not gold.telling and not exact_set:
        outcome = f"says something else than {gold.query.sql()}"
        problem = f"returns what it would on empty tables, as wanted, but {outcome}"
    right = same and (gold.telling or exact_set)
    return _QueryOutcome(parsed, executed, same, exact_set, right, problem)


def _run_target(example: Example, option: Path | None, limits: Limits) -> _Gold:
    """The target on its databases.

    Raises:
        InputError: If it is no query, does not run, or there is no database.
    """
    place = f"example {example.id!r}"
    try:
        query = read(example.target)
    except MalformedSQL as error:
        raise InputError(
            f"the target is not one SQL query: {error}",
            place=place,
            remedy="mend it, or leave the row out: `whatworks check --fix` does",
        ) from None
    databases, are_given = _list_databases(example, query, option)
    results: list[_Result] = []
    keyed = add_keys(query)
    for database in databases:
        rows = run_known(database, example.target, limits)
        if isinstance(rows, QueryFailure):
            what = "the database cannot be used" if rows.stage == "database" else "the target fails"
            raise InputError(
                f"{what}: {rows.reason}",
                place=place,
                remedy="correct the row or leave it out, or raise `seconds` and `max_rows`",
            )
        whole = run_known(database, keyed.text, limits) if keyed else []
        if isinstance(whole, QueryFailure):  # more rows than allowed: their order is taken as it is
            results.append(_Result(database, rows, None, []))
        else:
            results.append(_Result(database, rows, keyed, [_round_row(row) for row in whole]))
    if are_given:
        return _Gold(query, results, telling=True)
    nothing = run_known(replace(results[0].database, rows="{}"), example.target, limits)
    return _Gold(query, results, telling=any(one.rows != nothing for one in results))


def _list_databases(
    example: Example, query: exp.Expr, option: Path | None
) -> tuple[Sequence[Database], bool]:
    """Where to run, and whether the rows there were given (not made up)."""
    meta = example.meta
    file = Path(meta["database"]) if meta.get("database") else option
    if file is not None and file.is_dir():
        file = file / f"{meta.get('db', '')}.sqlite"
    if file is not None:
        if not file.is_file():
            raise InputError(
                "there is no such database",
                place=str(file),
                remedy="name the file, or the folder with one for each `db`",
            )
        return [Database(path=str(file))], True
    script = str(meta.get("context") or example.inputs.get("context") or "")
    if not script:
        raise InputError(
            "there is nothing to run the query on",
            place=f"example {example.id!r}",
            remedy="give the option `database`, or CREATE TABLE statements in the field `context`",
        )
    rows: Mapping[str, Sequence[Any]] = meta.get("rows") or {}
    if rows or _INSERT.search(script):
        return [Database.build(script, rows)], True
    return _fill_databases(script, query), False


@lru_cache(maxsize=512)
def _fill_databases(script: str, query: exp.Expr) -> tuple[Database, ...]:
    filled = (fill(script, query, seed) for seed in range(FILLED))
    return tuple(Database.build(script, rows, loose=True) for rows in filled)


def _describe_difference(answer: Sequence[Row], gold: _Result, *, ordered: bool) -> str:
    """What is wrong with a result, "" if nothing."""
    target = gold.rows
    ours, theirs = [_round_row(row) for row in answer], [_round_row(row) for row in target]
    if ours == theirs or (not ordered and Counter(ours) == Counter(theirs)):
        return ""
    if gold.keyed is not None and agree(ours, len(theirs), gold.keyed, gold.whole):
        return ""
    if ours and theirs and len(ours[0]) != len(theirs[0]):
        return f"returns {len(ours[0])} columns, wanted {len(theirs[0])}"
    if Counter(ours) == Counter(theirs):
        return "returns the rows in another order than wanted"
    return f"returns {_show(answer)}, wanted {_show(target)}"


def _round_row(row: Row) -> Row:
    return tuple(float(f"{v:.{_DIGITS}g}") if isinstance(v, float) else v for v in row)


def _show(rows: Sequence[Row]) -> str:
    count = f"{len(rows)} row" + ("" if len(rows) == 1 else "s")
    return f"{count}, the first {cut_text(str(rows[0]), 60)}" if rows else "no rows"


def _has_same_clauses(one: exp.Expr, other: exp.Expr) -> bool:
    try:
        return call_within(_CLAUSES, lambda: read_clauses(one) == read_clauses(other))
    except (RecursionError, OutOfTime):
        return False
