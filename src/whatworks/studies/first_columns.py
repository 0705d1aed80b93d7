"""Which columns of an unknown table are likeliest input and target, and whether that is plain.

A column is judged by the words of its name and by what stands in it: few different short values
that come again are classes, and so a target; texts that end with question marks are asked. Each
pair of columns gets the sum of both; the best is plain when the next is clearly behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from whatworks.data.formats.base import NO_VALUE, as_text
from whatworks.data.nested import list_leaves

ASKS = frozenset(
    (
        *("question", "query", "prompt", "input", "instruction", "text", "user", "human"),
        *("utterance", "sentence", "message", "request", "review", "title", "subject", "body"),
        *("problem", "source", "document", "article", "comment", "post", "email", "content"),
        *("statement", "child", "description", "passage", "tweet", "context", "premise"),
        *("hypothesis", "headline", "ticket", "turn", "customer", "abstract", "paragraph"),
        *("dialogue", "complaint", "claim", "sentence1", "sentence2", "src"),
    )
)
GIVES = frozenset(
    (
        *("answer", "answers", "response", "output", "target", "label", "labels", "category"),
        *("class", "intent", "completion", "reply", "solution", "summary", "gold", "expected"),
        *("assistant", "bot", "gpt", "chatgpt", "translation", "sentiment", "tag", "topic"),
        *("parent", "result", "sql", "rating", "stars", "emotion", "verdict", "department"),
        *("priority", "tgt", "truth", "reference", "polarity", "domain", "code", "highlights"),
    )
)
_NEVER = frozenset(
    (
        *("id", "ids", "uuid", "guid", "key", "url", "uri", "link", "date", "time", "timestamp"),
        *("created", "updated", "index", "idx", "split", "hash", "version", "lang", "language"),
        *("author", "score", "weight", "type", "types", "toks", "tokens", "offsets", "start"),
    )
)
_CLASSES, _SHORT, _ENOUGH = 0.25, 6, 8
"""Share of different values and mean words up to which a column of so many rows holds classes."""
_PLAIN = 1.0
"""How far the second best pair of columns is behind where the best one is plain."""
_SHOWN = 3
_QUERY = re.compile(r"(?:select|with)\b.*\b(?:from|select)\b", re.IGNORECASE | re.DOTALL)
"""What is written as SQL is given, whatever its column is called: ``query``."""


@dataclass(frozen=True)
class Proposal:
    """The likeliest columns.

    Attributes:
        input: One or several columns; paths into nested values are columns too.
        target: The column of the answers.
        plain: Whether nothing else comes near.
        examples: Three rows, as lines for people: of each the columns in question.
    """

    input: tuple[str, ...]
    target: str
    plain: bool
    examples: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str | list[str]]:
        """The columns as a study file names them."""
        inputs = list(self.input)
        return {"input": inputs[0] if len(inputs) == 1 else inputs, "target": self.target}

    @property
    def options(self) -> str:
        """The columns as options of ``whatworks init``."""
        names = [*(f"--input {_quote(name)}" for name in self.input)]
        return " ".join([*names, f"--target {_quote(self.target)}"])


class Ambiguous(Exception):
    """Which columns of a file are meant has to be asked.

    Args:
        path: The file.
        proposal: The likeliest, None where nothing is likely.
        columns: All that there are.
    """

    def __init__(self, path: Path, proposal: Proposal | None, columns: Sequence[str]) -> None:
        self.path, self.proposal, self.columns = path, proposal, tuple(columns)
        super().__init__(str(path))


@dataclass(frozen=True)
class _TableColumn:
    name: str
    asks: float
    gives: float
    text: bool
    """Whether its name is a word for what is asked."""


def propose(rows: Sequence[Mapping[str, Any]], fixed: Mapping[str, Any] | None = None) -> (
    Proposal | None
):  # fmt: skip
    """The likeliest columns of rows; None where fewer than two could be meant.

    Args:
        rows: The first rows of a file.
        fixed: What is known by now, by role: ``input`` or ``target``.
    """
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in list_leaves(row):
            values.setdefault(name, []).append(value)
    known = dict(fixed or {})
    columns = [
        column for name, cells in values.items() if (column := _judge(name, cells, len(rows)))
    ]
    pairs = sorted(
        (
            (ask.asks + give.gives, ask, give)
            for ask in columns
            for give in columns
            if ask is not give
            and known.get("target", give.name) == give.name
            and (not known.get("input") or ask.name in _list_values(known["input"]))
        ),
        key=lambda pair: -pair[0],
    )
    if not pairs:
        return None
    best, ask, give = pairs[0]
    inputs = (ask.name,)
    if ask.text:  # a premise and a hypothesis, a title and a body: what is asked stands in both
        inputs = tuple(c.name for c in columns if c.text and c is not give and c.asks > c.gives)
    if known.get("input"):
        inputs = tuple(_list_values(known["input"]))
    rivals = [
        total for total, other, gives in pairs[1:] if gives is not give or other.name not in inputs
    ]
    behind = best - max(rivals, default=float("-inf"))
    plain = behind >= _PLAIN and ask.asks > 0 and give.gives > 0
    shown = (*inputs, give.name)
    return Proposal(inputs, give.name, plain, tuple(_format_rows(rows, shown)))


def _judge(name: str, values: Sequence[Any], rows: int) -> _TableColumn | None:
    """How much a column looks asked and given; None where it can be neither."""
    texts = [string for value in values if value is not None and (string := as_text(value).strip())]
    texts = [string for string in texts if string not in NO_VALUE]
    words = re.findall(r"[a-z]+\d?", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    named = [word for word in words if word in ASKS | GIVES]
    if 2 * len(texts) < rows or (words and words[-1] in _NEVER and not named):
        return None
    different = len(set(texts))
    if rows > 1 and different == 1:
        return None
    long = fmean(len(text.split()) for text in texts)
    if re.fullmatch(r"[0-9a-f-]{16,}|https?://\S+|\d{6,}", texts[0]) and different == len(texts):
        return None
    asks = gives = 0.0
    if words:
        last = words[-1]
        asks += 2.0 * (last in ASKS) or 1.0 * any(word in ASKS for word in words)
        gives += 2.0 * (last in GIVES) or 1.0 * any(word in GIVES for word in words)
    if len(texts) >= _ENOUGH and different <= _CLASSES * len(texts) and long <= _SHORT:
        asks, gives = asks - 2.0, gives + 1.0
    else:
        asks += 0.5 * (long > _SHORT)
        asks += 1.5 * (fmean(text.endswith("?") for text in texts) > 0.5)
    if all(re.fullmatch(r"-?\d+(?:\.\d+)?", text) for text in texts):
        asks -= 1.0
    if all(_QUERY.match(text) for text in texts):
        asks, gives = asks - 3.0, gives + 3.0
    return _TableColumn(name, asks, gives, bool(words) and words[-1] in ASKS and asks >= 2.0)


def _format_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[str]:
    for row in rows[:_SHOWN]:
        cells = dict(list_leaves(row))
        yield " | ".join(f"{name}: {_shorten(cells.get(name))}" for name in names)


def _shorten(value: Any, most: int = 60) -> str:
    string = " ".join(as_text("" if value is None else value).split())
    return string if len(string) <= most else f"{string[: most - 1]}…"


def _list_values(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _quote(name: str) -> str:
    return name if re.fullmatch(r"[\w.\[\]-]+", name) else f"'{name}'"
