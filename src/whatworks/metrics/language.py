"""Which language a text is in, by py3langid (Lui and Baldwin 2012, "langid.py")."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

SURE = 0.8
"""Probability from which a language is told: words and names of few letters stay below it."""


def find_language(text: str, *, sure: float = 0.0) -> str:
    """The likeliest language of a text, as a code of ISO 639-1 (``de``).

    Args:
        text: At least a sentence; of a few words no language can be told.
        sure: Smallest probability; "" where the likeliest language has less.

    Returns:
        "" too where py3langid is not installed: then ``constraints``, which needs it, is not there.
    """
    identifier = _load_identifier()
    if identifier is None:
        return ""
    code, probability = identifier.classify(text.encode("utf-8", "ignore").decode("utf-8"))
    return str(code) if probability >= sure else ""


@lru_cache(maxsize=1)
def _load_identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
