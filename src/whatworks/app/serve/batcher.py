"""One thread owns the engine: requests join what it runs and leave it as they end or are given up.

Local models draw token by token for all requests under way (``models.local.open_batch``). Any other
engine is asked request by request.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.data.task import Example, Message
from whatworks.methods.bench import pick_answer as samples
from whatworks.metrics.citations import make_answer_reader
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, Token

if TYPE_CHECKING:
    from whatworks.models.local.open_batch import OpenBatch
    from whatworks.models.local.running_batch import Member

LONGEST = 256
"""Answers that may be waited for at a time; one request alone may want more."""

LOOK = 0.25
"""Seconds after which the thread looks anew which cores are free."""

TURN = 0.05
"""Seconds of a model's turn, where several are asked at a time; a step may take longer."""


@dataclass(eq=False)
class Work:
    """One answer that is wanted.

    Attributes:
        served: Whose.
        decoding: How it is drawn.
        key: Names its random stream.
        messages: The request, to be rendered; or
        ids: the tokens of a raw prompt.
        on_token: Told of its tokens, where the engine can.
        answer: Set when it is there; cancelled by whoever does not want it any more.
    """

    served: Served
    decoding: Decoding
    key: str
    messages: tuple[Message, ...] = ()
    ids: tuple[int, ...] = ()
    on_token: Callable[[Token], None] | None = None
    answer: Future[Generation] = field(default_factory=Future[Generation])


_Call = tuple[Callable[[], Any], Future[Any]]


class Batcher:
    """Runs works and other calls on the engines, models in turns where several are asked."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Work | _Call | None] = queue.Queue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._open: dict[str, OpenBatch] = {}
        """By the name of the model."""
        self._thread = threading.Thread(target=self._loop, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, works: Sequence[Work]) -> list[Future[Generation]]:
        """Queue the answers to one request.

        Raises:
            RequestRefusal: 429 where too many are waited for already.
        """
        self._admit([work.answer for work in works])
        for work in works:
            self._queue.put(work)
        return [work.answer for work in works]

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Queue something else that needs the engine; it runs between two steps.

        Raises:
            RequestRefusal: 429 where too much is waited for already.
        """
        result: Future[Any] = Future()
        self._admit([result])
        self._queue.put((function, result))
        return result

    def _admit(self, results: Sequence[Future[Any]]) -> None:
        with self._lock:
            if self._waiting and self._waiting + len(results) > LONGEST:
                raise RequestRefusal(
                    f"{self._waiting} answers are waited for already: ask again later",
                    status=429,
                    kind="rate_limit_error",
                    code="rate_limit_exceeded",
                    headers={"retry-after": "1"},
                )
            self._waiting += len(results)
        for result in results:
            result.add_done_callback(self._leave)

    def _leave(self, _: Future[Any]) -> None:
        with self._lock:
            self._waiting -= 1

    def close(self) -> None:
        """Finish what is queued."""
        self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        over = False
        while not over or self._is_busy():
            while not over and not (self._is_busy() and self._queue.empty()):
                item = self._queue.get()
                if item is None:
                    over = True
                elif isinstance(item, tuple):
                    _settle(item[1], item[0])
                elif not item.answer.cancelled():
                    _refuse_errors(item, self._begin)
            busy = [one for one in self._open.values() if one.busy]
            for one in busy:
                # Alone, until somebody else comes; with others, a few steps before their turn.
                one.run(LOOK if len(busy) == 1 else TURN, lambda: not self._queue.empty())

    def _is_busy(self) -> bool:
        return any(one.busy for one in self._open.values())

    def _find_open(self, served: Served) -> OpenBatch | None:
        """What requests to a local model join; None for any other."""
        if served.local is None:
            return None
        if served.name not in self._open:
            from whatworks.models.local.open_batch import OpenBatch

            self._open[served.name] = OpenBatch(served.local, served.files)
        return self._open[served.name]

    def _begin(self, work: Work) -> None:
        """Let a work join, or answer it where nothing can be joined."""
        served, open_batch = work.served, self._find_open(work.served)
        if work.ids and open_batch is None:
            raise RequestRefusal("this model cannot be given plain text", status=501)
        if work.ids and open_batch is not None:
            _join(open_batch, work, list(work.ids), None)
            return
        example = served.example(work.messages, work.key)
        prompt = served.render(example)
        _check_length(served, prompt)
        local = served.local
        if local is None or open_batch is None:
            _deliver(work, _ask(served, prompt, work.decoding, example))
        else:
            ids = local.encode(served.files, prompt)
            if work.decoding.constraint is not None:
                ids += local.close_reasoning(served.files)
            _join(open_batch, work, ids, example)


def _join(open_batch: OpenBatch, work: Work, ids: list[int], example: Example | None) -> None:
    """Let the answers that a work draws join; the last of them settles it."""
    decoding, drawn = work.decoding, dict[int, Generation]()
    members: list[Member] = []

    def leave(_: Future[Generation]) -> None:
        for member in members:
            member.gone = True

    def take(at: int, outcome: Generation | Exception) -> None:
        if isinstance(outcome, Exception):
            leave(work.answer)
            _deliver(work, outcome)
            return
        drawn[at] = outcome
        if len(drawn) == decoding.samples:
            _deliver(work, _choose(work, [drawn[i] for i in sorted(drawn)], example))

    count = decoding.samples
    for at in range(count):
        key = work.key if count == 1 else f"{work.key}#{at}"
        listener = work.on_token if count == 1 else None
        members.append(
            open_batch.add(ids, decoding, key, lambda outcome, at=at: take(at, outcome), listener)
        )
    work.answer.add_done_callback(leave)


def _choose(work: Work, drawn: Sequence[Generation], example: Example | None) -> Generation:
    if len(drawn) == 1 or example is None:
        return drawn[0]
    served = work.served
    read = make_answer_reader(served.candidate.prompt)
    return samples.choose(drawn, work.decoding, example, served.metric, read)


def _ask(
    served: Served, prompt: Sequence[Message], decoding: Decoding, example: Example
) -> Generation:
    (answer,) = samples.generate(
        served.engine,
        served.files,
        [prompt],
        decoding,
        examples=[example],
        metric=served.metric,
        read=make_answer_reader(served.candidate.prompt),
    )
    return answer


def _check_length(served: Served, prompt: Sequence[Message]) -> None:
    context = served.engine.context_length(served.files)
    if context is None:
        return
    (length,) = served.engine.prompt_tokens(served.files, [prompt])
    if length + 1 > context:
        raise make_length_refusal(context, length)


def make_length_refusal(context: int, tokens: int) -> RequestRefusal:
    """The protocol's answer to a prompt that leaves no room."""
    return RequestRefusal(
        f"This model's maximum context length is {context} tokens. However, your messages "
        f"resulted in {tokens} tokens.",
        code="context_length_exceeded",
        param="messages",
    )


def _deliver(work: Work, outcome: Generation | Exception) -> None:
    """Settle a work, unless nobody waits for it any more."""
    with suppress(InvalidStateError):
        if isinstance(outcome, Exception):
            work.answer.set_exception(outcome)
        else:
            work.answer.set_result(outcome)


def _refuse_errors(work: Work, begin: Callable[[Work], None]) -> None:
    try:
        begin(work)
    except Exception as error:
        _deliver(work, error)


def _settle(result: Future[Any], function: Callable[[], Any]) -> None:
    if result.cancelled():
        return
    try:
        value = function()
    except Exception as error:
        with suppress(InvalidStateError):
            result.set_exception(error)
    else:
        with suppress(InvalidStateError):
            result.set_result(value)
