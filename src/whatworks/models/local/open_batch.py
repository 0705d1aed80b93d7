"""The local engine's door for requests that come one by one, while others are under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles, Token
from whatworks.models.local.engine import LocalEngine
from whatworks.models.local.room import make_rows
from whatworks.models.local.running_batch import Member, RunningBatch
from whatworks.models.local.sampling import Draw, Ends

Answered = Callable[[Generation | Exception], None]
"""Told of an answer, or of why there is none."""


class OpenBatch:
    """Requests to one model's files; used by one thread, but for ``Member.gone``.

    Args:
        engine: Runs them.
        files: The weights, the same for all.
    """

    def __init__(self, engine: LocalEngine, files: ModelFiles) -> None:
        self._engine, self._files = engine, files
        self._draws: dict[str, tuple[Draw, Any]] = {}
        self._running: RunningBatch | None = None
        self._slow: list[Member] = []

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._slow) or (self._running is not None and self._running.busy)

    def add(
        self,
        ids: Sequence[int],
        decoding: Decoding,
        key: str,
        answered: Answered,
        on_token: Callable[[Token], None] | None = None,
    ) -> Member:
        """Let a request join.

        Args:
            ids: Its prompt.
            decoding: How it is drawn.
            key: Names its random stream.
            answered: Told once, by the thread that calls ``run``.
            on_token: Told of each token.

        Raises:
            ArmFailure: If the prompt leaves no room.
            InputError: If its form cannot be held.
        """
        with self._engine.lock:
            resident, active, tokenizer = self._engine.ready(self._files)
            (row,) = make_rows([ids], decoding, [key], resident, active)
            row.prompt = [0] * active.read + row.prompt
            if decoding.key not in self._draws:
                held = decoding.constraint is not None
                grammars = resident.grammars(self._files.template) if held else None
                self._draws[decoding.key] = Draw(decoding, grammars), grammars
            draw, grammars = self._draws[decoding.key]
            if decoding.constraint is not None:
                row.matcher = grammars.matcher(decoding.constraint)

            def listen(_: int, token: Token) -> None:
                if on_token is not None:
                    on_token(token)

            ends = Ends(
                tokenizer, resident.stop_ids, decoding, None if on_token is None else listen
            )

            def done(member: Member, error: Exception | None) -> None:
                answered(error or member.ends.generation(member.row))

            member = Member(row, draw, ends, done)
            if not active.fast:
                self._slow.append(member)
                return member
            if self._running is None:
                self._running = RunningBatch(
                    active.model, resident.prefixes, active.key, active.soft,
                    self._engine.batch_size(resident),
                )  # fmt: skip
            self._running.add(member)
            return member

    def run(self, seconds: float, interrupted: Callable[[], bool]) -> None:
        """Go on with what is under way, for some time or until something else is to be done.

        Args:
            seconds: Most time to take, up to one step more.
            interrupted: Asked between steps.
        """
        import torch

        until = time.monotonic() + seconds
        with self._engine.lock:
            resident, active, _ = self._engine.ready(self._files)
            with torch.inference_mode(), self._engine.using_threads(resident):
                while self.busy and time.monotonic() < until and not interrupted():
                    if self._slow:
                        self._run_slow(active.model, self._slow.pop(0))
                    elif self._running is not None:
                        self._running.step()

    def _run_slow(self, model: Any, member: Member) -> None:
        """One request to its end, on a model that the batched loop does not suit."""
        from whatworks.models.local import one_by_one

        if member.gone:
            return
        try:
            one_by_one.generate(model, [member.row], member.draw, member.ends, done=lambda _: None)
        except Exception as error:
            member.done(member, error)
        else:
            member.done(member, None)
