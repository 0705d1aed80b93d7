"""How many rows a CPU trains on at once: as many as keep a step's memory small."""

from __future__ import annotations

from typing import Any

ACTIVATIONS = 2**30
"""Bytes that the activations of the rows in memory may take.

Measured on SmolLM2: with all 16 rows of a step in memory they took 4 GB, and getting that from the
system took longer than the step itself; in parts of a quarter, the steps after it are no slower."""


def count_rows_in_memory(config: Any, longest: int, bits: int) -> int:
    """Rows of the longest length whose activations fit into ``ACTIVATIONS``; 1 at least.

    Counts what the backward pass of a Transformer with adapters on its linear layers keeps of a
    layer and a token: 16 numbers of its width and 8 of its feed-forward layer's, and in 16 bits,
    where attention is not fused, 4 for each head and token of the row. On SmolLM2 that is what was
    measured to a tenth.

    Args:
        config: The text model's configuration.
        longest: Tokens of the longest row.
        bits: Of a number.
    """
    width = config.hidden_size
    inner = getattr(config, "intermediate_size", None) or 4 * width
    heads = (getattr(config, "num_attention_heads", None) or 1) if bits == 16 else 0
    numbers = 16 * width + 8 * inner + 4 * heads * longest
    row = longest * config.num_hidden_layers * numbers * bits // 8
    return max(1, ACTIVATIONS // row)
