"""The prompts that a practitioner would write first, from the rows: what the form of an answer is.

They name what the model cannot guess: the labels, the keys of the JSON, the acts and slots of the
grammar, the tables of the database, how short an answer is, and what to say where there is none.
The first is the study's ``instructions``, and all of them are the variants of ``prompt``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from whatworks.base.phrasing import join_names
from whatworks.data.meaning_representation import parse as parse_mr
from whatworks.data.task import Counted, Example
from whatworks.metrics.json.metric import parse as parse_json
from whatworks.metrics.label_set import guess_divider, read_set
from whatworks.metrics.text_overlap import read_targets

BUDGET = 1500
"""Most tokens that names may take in a prompt, at ``CHARACTERS`` a token."""
CHARACTERS = 4
FORMAL = frozenset({"category", "set", "json", "tool_call", "mr", "sql", "python"})
"""Metrics of answers that a program reads."""
VALUES = 8
"""Most different values of a JSON field that are listed."""
DO_NOT_KNOW = "If there is no answer, or you do not know it, say: I don't know."
PASSAGES = "The passages may hold the answer; take it from them."

Rows = Sequence[Example]


def write_prompts(metric: str, rows: Rows, *, documents: bool = False) -> tuple[str, ...]:
    """Two or three hand-written prompts for a task, the plainest first.

    Args:
        metric: Name of the metric.
        rows: Rows to learn the form of answers from, at least one: those that become train.
        documents: Whether passages will stand before the input.
    """
    written = _WRITERS.get(metric, _write_free)(rows)
    if any(row.meta.get("answerable") is False for row in rows):
        written = [f"{one} {DO_NOT_KNOW}" for one in written]
    if documents:
        written = [f"{PASSAGES} {one}" for one in written]
    return tuple(dict.fromkeys(written))


def guess_score(metric: str, rows: Rows) -> tuple[Counted, str]:
    """Which score counts, and why: what people read by its content, what programs read strictly."""
    asks = sum(row.text.rstrip().endswith("?") for row in rows) >= 0.8 * len(rows)
    if metric == "facts" or (metric in ("normalised", "numeric", "exact", "contains") and asks):
        return "lenient", (
            "free answers to questions are judged by content; `strict` where a program reads them"
        )
    if metric in FORMAL:
        return "strict", (
            "a program reads the answers, so their form counts too; `lenient`: content alone"
        )
    return "strict", "form counts too; `lenient`: content alone"


def _write_categories(rows: Rows) -> list[str]:
    counts = Counter(row.target.strip() for row in rows)
    labels = sorted(label for label in counts if label)
    shown = _fit_budget(sorted(labels, key=lambda label: -counts[label]))
    some = len(shown) < len(labels)
    names = [label for label in labels if label in shown]
    lines = "\n".join(f"- {name}" for name in names)
    among = "labels, or of others like them" if some else "labels"
    return [
        f"Which label fits the text? Answer with one of these {among}, written exactly as here, "
        f"and with nothing else:\n{lines}",
        f"Sort the text under one of these {among}: {', '.join(names)}.\n"
        "Reply with the label alone: no sentence, no explanation.",
        f"You label texts. The {among}:\n{lines}\n"
        "Ask yourself what the writer wants, pick the one label that says it best, and write that "
        "label only.",
    ]


def _write_sets(rows: Rows) -> list[str]:
    divider = guess_divider(row.target for row in rows)
    labels = _sort_by_frequency(
        one for row in rows for one in sorted(read_set(row.target, divider))
    )
    shown = _fit_budget(labels)
    among = f"{'These are some of the labels' if len(shown) < len(labels) else 'The labels'}"
    parted = f"with {json.dumps(divider)} between them"
    return [
        f"Which labels fit the text? Answer with all that do, {parted}, and with nothing else.\n"
        f"{among}: {', '.join(shown)}.",
        f"{among}: {', '.join(shown)}.\nWrite those that the text calls for, one or more, exactly "
        f"as here, {parted}: no sentence, no explanation.",
    ]


def _write_calls(rows: Rows) -> list[str]:
    del rows
    return [
        'Answer with the call, as JSON and nothing else: {"name": ..., "arguments": {...}}; with a '
        "list of these where it takes several.",
        "Choose the function that does what is asked, take its arguments from the request, and "
        'write {"name": ..., "arguments": {...}}. No sentence, no code fence.',
    ]


def _write_code(rows: Rows) -> list[str]:
    del rows
    return [
        "Answer with Python code that runs as it stands, and nothing else.",
        "Write the Python function that is asked for, with the imports that it needs: no "
        "explanation, no example of its use.",
    ]


def _write_json(rows: Rows) -> list[str]:
    values = [parsed.value for parsed in read_targets(rows, parse_json)]
    if not values:
        return ["Answer with one JSON object."]
    form = _describe_values(values)
    return [
        f"Answer with one JSON value and nothing else, no code fence around it:\n{form}",
        f"Turn the text into JSON of this form:\n{form}\n"
        "Take the values from the text. Reply with the JSON alone.",
        f"You extract data. Read the text, then write JSON that a program can parse, with exactly "
        f"these keys and no others:\n{form}\nNo comment before or after it.",
    ]


def _write_meaning(rows: Rows) -> list[str]:
    meanings = read_targets(rows, parse_mr)
    acts = _fit_budget(_sort_by_frequency(one.act for one in meanings))
    slots = _fit_budget(_sort_by_frequency(slot.name for one in meanings for slot in one.slots))
    form = f"Acts: {', '.join(acts)}.\nSlots: {', '.join(slots)}."
    return [
        "Write the meaning representation of the text, as act(slot[value], slot[value]), and "
        f"nothing else.\n{form}",
        "Which dialogue act is this, and which slots does it fill? Answer in one line: "
        f"act(slot[value], slot[value]).\n{form}\nCopy the values from the text; leave out slots "
        "that it does not speak of.",
    ]


def _write_sql(rows: Rows) -> list[str]:
    tables = {str(row.meta.get("context") or "").strip() for row in rows}
    shared = next(iter(tables)) if len(tables) == 1 else ""
    known = f"\nThe tables:\n{shared}" if 0 < len(shared) <= BUDGET * CHARACTERS else ""
    return [
        "Answer with one SQL query for SQLite and nothing else: no explanation, no code fence."
        f"{known}",
        "Write the SQL query that answers the question. Use only tables and columns that there "
        f"are, and write it in one line, without any other word.{known}",
    ]


def _write_facts(rows: Rows) -> list[str]:
    return [
        f"Answer the question with {_name_kind(rows)} only: no sentence, no explanation.",
        f"Give the shortest answer that is right: {_name_kind(rows)}, "
        "like “Paris”, not “It is Paris.”",
        "Answer the question.",
    ]


def _write_number(rows: Rows) -> list[str]:
    return [
        "Answer with the number only: no words, no unit.",
        "Work out the answer and give nothing but the final number, in digits.",
    ]


def _write_short(rows: Rows) -> list[str]:
    words = _count_words(rows)
    most = f"{words:.0f} word{'s' * (words > 1)} or so"
    return [
        f"Give the answer only, in {most}: no sentence around it, no explanation.",
        "Answer with nothing but the answer itself.",
    ]


def _write_free(rows: Rows) -> list[str]:
    words = _count_words(rows)
    about = f"about {round(words, -1) or 5:.0f} words"
    return [f"Answer in {about}.", f"Answer directly and to the point, in {about}, and then stop."]


_WRITERS: Mapping[str, Callable[[Rows], list[str]]] = {
    "category": _write_categories,
    "set": _write_sets,
    "tool_call": _write_calls,
    "python": _write_code,
    "json": _write_json,
    "mr": _write_meaning,
    "sql": _write_sql,
    "facts": _write_facts,
    "numeric": _write_number,
    "normalised": _write_short,
    "exact": _write_short,
    "contains": _write_short,
}


def _name_kind(rows: Rows) -> str:
    """What short answers are: names, numbers, or either."""
    digits = sum(row.target.strip()[:1].isdigit() for row in rows) / len(rows)
    if digits > 0.9:
        return "the number or date"
    return "the name" if digits < 0.1 else "the name or number"


def _count_words(rows: Rows) -> float:
    return median(len(row.target.split()) for row in rows)


def _sort_by_frequency(names: Any) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]


def _fit_budget(names: Sequence[str]) -> list[str]:
    """The first of the names that the budget of tokens has room for."""
    room, fitting = BUDGET * CHARACTERS, list[str]()
    for name in names:
        room -= len(name) + 2
        if room < 0:
            break
        fitting.append(name)
    return fitting


def _describe_values(values: Sequence[Any], indent: str = "") -> str:
    """JSON values in words that show their form: keys, kinds, and values where there are few."""
    kinds = {_name_type(value) for value in values}
    if kinds == {"object"}:
        return _describe_object(values, indent)
    if kinds == {"array"}:
        items = [item for value in values for item in value]
        return f"[{_describe_values(items, indent)}, ...]" if items else "[]"
    if "object" in kinds or "array" in kinds:
        return join_names(sorted(kinds), "or")
    forms = Counter(json.dumps(value, ensure_ascii=False) for value in values)
    if len(forms) <= VALUES and 4 * len(forms) <= len(values):
        return join_names(sorted(forms), "or")
    return join_names(sorted(kinds), "or")


def _describe_object(values: Sequence[Mapping[str, Any]], indent: str) -> str:
    names = dict.fromkeys(name for value in values for name in value)
    inner = indent + "  "
    lines: list[str] = []
    for name in _fit_budget(list(names)):
        members = [value[name] for value in values if name in value]
        may = " (left out where the text has none)" if len(members) < len(values) else ""
        key = json.dumps(name, ensure_ascii=False)
        lines.append(f"{inner}{key}: {_describe_values(members, inner)}{may}")
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _name_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "whole number"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "array" if isinstance(value, list) else "object"
