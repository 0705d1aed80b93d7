"""Requests of one engine: sent, their answers kept and paid for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from threading import Event, Lock
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.store import Store
from whatworks.models.constraint import Constraint
from whatworks.models.endpoint.batches import KIND as BATCHES
from whatworks.models.endpoint.batches import ask_in_batch
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.dialects import FORMAT, Dialect
from whatworks.models.endpoint.replies import ServerReply, count_cached, count_tokens
from whatworks.models.endpoint.request import separate_wishes
from whatworks.models.endpoint.trouble import Trouble
from whatworks.models.prices import Price

KIND = "completions"
"""Below the cache folder: answers, one file each."""


class Sender:
    """Sends requests; called from several threads.

    Args:
        connection: To the server.
        store: Where answers are kept; None keeps none.
        price: Of the model.

    Attributes:
        spent: US dollars paid so far.
    """

    def __init__(self, connection: Connection, store: Store | None, price: Price | None) -> None:
        self._connection, self._store, self._price = connection, store, price
        self._lock = Lock()
        self.spent = 0.0

    def ask_one(
        self,
        body: Mapping[str, Any],
        workers: int,
        stop: Event,
        dialect: Dialect,
        form: Constraint | None,
    ) -> ServerReply:
        """Ask one request and keep its answer."""
        started = time.perf_counter()
        reply = self._send(body, dialect, stop)
        if form is not None:
            reply = dialect.unwrap(reply, form.kind)
        # Requests run side by side: shares of the wall time add up to it.
        reply = replace(reply, seconds=(time.perf_counter() - started) / workers)
        if self._store is not None:
            self._store.write(KIND, hash_content([self._connection.url, body]), asdict(reply))
        self._pay(body, reply)
        return reply

    def ask_in_batch(
        self, bodies: Mapping[str, Mapping[str, Any]], dialect: Dialect, form: Constraint | None
    ) -> int:
        """Keep the answers to the requests that have none yet, by a batch.

        The first of them is asked directly: it shows which names and wishes the server takes. What
        the batch leaves without an answer is asked directly later.

        Returns:
            How many answers came.

        Raises:
            ArmFailure: If the server has no batches, or this one failed.
        """
        assert self._store is not None
        todo = [key for key in bodies if self._store.read(KIND, key) is None]
        if len(todo) <= 2:
            return 0
        stop, began, asked = Event(), time.perf_counter(), 0
        call = hash_content([self._connection.url, list(bodies)])
        try:
            if not self._store.read(BATCHES, call):
                self.ask_one(bodies[todo.pop(0)], 1, stop, dialect, form)
                asked += 1
            rest = {key: self._connection.shape(*separate_wishes(bodies[key])) for key in todo}
            replies = ask_in_batch(self._connection, self._store, call, rest, stop)
        except Trouble as trouble:
            raise ArmFailure(trouble.cause, remedy=trouble.remedy) from None
        share = (time.perf_counter() - began) / len(bodies)
        for key, reply in replies.items():
            reply = dialect.unwrap(reply, form.kind) if form else reply
            self._store.write(KIND, key, asdict(replace(reply, seconds=share)))
            self._pay(bodies[key], reply)
        return asked + len(replies)

    def _send(self, body: Mapping[str, Any], dialect: Dialect, stop: Event) -> ServerReply:
        at, read = dialect.place(self._connection.url), dialect.read
        if dialect is FORMAT:
            return self._connection.post(dialect.translate(body), stop, at=at, read=read)
        needed, wished = separate_wishes(body)
        return self._connection.post(needed, stop, at=at, read=read, wished=wished)

    def try_out(self, dialect: Dialect, trial: Mapping[str, Any]) -> ServerReply:
        """Ask a request whose answer is not kept."""
        reply = self._send(trial, dialect, Event())
        self._pay(trial, reply)
        return reply

    def _pay(self, body: Mapping[str, Any], reply: ServerReply) -> None:
        if self._price is not None:
            read, written, _ = count_tokens(reply, body)
            cost = self._price.compute_cost(
                read, written, cached=count_cached(reply, read), seconds=reply.seconds
            )
            with self._lock:
                self.spent += cost
