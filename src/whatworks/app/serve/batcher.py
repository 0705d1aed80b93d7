"""Requests that arrive together are answered together, by one thread that owns the engine."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.data.task import Message
from whatworks.methods.bench import pick_answer as samples
from whatworks.metrics.citations import make_answer_reader
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, OnToken, Token

LONGEST = 256
"""Answers that may be waited for at a time; one request alone may want more."""

WINDOW = 0.01
"""Seconds that the first request waits for company."""


@dataclass
class Work:
    """One answer that is wanted.

    Attributes:
        decoding: How it is drawn.
        key: Names its random stream.
        messages: The request, to be rendered; or
        ids: the tokens of a raw prompt.
        on_token: Told of its tokens, where the engine can.
        answer: Set when it is there.
    """

    decoding: Decoding
    key: str
    messages: tuple[Message, ...] = ()
    ids: tuple[int, ...] = ()
    on_token: Callable[[Token], None] | None = None
    answer: Future[Generation] = field(default_factory=Future[Generation])


class Batcher:
    """Runs works and other calls on the engine, one batch after the other.

    Args:
        served: What is served.
    """

    def __init__(self, served: Served) -> None:
        self._served = served
        self._queue: queue.Queue[Work | tuple[Callable[[], Any], Future[Any]] | None]
        self._queue = queue.Queue()
        self._waiting = 0
        self._lock = threading.Lock()
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
        """Queue something else that needs the engine.

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
        """Finish what is queued, then free the model."""
        self._queue.put(None)
        self._thread.join()
        self._served.engine.close()

    def _loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            time.sleep(WINDOW)
            items, over = [first], False
            while not self._queue.empty():
                item = self._queue.get_nowait()
                if item is None:
                    over = True
                else:
                    items.append(item)
            works = [item for item in items if isinstance(item, Work)]
            for item in items:
                if isinstance(item, tuple):
                    _settle(item[1], item[0])
            groups: dict[str, list[Work]] = {}
            for work in works:
                groups.setdefault(f"{bool(work.ids)} {work.decoding.key}", []).append(work)
            for group in groups.values():
                self._answer(group)
            if over:
                return

    def _answer(self, group: Sequence[Work]) -> None:
        """Answer works of one decoding; a batch that fails is tried again one by one."""
        try:
            answers = self._drawn(group)
        except Exception as error:
            if len(group) > 1:
                for work in group:
                    self._answer([work])
            else:
                group[0].answer.set_exception(error)
            return
        for work, answer in zip(group, answers, strict=True):
            work.answer.set_result(answer)

    def _drawn(self, group: Sequence[Work]) -> list[Generation]:
        served, decoding = self._served, group[0].decoding
        keys = [work.key for work in group]
        local = served.local

        def told(at: int, token: Token) -> None:
            listener = group[at].on_token
            if listener is not None:
                listener(token)

        on_token: OnToken | None = told if any(work.on_token for work in group) else None
        if group[0].ids:
            if local is None:
                raise RequestRefusal("this model cannot be given plain text", status=501)
            ids = [work.ids for work in group]
            return local.complete(served.files, ids, decoding, keys=keys, on_token=on_token)
        examples = [served.example(work.messages, work.key) for work in group]
        prompts = [served.rendered(example) for example in examples]
        self._check_length(prompts)
        if local is not None and decoding.samples == 1:
            encoded = [local.encode(served.files, prompt) for prompt in prompts]
            return local.complete(served.files, encoded, decoding, keys=keys, on_token=on_token)
        return samples.generate(
            served.engine,
            served.files,
            prompts,
            decoding,
            examples=examples,
            metric=served.metric,
            read=make_answer_reader(served.candidate.prompt),
        )

    def _check_length(self, prompts: Sequence[Sequence[Message]]) -> None:
        served = self._served
        context = served.engine.context_length(served.files)
        if context is None:
            return
        longest = max(served.engine.prompt_tokens(served.files, prompts))
        if longest + 1 > context:
            raise make_length_refusal(context, longest)


def make_length_refusal(context: int, tokens: int) -> RequestRefusal:
    """The protocol's answer to a prompt that leaves no room."""
    return RequestRefusal(
        f"This model's maximum context length is {context} tokens. However, your messages "
        f"resulted in {tokens} tokens.",
        code="context_length_exceeded",
        param="messages",
    )


def _settle(result: Future[Any], function: Callable[[], Any]) -> None:
    try:
        result.set_result(function())
    except Exception as error:
        result.set_exception(error)
