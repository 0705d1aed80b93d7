"""How likely a server finds a given answer: ``/tokenize``, then ``/completions`` with ``echo``.

The protocol of vLLM, which ``whatworks serve`` speaks as well: the server's own chat template makes
the tokens, so that they are those of its chat completions. The answer's end of turn is found by
comparing with another answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

from whatworks.data.task import Message
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.replies import Unusable
from whatworks.models.endpoint.trouble import Trouble

REMEDY = "use a server with /tokenize and echo (vLLM, `whatworks serve`), or a local model"


def measure_logprobs(
    connection: Connection, model: str, messages: Sequence[Message], answer: str, stop: Event
) -> tuple[float, ...]:
    """Log-probability of each token of one answer, the end of the turn last.

    Raises:
        Trouble: If the server does not answer, or cannot say.
        Stopped: If ``stop`` was set before it did.
    """

    def tokens(*answers: str) -> list[int]:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        turns += [{"role": "assistant", "content": text} for text in answers]
        body = {"model": model, "messages": turns, "add_generation_prompt": not answers}
        # It stands beside the versioned interface, not below it.
        path = f"{connection.url.removesuffix('/v1')}/tokenize"
        return connection.post(body, stop, at=path, read=_read_tokens)

    try:
        prompt, whole, other = tokens(), tokens(answer), tokens("" if answer else "a")
        begin, end = len(prompt), _find_end(prompt, whole, other)
        body = {"model": model, "prompt": whole[:end], "max_tokens": 1, "echo": True}
        at = f"{connection.url}/completions"
        reply = connection.post(
            {**body, "logprobs": 1, "temperature": 0.0}, stop, at=at, read=_read_echo
        )
    except Trouble as trouble:
        if trouble.status not in (400, 404, 405, 422, 501):
            raise
        cause = "the server does not say how likely a given answer is"
        cause += f" (status {trouble.status} for /tokenize or for echo)"
        raise Trouble(cause, REMEDY) from None
    except Unusable as error:
        raise Trouble(str(error), REMEDY) from None
    if len(reply) < end:
        raise Trouble("the server does not repeat the prompt with its log-probabilities", REMEDY)
    return tuple(reply[begin:end])


def _find_end(prompt: Sequence[int], whole: Sequence[int], other: Sequence[int]) -> int:
    """Where the answer with its end of turn ends in ``whole``."""
    most = min(len(other), len(whole)) - len(prompt)
    if list(whole[: len(prompt)]) != list(prompt) or most < 1:
        raise Unusable("the server's chat template writes a past answer in another way")
    tail = 0
    while tail < most and whole[-1 - tail] == other[-1 - tail]:
        tail += 1
    if not tail:
        raise Unusable("the server's chat template does not end an answer")
    return len(whole) - tail + 1


def _read_tokens(payload: bytes) -> list[int]:
    body = _parse_mapping(payload)
    ids = body.get("tokens")
    if not isinstance(ids, list) or not all(isinstance(token, int) for token in ids):
        raise Unusable("the server's answer holds no `tokens`")
    return ids


def _read_echo(payload: bytes) -> list[float]:
    try:
        values = _parse_mapping(payload)["choices"][0]["logprobs"]["token_logprobs"]
        # Nothing stands before the first token, so it has no probability.
        return [0.0, *(float(value) for value in values[1:])]
    except (KeyError, IndexError, TypeError, ValueError):
        raise Unusable("the server's answer holds no log-probabilities of the prompt") from None


def _parse_mapping(payload: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, Mapping):
        raise Unusable(f"the server's answer is not whole JSON ({len(payload)} bytes)")
    return body
