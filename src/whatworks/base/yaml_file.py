"""YAML files of people: 1.2 scalars, no duplicate keys, limits, errors with a line.

PyYAML reads (ruamel.yaml and strictyaml were measured: the first raises the same foreign errors and
expands aliases without end, the second refuses ``{a: b}``). Here are the limits that none of them
has, and one error for whatever goes wrong. A file of any content is read or refused in two lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.phrasing import cut_text

LARGEST = 1 << 20
"""Bytes of a file: reading one takes well below a second."""
DEEPEST = 50
"""Lists and mappings within each other."""
MOST_NODES = 100_000
"""Values of a file, with those that aliases repeat."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_mapping(path: Path, what: str, needs: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: The file.
        what: What the file is, for errors: ``study file``.
        needs: The keys that it needs at least, for the remedy.

    Raises:
        InputError: If it is missing, empty, too large, no text, no YAML or no mapping.
    """
    content = read_yaml(path, what)
    if not isinstance(content, dict):
        raise InputError(
            f"empty {what}" if content is None else f"a {what} is a mapping",
            place=str(path),
            remedy=f"it needs at least {needs}",
        )
    return content


def read_yaml(path: Path, what: str) -> Any:
    """The value in a YAML file; None where it is empty.

    Raises:
        InputError: If it is missing, too large, no text or no YAML.
    """
    return parse_yaml(_read_text(path, what), path)


def parse_yaml(text: str, path: Path, *, most: int = MOST_NODES) -> Any:
    """The value of a YAML text that was read from a file; None for an empty one.

    Args:
        text: What the file holds.
        path: The file, for errors.
        most: Values that it may have, with those that aliases repeat.

    Raises:
        InputError: If it is no YAML, or passes a limit.
    """
    try:
        _check_size(text, most)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or get_first_line(error)
        raise InputError(
            f"broken YAML: {cut_text(' '.join(str(problem).split()))}",
            place=place,
            remedy="look for a missing quote, bracket or indent",
        ) from error


def _read_text(path: Path, what: str) -> str:
    """What is in the file, with limits."""
    place = cut_text(str(path), 200)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"a {what} is a file", place=place, remedy="name a YAML file")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"no such {what}", place=place, remedy="check the path") from None
    except (OSError, ValueError) as error:  # a path may hold what no name can
        raise InputError(
            f"cannot be read as text ({cut_text(get_first_line(error), 80)})",
            place=repr(place)[1:-1],
            remedy="name a YAML file in UTF-8",
        ) from error
    if len(raw) > LARGEST:
        raise InputError(
            f"a {what} of more than {LARGEST >> 20} MiB",
            place=place,
            remedy="keep data and long texts in files of their own, and name them there",
        )
    return text


def _check_size(text: str, most: int) -> None:
    """Refuse what nests too deeply or would be too much once its aliases are filled in.

    Raises:
        YAMLError: At the place where it passes a limit.
    """
    total = 0
    begun: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _make_refusal(f"nothing whole is called {event.anchor!r} before", event)
            total += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            total += 1
            if isinstance(event, yaml.ScalarEvent):
                if event.anchor:
                    sizes[event.anchor] = 1
            else:
                begun.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            if anchor:
                sizes[anchor] = total - before + 1
        if len(begun) > DEEPEST:
            raise _make_refusal(f"nested deeper than {DEEPEST} levels", event)
        if total > most:
            raise _make_refusal(f"more than {most} values", event)


def _make_refusal(problem: str, at: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, at.start_mark)


class _Loader(_Parser):
    """YAML 1.2 scalars: ``1e-4`` is a number; ``no``, ``on`` and dates are words; unique keys."""

    yaml_implicit_resolvers: Any = {  # noqa: RUF012
        letter: [(tag, form) for tag, form in resolvers if tag == "tag:yaml.org,2002:null"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node; what no conversion takes is an error with its line."""
        try:
            value: Any = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # each conversion raises its own
            kind = node.tag.rsplit(":", 1)[-1]
            shown = cut_text(str(node.value), 40) if isinstance(node, yaml.ScalarNode) else "this"
            raise _make_refusal(f"{shown!r} is no {kind}", node) from error
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            raise _make_refusal("a character that no text can hold", node)
        return value

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping; keys are texts, and one that stands twice is an error, not the last one."""
        if not isinstance(node, yaml.MappingNode):
            raise _make_refusal("this is no mapping", node)
        keys: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _make_refusal("a key is a list or mapping; a {{ template }} left?", key_node)
            key_node.tag = "tag:yaml.org,2002:str"
            if key_node.value in keys:
                raise _make_refusal(
                    f"the key {cut_text(key_node.value, 60)!r} stands twice", key_node
                )
            keys.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _parse_integer(loader: Any, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _parse_integer)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
