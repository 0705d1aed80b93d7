"""One server, asked patiently: POST, wait, try again, or say why there is no answer.

Tried again, with exponential backoff and jitter: 408, 409, 425, 429, 5xx, time-outs, dropped
connections, cut-off and unreadable answers. ``Retry-After`` holds back every request to the server,
not only the one that was told. Everything else is final at once.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from threading import Event
from types import MappingProxyType
from typing import Any, TypeVar

import httpx2

from whatworks.base.errors import suggest_nearest
from whatworks.models.endpoint.api_keys import find_key
from whatworks.models.endpoint.clock import REAL, Clock
from whatworks.models.endpoint.replies import Unusable, read_complaint
from whatworks.models.endpoint.traffic import Traffic
from whatworks.models.endpoint.trouble import Stopped, Trouble

LONGEST_PAUSE = 60.0
"""Most seconds between two tries, unless the server asks for more."""
LONGEST_ASKED = 300.0
"""A server that asks to wait longer than this, in seconds, ends the request."""
LARGEST_ANSWER = 64 * 2**20
"""Most bytes of one answer."""

_AGAIN = {408, 409, 425, 429}
_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window)|exceed_context|prompt is too long|too many tokens", re.I
)


T = TypeVar("T")


class Connection:
    """Completions from one address.

    Args:
        url: The address below which ``chat/completions`` lies.
        connections: Most requests under way at once.
        timeout: Most seconds for one try, from sending to the last byte.
        retries: Tries after the first one.
        backoff: Seconds before the second try, doubled for each further one.
        clock: What all these seconds are counted by.

    Attributes:
        sent: Requests that left, further tries included.
        traffic: What had to be tried again.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int,
        timeout: float,
        retries: int,
        backoff: float,
        clock: Clock = REAL,
    ) -> None:
        self.url = url
        self.sent = 0
        self._key = find_key(url)
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._clock = clock
        self.traffic = Traffic(url)
        self._open_again = 0.0
        self._limit = "max_tokens"
        self._refused: set[str] = set()
        self._client = httpx2.Client(
            headers=self._key.headers,
            timeout=httpx2.Timeout(clock.to_real(timeout), pool=None),
            # Each request has a connection of its own: on one that is used again, what a server
            # sent too much would be taken for the answer to the next request.
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=0),
        )

    def post(
        self,
        body: Mapping[str, Any],
        stop: Event,
        *,
        at: str,
        read: Callable[[bytes], T],
        wished: Mapping[str, Any] = MappingProxyType({}),
    ) -> T:
        """The server's answer to one request; ``stop`` ends the waiting.

        Args:
            body: The request.
            stop: Gives the request up when set.
            at: The whole address.
            read: Reads the answer; what it calls ``Unusable`` is asked again.
            wished: Further fields, left out for good once the server has refused them by name.

        Raises:
            Trouble: If there is none for good.
            Stopped: If ``stop`` was set before there was one.
        """
        return self._ask_patiently(stop, lambda: self._once(body, at, read, wished))

    def call(
        self,
        method: str,
        at: str,
        stop: Event,
        *,
        read: Callable[[bytes], T],
        content: bytes = b"",
        kind: str = "application/json",
    ) -> T:
        """The server's answer to a request that is no completion: a list, a file, a job.

        Args:
            method: ``GET``, ``POST`` or ``DELETE``.
            at: The whole address.
            stop: Gives the request up when set.
            read: Reads the answer; what it calls ``Unusable`` is asked again.
            content: The body.
            kind: Its content type.

        Raises:
            Trouble: If there is none for good.
            Stopped: If ``stop`` was set before there was one.
        """

        def once() -> T:
            status, headers, payload = self._exchange(method, at, content, kind)
            if 200 <= status < 300:
                return _read(read, payload)
            raise self._refusal(status, headers, *read_complaint(payload), "")

        return self._ask_patiently(stop, once)

    def shape(self, body: Mapping[str, Any], wished: Mapping[str, Any]) -> dict[str, Any]:
        """A request with the names that the server takes, and of the wishes those not refused."""
        sent = {self._limit if name == "max_tokens" else name: body[name] for name in body}
        return sent | {name: wished[name] for name in wished if name not in self._refused}

    def pause(self, stop: Event, seconds: float) -> None:
        """Wait so long for something that takes its time at the server."""
        self._clock.wait(stop, seconds)

    def _ask_patiently(self, stop: Event, once: Callable[[], T]) -> T:
        tries = 0
        while True:
            self._hold(stop)
            tries += 1
            try:
                return once()
            except Trouble as trouble:
                if not trouble.again or tries > self._retries:
                    after = f", after {tries} tries" if tries > 1 else ""
                    cause = self._key.hide(trouble.cause) + after
                    raise Trouble(
                        cause, trouble.remedy, status=trouble.status, prompt=trouble.prompt
                    ) from None
                self._open_again = max(self._open_again, self._clock.now() + trouble.wait)
                cause = self._key.hide(trouble.cause)
                self.traffic.note(cause, trouble.status, trouble.wait, self._clock.now())
            pause = min(self._backoff * 2 ** (tries - 1), LONGEST_PAUSE)
            self._clock.wait(stop, pause * random.uniform(0.5, 1.5))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _hold(self, stop: Event) -> None:
        """Wait for as long as the server wants no requests."""
        while (remaining := self._open_again - self._clock.now()) > 0 and not stop.is_set():
            self._clock.wait(stop, remaining + random.uniform(0, self._backoff))
        if stop.is_set():
            raise Stopped

    def _once(
        self,
        body: Mapping[str, Any],
        at: str,
        read: Callable[[bytes], T],
        wished: Mapping[str, Any],
    ) -> T:
        limit, sent = self._limit, self.shape(body, wished)
        content = json.dumps(sent).encode("ascii")
        status, headers, payload = self._exchange("POST", at, content, "application/json")
        if 200 <= status < 300:
            return _read(read, payload)
        message, code = read_complaint(payload)
        if status == 400 and limit == "max_tokens" and "max_completion_tokens" in message:
            # Newer models take the same limit under another name only, and say so.
            self._limit = "max_completion_tokens"
            return self._once(body, at, read, wished)
        refused = {name for name in wished if re.search(rf"\b{name}\b", message)} & set(sent)
        if status in (400, 403, 422) and refused:
            self._refused |= refused
            return self._once(body, at, read, wished)
        raise self._refusal(status, headers, message, code, str(body["model"]))

    def _exchange(
        self, method: str, at: str, content: bytes, kind: str
    ) -> tuple[int, httpx2.Headers, bytes]:
        """Status, headers and whole body of one try, without the key."""
        self.sent += 1
        deadline = self._clock.now() + self._timeout
        late = Trouble(
            f"no whole answer from {self.url} within {self._timeout:g} seconds",
            "see whether the server is overloaded; a longer time-out or fewer requests at once "
            "may help",
            again=True,
        )
        payload = bytearray()
        try:
            with self._client.stream(
                method, at, content=content, headers={"Content-Type": kind}
            ) as response:
                # The client waits so long for each piece: now for what is left.
                remaining = max(0.01, deadline - self._clock.now())
                response.request.extensions["timeout"]["read"] = self._clock.to_real(remaining)
                for piece in response.iter_bytes():
                    payload += piece
                    # A server that drips never meets the client's own time-out.
                    if self._clock.now() > deadline:
                        raise late
                    if len(payload) > LARGEST_ANSWER:
                        raise Trouble(f"{self.url} answers without end", "see the server's log")
                # Before anything is cut: of half a key nothing would be recognised.
                shown = self._key.hide_bytes(bytes(payload))
                self.traffic.note_limits(response.headers)
                return response.status_code, response.headers, shown
        except httpx2.TimeoutException:
            raise late from None
        except httpx2.ConnectError as error:
            raise Trouble(
                f"no server answers at {self.url}: {error}",
                "start the server, or check the address",
                again=True,
            ) from None
        except httpx2.RequestError as error:
            raise Trouble(
                f"the connection to {self.url} broke: {error or type(error).__name__}",
                "run again when the server is well",
                again=True,
            ) from None

    def _refusal(
        self, status: int, headers: httpx2.Headers, message: str, code: str, model: str
    ) -> Trouble:
        """What a status other than success means; ``model`` is empty where none was asked."""
        trouble = self._explain(status, headers, message, code, model)
        trouble.status = status
        return trouble

    def _explain(
        self, status: int, headers: httpx2.Headers, message: str, code: str, model: str
    ) -> Trouble:
        detail = f"status {status}" + (f": {message}" if message else "")
        if status == 402 or code == "insufficient_quota":
            remedy = "add credit with the provider"
            return Trouble(f"no credit left ({detail})", remedy, prompt=False)
        if status in _AGAIN or status >= 500:
            wait = _parse_wait(headers.get("retry-after", ""))
            if wait > LONGEST_ASKED:
                return Trouble(
                    f"the server asks to wait {wait:.0f} seconds ({detail})", "run again after that"
                )
            remedy = "ask for fewer requests at once, or run again later"
            return Trouble(f"the server failed ({detail})", remedy, again=True, wait=wait)
        if status in (401, 403):
            source = self._key.source
            which = f"the key in {source}" if source else "no key was sent"
            remedy = f"set {self._key.wanted} to a key of this server"
            return Trouble(f"wrong key ({which}; {detail})", remedy, prompt=False)
        if model and (status == 404 or code == "model_not_found"):
            cause = f"model not found: {model} at {self.url} ({detail})"
            return Trouble(cause, self._offer(model), prompt=False)
        if status == 413 or code == "context_length_exceeded" or _TOO_LONG.search(message):
            return Trouble(
                f"longer than the model's context{_describe_excess(message)} ({detail})",
                "show fewer or shorter demonstrations and passages",
            )
        if 300 <= status < 400:
            there = headers.get("location", "elsewhere")
            return Trouble(f"{self.url} sends on to {there} ({detail})", "use that address")
        remedy = "see the server's words"
        if re.search(r"\btemperature\b", message):
            remedy = "say one that it takes in the study file, e.g. `decoding: {temperature: 1}`"
        return Trouble(f"the server refused the request ({detail})", remedy)

    def _offer(self, model: str) -> str:
        """What the server has instead of this model, as far as it says."""
        try:
            listed = self._client.get(f"{self.url}/models", timeout=10).json()["data"]
            names = [str(entry["id"]) for entry in listed]
        except (httpx2.RequestError, ValueError, KeyError, TypeError):
            names = []
        if not names:
            return "check the model's name, and the address: it usually ends in /v1"
        if model in names:
            return "the server lists this model: see in its log why it does not answer"
        return suggest_nearest(model, names[:50])


def _read(read: Callable[[bytes], T], payload: bytes) -> T:
    try:
        return read(payload)
    except Unusable as error:
        remedy = "see the server's log; is this an OpenAI-compatible address?"
        raise Trouble(str(error), remedy, again=True) from None


def _parse_wait(value: str) -> float:
    """Seconds of a ``Retry-After`` header: a number or a date (RFC 9110, 10.2.3); else 0."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _describe_excess(message: str) -> str:
    """By how much a prompt is too long, where the server's message has both numbers."""
    most = re.search(r"(?:context (?:length|size|window)|n_ctx)\D{0,20}(\d+)", message)
    request = re.search(r"(?:requested|resulted in|prompt has|contains)\D{0,20}(\d+)", message)
    if not most or not request or int(request[1]) <= int(most[1]):
        return ""
    return f" by {int(request[1]) - int(most[1])} tokens"
