"""Regular expressions that users write, matched in time proportional to the text.

RE2 takes no pattern that needs more (look-around, back references); those go to Python's engine,
which the limits of a metric break off.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any


def search(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    ``$`` is the end of the text, and ``\\d`` a digit of ASCII, as in JSON Schema's patterns.
    """
    return _compile_pattern(pattern).search(_replace_surrogates(text)) is not None


@lru_cache(maxsize=512)
def _compile_pattern(pattern: str) -> Any:
    import re2

    options: Any = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_replace_surrogates(pattern), options)
    except re2.error:
        return re.compile(pattern, re.ASCII)


def _replace_surrogates(text: str) -> str:
    """Without the lone surrogates that RE2's UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
