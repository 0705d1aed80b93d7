"""JSON answers: parse, schema, fields. Empty answers are malformed.

Strict: the whole answer is one JSON value (RFC 8259; no ``NaN``, no number beyond double range, no
key twice in one object) and equals the target's, the order of keys aside. Lenient: the first JSON
value within the answer equals it up to case, a code fence or words around it notwithstanding;
Python's notation and a comma too many are read as well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, TypeAdapter
from pydantic import Field as OptionField

from whatworks.base.errors import InputError
from whatworks.base.phrasing import cut_text
from whatworks.data.task import Example
from whatworks.metrics.definition import FILE, Options, metric
from whatworks.metrics.json.inferred_schema import infer_schema
from whatworks.metrics.json.loose import fold, read_literal
from whatworks.metrics.json.parse import MalformedJSON, Parsed, find, holds_json, is_too_deep, parse
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts, measure_overlap, read_targets
from whatworks.models.constraint import Constraint
from whatworks.models.json_schema import Schema

_MOST_DIFFERENCES = 20


def _read_schema(value: Any) -> Schema:
    return Schema(TypeAdapter(dict[str, Any] | bool | str).validate_python(value))


class JSONOptions(Options):
    """Options of ``json``.

    Attributes:
        schema_: ``schema``: what the answer must conform to, a JSON Schema or a file with one; an
            answer that does not is malformed.
        order: Whether the order within arrays counts.
    """

    schema_: Annotated[Schema, BeforeValidator(_read_schema), FILE] | None = OptionField(
        default=None, alias="schema"
    )
    order: bool = True


def _make_label(text: str, options: JSONOptions) -> str:
    """The value, written in one way."""
    del options
    try:
        return json.dumps(parse(text).value, sort_keys=True)
    except MalformedJSON:
        return ""


def _is_blind(options: JSONOptions) -> bool:
    """Whether answers are scored without a target: with a schema, by validity alone."""
    return options.schema_ is not None


def _build_form(train: Sequence[Example], options: JSONOptions) -> Constraint | None:
    """The schema; else what the targets of the train rows that are JSON have in common."""
    if options.schema_ is not None:
        return Constraint.from_schema(options.schema_.contents)
    values = [parsed.value for parsed in read_targets(train, parse)]
    return Constraint.from_schema(infer_schema(values)) if values else None


@metric(JSONOptions, figures=average_parts, form=_build_form, label=_make_label, blind=_is_blind)
def json_value(example: Example, text: str, options: JSONOptions) -> Score:
    """The target's JSON value.

    Parts: ``parsed``; ``schema_valid`` when there is a schema; ``field_precision``,
    ``field_recall``, ``field_f1`` over (path, value) pairs, positions in arrays left out of the
    path; ``type_errors``, the number of paths that hold another JSON type than wanted.

    Args:
        example: Its target is JSON. A blank target asks for validity under the schema alone.
        text: The answer.
        options: The schema, and whether the order within arrays counts.

    Raises:
        InputError: If the target is no JSON, or blank without a schema.
    """
    schema, order = options.schema_, options.order
    target = _parse_target(example, schema)
    try:
        answer, problem = parse(text), ""
    except MalformedJSON as error:
        answer, problem = None, f"not one JSON value: {error}"
    if answer is None:
        lenient = _score_content(_find_loosely(text, target), target, schema, order)
        names = ["parsed", *(["schema_valid"] if schema else [])]
        fields = ["field_precision", "field_recall", "field_f1"] if target else []
        parts = dict.fromkeys(names + fields, 0.0)
        return Score(0.0, "malformed", problem, lenient=lenient, parts=parts)
    parts = {"parsed": 1.0}
    broken = schema.errors(answer.value) if schema else []
    if schema:
        parts["schema_valid"] = float(not broken)
    if target:
        ours, theirs = list_fields(answer), list_fields(target)
        shares = measure_overlap(ours, theirs)
        parts |= {f"field_{name}": share for name, share in shares._asdict().items()}
        parts["type_errors"] = float(len(_find_type_errors(ours, theirs)))
        problem = _describe_differences(ours, theirs) or "the order within an array differs"
    lenient = _score_content(answer, target, schema, order)
    if broken:
        return Score(0.0, "malformed", "; ".join(broken), lenient=lenient, parts=parts)
    if _score_match(answer, target, schema, order):
        return Score(1.0, "correct", parts=parts)
    if isinstance(answer.value, str) and target and not _is_scalar(target.value):
        # JSON that was written as a text
        inner = _score_content(find(answer.value, like=target), target, schema, order)
        lenient = max(lenient, inner)
    return Score(0.0, "wrong", problem, lenient=lenient, parts=parts)


class Field(NamedTuple):
    """A leaf of a JSON value: its path (None: some place in an array), JSON type and value."""

    path: tuple[str | None, ...]
    kind: str
    value: Any

    def __str__(self) -> str:
        ending = (
            "" if self.kind in ("object", "array") else f" = {cut_text(json.dumps(self.value))}"
        )
        return f"{_show_path(self.path)}{ending}"


def list_fields(parsed: Parsed) -> Counter[Field]:
    """The leaves of a value, empty objects and arrays among them, as a multiset."""
    fields = Counter[Field]()
    open_values: list[tuple[tuple[str | None, ...], Any]] = [((), parsed.value)]
    while open_values:
        path, value = open_values.pop()
        if isinstance(value, dict) and value:
            open_values += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            open_values += [((*path, None), inner) for inner in value]
        else:
            fields[Field(path, _name_kind(value), value if _is_scalar(value) else None)] += 1
    return fields


def _parse_target(example: Example, schema: Schema | None) -> Parsed | None:
    if not example.target.strip() and schema:
        return None
    try:
        return parse(example.target)
    except MalformedJSON as error:
        raise InputError(
            f"the target is not one JSON value: {error}",
            place=f"example {example.id!r}",
            remedy="correct the row, or leave its target blank and give the option `schema`",
        ) from None


def _score_match(
    answer: Parsed | None, wanted: Parsed | None, schema: Schema | None, order: bool
) -> float:
    """Whether a value is what the target or, without one, the schema asks for."""
    if answer is None or (schema and schema.errors(answer.value)):
        return 0.0
    same = wanted is None or _canonicalise(answer.value, order) == _canonicalise(
        wanted.value, order
    )
    return float(same)


def _find_loosely(text: str, target: Parsed | None) -> Parsed | None:
    """The value within an answer; where no JSON stands there, one in another notation."""
    if holds_json(text):
        return find(text, like=target)
    value = read_literal(text)
    return find(text, like=target) if value is None else Parsed(value)


def _score_content(
    answer: Parsed | None, wanted: Parsed | None, schema: Schema | None, order: bool
) -> float:
    """Whether a value says what the target says, in another case too."""
    if answer is None or is_too_deep(answer.value):
        return 0.0
    if wanted is None:
        return _score_match(answer, wanted, schema, order)
    ours, theirs = fold(answer.value), fold(wanted.value)
    return float(_canonicalise(ours, order) == _canonicalise(theirs, order))


def _canonicalise(value: Any, order: bool) -> Any:
    """A hashable form in which equal JSON values are equal: 1 is 1.0 but not true."""
    if isinstance(value, dict):
        inner = ((key, _canonicalise(one, order)) for key, one in value.items())
        return ("object", frozenset(inner))
    if isinstance(value, list):
        items = [_canonicalise(one, order) for one in value]
        return ("array", tuple(items) if order else frozenset(Counter(items).items()))
    return (_name_kind(value), value)


def _find_type_errors(answer: Counter[Field], wanted: Counter[Field]) -> dict[str, str]:
    """Paths that hold a type that is not among those wanted there: path to the complaint."""
    kinds: dict[tuple[str | None, ...], set[str]] = {}
    for field in wanted:
        kinds.setdefault(field.path, set()).add(field.kind)
    return {
        _show_path(f.path): f"{_show_path(f.path)} is {f.kind}, wanted "
        + " or ".join(sorted(kinds[f.path]))
        for f in answer
        if f.path in kinds and f.kind not in kinds[f.path]
    }


def _describe_differences(answer: Counter[Field], wanted: Counter[Field]) -> str:
    """What is missing, wrong or too much, one clause per path."""

    def clauses() -> Iterator[str]:
        wrong_type = _find_type_errors(answer, wanted)
        yield from wrong_type.values()
        for field in (wanted - answer).elements():
            if _show_path(field.path) not in wrong_type:
                yield f"missing {field}"
        for field in (answer - wanted).elements():
            if _show_path(field.path) not in wrong_type:
                yield f"not wanted {field}"

    complaints = list(clauses())
    more = len(complaints) - _MOST_DIFFERENCES
    return "; ".join(complaints[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else []))


def _name_kind(value: Any) -> str:
    for kind, types in _KINDS.items():
        if isinstance(value, types):
            return kind
    return "null"


# Booleans before numbers: Python's are integers.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "number": (int, float),
    "string": (str,),
    "object": (dict,),
    "array": (list,),
}


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _show_path(path: tuple[str | None, ...]) -> str:
    return "$" + "".join("[]" if step is None else f".{step}" for step in path)
