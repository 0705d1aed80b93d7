"""Any JSON object as an answer: each key once.

No grammar says that a key may stand once among keys that are not known beforehand. Readers of JSON
take the last of two (RFC 8259, section 4, leaves it to them), and so does this.
"""

from __future__ import annotations

import json
from typing import Any


def drop_repeated_keys(text: str) -> str:
    """An object without all but the last of each key; any other text as it is."""
    repeated = False

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        content = dict(pairs)
        repeated = repeated or len(content) < len(pairs)
        return content

    try:
        content: Any = json.loads(text, object_pairs_hook=read)
    except (ValueError, RecursionError):
        return text  # cut off
    return json.dumps(content, ensure_ascii=False) if repeated else text


def put_unique_keys(choice: dict[str, Any]) -> dict[str, Any]:
    """A chat's choice whose message is an object with each key once."""
    message = choice["message"]
    return {**choice, "message": {**message, "content": drop_repeated_keys(message["content"])}}
