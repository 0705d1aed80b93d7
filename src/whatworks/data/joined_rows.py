"""Rows that stand in several records or files: answers apart from questions, threads in pieces.

Each of these is a public layout: BEIR's folders (Thakur et al. 2021), the Berkeley Function Calling
Leaderboard's ``possible_answer`` beside its questions, OpenAssistant's message trees.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data import file_text as text
from whatworks.data.raw_row import Fields, RawRow, find_split

ANSWERS = "possible_answer"
"""Folder beside a file of questions that holds, under the same name, what is right for each."""
_FUNCTIONS = (
    {"TwitterAPI": "posting_api", "TravelAPI": "travel_booking", "MathAPI": "math_api"}
    | {f"{name}API": f"{name.lower()}_api" for name in ("Message", "Ticket")}
    | {"VehicleControlAPI": "vehicle_control"}
)
"""Files of BFCL's groups of functions that are named otherwise than the group."""
_TURNS = {"prompter": "user", "assistant": "assistant"}

Read = Callable[[Path], Iterator[RawRow]]


def is_beir(folder: Path) -> bool:
    """Whether a folder holds a corpus, queries and what is relevant to them."""
    files = (folder / "corpus.jsonl", folder / "queries.jsonl")
    return all(file.is_file() for file in files) and (folder / "qrels").is_dir()


def read_beir(folder: Path, read: Read) -> Iterator[RawRow]:
    """A row for each judged query of each split, with its relevant documents, the best first.

    Raises:
        InputError: If a judgement names a query or document that is not there.
    """
    files = sorted((folder / "qrels").glob("*.tsv"))
    judged = {file: _read_judgements(file) for file in files}
    ids = {name for queries in judged.values() for names in queries.values() for name in names}
    corpus = folder / "corpus.jsonl"
    documents = {
        name: dict(row.fields)
        for row in read(corpus)
        if (name := str(row.fields.get("_id"))) in ids
    }
    queries = {str(row.fields.get("_id")): row for row in read(folder / "queries.jsonl")}
    for file, relevant in judged.items():
        for name, ranked in relevant.items():
            absent = [one for one in ranked if one not in documents]
            if name not in queries or absent:
                what = f"document {absent[0]!r}" if absent else f"query {name!r}"
                raise InputError(
                    f"a judgement names the {what}, which is not there",
                    place=str(file),
                    remedy="give corpus, queries and qrels of the same version",
                )
            row = queries[name]
            fields = {
                "_id": f"{file.stem}-{name}",
                "query": row.fields.get("text"),
                "relevant": [documents[one] for one in ranked],
            }
            yield RawRow(fields, row.place, row.name, find_split(file.stem))


def _read_judgements(file: Path) -> dict[str, list[str]]:
    """Relevant documents by query: those with a score above 0, the highest first."""
    scores = defaultdict[str, list[tuple[float, str]]](list)
    lines = (line for _, line in text.read_lines(file))
    for number, cells in enumerate(csv.reader(lines, delimiter="\t"), start=1):
        if not cells or (number == 1 and "id" in cells[0].lower()):
            continue
        try:
            query, document, score = cells[0], cells[-2], float(cells[-1])
        except (IndexError, ValueError) as error:
            raise InputError(
                "no judgement: wanted are a query, a document and a score",
                place=f"{file}:{number}",
                remedy="write them as `query-id<TAB>corpus-id<TAB>score`",
            ) from error
        if score > 0:
            scores[query].append((-score, document))
    return {query: [name for _, name in sorted(names)] for query, names in scores.items()}


def join_answers(path: Path, rows: Iterator[RawRow], read: Read) -> Iterator[RawRow]:
    """Rows with the columns that a file of the same name in ``possible_answer`` has for their id.

    Rows of a file that has none beside it are given as they are.
    """
    beside = path.parent / ANSWERS / path.name
    if not beside.is_file():
        yield from rows
        return
    answers = {str(row.fields.get("id")): row.fields for row in read(beside)}
    described: dict[str, list[Fields]] = {}
    for row in rows:
        fields = {**answers.get(str(row.fields.get("id")), {}), **row.fields}
        if "function" not in fields and isinstance(fields.get("involved_classes"), list):
            for name in cast("list[str]", fields["involved_classes"]):
                if name not in described:
                    described[name] = _read_functions(path, name, read)
            fields["function"] = [
                function
                for name in cast("list[str]", fields["involved_classes"])
                for function in described[name]
            ]
        yield replace(row, fields=fields)


def _read_functions(path: Path, group: str, read: Read) -> list[Fields]:
    """The functions of a group, described in a file beside the questions; none where it is not."""
    stem = _FUNCTIONS.get(group, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", group).lower())
    file = path.parent / "multi_turn_func_doc" / f"{stem}.json"
    return [dict(row.fields) for row in read(file)] if file.is_file() else []


def is_answers(path: Path) -> bool:
    """Whether a file holds answers to the questions of a file beside its folder."""
    return path.parent.name == ANSWERS and (path.parent.parent / path.name).is_file()


def join_threads(rows: Iterator[RawRow]) -> Iterator[RawRow]:
    """OpenAssistant's messages as conversations, one for each tree; other rows as they are.

    A conversation goes from the first message to its best-ranked reply, and on from there.
    """
    first = next(rows, None)
    if first is None:
        return
    every = chain([first], rows)
    if {"message_id", "parent_id", "role", "text"} <= first.fields.keys():
        yield from _join_messages(every)
    elif isinstance(first.fields.get("prompt"), Mapping) and "replies" in first.fields["prompt"]:
        yield from (
            _make_thread(
                row, str(row.fields.get("message_tree_id") or row.name), _follow_best(prompt)
            )
            for row in every
            if isinstance(prompt := row.fields.get("prompt"), Mapping)
        )
    else:
        yield from every


def _join_messages(rows: Iterable[RawRow]) -> Iterator[RawRow]:
    replies = defaultdict[str, list[dict[str, Any]]](list)
    roots: list[tuple[RawRow, dict[str, Any]]] = []
    for row in rows:
        message = dict(row.fields)
        message["replies"] = replies[str(row.fields.get("message_id"))]
        if row.fields.get("parent_id") is None:
            roots.append((row, message))
        else:
            replies[str(row.fields["parent_id"])].append(message)
    for row, message in roots:
        name = str(row.fields.get("message_tree_id") or row.fields.get("message_id"))
        yield _make_thread(row, name, _follow_best(message))


def _follow_best(message: Mapping[str, Any]) -> list[Fields]:
    """The turns from a message on, each reply the best-ranked one that was not deleted.

    A reply to itself, or to one that follows it, ends the conversation.
    """
    turns: list[Fields] = []
    met = set[int]()
    while message and id(message) not in met:
        met.add(id(message))
        role = str(message.get("role"))
        turns.append({"role": _TURNS.get(role, role), "content": message.get("text")})
        replies = cast("list[Mapping[str, Any]]", message.get("replies") or [])
        candidates = [reply for reply in replies if not reply.get("deleted")]
        message = min(candidates, key=_rank, default={})
    return turns


def _rank(message: Mapping[str, Any]) -> float:
    rank = message.get("rank")
    return float(rank) if isinstance(rank, int | float) else float("inf")


def _make_thread(row: RawRow, name: str, turns: list[Fields]) -> RawRow:
    known = {key: row.fields[key] for key in ("lang",) if row.fields.get(key)}
    return replace(row, fields={"id": name, "messages": turns, **known})
