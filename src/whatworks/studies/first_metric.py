"""The metric of a first study: guessed by what the targets look like, and then tried.

A metric is taken when it gives nearly all targets of a sample full marks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.label_set import guess_divider, read_set
from whatworks.metrics.registry import NAMES, find_unscorable, load
from whatworks.metrics.tool_call import is_call
from whatworks.metrics.values.number import Number
from whatworks.metrics.values.value import describe_locale, guess_locale, read_value
from whatworks.studies.first_files import Files

ACCEPTED = 0.95
"""Share of targets that a metric must give full marks."""
SHORT, CLASSES = 6, 100
"""Most words of a short target, and most different targets that look like categories."""
CLASS_COLUMNS, COUNTED = ("label", "category", "class", "intent"), 20
"""Target columns whose numbers are ids, and most ids that are told by being counted through."""


@dataclass(frozen=True)
class Guess:
    """One metric with the reason for it."""

    metric: MetricSpec
    why: str


def guess_metric(files: Files, name: str = "") -> Guess:
    """The first metric that fits the targets and gives them full marks, or the one asked for.

    Args:
        files: What there is.
        name: A metric by name.

    Raises:
        InputError: If there is none of that name.
    """
    if name:
        if name not in NAMES:
            raise InputError(f"there is no metric {name!r}", remedy=suggest_nearest(name, NAMES))
        return Guess(MetricSpec(name=name), "as asked for")
    rows = [row for row in files.rows if row.target.strip()] or list(files.rows)
    train = files.task["train"][1].examples
    for candidate, looks, why in _CANDIDATES:
        if candidate not in NAMES or not looks(files, rows):
            continue
        spec = MetricSpec(name=candidate)
        try:
            metric = load(spec, train)
            missed = find_unscorable(metric, rows)
        except InputError:
            continue
        if len(missed) <= (1 - ACCEPTED) * len(rows):
            return Guess(spec, why + _describe_learned(metric.spec))
    return Guess(MetricSpec(name="exact"), "the answer must be the target, letter by letter")


def _describe_learned(spec: MetricSpec) -> str:
    """What the metric took from the whole column, where that decides how a target is read."""
    if locale := spec.options.get("locale"):
        return f" {describe_locale(str(locale))}; another by `locale:`"
    if divider := spec.options.get("divider"):
        return f" {divider!r}"
    return ""


Rows = Sequence[Example]


def _measure_share(rows: Rows, holds: Callable[[Example], bool]) -> float:
    return sum(map(holds, rows)) / len(rows) if rows else 0.0


def _count_words(rows: Rows) -> float:
    return sum(len(row.target.split()) for row in rows) / max(1, len(rows))


def _make_test(*formats: str) -> Callable[[Files, Rows], bool]:
    return lambda files, rows: files.task["train"][1].format in formats


def _is_json(files: Files, rows: Rows) -> bool:
    return _measure_share(rows, lambda row: row.target.lstrip()[:1] in ("{", "[")) >= ACCEPTED


def _is_sql(files: Files, rows: Rows) -> bool:
    begins = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
    return _measure_share(rows, lambda row: bool(begins.match(row.target))) >= ACCEPTED


def _is_code(files: Files, rows: Rows) -> bool:
    """Several lines that look like a program's, or one that is."""
    line = re.compile(
        r"^\s*(?:def |class |return\b|import |from \w+ import|#include|public |function |const "
        r"|let |var |for \(|if \(|\w+ = )|[{};]\s*$",
        re.MULTILINE,
    )
    return _measure_share(rows, lambda row: bool(line.search(row.target))) >= ACCEPTED


def _is_mr(files: Files, rows: Rows) -> bool:
    shape = re.compile(r"\s*\w+\(.*\)\s*", re.DOTALL)
    return _measure_share(rows, lambda row: bool(shape.fullmatch(row.target))) >= ACCEPTED


def _is_numeric(files: Files, rows: Rows) -> bool:
    """Numbers, ranges, times or dates, with a unit at most: not a name that begins with one."""
    locale = guess_locale(row.target for row in rows)

    def fits(row: Example) -> bool:
        value = read_value(row.target.rpartition("####")[2], locale)
        return value is not None and (not isinstance(value, Number) or len(value.unit) <= 4)

    return _measure_share(rows, fits) >= ACCEPTED


def _has_calls(files: Files, rows: Rows) -> bool:
    return _measure_share(rows, lambda row: is_call(row.target)) >= ACCEPTED


