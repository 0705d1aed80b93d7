"""Files that transformers 5 writes, in words that transformers 4 reads as well.

Version 4 does not know ``rope_parameters``, and goes on silently with a base of 10,000; nor does it
know the tokenizer class ``TokenizersBackend``, or a list as ``extra_special_tokens``. Version 5
reads the older words too, so both stand in the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRIED = "transformers 4.57.6 and 5.23.0, both with PEFT 0.21.2"
"""What the tests load every kind of export with; ``test_loaders.py`` compares it."""

_LAYERS = (("full_attention", "rope_theta"), ("sliding_attention", "rope_local_base_freq"))
"""Where the parameters differ by kind of layer, and what version 4 calls the base of each."""


def write_older_words(folder: Path) -> None:
    """Add to a folder's config and tokenizer what transformers 4 needs to load them alike."""
    _rewrite(folder / "config.json", add_rope)
    _rewrite(folder / "tokenizer_config.json", name_tokenizer)


def add_rope(config: dict[str, Any]) -> dict[str, Any]:
    """A config that also says its rotary embedding as version 4 does.

    Of a model of several parts, each part's.
    """
    added = {key: add_rope(value) if isinstance(value, dict) else value
             for key, value in config.items() if key != "rope_parameters"}  # fmt: skip
    parameters = config.get("rope_parameters")
    if not isinstance(parameters, dict):
        return added
    by_layer = {kind: parameters.get(kind) for kind, _ in _LAYERS}
    whole = by_layer["full_attention"] or parameters
    older: dict[str, Any] = {}
    for name, one in [(name, by_layer[kind]) for kind, name in _LAYERS] + [("rope_theta", whole)]:
        if isinstance(one, dict) and "rope_theta" in one:
            older[name] = one["rope_theta"]
    if "partial_rotary_factor" in whole:
        older["partial_rotary_factor"] = whole["partial_rotary_factor"]
    aside = ("rope_theta", "partial_rotary_factor")
    scaling = {key: value for key, value in whole.items() if key not in aside}
    plain = scaling.get("rope_type", "default") == "default"
    return {**older, "rope_scaling": None if plain else scaling, **added,
            "rope_parameters": parameters}  # fmt: skip


def name_tokenizer(config: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer's config with a class and special tokens that version 4 knows."""
    named = dict(config)
    if named.get("tokenizer_class") in ("TokenizersBackend", None):
        named["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(named.get("extra_special_tokens"), list):
        named["additional_special_tokens"] = named.pop("extra_special_tokens")
    return named


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    if path.is_file():
        content = change(json.loads(path.read_text("utf-8")))
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
