"""Greedy and sampled generation in a batch that shares one prefix and stays full.

Rows wait sorted by length, join the batch as places become free and leave it when they finish, so
that neither padding nor finished rows take part in more than a few steps. Needs a model with full
attention and explicit positions; ``suits`` finds out by comparing with plain forward passes.
"""

from __future__ import annotations

import inspect
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from typing import Any

import torch

from whatworks.models.local.prefix_cache import (
    ATTENTION,
    BatchCache,
    Prefix,
    build_causal_mask,
    build_tail_mask,
    register,
)
from whatworks.models.local.request import Done, RequestRow
from whatworks.models.local.sampling import Draw, Ends, Gather, gather_logprobs

MIN_SHARED = 16
"""Shared tokens from which computing them apart pays for the extra forward pass."""

READ_TOKENS = 8192
"""Most tokens, padding included, that one forward pass reads."""

ENOUGH_TOKENS, PADDING = 512, 0.1
"""Tokens from which a pass gains nothing from more of them, and the share of padding that it then
takes no more rows for."""

STALE = 8
"""Finished rows are removed when they are one of this many."""


def measure_shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with, leaving each at least one of its own; 0 if too few."""
    if len(prompts) < 2:
        return 0
    ordered = sorted(map(tuple, prompts))
    low, high = ordered[0], ordered[-1]
    most = min(len(low), len(high), min(map(len, prompts)) - 1)
    length = next((i for i in range(most) if low[i] != high[i]), most)
    return length if length >= MIN_SHARED else 0


class Prefixes:
    """The last few shared prefixes, by what computed them and their ids."""

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[Hashable, tuple[int, ...]], Prefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def longest(self, weights: Hashable, prompt: Sequence[int]) -> int:
        """Length of the longest kept prefix that ``prompt`` begins with and goes beyond."""
        fits = (
            len(ids)
            for owner, ids in self._kept
            if owner == weights and len(ids) < len(prompt) and tuple(prompt[: len(ids)]) == ids
        )
        return max(fits, default=0)

    def get(
        self, model: Any, weights: Hashable, ids: Sequence[int], soft: Prefix | None = None
    ) -> Prefix:
        """The prefix with these ids, computed unless it is kept.

        Args:
            model: The model.
            weights: What beside the ids decides the prefix.
            ids: Token ids; the first ``soft.length`` of them stand for a soft prompt.
            soft: The soft prompt that everything follows.
        """
        begin = soft or Prefix()
        if len(ids) <= begin.length:
            return begin
        key = (weights, tuple(ids))
        if key not in self._kept:
            cache, _ = read_texts(model, begin, [list(ids[begin.length :])])
            self._kept[key] = begin.append(cache.frozen())
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()


def read_soft_prompt(model: Any, vectors: torch.Tensor) -> Prefix:
    """What learned input vectors [1, positions, width] are to every layer."""
    count = vectors.shape[1]
    cache = BatchCache(Prefix(), count)
    model(
        inputs_embeds=vectors.to(model.dtype),
        position_ids=torch.arange(count, device=vectors.device)[None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        shared_rows=cache,
    )
    cache.advance()
    return cache.frozen()


def generate(
    model: Any,
    prefix: Prefix,
    rows: Sequence[RequestRow],
    draw: Draw,
    ends: Ends,
    *,
    size: int,
    done: Done,
) -> None:
    """Run all rows to their end, at most ``size`` at a time.

    Args:
        model: The causal language model, on its device, prepared by ``prepare``.
        prefix: What all prompts begin with.
        rows: The requests; their ``new``, ``seconds`` and ``finish`` are filled in.
        draw: How tokens are drawn.
        ends: When rows end.
        size: Most rows in a batch.
        done: Called with each row as it finishes.
    """
    waiting = deque(sorted(rows, key=lambda row: (-len(row.prompt), row.position)))
    batch: list[RequestRow] = []
    cache: BatchCache | None = None
    state: StepState | None = None
    while True:
        keep = [i for i, row in enumerate(batch) if row.finish is None]
        if not keep and not waiting:
            return
        stale = len(batch) - len(keep)
        free = size - len(keep)
        joins = bool(waiting) and free * STALE >= size
        if joins or not keep or stale * STALE >= len(batch) or (cache is not None and cache.full):
            parts = [(cache, keep)] if cache is not None and keep else []
            batch = [batch[i] for i in keep]
            while waiting and len(batch) < size:
                group = _take_next(waiting, size - len(batch), prefix.length)
                fresh = _join(model, prefix, group, draw, ends, done)
                going = [i for i, row in enumerate(group) if row.finish is None]
                if going:
                    parts.append((fresh, going))
                    batch.extend(group[i] for i in going)
            if not batch:
                continue
            cache = BatchCache.rebuilt(
                parts, max(count_own_tokens(row, prefix) for row in batch) - 1
            )
            state = StepState(batch, prefix, cache)
        assert cache is not None and state is not None
        _run_step(model, cache, state, batch, draw, ends, done)


def measure_logprobs(
    model: Any,
    prefix: Prefix,
    pairs: Sequence[tuple[list[int], list[int]]],
    *,
    size: int,
    gather: Gather = gather_logprobs,
) -> list[tuple[Any, ...]]:
    """Log-probability of each token of each answer after its prompt, in nats.

    Args:
        model: The causal language model.
        prefix: What all prompts begin with.
        pairs: Prompt ids and answer ids.
        size: Most rows in a forward pass.
        gather: What to take instead of the log-probability.
    """
    results: list[tuple[Any, ...]] = [()] * len(pairs)
    order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i][0]) - len(pairs[i][1]))
    waiting = deque(order)
    while waiting:
        group: list[int] = []
        lengths: list[int] = []
        while waiting and len(group) < size:
            lengths.append(sum(map(len, pairs[waiting[0]])) - prefix.length)
            if not _read_together(lengths):
                break
            group.append(waiting.popleft())
        texts = [(pairs[i][0] + pairs[i][1])[prefix.length : -1] for i in group]
        keep = max(len(pairs[i][1]) for i in group)
        _, logits = read_texts(model, prefix, texts, keep=keep)
        for row, i in enumerate(group):
            results[i] = gather(logits[row], pairs[i][1])
    return results


def prepare(model: Any) -> bool:
    """Switch the model to the shared-prefix attention if it then computes the same.

    Returns:
        Whether it does; otherwise the model is left as it was.
    """
    config = model.config.get_text_config()
    parameters = inspect.signature(model.forward).parameters
    needed = ("position_ids", "past_key_values", "attention_mask", "logits_to_keep")
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds and getattr(config, "sliding_window", None):
        kinds = {"sliding_attention"}
    # A window counts columns, not positions; a recurrent layer reads padding.
    if any(name not in parameters for name in needed) or kinds - {"full_attention"}:
        return False
    before = config._attn_implementation
    register()
    try:
        with torch.inference_mode():
            reference = _probe(model, batched=False)
            model.set_attn_implementation(ATTENTION)
            got = _probe(model, batched=True)
    except (TypeError, ValueError, AttributeError, NotImplementedError, IndexError, RuntimeError):
        got = reference = None  # the model cannot be called this way
    error = 1.0
    if reference is not None and got is not None and bool(torch.isfinite(got).all()):
        error = float(
            (got - reference).norm() / (reference - reference.mean()).norm().clamp(min=1e-12)
        )
    if error <= (1e-3 if model.dtype == torch.float32 else 5e-2):
        return True
    model.set_attn_implementation(before)
    return False


def _probe(model: Any, *, batched: bool) -> torch.Tensor:
    """Logits after two small prompts and a further token, batched or one by one."""
    known = model.config.get_text_config().vocab_size
    ids = [(7 * i + 3) % known for i in range(14)]
    prompts = [ids[:5] + ids[5:7], ids[:5] + ids[7:12]]
    if not batched:
        full = [torch.tensor([[*p, ids[12]]], device=model.device) for p in prompts]
        return torch.cat([model(input_ids=p, use_cache=False).logits[:, -1].float() for p in full])
    head, _ = read_texts(model, Prefix(), [ids[:5]])
    prefix = head.frozen()
    cache, _ = read_texts(model, prefix, [p[5:] for p in prompts])
    cache = BatchCache.rebuilt([(cache, [0, 1])], width=5)
    rows = [RequestRow(i, p, 1, "", new=[ids[12]]) for i, p in enumerate(prompts)]
    return run_forward(model, cache, StepState(rows, prefix, cache))[:, -1].float()


class StepState:
    """The tensors that a step needs, made anew when the batch changes.

    Attributes:
        tokens: [rows, 1] the last token of each row, not yet read by the model.
        positions: [rows, 1] its position in the sequence.
        visible: [rows, 1, 1, columns] which own columns hold tokens of the row; it covers the
            columns to come as well.
    """

    def __init__(self, batch: Sequence[RequestRow], prefix: Prefix, cache: BatchCache) -> None:
        device = cache.device
        last = [[row.new[-1]] for row in batch]
        at = [[len(row.prompt) + len(row.new) - 1] for row in batch]
        own = [count_own_tokens(row, prefix) - 1 for row in batch]
        self.tokens = torch.tensor(last, device=device)
        self.positions = torch.tensor(at, device=device)
        self._last = torch.tensor(
            [[len(row.prompt) + row.limit - 1] for row in batch], device=device
        )
        self.visible = build_tail_mask(own, cache.end, cache.width, device)

    def advance(self, drawn: list[int]) -> None:
        """The drawn tokens are next."""
        self.tokens = torch.tensor(drawn, device=self.tokens.device)[:, None]
        # Finished rows run along until the next rebuild: never past the context.
        self.positions = torch.minimum(self.positions + 1, self._last)


def _run_step(
    model: Any,
    cache: BatchCache,
    state: StepState,
    batch: Sequence[RequestRow],
    draw: Draw,
    ends: Ends,
    done: Done,
) -> None:
    started = time.perf_counter()
    logits = run_forward(model, cache, state)[:, -1]
    drawn = draw(logits, batch)
    share_seconds(started, [row for row in batch if row.finish is None])
    for row, token in zip(batch, drawn, strict=True):
        if row.finish is None and ends.add(row, token):
            done(row)
    state.advance(drawn)


def run_forward(model: Any, cache: BatchCache, state: StepState) -> torch.Tensor:
    """One token more of every row: logits [rows, 1, vocabulary]."""
    logits = model(
        input_ids=state.tokens,
        attention_mask=state.visible[..., : cache.end + 1],
        position_ids=state.positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        shared_rows=cache,
    ).logits
    cache.advance()
    return logits


def _take_next(waiting: deque[RequestRow], most: int, shared: int) -> list[RequestRow]:
    """The next rows to read together: neighbours in length, without the tokens they share."""
    group = [waiting.popleft()]
    lengths = [len(group[0].prompt) - shared]
    while waiting and len(group) < most:
        lengths.append(len(waiting[0].prompt) - shared)
        if not _read_together(lengths):
            break
        group.append(waiting.popleft())
    return group


def _read_together(lengths: Sequence[int]) -> bool:
    """Whether texts of these lengths, the longest first, are read in one pass."""
    padded = len(lengths) * lengths[0]
    if padded <= ENOUGH_TOKENS or len(lengths) == 1:
        return True
    return padded <= READ_TOKENS and 1 - sum(lengths) / padded <= PADDING


def _join(
    model: Any, prefix: Prefix, group: list[RequestRow], draw: Draw, ends: Ends, done: Done
) -> BatchCache:
    started = time.perf_counter()
    cache, logits = read_texts(model, prefix, [row.prompt[prefix.length :] for row in group])
    drawn = draw(logits[:, -1], group)
    share_seconds(started, group)
    for row, token in zip(group, drawn, strict=True):
        if ends.add(row, token):
            done(row)
    return cache


def read_texts(
    model: Any, prefix: Prefix, texts: Sequence[Sequence[int]], keep: int = 1
) -> tuple[BatchCache, torch.Tensor]:
    """Read texts that follow the prefix: their cache and their last ``keep`` logits."""
    device = model.device
    lengths = [len(text) for text in texts]
    width = max(lengths)
    padded = [[0] * (width - len(text)) + list(text) for text in texts]
    begin = torch.tensor([[width - length] for length in lengths], device=device)
    at = (torch.arange(width, device=device)[None] - begin).clamp(min=0) + prefix.length
    alone = not prefix.length and min(lengths) == width
    cache = BatchCache(prefix, width)
    logits = model(
        input_ids=torch.tensor(padded, device=device),
        # Without prefix and padding, the model's own causal attention is the quicker one.
        attention_mask=None if alone else build_causal_mask(lengths, width, device),
        position_ids=at,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
        shared_rows=cache,
    ).logits
    cache.advance()
    return cache, logits


def count_own_tokens(row: RequestRow, prefix: Prefix) -> int:
    """Tokens of a row behind the prefix, the newest, unread one included."""
    return len(row.prompt) + len(row.new) - prefix.length


def share_seconds(started: float, rows: Sequence[RequestRow]) -> None:
    """Count the time since ``started`` (``perf_counter``) to rows in equal parts."""
    share = (time.perf_counter() - started) / max(1, len(rows))
    for row in rows:
        row.seconds += share
