"""SQL that is run: hostile queries, results compared, databases made up for bare schemas."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load
from whatworks.metrics.sql.sandbox import GRACE, Database, Limits, QueryFailure, run

DATA = Path(os.environ.get("WHATWORKS_DATA", Path(__file__).parents[2] / "../shared/data"))
SECONDS = 0.3
COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
HOSTILE = [
    "DROP TABLE t",
    "DELETE FROM t",
    "UPDATE t SET a = 0",
    "INSERT INTO t VALUES (9, 'z')",
    "REPLACE INTO t VALUES (9, 'z')",
    "CREATE TABLE u (a)",
    "CREATE TEMP TABLE u (a)",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t ADD COLUMN z",
    "VACUUM",
    "VACUUM INTO '{folder}/copy.sqlite'",
    "ATTACH DATABASE '{folder}/new.sqlite' AS n",
    "ATTACH '{folder}/victim.txt' AS n",
    "ATTACH ':memory:' AS n",
    "DETACH DATABASE main",
    "PRAGMA writable_schema = ON",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = WAL",
    "PRAGMA user_version = 7",
    "PRAGMA application_id = 7",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "SELECT * FROM pragma_user_version(7)",
    "PRAGMA temp_store_directory = '{folder}'",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('t')",
    "REINDEX",
    "ANALYZE",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "SAVEPOINT s",
    "SELECT 1; DROP TABLE t",
    "SELECT a FROM t; DELETE FROM t; --",
    "WITH d AS (SELECT 1) DELETE FROM t",
    "EXPLAIN DELETE FROM t",
    "SELECT load_extension('{folder}/evil.so')",
    "SELECT readfile('{folder}/victim.txt')",
    "SELECT writefile('{folder}/out.txt', 'x')",
    "SELECT edit('x', 'vi')",
    "SELECT fts3_tokenizer('simple', x'00')",
    "SELECT zeroblob(1000000000)",
    "SELECT hex(randomblob(1000000000))",
    "SELECT printf('%.*c', 1000000000, 'x')",
    "SELECT format('%1000000000d', 1)",
    f"{COUNT}) SELECT COUNT(*) FROM c",
    f"{COUNT}) SELECT x FROM c",
    f"{COUNT} LIMIT 100000000) SELECT SUM(x) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM c) SELECT MAX(x) FROM c",
    "SELECT COUNT(*) FROM " + ", ".join(f"t AS t{i}" for i in range(40)),
    f"{COUNT} LIMIT 3000) SELECT COUNT(*) FROM c AS x, c AS y, c AS z WHERE x.x + y.x = z.x",
    f"{COUNT} LIMIT 9) SELECT (SELECT COUNT(*) FROM t, t, t, t, t, t, t, t, t) FROM c",
    "SELECT a FROM t, t AS u, t AS v, t AS w, t AS x, t AS y, t AS z ORDER BY random()",
    "SELECT MAX(hex(a) || b || (SELECT SUM(length(x.b || y.b)) FROM "
    + ", ".join(f"t AS {c}" for c in "xyzuvwpq")
    + ")) FROM t",
    "SELECT group_concat(x.b || y.b) FROM " + ", ".join(f"t AS {c}" for c in "xyzuvwpqrs"),
    "SELECT '" + "a" * 40 + "b' LIKE '" + "%a" * 400 + "%c'",
    "SELECT replace(replace(hex(zeroblob(9000)), '0', hex(zeroblob(9000))), '0', 'xxxxxxxx')",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000,
    "SELECT 1" + " UNION SELECT 1" * 900,
    "SELECT " + "-" * 9_000 + "1",
    "SELECT a FROM t WHERE " + " OR ".join(["a = 1"] * 1_500),
    "SELECT " + ", ".join(["a"] * 6_000) + " FROM t",
    "SELECT a FROM t ORDER BY " + "abs(" * 1_000 + "a" + ")" * 1_000,
    "SELECT \0 FROM t",
    "SELECT '\ud800'",
]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "t.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(i, f"n{i}") for i in range(8)])
    connection.commit()
    connection.close()
    (tmp_path / "victim.txt").write_text("secret")
    return file


def state(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def example(target: str = "SELECT COUNT(*) FROM t", **meta: Any) -> Example:
    return Example(id="e", target=target, meta=meta)


def test_hostile_queries_harm_nothing_and_end_in_time(database: Path):
    options = {"database": str(database), "seconds": SECONDS, "max_rows": 1_000}
    metric, before = load(MetricSpec(name="sql", options=options)), state(database.parent)
    assert len(HOSTILE) >= 50
    for query in HOSTILE:
        text = query.replace("{folder}", str(database.parent))
        start = time.monotonic()
        score = metric(example(), text)
        taken = time.monotonic() - start
        # An answer may be run twice: as it is, and for the lenient score.
        assert taken < 2 * (SECONDS + 2.0) + 1.0, (query[:60], taken)
        assert score.value == score.forgiving == 0.0, query[:60]
        assert "secret" not in score.feedback
        assert state(database.parent) == before, query[:60]
        assert metric(example(), "SELECT COUNT(a) FROM t").value == 1.0, query[:60]


def test_the_process_alone_withstands_them_too(database: Path):
    """Most never pass the parser; here they do."""
    limits, before = Limits(SECONDS, 1_000), state(database.parent)
    mine = Database(path=str(database))
    refused = 0
    for query in HOSTILE:
        start = time.monotonic()
        result = run(mine, query.replace("{folder}", str(database.parent)), limits)
        assert time.monotonic() - start < SECONDS + GRACE + 0.5, query[:60]
        assert state(database.parent) == before, query[:60]
        refused += isinstance(result, QueryFailure)
        assert run(mine, "SELECT COUNT(*) FROM t", limits) == [(8,)], query[:60]
    assert refused >= len(HOSTILE) - 5  # a few are merely odd, and run


@pytest.mark.parametrize("own", [False, True])
def test_a_schema_of_the_user_cannot_reach_files_either(tmp_path: Path, own: bool):
    script = f"CREATE TABLE t (a); ATTACH '{tmp_path}/x.sqlite' AS n; CREATE TABLE n.u (a);"
    rows = {"t": [[1]]} if own else {}
    with pytest.raises(InputError, match="the database cannot be used"):
        load(MetricSpec(name="sql"))(example("SELECT a FROM t", context=script, rows=rows), "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "text", "kind", "lenient", "says"),
    [
        ("SELECT a FROM t", "select T.a from t as T;", "correct", 1, ""),
        ("SELECT a FROM t", "SELECT a FROM t ORDER BY a DESC", "correct", 1, ""),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC", "wrong", 0, "order"),
        ("SELECT a FROM t", "SELECT a, b FROM t", "wrong", 0, "2 columns, wanted 1"),
        ("SELECT a FROM t", "SELECT a FROM t WHERE a > 1", "wrong", 0, "6 rows"),
        ("SELECT a FROM t", "SELECT x.a FROM t x, t y", "wrong", 0, "more than 20 rows"),
        ("SELECT a FROM t", "SELECT c FROM t", "wrong", 0, "no such column"),
        ("SELECT a FROM t", "SELECT DISTINCT a FROM t", "correct", 1, ""),
        ("SELECT 1 FROM t", "SELECT DISTINCT 1 FROM t", "wrong", 0, "1 row"),
        ("SELECT a FROM t", "Sure:\n```sql\nSELECT a FROM t\n```", "malformed", 1, "not one SQL"),
        ("SELECT a FROM t", "SELECT a FROM", "malformed", 0, "not one SQL"),
        ("SELECT a FROM t", "I don't know", "malformed", 0, "not one SQL"),
        ("SELECT a FROM t", "", "malformed", 0, "empty"),
        ("SELECT a FROM t", "DROP TABLE t", "malformed", 0, "not a SELECT"),
        ("SELECT 0.1 + 0.2", "SELECT 0.3", "correct", 1, ""),
    ],
)
def test_answers_by_hand(
    database: Path, target: str, text: str, kind: str, lenient: float, says: str
):
    metric = load(MetricSpec(name="sql", options={"max_rows": 20}))
    score = metric(example(target, database=str(database)), text)
    assert (score.kind, score.value) == (kind, float(kind == "correct"))
    assert score.forgiving == lenient
    assert says in score.feedback and bool(says) == bool(score.feedback)


def test_bare_schemas_are_filled_so_that_other_queries_differ():
    metric, context = load(MetricSpec(name="sql")), "CREATE TABLE head (age INTEGER, name TEXT)"
    row = example("SELECT COUNT(*) FROM head WHERE age > 56", context=context)
    assert metric(row, "SELECT COUNT(*) FROM head WHERE 56 < age").value == 1.0
    for wrong in (">= 56", "> 55", "< 56", "> 57"):
        score = metric(row, f"SELECT COUNT(*) FROM head WHERE age {wrong}")
        assert score.kind == "wrong", wrong


def test_columns_without_a_type_are_filled_too():
    metric = load(MetricSpec(name="sql"))
    row = example("SELECT b FROM t WHERE a > 5", context="CREATE TABLE t (a, b, PRIMARY KEY (b))")
    assert metric(row, "SELECT t.b FROM t WHERE 5 < t.a").kind == "correct"
    assert metric(row, "SELECT b FROM t WHERE a < 5").kind == "wrong"


def test_a_target_that_returns_nothing_is_judged_by_its_clauses():
    metric, context = load(MetricSpec(name="sql")), "CREATE TABLE t (a INTEGER, b INTEGER)"
    row = example("SELECT a FROM t WHERE a < b AND a > b", context=context)
    assert metric(row, "SELECT a FROM t WHERE a > b AND a < b").value == 1.0
    score = metric(row, "SELECT b FROM t WHERE a < b AND a > b")
    assert score.kind == "wrong" and score.parts["execution"] == 1.0


SEASONS = "CREATE TABLE s (player VARCHAR, team VARCHAR, year VARCHAR, points INTEGER)"
MET = "team = 'Lakers' AND year = '1999' AND 30 < points"
NEVER = "points > 5 AND points < 5"


@pytest.mark.parametrize(
    ("target", "right", "wrong"),
    [
        (
            f"SELECT COUNT(player) FROM s WHERE {MET}",
            f"SELECT COUNT(*) FROM s WHERE {MET}",
            [
                *(f"SELECT {n}" for n in range(5)),
                "SELECT COUNT(player) FROM s WHERE team = 'zzz'",
                f"SELECT COUNT(player) FROM s WHERE {MET.replace('year', 'player')}",
            ],
        ),
        (
            f"SELECT MAX(year), SUM(points) FROM s WHERE {MET}",
            f"SELECT MAX(s.year), SUM(s.points) FROM s WHERE {MET}",
            ["SELECT NULL, NULL", "SELECT '1999', NULL", "SELECT '1999', 31"],
        ),
        (f"SELECT COUNT(*) FROM s WHERE {NEVER}", f"select count(*) from s where {NEVER}",
         ["SELECT 0", f"SELECT COUNT(points) FROM s WHERE {NEVER} AND team = 'a'"]),
        (f"SELECT MIN(points) FROM s WHERE {NEVER}", f"SELECT MIN(points) FROM s WHERE {NEVER};",
         ["SELECT NULL", f"SELECT MAX(points) FROM s WHERE {NEVER}"]),
    ],
)  # fmt: skip
def test_an_aggregate_over_made_up_rows_gives_nothing_away(
    target: str, right: str, wrong: list[str]
):
    metric, row = load(MetricSpec(name="sql")), example(target, context=SEASONS)
    assert metric(row, right).kind == "correct"
    for text in wrong:
        assert metric(row, text).kind == "wrong", text


def test_conditions_on_joined_tables_are_met_at_once():
    context = "CREATE TABLE a (id INT PRIMARY KEY, n TEXT); CREATE TABLE b (a_id INT, m INT, x INT)"
    target = "SELECT x FROM a JOIN b ON a.id = b.a_id WHERE n LIKE '%Bo%' AND m = -7 AND x < 3"
    row, metric = example(target, context=context), load(MetricSpec(name="sql"))
    other = "SELECT x FROM b, a WHERE 3 > x AND b.m = -7 AND n LIKE '%Bo%' AND b.a_id = a.id"
    assert metric(row, other).kind == "correct"
    assert metric(row, other.replace("-7", "7")).kind == "wrong"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (example("SELECT a FROM t"), "nothing to run"),
        (example("SELECT a FROM t", database="no/such.sqlite"), "no such database"),
        (example("SELECT a FROM t", context="CREATE TABLE u (a INT)"), "no such table"),
        (example("SELECT a FROM t", context="nonsense"), "the database cannot be used"),
        (example("DELETE FROM t", context="CREATE TABLE t (a)"), "not one SQL query"),
    ],
)
def test_rows_that_cannot_be_scored_against(bad: Example, says: str):
    with pytest.raises(InputError) as caught:
        load(MetricSpec(name="sql"))(bad, "SELECT 1")
    assert says in str(caught.value)


def test_targets_of_geography_score_1_on_the_real_database():
    rows, file = DATA / "sql_geography/geography_sqlctx.jsonl", DATA / "sql_geography"
    if not rows.is_file():
        pytest.skip("no geography data: set WHATWORKS_DATA to a folder with sql_geography")
    options = {"database": str((file / "geography.sqlite").resolve())}
    metric = load(MetricSpec(name="sql", options=options))
    targets = [json.loads(line)["answer"] for line in rows.read_text("utf-8").splitlines()]
    for target in list(dict.fromkeys(targets))[:100]:
        assert metric(example(target), target).kind == "correct", target
