"""Content identity: frozen data whose key is a hash of what it says.

Every object that is compared, cached, exported or served derives from ``Frozen``. Two objects with
the same content have the same key on every machine and in every process. Computing a key reads no
files: a field that names a file holds its digest (``file_ref``).
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SerializationInfo

from whatworks.base.file_digest import KEY_LENGTH


def hash_content(value: Any) -> str:
    """Hash of a JSON-able value: 16 hex digits of SHA-256 over its canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LENGTH]


_FOR_KEY = {"by content": True}


def is_for_key(info: SerializationInfo) -> bool:
    """Whether something is written down for its content key."""
    return info.context == _FOR_KEY


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
