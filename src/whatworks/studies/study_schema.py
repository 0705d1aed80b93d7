"""The JSON Schema of a study file, for editors: keys, methods and settings, and what they mean."""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from whatworks.methods.method import Method
from whatworks.methods.registry import list_methods
from whatworks.metrics.registry import NAMES
from whatworks.studies.decoding_section import DecodingSection
from whatworks.studies.study_file import StudyFile, TaskSection

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ATTRIBUTE = re.compile(r"^(?P<name>\w+): (?P<text>.+(?:\n(?!\w+: ).*)*)", re.MULTILINE)
_BY_NAME: Schema = {"type": ["string", "object"]}
"""What is resolved from a name or path as the file is opened."""
_RESOLVED = ("FileRef", "MetricSpec")


class Setting(NamedTuple):
    """A setting of a method: its name, its default as text, and what it means."""

    name: str
    default: str
    meaning: str


class MethodText(NamedTuple):
    """What a method does, in sentences, and what can be set."""

    what: str
    settings: tuple[Setting, ...]


def make_schema() -> Schema:
    """The schema (JSON Schema 2020-12) that every study file conforms to.

    It is made from what reads the file, so that neither says more than the other. Methods and
    metrics of other packages that are installed are in it.
    """
    schema: Schema = {"$schema": DIALECT, **StudyFile.model_json_schema(), "title": "Study"}
    definitions: Schema = schema["$defs"]
    methods = list_methods()
    for name, kind in methods.items():
        definitions[f"settings-of-{name}"] = _describe_settings(kind, definitions)
    definitions["chain"] = _describe_chain(methods)
    definitions["arm"] = _describe_arm(methods)
    definitions["metric"] = {
        "anyOf": [{"type": "string", "enum": sorted(NAMES)}, {"type": "object"}],
        "description": "How answers are scored: a name, {name: ..., option: ...} or {NAME: {...}}.",
    }
    # What methods the files of `plugins` define is known where they are run, and not here.
    schema |= {
        "if": {"required": ["plugins"]},
        "else": {"properties": {"arms": {"items": {"$ref": "#/$defs/arm"}}}},
    }
    definitions["CurveSection"]["properties"]["arm"] = {"$ref": "#/$defs/arm"}
    definitions["TaskSection"]["properties"]["metric"] = {"$ref": "#/$defs/metric"}
    _add_descriptions(schema["properties"], StudyFile)
    _add_descriptions(definitions["TaskSection"]["properties"], TaskSection)
    _add_descriptions(definitions["DecodingSection"]["properties"], DecodingSection)
    return schema


def describe_methods() -> dict[str, MethodText]:
    """What each method does and can be told, from its docstring and fields."""
    described: dict[str, MethodText] = {}
    for name, kind in list_methods().items():
        texts = _read_attributes(kind)
        settings = tuple(
            Setting(field, _format_default(info), texts.get(field, ""))
            for field, info in kind.model_fields.items()
        )
        what = inspect.cleandoc(kind.__doc__ or name).partition("Attributes:\n")[0]
        described[name] = MethodText(what.replace("``", "").strip(), settings)
    return described


def _format_default(info: FieldInfo) -> str:
    if info.is_required():
        return "none: it has to be said"
    default = info.get_default(call_default_factory=True, validated_data={})
    return "by itself" if default is None else str(default)


def _describe_chain(methods: dict[str, type[Method]]) -> Schema:
    name = "|".join(re.escape(one) for one in methods)
    return {
        "anyOf": [
            {"type": "string", "enum": list(methods)},  # what an editor proposes
            {"type": "string", "pattern": rf"^({name})( *\+ *({name}))*$"},
        ],
        "description": "A method, or several one after the other: rag+sft.",
    }


def _describe_arm(methods: dict[str, type[Method]]) -> Schema:
    """A chain; a chain with settings; or a name of its own, with settings for each step.

    Those of a single method may stand beside its name.
    """
    settings: Schema = {
        name: {"$ref": f"#/$defs/settings-of-{name}", "description": _get_first_line(kind)}
        for name, kind in methods.items()
    }
    own: Schema = {
        "arm": {"$ref": "#/$defs/chain"},
        "name": {"type": "string", "description": "What the arm is called; its chain by default."},
        "rows": {"type": "integer", "minimum": 1, "description": "Train rows that it is given."},
        "trials": {"type": "integer", "minimum": 1, "description": "Most settings to try."},
        "decoding": {"$ref": "#/$defs/DecodingSection"},
        "model": {"type": "string", "description": "The arm's own model; the study's by default."},
        **settings,
    }
    chains: Schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "not": {"required": ["arm"]},
        "properties": settings,
        "patternProperties": {r"\+": {"type": ["object", "null"], "properties": settings}},
        "additionalProperties": False,
    }
    named: Schema = {
        "type": "object", "required": ["arm"], "properties": own, "additionalProperties": False,
    }  # fmt: skip
    general = {key: value for key, value in own.items() if key not in methods}
    single: list[Schema] = [
        {
            "type": "object",
            "required": ["arm"],
            "properties": {
                **{f: True for f in kind.model_fields if f not in methods},
                **general,
                "arm": {"const": name},
                name: settings[name],
            },
            "additionalProperties": False,
        }
        for name, kind in methods.items()
    ]
    return {"anyOf": [{"$ref": "#/$defs/chain"}, chains, named, *single]}


def _describe_settings(kind: type[Method], definitions: Schema) -> Schema:
    """A method's settings, each of which may be searched for."""
    schema = kind.model_json_schema()
    for name, definition in schema.pop("$defs", {}).items():
        definitions.setdefault(name, dict(_BY_NAME) if name in _RESOLVED else definition)
    fields: Schema = schema.get("properties", {})
    _add_descriptions(fields, kind)
    lists = {name: {"type": "array", "minItems": 1} for name in fields}
    search: Schema = {
        "type": "object",
        "properties": lists,
        "additionalProperties": False,
        "description": "Settings to try on dev, each with its values.",
    }
    return {
        "type": ["object", "null"],
        "properties": {**fields, "search": _unite(fields.get("search"), search)},
        "additionalProperties": False,
        "description": _get_first_line(kind),
    }


def _unite(own: Schema | None, search: Schema) -> Schema:
    """A setting of a method's own that is called ``search``, beside the settings to try."""
    if own is None:
        return search
    return {"anyOf": [own, search], "description": own.get("description", search["description"])}


def _add_descriptions(fields: Schema, kind: type[BaseModel]) -> None:
    """What the docstrings of a class and its bases say of their attributes."""
    for name, text in _read_attributes(kind).items():
        if name in fields:
            fields[name] = {**cast("Schema", fields[name]), "description": text}


def _read_attributes(kind: type[BaseModel]) -> dict[str, str]:
    described: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        _, heading, block = text.partition("Attributes:\n")
        if not heading or not issubclass(base, BaseModel):
            continue
        for match in _ATTRIBUTE.finditer(inspect.cleandoc(block)):
            described[match["name"]] = " ".join(match["text"].replace("``", "").split())
    return described


def _get_first_line(kind: type[Method]) -> str:
    return inspect.cleandoc(kind.__doc__ or kind.name).split("\n")[0].replace("``", "")
