"""YAML files: 1.2 scalars, no duplicate keys, errors with a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from whatworks.base.errors import InputError


def read_mapping(path: Path, what: str, needs: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: The file.
        what: What the file is, for errors: ``study file``.
        needs: The keys that it needs at least, for the remedy.

    Raises:
        InputError: If it is missing, empty, no text, no YAML or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"no such {what}", place=str(path), remedy="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read as text ({error})", place=str(path), remedy="name a YAML file in UTF-8"
        ) from error
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not valid"
        raise InputError(
            f"broken YAML: {problem}",
            place=place,
            remedy="look for a missing quote, bracket or indent",
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            f"empty {what}" if content is None else f"a {what} is a mapping",
            place=str(path),
            remedy=f"it needs at least {needs}",
        )
    return content


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: ``1e-4`` is a number, ``no`` and ``on`` are words; no duplicate keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        letter: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"}
        ]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; a key that stands twice is an error, not silently the last one."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


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
