"""A JSON Schema as an option of a metric: read, checked and compiled once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.phrasing import cut_text
from whatworks.models.patterns import search

_HERE = "name a file that holds a JSON Schema, or write the schema itself here"
_INLINE = "put the definition under $defs of the same schema"


class Schema:
    """What a JSON value must conform to.

    Args:
        source: The schema itself, or the path of a file with it.

    Attributes:
        contents: The schema itself.

    Raises:
        InputError: If it cannot be read, is no valid schema, or refers to something outside it.
    """

    def __init__(self, source: Mapping[str, Any] | bool | str | Path) -> None:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import validator_for
        from jsonschema_specifications import REGISTRY

        contents = _read(source) if isinstance(source, str | Path) else source
        self.contents: Any = contents
        validator: Any = validator_for(contents, default=Draft202012Validator)
        try:
            validator.check_schema(contents)
        except SchemaError as error:
            cause = f"not a valid JSON Schema: {error.message}"
            raise InputError(
                cause, place=error.json_path, remedy="mend that part of the schema"
            ) from None
        _check_references(contents, validator.META_SCHEMA["$schema"], REGISTRY)
        # A registry of our own: the library's default would fetch references from the network.
        self._validator = _with_linear_patterns(validator)(contents, registry=REGISTRY)

    def errors(self, value: Any) -> list[str]:
        """Everything that the schema has against the value, as ``path: reason``."""
        try:
            messages = [
                f"{e.json_path}: {cut_text(e.message)}" for e in self._validator.iter_errors(value)
            ]
        except RecursionError:
            return ["$: nested too deep for the schema"]
        return sorted(messages)


def _with_linear_patterns(validator: Any) -> Any:
    """The validator, with the keywords that hold regular expressions matched in linear time."""
    from jsonschema import ValidationError
    from jsonschema.validators import extend

    plain = validator.VALIDATORS.get("additionalProperties")

    def pattern(run: Any, wanted: str, value: Any, schema: Any) -> Iterator[Any]:
        del schema
        if run.is_type(value, "string") and not search(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    def pattern_properties(run: Any, patterns: Any, value: Any, schema: Any) -> Iterator[Any]:
        del schema
        if not run.is_type(value, "object"):
            return
        for expression, inner in patterns.items():
            for name in value:
                if search(expression, name):
                    yield from run.descend(value[name], inner, path=name, schema_path=expression)

    def additional_properties(run: Any, allowed: Any, value: Any, schema: Any) -> Iterator[Any]:
        patterns: Any = schema.get("patternProperties")
        if patterns and run.is_type(value, "object"):
            # Those that a pattern allows are taken away; the rest is judged without patterns.
            value = {n: v for n, v in value.items() if not any(search(p, n) for p in patterns)}
            schema = {n: v for n, v in schema.items() if n != "patternProperties"}
        yield from plain(run, allowed, value, schema)

    keywords: dict[str, Any] = {"pattern": pattern, "patternProperties": pattern_properties}
    if plain is not None:
        keywords["additionalProperties"] = additional_properties
    return extend(validator, keywords)


def _read(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        cause = f"cannot read the JSON Schema: {reason}"
        raise InputError(cause, place=str(path), remedy=_HERE) from None
    except ValueError as error:
        cause = f"the JSON Schema is no JSON: {error}"
        raise InputError(cause, place=str(path), remedy=_HERE) from None


def _check_references(contents: Any, dialect: str, registry: Any) -> None:
    """Refuse references that lead out of the schema, now rather than at some answer."""
    from referencing import Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    root = Resource.from_contents(contents, default_specification=specification_with(dialect))
    identity = root.id() or ""
    open_schemas = [(root, registry.with_resource(identity, root).resolver(identity))]
    while open_schemas:
        schema, resolver = open_schemas.pop()
        reference = schema.contents.get("$ref") if isinstance(schema.contents, Mapping) else None
        if reference is not None:
            try:
                resolver.lookup(reference)
            except Unresolvable:
                cause = f"the JSON Schema refers to {reference!r}, which it does not hold"
                raise InputError(cause, remedy=_INLINE) from None
        inner = schema.subresources()
        open_schemas += [(one, resolver.in_subresource(one)) for one in inner]
