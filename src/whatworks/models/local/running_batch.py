"""A batch that requests join and leave between two forward passes.

Each step reads a piece of what waits, then draws one token for every request under way. A long
prompt is read in pieces (chunked prefill, Agrawal et al. 2023, "SARATHI", section 4), so that
nobody waits for all of it. Turns at reading go by what is left to read and by who came first,
alternately: short requests do not wait for long ones, nor are long ones passed over for ever.

transformers' own continuous batching (5.23) runs on a CPU, too, and gives the same answers, in 2.3
times (SmolLM2) to 4 times (lab) the processor time (``docs/benchmarks.md``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatworks.models.local import batching as batch
from whatworks.models.local.prefix_cache import BatchCache, Prefix
from whatworks.models.local.request import RequestRow
from whatworks.models.local.sampling import Draw, Ends

PIECE, SMALL_PIECE, SMALL = 128, 512, 20_000_000
"""Tokens that one pass reads, padding included, so that nobody waits long for it: of a model, and
of one with fewer parameters than that, whose passes cost the same up to there."""

_LOOKED_AT = 8
"""Other requests that a new prefix is looked for with."""


@dataclass(eq=False)
class Member:
    """A request in the batch.

    Attributes:
        row: What it asks and what came of it.
        draw: How its tokens are drawn.
        ends: When it ends.
        done: Told when it is over, with what went wrong, if anything did.
        gone: Set by anybody when its answer is not wanted any more.
    """

    row: RequestRow
    draw: Draw
    ends: Ends
    done: Callable[[Member, Exception | None], None]
    gone: bool = False
    base: Prefix | None = field(default=None, init=False)
    read: Prefix | None = field(default=None, init=False)
    alone: bool = field(default=False, init=False)

    @property
    def left(self) -> int:
        """Tokens of its prompt that are still to be read, as far as is known."""
        return len(self.row.prompt) - (0 if self.read is None else self.read.length)


class _Group:
    """Members that share one prefix, and so one cache."""

    def __init__(self, base: Prefix) -> None:
        self.base = base
        self.members: list[Member] = []
        self.cache: BatchCache | None = None
        self.state: batch.StepState | None = None


class RunningBatch:
    """Requests under way on one model.

    Args:
        model: The causal language model, prepared by ``batching.prepare``.
        prefixes: Kept prefixes.
        key: What beside the ids decides them.
        soft: A soft prompt that stands before every request.
        size: Most requests that draw at a time.
    """

    def __init__(
        self, model: Any, prefixes: batch.Prefixes, key: str, soft: Prefix | None, size: int
    ) -> None:
        count = sum(weight.numel() for weight in model.parameters())
        self._piece = SMALL_PIECE if count < SMALL else PIECE
        self._model, self._prefixes, self._key, self._soft = model, prefixes, key, soft
        self._size = size
        self._waiting: list[Member] = []
        self._groups: list[_Group] = []
        self._turn = 0

    def add(self, member: Member) -> None:
        """Let a request join."""
        self._waiting.append(member)

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._waiting or self._groups)

    def step(self) -> None:
        """Read a piece of what waits, and draw a token for each request under way."""
        self._waiting = [one for one in self._waiting if not one.gone]
        for member in (one for group in self._groups for one in group.members):
            if member.gone and _is_going(member):
                member.row.finish = "stop"  # nobody is told
        going = sum(_is_going(one) for group in self._groups for one in group.members)
        if self._waiting and going < self._size:
            self._read_next(self._size - going)
        for group in list(self._groups):
            self._advance(group)

    def _read_next(self, room: int) -> None:
        self._turn += 1
        queue = sorted(self._waiting, key=lambda one: one.left) if self._turn % 2 else self._waiting
        first = queue[0]
        together = [first]
        started = time.perf_counter()
        try:
            base = self._settle_base(first)
            if first.left <= self._piece and first.read is base and not first.alone:
                for one in queue[1:]:
                    if len(together) == room:
                        break
                    if one.alone or (one.read is not None and one.read is not base):
                        continue
                    if self._settle_base(one) is not base:
                        continue
                    longest = max(member.left for member in (*together, one))
                    if longest * (len(together) + 1) <= self._piece:
                        together.append(one)
            if first.left > self._piece:
                self._read_piece(first)
                return
            fresh, logits = self._read_ends(together, base)
            rows = [one.row for one in together]
            tokens = _draw(together, logits)
            batch.share_seconds(started, rows)
            self._waiting = [one for one in self._waiting if one not in together]
            for one, token in zip(together, tokens, strict=True):
                one.read = None
                if one.ends.add(one.row, token):
                    one.done(one, None)
            self._join(base, together, fresh)
        except Exception as error:
            self._fail(together, error)

    def _settle_base(self, member: Member) -> Prefix:
        """The prefix that a request builds on: a kept one, or a new one that others begin with."""
        if member.base is not None:
            return member.base
        prompt, behind = member.row.prompt, self._soft.length if self._soft else 0
        shared = max(self._prefixes.longest(self._key, prompt), behind)
        if shared == behind:
            others = [one for one in self._waiting if one is not member and one.base is None]
            lengths = [
                length
                for one in others[:_LOOKED_AT]
                if (length := batch.measure_shared_length([prompt, one.row.prompt])) > behind
            ]
            shared = min(lengths, default=behind)
        base = self._prefixes.get(self._model, self._key, prompt[:shared], self._soft)
        # One object for each of the empty ones: it names the group.
        base = base if base.length else self._empty
        if member.alone:
            base = Prefix(base.layers, base.length)
        member.base = member.read = base
        return base

    _empty = Prefix()

    def _read_piece(self, member: Member) -> None:
        started = time.perf_counter()
        assert member.read is not None
        at = member.read.length
        piece = member.row.prompt[at : at + self._piece]
        cache, _ = batch.read_texts(self._model, member.read, [piece])
        member.read = member.read.append(cache.frozen())
        batch.share_seconds(started, [member.row])

    def _read_ends(self, members: Sequence[Member], base: Prefix) -> tuple[BatchCache, Any]:
        """The caches of members whose prompts are read to their ends, and their last logits."""
        first = members[0]
        assert first.read is not None
        texts = [one.row.prompt[first.read.length :] for one in members]
        cache, logits = batch.read_texts(self._model, first.read, texts)
        if first.read is not base:
            cache = BatchCache.split(first.read.append(cache.frozen()), base)
        return cache, logits[:, -1]

    def _join(self, base: Prefix, members: Sequence[Member], fresh: BatchCache) -> None:
        going = [at for at, one in enumerate(members) if _is_going(one)]
        if not going:
            return
        group = next((one for one in self._groups if one.base is base), None)
        if group is None:
            group = _Group(base)
            self._groups.append(group)
        self._rebuild(group, [(fresh, going)], [members[at] for at in going])

    def _rebuild(
        self,
        group: _Group,
        parts: Sequence[tuple[BatchCache, Sequence[int]]] = (),
        members: Sequence[Member] = (),
    ) -> None:
        """Drop who is finished, take in who is new."""
        keep = [at for at, one in enumerate(group.members) if _is_going(one)]
        own = [(group.cache, keep)] if group.cache is not None and keep else []
        group.members = [*(group.members[at] for at in keep), *members]
        if not group.members:
            self._groups.remove(group)
            return
        rows = [one.row for one in group.members]
        width = max(batch.count_own_tokens(row, group.base) for row in rows) - 1
        group.cache = BatchCache.rebuilt([*own, *parts], width)
        group.state = batch.StepState(rows, group.base, group.cache)

    def _advance(self, group: _Group) -> None:
        going = [one for one in group.members if _is_going(one)]
        stale = len(group.members) - len(going)
        assert group.cache is not None
        if not going or stale * batch.STALE >= len(group.members) or group.cache.full:
            self._rebuild(group)
            if not group.members:
                return
        assert group.cache is not None and group.state is not None
        started = time.perf_counter()
        members = group.members
        try:
            logits = batch.run_forward(self._model, group.cache, group.state)[:, -1]
            tokens = _draw(members, logits)
            batch.share_seconds(started, [one.row for one in members if _is_going(one)])
            for one, token in zip(members, tokens, strict=True):
                if _is_going(one) and one.ends.add(one.row, token):
                    one.done(one, None)
            group.state.advance(tokens)
        except Exception as error:
            self._groups.remove(group)
            self._fail([one for one in members if _is_going(one)], error)

    def _fail(self, members: Sequence[Member], error: Exception) -> None:
        """Try again one by one what failed together; who failed alone is told."""
        self._waiting = [one for one in self._waiting if one not in members]
        for one in members:
            if one.alone or len(members) == 1:
                one.done(one, error)
            else:
                one.row.restart()
                one.base = one.read = None
                one.alone = True
                self._waiting.append(one)


def _is_going(member: Member) -> bool:
    return member.row.finish is None


def _draw(members: Sequence[Member], logits: Any) -> list[int]:
    """One token for each; those with one way of drawing are drawn together."""
    tokens = [0] * len(members)
    for draw in {id(one.draw): one.draw for one in members}.values():
        mine = [at for at, one in enumerate(members) if one.draw is draw]
        some = logits if len(mine) == len(members) else logits[mine]
        for at, token in zip(mine, draw(some, [members[at].row for at in mine]), strict=True):
            tokens[at] = token
    return tokens
