"""A key-value cache whose rows share one stored prefix, and the attention that reads it.

A batch is laid out as ``[shared prefix | own tokens, right-aligned]``: the prefix is stored once
with batch size 1 and never copied per row. A decoding step multiplies all rows' queries with the
prefix in one matrix product per head, and takes one softmax over prefix and own scores together
(the decomposition of Juravsky et al. 2024, "Hydragen", section 3.2, without its log-sum-exp merge,
which a joint softmax makes unnecessary). Reading several tokens at once goes through the ordinary
fused attention.

Own tokens are right-aligned, so that all rows write to the same column, and rows can join, leave
and be trimmed together (``Rows.rebuilt``). Positions are passed to the model explicitly; columns
say nothing about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "whatworks_shared_prefix"
"""Name under which the attention is registered with transformers."""

ROOM = 32
"""Columns that a rebuild adds beyond what is needed now, so that not every token copies."""

_UNSUPPORTED = ("softcap", "s_aux", "position_bias", "sliding_window")

Pair = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer, each [rows, heads, columns, head size]."""


class Prefix:
    """Keys and values of the shared tokens: one pair of [1, heads, length, size] per layer."""

    def __init__(self, layers: Sequence[Pair] = (), length: int = 0) -> None:
        self.layers = list(layers)
        self.length = length

    def append(self, more: Prefix) -> Prefix:
        """This prefix with another one, computed after it, joined to its end."""
        if not self.length:
            return more
        layers = [
            (torch.cat([one[0], two[0]], dim=2), torch.cat([one[1], two[1]], dim=2))
            for one, two in zip(self.layers, more.layers, strict=True)
        ]
        return Prefix(layers, self.length + more.length)


class BatchCache(Cache):
    """The cache of a batch: a shared prefix, and per layer a buffer with the rows' own tokens.

    Attributes:
        prefix: What all rows share.
        end: Columns in use; the next token of every row is written to column ``end``.
        width: Columns there are.
    """

    def __init__(self, prefix: Prefix, width: int) -> None:
        super().__init__(layers=[])
        self.prefix = prefix
        self.end = 0
        self.width = width
        self._own: list[Pair] = []
        self._reading = 0

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_: Any,
        **__: Any,
    ) -> Pair:
        """Store new tokens' keys and values; return all own ones of the layer."""
        if layer_idx == len(self._own):
            self._own.append((self._buffer(key_states), self._buffer(value_states)))
        keys, values = self._own[layer_idx]
        stop = self.end + key_states.shape[2]
        keys[:, :, self.end : stop] = key_states
        values[:, :, self.end : stop] = value_states
        self._reading = stop
        return keys[:, :, :stop], values[:, :, :stop]

    def advance(self) -> None:
        """Make what the last forward pass wrote part of the past."""
        self.end = self._reading

    @property
    def full(self) -> bool:
        """Whether the next token needs a rebuild first."""
        return self.end == self.width

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Columns of the past, the prefix included."""
        del layer_idx
        return self.prefix.length + self.end

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Columns that a mask covers and where they begin: the own ones only."""
        del layer_idx
        return self.end + query_length, self.prefix.length

    def frozen(self) -> Prefix:
        """The only row's tokens as a prefix for others."""
        layers = [(k[:, :, : self.end].clone(), v[:, :, : self.end].clone()) for k, v in self._own]
        return Prefix(layers, self.end)

    @staticmethod
    def split(whole: Prefix, base: Prefix) -> BatchCache:
        """The cache of one row that was read as a prefix, of which it shares the beginning."""
        new = BatchCache(base, whole.length - base.length)
        at = base.length
        new._own = [(keys[:, :, at:], values[:, :, at:]) for keys, values in whole.layers]
        new.end = new.width
        return new

    @staticmethod
    def rebuilt(
        parts: Sequence[tuple[BatchCache, Sequence[int]]], width: int, room: int = ROOM
    ) -> BatchCache:
        """A cache of the chosen rows of several caches with one prefix, right-aligned anew.

        Args:
            parts: Caches, each with the rows to keep from it.
            width: Own tokens of the longest row kept; columns before that are dropped.
            room: Columns to leave free for tokens to come.
        """
        first = parts[0][0]
        new = BatchCache(first.prefix, width + room)
        count = sum(len(keep) for _, keep in parts)
        for layer in range(len(first._own)):
            pair: list[torch.Tensor] = []
            for which in (0, 1):
                like = first._own[layer][which]
                buffer = like.new_zeros((count, like.shape[1], width + room, like.shape[3]))
                at = 0
                for cache, keep in parts:
                    used = min(width, cache.end)
                    old = cache._own[layer][which][:, :, cache.end - used : cache.end]
                    rows = old if len(keep) == len(old) else old[list(keep)]
                    buffer[at : at + len(keep), :, width - used : width] = rows
                    at += len(keep)
                pair.append(buffer)
            new._own.append((pair[0], pair[1]))
        new.end = width
        return new

    @property
    def device(self) -> torch.device:
        """Where the rows lie."""
        return self._own[0][0].device

    def _buffer(self, states: torch.Tensor) -> torch.Tensor:
        rows, heads, _, size = states.shape
        return states.new_zeros((rows, heads, self.width, size))


