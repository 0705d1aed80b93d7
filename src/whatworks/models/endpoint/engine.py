"""Any OpenAI-compatible server as an engine.

Every answer is kept on disk as it arrives, under its whole request, so that nothing is paid twice:
a run killed in the middle loses the requests under way, no more. A request that fails for good
fails its arm, with the server's words; answers already received stay kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from whatworks.base.errors import ArmFailure, InputError, StorageError
from whatworks.base.frozen import hash_content
from whatworks.base.paths import find_cache_folder
from whatworks.base.store import Store
from whatworks.models.chat_templates import read_thinking
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint import echo_logprobs as echo
from whatworks.models.endpoint.answer import find_breach, read_generation
from whatworks.models.endpoint.clock import REAL, Clock
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.dialect_memory import DialectMemory
from whatworks.models.endpoint.dialects import FORMAT, RESPONSE_FORMAT
from whatworks.models.endpoint.replies import (
    ServerReply,
    estimate_tokens,
)
from whatworks.models.endpoint.request import HOW_TO_NAME, build_body, trim_address
from whatworks.models.endpoint.request_pool import ask_all
from whatworks.models.endpoint.sender import KIND, Sender
from whatworks.models.endpoint.traffic import Traffic
from whatworks.models.endpoint.trouble import Trouble
from whatworks.models.endpoint.tuning import TunedModel, TuningOrder, tune
from whatworks.models.engine import (
    Answers,
    Generation,
    Habits,
    ModelFiles,
    Prompts,
    Unanswered,
    require_texts,
)
from whatworks.models.prices import describe_source, find_price

ECHOES = "echoes"
"""Below the cache folder: log-probabilities of given answers, one file each."""


class EndpointEngine:
    """An ``Engine`` that asks ``{url}/chat/completions``; see ``docs/endpoint.md``.

    The API key is the one of the address (``api_keys.find_key``), else none is sent.

    Args:
        url: Address of the server, e.g. ``http://localhost:8000/v1``.
        model: The model's name there.
        concurrency: Most requests under way at once.
        timeout: Most seconds for one try of a request.
        retries: Tries after the first one.
        backoff: Seconds before the second try, doubled for each further one, with jitter.
        cache: Folder in which answers are kept; None keeps none.
        prices: ``{model: {"input": 1, "output": 2}}``, US dollars per million tokens, over those
            of ``WHATWORKS_PRICES`` and the public table.
        clock: What time-outs and pauses go by.
        batch: Send the requests of a call as one batch (``batches``), for less and later.

    Attributes:
        price: The model's price, None when no table names it.
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
        clock: Clock = REAL,
        batch: bool = False,
    ) -> None:
        if batch and cache is None:
            raise InputError("a batch needs a folder of kept answers", remedy="give `cache`")
        self.batch = batch
        self._url = trim_address(url)
        self._model = model
        self._concurrency = max(1, concurrency)
        self._store = Store(cache) if cache is not None else None
        self.price = find_price(self._url, model, prices, batch=batch)
        self._prices = prices
        self.reused = 0
        self.estimated = 0
        self._connection = Connection(
            self._url,
            connections=self._concurrency,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            clock=clock,
        )
        self._dialects = DialectMemory(self._connection, self._store, model)
        self._sender = Sender(self._connection, self._store, self.price)

    @classmethod
    def from_name(
        cls,
        name: str,
        *,
        cache: Path | None = None,
        prices: Mapping[str, Any] | None = None,
        batch: bool = False,
    ) -> EndpointEngine:
        """The engine of ``https://host/v1#model``.

        Args:
            name: Address and model.
            cache: Where answers are kept; by default the folder of ``paths.find_cache_folder``.
            prices: As for the engine itself.
            batch: Likewise.

        Raises:
            InputError: If there is no model in the name, or the address cannot be used.
        """
        url, _, model = name.partition("#")
        if not model.strip():
            raise InputError(
                "the address names no model",
                place=trim_address(url),
                remedy=HOW_TO_NAME,
            )
        folder = cache or find_cache_folder()
        return cls(url, model.strip(), cache=folder, prices=prices, batch=batch)

    @property
    def identity(self) -> str:
        """Address and model."""
        return f"{self._url}#{self._model}"

    @property
    def spent(self) -> float:
        """US dollars paid since the engine was opened; 0 without a price."""
        return self._sender.spent

    @property
    def price_words(self) -> str:
        """The price with where it comes from, in a sentence; empty where it is free or unknown."""
        source = describe_source(self._url, self._model, self._prices)
        if self.price is None or not source:
            return ""
        return f"Prices are {source}: {self.price.words}."

    @property
    def url(self) -> str:
        """The address."""
        return self._url

    @property
    def files(self) -> ModelFiles:
        """The model as it is served."""
        return ModelFiles(base=self.identity)

    def tune(self, store: Store, key: str, order: TuningOrder) -> TunedModel:
        """Have a model trained at the server, and wait for it; see ``tuning.tune``.

        Raises:
            ArmFailure: If the server does not train, or the job failed.
        """
        try:
            return tune(self._connection, store, key, order, Event())
        except Trouble as trouble:
            raise ArmFailure(trouble.cause, remedy=trouble.remedy) from None

    def name_model(self, model: ModelFiles) -> str:
        """What the server calls a model: the engine's own, or one that was trained there."""
        url, _, name = model.base.partition("#")
        return name if url == self._url and name else self._model

    @property
    def traffic(self) -> Traffic:
        """What had to be tried again, told of while it happens."""
        return self._connection.traffic

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
        names, served = _list_names(keys, prompts), self.name_model(model)
        bodies = [
            build_body(served, messages, decoding, name, model.template)
            for messages, name in zip(prompts, names, strict=True)
        ]
        form, dialect = decoding.constraint, RESPONSE_FORMAT
        if form is not None and bodies:
            dialect = self._dialects.choose(form, bodies[0], self._sender.try_out)
            bodies = [{**body, **(dialect.write(form) or {})} for body in bodies]
        done: Callable[[int], object] = on_done or int
        request_keys = [hash_content([self._url, body]) for body in bodies]
        if self.batch and dialect is not FORMAT:
            requests = dict(zip(request_keys, bodies, strict=True))
            self.reused -= self._sender.ask_in_batch(requests, dialect, form)  # kept, yet fresh
        replies, failure = ask_all(
            request_keys,
            names,
            self._recall,
            lambda at, workers, stop: self._sender.ask_one(
                bodies[at], workers, stop, dialect, form
            ),
            concurrency=self._concurrency,
            done=done,
        )
        read = [read_generation(reply, bodies[at], decoding) for at, reply in replies.items()]
        self.estimated += sum(not counted for _, counted in read)
        generations = [generation for generation, _ in read]
        breaches = (find_breach(reply, form, self.identity) for reply in replies.values())
        breach = next((breach for breach in breaches if breach), None)
        if breach and form:
            self._dialects.keep(form, None)  # another time, another one may do
        failure = failure or breach
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
        served = f"{self._url}#{self.name_model(model)}"
        keys = [
            hash_content([served, [m.key for m in messages], answer]) for messages, answer in pairs
        ]

        def ask(at: int, workers: int, stop: Event) -> tuple[float, ...]:
            del workers
            measured = echo.measure_logprobs(
                self._connection, self.name_model(model), *pairs[at], stop
            )
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
        return sum(
            self.price.compute_cost(
                g.prompt_tokens, g.completion_tokens, cached=g.cached_tokens, seconds=g.seconds
            )
            for g in generations
        )

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

    def _recall(self, key: str) -> ServerReply | None:
        """The kept answer to a request."""
        record = self._read_kept(KIND, key)
        try:
            reply = None if record is None else ServerReply(**record)
        except TypeError as error:  # another version's
            raise StorageError(
                f"the kept answer {key} cannot be read: {error}",
                place=str(self._store.root / KIND) if self._store else "",
                remedy="delete its file; the request is then asked again",
            ) from error
        self.reused += reply is not None
        return reply

    def _recall_echo(self, key: str) -> tuple[float, ...] | None:
        record = self._read_kept(ECHOES, key)
        return None if record is None else tuple(record)

    def _read_kept(self, kind: str, key: str) -> Any | None:
        return None if self._store is None else self._store.read(kind, key)

    def _own_weights(self, model: ModelFiles) -> None:
        if model.adapter is not None:
            raise ArmFailure(
                f"{self.identity} runs its own weights, not an adapter",
                remedy="use a local model for arms that train",
            )


def _list_names(keys: Sequence[str], prompts: Prompts) -> list[str]:
    return list(keys) or [str(at) for at in range(len(prompts))]
