"""Any OpenAI-compatible server as an engine.

Every answer is kept on disk as it arrives, under its whole request, so that nothing is paid twice:
a run killed in the middle loses the requests under way, no more. A request that fails for good
fails its arm, with the server's words; answers already received stay kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.frozen import hash_content
from whatworks.base.paths import find_cache_folder
from whatworks.base.store import Store
from whatworks.data.task import Message
from whatworks.models.chat_templates import cut_at_stop, read_thinking
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint import echo_logprobs as echo
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.replies import (
    ServerReply,
    count_reasoning,
    count_tokens,
    estimate_tokens,
    read_reply,
    split_reply,
)
from whatworks.models.endpoint.request_pool import ask_all
from whatworks.models.engine import (
    Answers,
    Generation,
    Habits,
    ModelFiles,
    Prompts,
    Unanswered,
    require_texts,
)
from whatworks.models.local.grammar import is_allowed
from whatworks.models.prices import find_price

KIND, ECHOES = "completions", "echoes"
"""Below the cache folder: answers, and log-probabilities of given answers, one file each."""

DISPENSABLE = frozenset({"seed", "stop"})
"""Fields that a server may refuse: draws stay apart without a seed, stop strings are cut here."""


class EndpointEngine:
    """An ``Engine`` that asks ``{url}/chat/completions``; see ``docs/endpoint.md``.

    The API key is that of ``WHATWORKS_API_KEY``, else of ``OPENAI_API_KEY``, else none is sent.

    Args:
        url: Address of the server, e.g. ``http://localhost:8000/v1``.
        model: The model's name there.
        concurrency: Most requests under way at once.
        timeout: Most seconds for one try of a request.
        retries: Tries after the first one.
        backoff: Seconds before the second try, doubled for each further one, with jitter.
        cache: Folder in which answers are kept; None keeps none.
        prices: ``{model: {"input": 1, "output": 2}}``, US dollars per million tokens, over those
            of ``WHATWORKS_PRICES`` and the shipped ones.

    Attributes:
        price: The model's price, None when no table names it.
        spent: US dollars paid since the engine was opened; 0 without a price.
        reused: Answers taken from the cache.
        estimated: Answers whose token counts are estimates: the server sent none or false ones.

    Raises:
        InputError: If the address, the key or a price cannot be used.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        concurrency: int = 8,
        timeout: float = 60.0,
        retries: int = 5,
        backoff: float = 0.5,
        cache: Path | None = None,
        prices: Mapping[str, Any] | None = None,
    ) -> None:
        self._url = _trim_address(url)
        self._model = model
        self._concurrency = max(1, concurrency)
        self._store = Store(cache) if cache is not None else None
        self._lock = Lock()
        self.price = find_price(self._url, model, prices)
        self.spent = 0.0
        self.reused = 0
        self.estimated = 0
        self._connection = Connection(
            self._url,
            connections=self._concurrency,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
        )

    @classmethod
    def from_name(
        cls, name: str, *, cache: Path | None = None, prices: Mapping[str, Any] | None = None
    ) -> EndpointEngine:
        """The engine of ``https://host/v1#model``.

        Args:
            name: Address and model.
            cache: Where answers are kept; by default the folder of ``paths.find_cache_folder``.
            prices: As for the engine itself.

        Raises:
            InputError: If there is no model in the name, or the address cannot be used.
        """
        url, _, model = name.partition("#")
        if not model.strip():
            raise InputError(
                "the address names no model",
                place=_trim_address(url),
                remedy="write https://host/v1#model-name",
            )
        return cls(url, model.strip(), cache=cache or find_cache_folder(), prices=prices)

    @property
    def identity(self) -> str:
        """Address and model."""
        return f"{self._url}#{self._model}"

    @property
    def sent(self) -> int:
        """Requests that left, further tries included."""
        return self._connection.sent

    def generate(
        self,
        model: ModelFiles,
        prompts: Prompts,
        decoding: Decoding,
        *,
        keys: Sequence[str] = (),
        on_done: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """One generation per prompt; see ``Engine.generate``.

        Sampling sends a seed made from ``decoding.seed`` and the key. Equal requests are asked
        once. After a final failure no further request leaves; those under way are waited for.

        Raises:
            Unanswered: If a request fails for good: which prompt, what the server said.
        """
        self._own_weights(model)
        names = _list_names(keys, prompts)
        bodies = [
            self._body(messages, decoding, name, read_thinking(model.template))
            for messages, name in zip(prompts, names, strict=True)
        ]
        done: Callable[[int], object] = on_done or int
        replies, failure = ask_all(
            [hash_content([self._url, body]) for body in bodies],
            names,
            self._recall,
            lambda at, workers, stop: self._one(bodies[at], workers, stop),
            concurrency=self._concurrency,
            done=done,
        )
        generations = [
            self._generation(reply, bodies[at], decoding) for at, reply in replies.items()
        ]
        breaches = (self._breach(reply, decoding.constraint) for reply in replies.values())
        failure = failure or next((breach for breach in breaches if breach), None)
        if failure is not None:
            raise Unanswered(failure, generations)
        return generations

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        """Log-probability of each token of each answer; see ``Engine.logprobs`` and ``echo``.

        Raises:
            Unanswered: If the server cannot say, or a request fails for good.
        """
        self._own_weights(model)
        pairs = list(zip(prompts, require_texts(answers), strict=True))
        keys = [
            hash_content([self.identity, [m.key for m in messages], answer])
            for messages, answer in pairs
        ]

        def ask(at: int, workers: int, stop: Event) -> tuple[float, ...]:
            del workers
            measured = echo.measure_logprobs(self._connection, self._model, *pairs[at], stop)
            if self._store is not None:
                self._store.write(ECHOES, keys[at], measured)
            return measured

        measured, failure = ask_all(
            keys,
            _list_names((), prompts),
            self._recall_echo,
            ask,
            concurrency=self._concurrency,
            done=int,
        )
        if failure is not None:
            lengths = self.prompt_tokens(model, [prompts[at] for at in measured])
            taken = zip(lengths, measured.values(), strict=True)
            raise Unanswered(
                failure, [Generation("", n + len(values), 0, 0.0) for n, values in taken]
            )
        return list(measured.values())

    def cost(self, generations: Sequence[Generation]) -> float | None:
        """US dollars that these generations cost, kept or fresh; None without a price."""
        if self.price is None:
            return None
        return sum(self.price.of(g.prompt_tokens, g.completion_tokens) for g in generations)

    def count_tokens(self, model: ModelFiles, texts: Sequence[str]) -> list[int]:
        """An estimate for each text: the server keeps its tokenizer to itself."""
        del model
        return [estimate_tokens(text) for text in texts]

    def prompt_tokens(self, model: ModelFiles, prompts: Prompts) -> list[int]:
        """An estimate for each prompt, without the server's chat template."""
        del model
        return [estimate_tokens("\n".join(m.content for m in messages)) for messages in prompts]

    def context_length(self, model: ModelFiles) -> int | None:
        """Unknown: the protocol has no place for it. A prompt too long is refused by the server."""
        del model
        return None

    def habits(self, model: ModelFiles) -> Habits:
        """Only its answers can say, and the study: the server keeps its template to itself."""
        return Habits(reasons=read_thinking(model.template))

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _body(
        self, messages: Sequence[Message], decoding: Decoding, key: str, thinks: bool | None
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": decoding.max_tokens,
            "temperature": decoding.temperature,
        }
        if decoding.temperature > 0:
            # Not sent with greedy decoding: it decides nothing, and equal prompts are paid once.
            body["top_p"] = decoding.top_p
            body["seed"] = int(hash_content([decoding.seed, key]), 16) % 2**31
        if decoding.stop and decoding.constraint is None:
            body["stop"] = list(decoding.stop)
        if thinks is not None:  # vLLM's and SGLang's word for what a template is given
            body["chat_template_kwargs"] = {"enable_thinking": thinks}
        if decoding.constraint is not None:
            body |= build_constraint_fields(decoding.constraint)
        return body

    def _one(self, body: Mapping[str, Any], workers: int, stop: Event) -> ServerReply:
        """Ask one request and keep its answer."""
        started = time.perf_counter()
        at = f"{self._url}/chat/completions"
        wished = {name: body[name] for name in DISPENSABLE & body.keys()} | {"logprobs": True}
        if body.get("top_p") == 1.0:
            wished["top_p"] = 1.0  # what a server does anyway
        needed = {name: value for name, value in body.items() if name not in wished}
        reply = self._connection.post(needed, stop, at=at, read=read_reply, wished=wished)
        # Requests run side by side: shares of the wall time add up to it.
        reply = replace(reply, seconds=(time.perf_counter() - started) / workers)
        if self._store is not None:
            self._store.write(KIND, hash_content([self._url, body]), asdict(reply))
        if self.price is not None:
            read, written, _ = count_tokens(reply, body)
            with self._lock:
                self.spent += self.price.of(read, written)
        return reply

    def _recall(self, key: str) -> ServerReply | None:
        """The kept answer to a request."""
        record = self._kept(KIND, key)
        try:
            reply = None if record is None else ServerReply(**record)
        except TypeError as error:
            raise self._damaged(KIND, key, error) from error
        self.reused += reply is not None
        return reply

    def _recall_echo(self, key: str) -> tuple[float, ...] | None:
        record = self._kept(ECHOES, key)
        return None if record is None else tuple(record)

    def _kept(self, kind: str, key: str) -> Any | None:
        if self._store is None:
            return None
        try:
            return self._store.read(kind, key)
        except ValueError as error:
            raise self._damaged(kind, key, error) from error

    def _damaged(self, kind: str, key: str, error: Exception) -> ArmFailure:
        assert self._store is not None
        return ArmFailure(
            f"the kept answer {key} in {self._store.root / kind} cannot be read: {error}",
            remedy="delete its file; the request is then asked again",
        )

    def _own_weights(self, model: ModelFiles) -> None:
        if model.adapter is not None:
            raise ArmFailure(
                f"{self.identity} runs its own weights, not an adapter",
                remedy="use a local model for arms that train",
            )

    def _generation(
        self, reply: ServerReply, body: Mapping[str, Any], decoding: Decoding
    ) -> Generation:
        read, written, counted = count_tokens(reply, body)
        self.estimated += not counted
        # Stop strings do not apply to a form.
        parts = split_reply(reply)
        text = (
            cut_at_stop(parts.answer, decoding.stop)
            if decoding.constraint is None
            else parts.answer
        )
        return Generation(
            text,
            read,
            written,
            reply.seconds,
            reply.finish,
            reply.logprob,
            reasoning=parts.reasoning,
            reasoning_tokens=count_reasoning(reply, parts.reasoning, written),
        )

    def _breach(self, reply: ServerReply, form: Constraint | None) -> ArmFailure | None:
        """What is wrong with a finished answer that lacks the form asked for."""
        excused = reply.refused or reply.finish != "stop"
        if form is None or excused or is_allowed(form, split_reply(reply).answer):
            return None
        return ArmFailure(
            f"{self.identity} does not keep to a constraint of kind {form.kind}: it said "
            f"{reply.text[:80]!r}",
            remedy="decode without one, or use a server that knows it (see docs/endpoint.md)",
        )


def build_constraint_fields(constraint: Constraint) -> dict[str, Any]:
    """The fields that ask a server to keep to a constraint.

    A JSON Schema goes into ``response_format``, as OpenAI and most servers have it; the others into
    ``structured_outputs``, as vLLM (from 0.12) and ``whatworks serve`` have it.
    """
    if constraint.kind == "json_schema":
        schema = {"name": "answer", "strict": True, "schema": constraint.contents}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if constraint.kind == "choices":
        return {"structured_outputs": {"choice": list(constraint.choices)}}
    kind = "regex" if constraint.kind == "regex" else "grammar"
    return {"structured_outputs": {kind: constraint.text}}


def _list_names(keys: Sequence[str], prompts: Prompts) -> list[str]:
    return list(keys) or [str(at) for at in range(len(prompts))]


def _trim_address(url: str) -> str:
    """The address without its last slash and without ``/chat/completions``.

    Raises:
        InputError: If it is none, or holds a password, a key or anything else after the path.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise InputError(
            "no address of a server", place="model", remedy="write https://host/v1#model-name"
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        # It would end up in every record; so it is not repeated here either.
        raise InputError(
            "the address holds a user, a key or options",
            place=host,
            remedy="write https://host/v1#model-name, and set WHATWORKS_API_KEY",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path}"