def _has_sets(files: Files, rows: Rows) -> bool:
    """Several short labels in a target, each of them in many targets."""
    divider = guess_divider(row.target for row in rows)
    sets = [read_set(row.target, divider) for row in rows]
    counts = Counter(label for one in sets for label in one)
    several = sum(len(one) > 1 for one in sets)
    longest = max((len(label.split()) for label in counts), default=0)
    return (
        several >= 0.2 * len(sets)
        and longest <= SHORT // 2
        and len(counts) <= CLASSES
        and 4 * len(counts) <= counts.total()
    )


def _is_category(files: Files, rows: Rows) -> bool:
    targets = [row.target.strip() for row in files.task["train"][1].examples]
    distinct = len(set(targets))
    return 2 <= distinct <= CLASSES and 4 * distinct <= len(targets) and _count_words(rows) <= SHORT


def _has_class_ids(files: Files, rows: Rows) -> bool:
    """Categories that are whole numbers: by the name of their column, or counted from 0 or 1.

    Sums with few different results look counted too, but ask, or hold numbers themselves.
    """
    data = files.task["train"][1]
    targets = {row.target.strip() for row in data.examples}
    if not _is_category(files, rows) or not all(re.fullmatch(r"-?\d+", one) for one in targets):
        return False
    if data.columns.get("target", "").lower() in CLASS_COLUMNS:
        return True
    counted = any({str(n + at) for n in range(len(targets))} == targets for at in (0, 1))
    sums = _measure_share(rows, lambda row: bool(re.search(r"\d|\?\s*$", row.text)))
    return counted and len(targets) <= COUNTED and sums < 0.5


def _has_facts(files: Files, rows: Rows) -> bool:
    asks = _measure_share(rows, lambda row: row.text.rstrip().endswith("?") or bool(row.evidence))
    has_documents = files.documents is not None or bool(files.task["train"][1].documents)
    return _count_words(rows) <= SHORT and (has_documents or asks >= 0.8)


def _has_talks(files: Files, rows: Rows) -> bool:
    return _count_words(rows) > SHORT


def _is_short(files: Files, rows: Rows) -> bool:
    return _count_words(rows) <= SHORT


_ASKED = "short answers to questions: right, wrong or abstained, aliases accepted"

_CANDIDATES: tuple[tuple[str, Callable[[Files, Rows], bool], str], ...] = (
    ("category", _make_test("multiple-choice"), "the targets are labels of the choices shown"),
    ("tool_call", _make_test("bfcl"), "the targets are calls: compared by name and arguments"),
    ("facts", _make_test("squad", "hotpotqa", "drop"), _ASKED),
    (
        "facts",
        _make_test("beir"),
        "BEIR judges documents and has no answers: asked for is the title of a\n"
        "    # relevant document, each of them being right",
    ),
    ("tool_call", _has_calls, "the targets are calls of tools: compared by name and arguments"),
    ("json", _is_json, "the targets are JSON: it is parsed and compared field by field"),
    ("sql", _is_sql, "the targets are SQL: it is run, and the results are compared"),
    (
        "exact",
        _is_sql,
        "the targets are SQL, and there is nothing to run them on: compared as text; with a\n"
        "    # database, `metric: {sql: {database: FILE or FOLDER}}` compares what they return",
    ),
    ("mr", _is_mr, "the targets are meaning representations: compared act by act, slot by slot"),
    (
        "category",
        _has_class_ids,
        "few whole numbers come again and again: they are class ids (`numeric` would take them\n"
        "    # for amounts)",
    ),
    ("numeric", _is_numeric, "the targets are numbers, times or dates, written as in"),
    (
        "set",
        _has_sets,
        "the targets hold several labels each: compared as sets, whatever their order, parted by",
    ),
    ("category", _is_category, "few different targets come again and again: they are categories"),
    (
        "exact",
        _is_code,
        "the targets are code, of which every sign counts: compared as text;\n"
        "    # `metric: {python: my_tests.py:score}` scores it by a function of your own",
    ),
    ("facts", _has_facts, _ASKED),
    (
        "chat",
        _has_talks,
        "the targets are free text, of which only form is scored: the turn is ended, in its role,\n"
        "    # of fitting length, and uses what was said; `judge` and `style` score more",
    ),
    ("normalised", _is_short, "short answers, case and punctuation do not count"),
)