def build_causal_mask(lengths: Sequence[int], columns: int, device: Any) -> torch.Tensor:
    """Which columns each column may read, in right-aligned texts that nothing precedes.

    Args:
        lengths: Tokens of each row.
        columns: Columns of the batch, those of the longest row.
        device: Where the mask is wanted.

    Returns:
        Booleans [rows, 1, columns, columns].
    """
    at = torch.arange(columns, device=device)
    mask = build_tail_mask(lengths, columns, columns, device) & (at[None, :] <= at[:, None])
    # A padding column reads itself, since a softmax over nothing is not a number.
    return mask | (at[None, :] == at[:, None])


def build_tail_mask(lengths: Sequence[int], end: int, columns: int, device: Any) -> torch.Tensor:
    """Which columns belong to each row whose tokens so far end before column ``end``.

    Columns from ``end`` on count as the row's: they are its tokens to come.

    Returns:
        Booleans [rows, 1, 1, columns].
    """
    begin = end - torch.tensor(lengths, device=device)
    return (torch.arange(columns, device=device) >= begin[:, None])[:, None, None]


def register() -> None:
    """Make the attention known to transformers, once."""
    if ATTENTION not in AttentionInterface().valid_keys():
        AttentionInterface.register(ATTENTION, _compute_attention)
        AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def _compute_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    shared_rows: BatchCache | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over prefix and own tokens; plain SDPA where no prefix is passed."""
    if shared_rows is None or not shared_rows.prefix.length:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    if any(kwargs.get(name) is not None for name in _UNSUPPORTED):
        raise NotImplementedError(f"attention of {type(module).__name__}")
    prefix = shared_rows.prefix.layers[module.layer_idx]
    rows, heads, queries, size = query.shape
    if queries > 1:
        before = [p.expand(rows, -1, -1, -1) for p in prefix]
        mask = None
        if attention_mask is not None:
            mask = pad(attention_mask, (prefix[0].shape[2], 0), value=True)
        return sdpa_attention_forward(
            module,
            query,
            torch.cat([before[0], key], dim=2),
            torch.cat([before[1], value], dim=2),
            mask,
            scaling=scaling,
            **kwargs,
        )
    groups = key.shape[1]
    per = heads // groups
    scale = size**-0.5 if scaling is None else scaling
    scaled = (query * scale).reshape(rows, groups, per, size)
    together = scaled.transpose(0, 1).reshape(groups, rows * per, size)
    length = prefix[0].shape[2]
    front = (together @ prefix[0][0].transpose(-1, -2)).view(groups, rows, per, length)
    own = scaled @ key.transpose(-1, -2)
    if attention_mask is not None:
        own.masked_fill_(~attention_mask, float("-inf"))
    scores = torch.cat([front.transpose(0, 1), own], dim=-1)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    shared = weights[..., :length].transpose(0, 1).reshape(groups, rows * per, length)
    out = (shared @ prefix[1][0]).view(groups, rows, per, size).transpose(0, 1)
    out = out + weights[..., length:] @ value
    return out.reshape(rows, 1, heads, size), None
