"""The process that runs queries: standard library only, started by ``sql_sandbox``.

Reads one JSON request per line and answers with one JSON line. A request builds or opens a
database, then runs one query on it with everything denied but reading. Limits are set here and
watched from outside: whatever gets past these, the parent kills the process.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

MEMORY = 512 * 2**20
HEAP = 128 * 2**20
RESULT = 16 * 2**20
STEPS = 5_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""

READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
BUILDING = READING | {
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_REINDEX,
    sqlite3.SQLITE_TRANSACTION,
}
DENIED_FUNCTIONS = {
    "printf",
    "format",
    "zeroblob",
    "randomblob",
    "load_extension",
    "fts3_tokenizer",
}
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}


class TooMuch(Exception):
    """The result passes a limit; says which."""


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Rows, or an error with the stage at which it came: ``database`` or ``query``."""
    stage = "database"
    deadline = time.monotonic() + request["seconds"]
    limit_processor(request["seconds"])
    connection: sqlite3.Connection | None = None
    try:
        connection = open_database(request, deadline)
        stage = "query"
        return {"rows": fetch_rows(connection, request["query"], request["max_rows"])}
    except MemoryError:
        return {"stage": stage, "error": "out of memory"}
    except TooMuch as error:
        return {"stage": stage, "error": str(error)}
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        late = time.monotonic() > deadline
        return {"stage": stage, "error": "out of time" if late else str(error)}
    finally:
        if connection is not None:
            connection.close()


def open_database(request: dict[str, Any], deadline: float) -> sqlite3.Connection:
    """A connection that can only read, to a file or to a database built in memory."""
    file = Path(request["path"]).absolute().as_uri() + "?mode=ro&immutable=1"
    source = file if request["path"] else ":memory:"
    connection = sqlite3.connect(source, uri=True, isolation_level=None)
    connection.text_factory = decode
    for pragma in (f"hard_heap_limit={HEAP}", "temp_store=MEMORY", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    if not request["path"]:
        connection.set_authorizer(allow_only(BUILDING))
        build(connection, request)
        connection.set_authorizer(None)
    connection.execute("PRAGMA query_only=ON")
    for limit, value in LIMITS.items():
        connection.setlimit(limit, value)
    connection.set_authorizer(allow_only(READING))
    return connection


def decode(raw: bytes) -> str:
    """Text as stored, whatever its encoding."""
    return raw.decode("utf-8", "surrogateescape")


def build(connection: sqlite3.Connection, request: dict[str, Any]) -> None:
    """Create the tables and put the rows in, lists by position or objects by column."""
    connection.executescript(request["script"])
    verb = "INSERT OR IGNORE" if request["loose"] else "INSERT"
    for table, items in request["rows"].items():
        for item in items:
            columns = list(item) if isinstance(item, dict) else []
            values = list(item.values()) if isinstance(item, dict) else item
            names = "(" + ", ".join(map(quote, columns)) + ")" if columns else ""
            marks = ", ".join("?" * len(values))
            connection.execute(f"{verb} INTO {quote(table)} {names} VALUES ({marks})", values)


def fetch_rows(connection: sqlite3.Connection, query: str, most: int) -> list[list[Any]]:
    """The result of one query, refused when it is longer or larger than allowed."""
    result: list[list[Any]] = []
    size = 0
    for row in connection.execute(query):
        result.append([value.hex() if isinstance(value, bytes) else value for value in row])
        size += sum(len(value) if isinstance(value, str) else 8 for value in result[-1])
        if len(result) > most:
            raise TooMuch(f"more than {most} rows")
        if size > RESULT:
            raise TooMuch(f"a result of more than {RESULT} bytes")
    return result


def allow_only(allowed: set[int]) -> Any:
    """An authorizer that denies every action but these."""

    def authorize(action: int, _first: str | None, second: str | None, *_rest: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in DENIED_FUNCTIONS:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY

    return authorize


def quote(name: str) -> str:
    """An identifier as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def limit_process() -> None:
    """Memory, files and processes of this process, where the system has such limits."""
    if sys.platform == "win32":
        return
    import resource

    limits = {"AS": MEMORY, "FSIZE": 0, "CORE": 0, "NOFILE": 32, "NPROC": 0}
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            _, hard = resource.getrlimit(number)
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (most, hard))


def limit_processor(seconds: float) -> None:
    """Processor time until the end of the next request; passing it ends the process."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 3, hard))


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    limit_process()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
