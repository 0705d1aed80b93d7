"""Content identity: frozen data whose key is a hash of what it says.

Every object that is compared, cached, exported or served derives from ``Frozen``. Two objects with
the same content have the same key on every machine and in every process. Where a field names a file
or a model's folder, what is in it counts, not where it lies.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, SerializationInfo

from whatworks.base.file_digest import KEY_LENGTH, compute_digest


def hash_content(value: Any) -> str:
    """Hash of a JSON-able value: 16 hex digits of SHA-256 over its canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LENGTH]


_FOR_KEY = {"by content": True}


def is_for_key(info: SerializationInfo) -> bool:
    """Whether something is written down for its content key."""
    return info.context == _FOR_KEY


def resolve_content(name: str) -> str:
    """What a name counts for: the content of a file or of a model's folder, else the name."""

    path = Path(name)
    try:
        there = path.is_absolute() and (path.is_file() or (path / "config.json").is_file())
    except (OSError, ValueError):  # no name of a file at all
        there = False
    return f"content {compute_digest(path)}" if there else name


def _serialize_name(name: str, info: SerializationInfo) -> str:
    return resolve_content(name) if is_for_key(info) else name


def _serialize_store(name: str, info: SerializationInfo) -> str:
    kind, _, place = name.partition(":")
    return kind if is_for_key(info) and Path(place).is_absolute() else name


Named = Annotated[str, PlainSerializer(_serialize_name)]
"""The name of something, perhaps the absolute path of its file or folder."""

NamedStore = Annotated[str, PlainSerializer(_serialize_store)]
"""A vector store, ``kind:place``; what lies in its folder decides nothing."""


class Frozen(BaseModel):
    """Immutable data with a content key; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    @cached_property
    def key(self) -> str:
        """Content hash; the same content has the same key everywhere."""
        fields = self.model_dump(mode="json", context=_FOR_KEY)
        return hash_content([type(self).__name__, fields])

    def replace(self, **fields: Any) -> Self:
        """The same object with some fields replaced, validated, with a key of its own."""
        # Not `model_copy`: it would carry the cached key of the original along.
        current = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**current, **fields})
