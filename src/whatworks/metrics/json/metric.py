"""JSON answers: parse, schema, fields. Empty answers are malformed.

Strict: the whole answer is one JSON value (RFC 8259; no ``NaN``, no number beyond double range, no
key twice in one object) and equals the target's, the order of keys aside. Lenient: the first JSON
value within the answer equals it up to case, a code fence or words around it notwithstanding;
Python's notation and a comma too many are read as well.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, NoReturn

from pydantic import BeforeValidator, TypeAdapter
from pydantic import Field as OptionField

from whatworks.base.errors import InputError
from whatworks.base.phrasing import brief, cut
from whatworks.data.task import Example
from whatworks.metrics.definition import FILE, Options, metric
from whatworks.metrics.json.inferred_schema import shape
from whatworks.metrics.json.loose import fold, read_literal
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import overlap, part_means, readable
from whatworks.models.constraint import Constraint
from whatworks.models.json_schema import Schema

MAX_DEPTH = 64
"""Nesting beyond this is malformed: deeper values are loops of a model, not answers."""

_MOST_STARTS = 50
_MOST_DIFFERENCES = 20


def _schema(given: Any) -> Schema:
    return Schema(TypeAdapter(dict[str, Any] | bool | str).validate_python(given))


class JSONOptions(Options):
    """Options of ``json``.

    Attributes:
        schema_: ``schema``: what the answer must conform to, a JSON Schema or a file with one; an
            answer that does not is malformed.
        order: Whether the order within arrays counts.
    """

    schema_: Annotated[Schema, BeforeValidator(_schema), FILE] | None = OptionField(
        default=None, alias="schema"
    )
    order: bool = True


def _label(text: str, options: JSONOptions) -> str:
    """The value, written in one way."""
    del options
    try:
        return json.dumps(parse(text).value, sort_keys=True)
    except MalformedJSON:
        return ""


def _blind(options: JSONOptions) -> bool:
    """With a schema: a blank target asks for validity alone."""
    return options.schema_ is not None


def _form(train: Sequence[Example], options: JSONOptions) -> Constraint | None:
    """The schema; else what the targets of the train rows that are JSON have in common."""
    if options.schema_ is not None:
        return Constraint.of_schema(options.schema_.contents)
    values = [parsed.value for parsed in readable(train, parse)]
    return Constraint.of_schema(shape(values)) if values else None


@metric(JSONOptions, figures=part_means, form=_form, label=_label, blind=_blind)
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
    wanted = _target(example, schema)
    try:
        said, problem = parse(text), ""
    except MalformedJSON as error:
        said, problem = None, f"not one JSON value: {error}"
    if said is None:
        lenient = _right_in_content(
            find(text, like=wanted) or _literal(text), wanted, schema, order
        )
        names = ["parsed", *(["schema_valid"] if schema else [])]
        fields = ["field_precision", "field_recall", "field_f1"] if wanted else []
        parts = dict.fromkeys(names + fields, 0.0)
        return Score(0.0, "malformed", problem, lenient=lenient, parts=parts)
    parts = {"parsed": 1.0}
    broken = schema.errors(said.value) if schema else []
    if schema:
        parts["schema_valid"] = float(not broken)
    if wanted:
        ours, theirs = fields_of(said), fields_of(wanted)
        shares = overlap(ours, theirs)
        parts |= {f"field_{name}": share for name, share in shares._asdict().items()}
        parts["type_errors"] = float(len(_type_errors(ours, theirs)))
        problem = _differences(ours, theirs) or "the order within an array differs"
    lenient = _right_in_content(said, wanted, schema, order)
    if broken:
        return Score(0.0, "malformed", "; ".join(broken), lenient=lenient, parts=parts)
    if _agrees(said, wanted, schema, order):
        return Score(1.0, "correct", parts=parts)
    if isinstance(said.value, str):  # JSON that was written as a text
        inner = _right_in_content(find(said.value, like=wanted), wanted, schema, order)
        lenient = max(lenient, inner)
    return Score(0.0, "wrong", problem, lenient=lenient, parts=parts)


class MalformedJSON(ValueError):
    """A text is not one JSON value; says why."""


class Parsed(NamedTuple):
    """A JSON value that was read; a wrapper, so that ``null`` differs from nothing."""

    value: Any


class Field(NamedTuple):
    """A leaf of a JSON value: its path (None: some place in an array), JSON type and value."""

    path: tuple[str | None, ...]
    kind: str
    value: Any

    def __str__(self) -> str:
        said = "" if self.kind in ("object", "array") else f" = {cut(json.dumps(self.value))}"
        return f"{_show_path(self.path)}{said}"


def parse(text: str) -> Parsed:
    """Read a text that is one JSON value, with nothing but space around it.

    Raises:
        MalformedJSON: With the reason and, where there is one, the line and column.
    """
    if not text.strip():
        raise MalformedJSON("the answer is empty")
    try:
        parsed = Parsed(_DECODER.decode(text.strip(" \t\r\n")))
    except (ValueError, RecursionError) as error:
        raise MalformedJSON(_reason(error)) from None
    if _too_deep(parsed.value):
        raise MalformedJSON(f"nested deeper than {MAX_DEPTH}")
    return parsed


def find(text: str, *, like: Parsed | None = None) -> Parsed | None:
    """The first JSON value within a text.

    Objects and arrays are looked for first, of them those of the type of ``like`` ("[1]" before
    an object is a footnote); then, if ``like`` is a scalar, the content of a code fence.
    """
    found: list[Parsed] = []
    at = tries = 0
    starts = [i for i, character in enumerate(text) if character in "{["]
    for start in starts:
        if start < at or tries == _MOST_STARTS:
            continue
        tries += 1
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if not _too_deep(value):
            found.append(Parsed(value))
    if like is None or isinstance(like.value, dict | list):
        same = [p for p in found if like is not None and type(p.value) is type(like.value)]
        return next(iter(same or found), None)
    for block in text.split("```")[1::2]:
        for body in (block, block.partition("\n")[2]):
            try:
                return parse(body)
            except MalformedJSON:
                continue
    return next(iter(found), None)


def fields_of(parsed: Parsed) -> Counter[Field]:
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
            fields[Field(path, _kind(value), value if _is_scalar(value) else None)] += 1
    return fields


def _target(example: Example, schema: Schema | None) -> Parsed | None:
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


def _agrees(
    said: Parsed | None, wanted: Parsed | None, schema: Schema | None, order: bool
) -> float:
    """Whether a value is what the target or, without one, the schema asks for."""
    if said is None or (schema and schema.errors(said.value)):
        return 0.0
    same = wanted is None or _canonical(said.value, order) == _canonical(wanted.value, order)
    return float(same)


def _literal(text: str) -> Parsed | None:
    value = read_literal(text)
    return None if value is None else Parsed(value)


def _right_in_content(
    said: Parsed | None, wanted: Parsed | None, schema: Schema | None, order: bool
) -> float:
    """Whether a value says what the target says, in another case too."""
    if said is None or _too_deep(said.value):
        return 0.0
    if wanted is None:
        return _agrees(said, wanted, schema, order)
    ours, theirs = fold(said.value), fold(wanted.value)
    return float(_canonical(ours, order) == _canonical(theirs, order))


def _canonical(value: Any, order: bool) -> Any:
    """A hashable form in which equal JSON values are equal: 1 is 1.0 but not true."""
    if isinstance(value, dict):
        inner = ((key, _canonical(one, order)) for key, one in value.items())
        return ("object", frozenset(inner))
    if isinstance(value, list):
        items = [_canonical(one, order) for one in value]
        return ("array", tuple(items) if order else frozenset(Counter(items).items()))
    return (_kind(value), value)


def _type_errors(said: Counter[Field], wanted: Counter[Field]) -> dict[str, str]:
    """Paths that hold a type that is not among those wanted there: path to the complaint."""
    kinds: dict[tuple[str | None, ...], set[str]] = {}
    for field in wanted:
        kinds.setdefault(field.path, set()).add(field.kind)
    return {
        _show_path(f.path): f"{_show_path(f.path)} is {f.kind}, wanted "
        + " or ".join(sorted(kinds[f.path]))
        for f in said
        if f.path in kinds and f.kind not in kinds[f.path]
    }


def _differences(said: Counter[Field], wanted: Counter[Field]) -> str:
    """What is missing, wrong or too much, one clause per path."""

    def clauses() -> Iterator[str]:
        wrong_type = _type_errors(said, wanted)
        yield from wrong_type.values()
        for field in (wanted - said).elements():
            if _show_path(field.path) not in wrong_type:
                yield f"missing {field}"
        for field in (said - wanted).elements():
            if _show_path(field.path) not in wrong_type:
                yield f"not wanted {field}"

    found = list(clauses())
    more = len(found) - _MOST_DIFFERENCES
    return "; ".join(found[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else []))


def _kind(value: Any) -> str:
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


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        containers = [one for one in level if isinstance(one, dict | list)]
        level = [v for one in containers for v in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return False
    return True


def _show_path(path: tuple[str | None, ...]) -> str:
    return "$" + "".join("[]" if step is None else f".{step}" for step in path)


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, RecursionError):
        return f"nested deeper than {MAX_DEPTH}"
    return str(error).split(";")[0]


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {brief(twice)} stands twice in one object")
    return read


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"the number {brief(number)} is beyond every range")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_float=_finite, parse_constant=_no_constant
)
