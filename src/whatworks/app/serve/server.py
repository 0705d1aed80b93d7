"""The server: starlette's routes over the batcher."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from whatworks.app.serve.batcher import Batcher, Work, make_length_refusal
from whatworks.app.serve.gate import Access, Gate
from whatworks.app.serve.protocol import (
    ChatRequest,
    ChatTurn,
    ReplyWriter,
    RequestRefusal,
    TextRequest,
    TokenizeRequest,
    count_usage,
    format_chat_logprobs,
    format_text_logprobs,
)
from whatworks.app.serve.served import Served
from whatworks.base.errors import ArmFailure, WhatworksError
from whatworks.base.validation import find_problem
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles, Token
from whatworks.models.local.engine import LocalEngine
from whatworks.version import __version__

R = TypeVar("R", bound=BaseModel)


class ModelServer:
    """Answers the protocol's requests for one served thing."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._batcher = Batcher(served)
        self._began = int(time.time())

    def app(self) -> Starlette:
        """The application."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            yield
            await asyncio.to_thread(self._batcher.close)

        posts = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._text,
            "/tokenize": self._tokenize,
        }
        routes = [
            Route("/health", self._health),
            Route("/v1/models", self._models),
            Route("/v1/models/{name:path}", self._model),
            *(Route(path, _guard(handler), methods=["POST"]) for path, handler in posts.items()),
        ]
        handlers: Any = {404: _answer_not_found, 405: _answer_not_found}
        return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "model": self._served.name, "version": __version__})

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._card]})

    async def _model(self, request: Request) -> Response:
        if request.path_params["name"] != self._served.name:
            refusal = self._unknown(request.path_params["name"])
            return JSONResponse(refusal.body, status_code=refusal.status)
        return JSONResponse(self._card)

    @property
    def _card(self) -> dict[str, Any]:
        head = {"id": self._served.name, "object": "model", "owned_by": "whatworks"}
        return {**head, "created": self._began}

    async def _chat(self, request: Request) -> Response:
        body = await _read(request, ChatRequest)
        self._check_model(body.model)
        limit = body.max_completion_tokens or body.max_tokens
        decoding = body.over(self._served.candidate.decoding, limit)
        messages = self._messages(body.messages)
        works = [Work(decoding, key, messages=messages) for key in _make_keys(body.seed, body.n)]
        reply = ReplyWriter("chat.completion", self._served.name)
        token_lists: list[list[Token]] = [[] for _ in works]
        if body.logprobs:
            self._needs_tokens("logprobs")
            if decoding.samples > 1:
                raise RequestRefusal(
                    "an arm that draws several answers has no logprobs", param="logprobs"
                )
            for work, tokens in zip(works, token_lists, strict=True):
                work.on_token = tokens.append
        if body.stream:
            return self._stream(works, reply, usage=body.with_usage, logprobs=bool(body.logprobs))
        answers = await self._answers(works)
        choices = [
            reply.choice(
                at, answer, format_chat_logprobs(token_lists[at]) if body.logprobs else None
            )
            for at, answer in enumerate(answers)
        ]
        return JSONResponse(reply.whole(choices, count_usage(answers)))

    async def _text(self, request: Request) -> Response:
        body = await _read(request, TextRequest)
        self._check_model(body.model)
        engine, files = self._needs_tokens("text completions"), self._served.files

        def encoded() -> list[tuple[int, ...]]:
            return [
                tuple(engine.encode(files, one) if isinstance(one, str) else one)
                for one in body.prompts
            ]

        prompts = await asyncio.wrap_future(self._batcher.call(encoded))
        context, vocabulary = engine.context_length(files), engine.vocabulary(files)
        for ids in prompts:
            if not ids:
                raise RequestRefusal("an empty prompt", param="prompt")
            if not all(0 <= token < vocabulary for token in ids):
                raise RequestRefusal(f"token ids are 0 to {vocabulary - 1}", param="prompt")
            # An echo alone needs no room for an answer.
            if context is not None and len(ids) + (not body.echo) > context:
                raise make_length_refusal(context, len(ids))
        limit = 16 if body.max_tokens is None else body.max_tokens
        decoding = body.over(self._served.candidate.decoding, limit).replace(samples=1)
        reply = ReplyWriter("text_completion", self._served.name)
        if body.stream:
            if body.echo or body.logprobs is not None:
                raise RequestRefusal("a stream has no echo and no logprobs here", param="stream")
            keys = _make_keys(body.seed, body.n)
            works = [Work(decoding, key, ids=ids) for ids in prompts for key in keys]
            return self._stream(works, reply, usage=body.with_usage, logprobs=False)
        return await self._whole_texts(body, prompts, decoding, reply, context)

    async def _whole_texts(
        self,
        asked: TextRequest,
        prompts: list[tuple[int, ...]],
        decoding: Decoding,
        reply: ReplyWriter,
        context: int | None,
    ) -> Response:
        engine, files = self._needs_tokens("text completions"), self._served.files
        keys = _make_keys(asked.seed, asked.n)
        works: list[Work] = []
        token_lists: list[list[Token]] = []
        echoed: list[tuple[list[str], list[float | None]]] = []
        for ids in prompts:
            texts: list[str] = []
            values: list[float | None] = []
            if asked.echo:
                texts, values = await asyncio.wrap_future(
                    self._batcher.call(partial(_echo_prompt, engine, files, list(ids)))
                )
            for key in keys:
                tokens: list[Token] = []
                works.append(Work(decoding, key, ids=ids, on_token=tokens.append))
                token_lists.append(tokens)
                echoed.append((texts, values))

        def room(work: Work) -> bool:
            return decoding.max_tokens > 0 and (context is None or len(work.ids) < context)

        asked_for = [work for work in works if room(work)]
        generations = iter(await self._answers(asked_for))
        answers = [
            next(generations) if room(work) else Generation("", len(work.ids), 0, 0.0, "length")
            for work in works
        ]
        choices: list[dict[str, Any]] = []
        for at, (answer, tokens, (texts, values)) in enumerate(
            zip(answers, token_lists, echoed, strict=True)
        ):
            logprobs = None
            if asked.logprobs is not None:
                own = [token for token in tokens if token.text]
                logprobs = format_text_logprobs(
                    [*texts, *(t.text for t in own)], [*values, *(t.logprob for t in own)]
                )
            choices.append(reply.choice(at, answer, logprobs, "".join(texts)))
        return JSONResponse(reply.whole(choices, count_usage(answers)))

    async def _tokenize(self, request: Request) -> Response:
        body = await _read(request, TokenizeRequest)
        if body.model is not None:
            self._check_model(body.model)
        engine, served = self._needs_tokens("tokens"), self._served

        def tokens() -> list[int]:
            if body.messages is None:
                return engine.encode(served.files, body.prompt or "")
            messages = self._messages(body.messages)
            answer = None
            if not body.add_generation_prompt and messages[-1].role == "assistant":
                messages, answer = messages[:-1], messages[-1].content
            prompt = served.rendered(served.example(messages, "request"))
            return engine.encode(served.files, prompt, answer)

        ids = await asyncio.wrap_future(self._batcher.call(tokens))
        most = engine.context_length(served.files)
        return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": most})

    def _stream(
        self, works: list[Work], reply: ReplyWriter, *, usage: bool, logprobs: bool
    ) -> StreamingResponse:
        """Server-sent events, a piece as soon as there is one."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[tuple[int, Token | Generation | BaseException]] = asyncio.Queue()

        def tell(at: int, event: Token | Generation | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone with its client
                loop.call_soon_threadsafe(events.put_nowait, (at, event))

        for at, work in enumerate(works):
            work.on_token = lambda token, at=at: tell(at, token)
            work.answer.add_done_callback(
                lambda done, at=at: tell(at, done.exception() or done.result())
            )
        self._batcher.submit(works)

        async def written() -> AsyncGenerator[str]:
            sent = [""] * len(works)
            answers: list[Generation] = []
            for at in range(len(works)):
                yield _format_event(reply.piece(at, "", first=True))
            while len(answers) < len(works):
                at, event = await events.get()
                if isinstance(event, BaseException):
                    yield _format_event(_make_refusal(event).body)
                    return
                ended = isinstance(event, Generation)
                text = event.text if ended else event.so_far
                new = text[len(sent[at]) :] if text.startswith(sent[at]) else ""
                sent[at] += new
                values = None
                if logprobs and isinstance(event, Token):
                    values = format_chat_logprobs([event])
                if new or ended or (values and values["content"]):
                    finish = event.finish if ended else None
                    yield _format_event(reply.piece(at, new, finish, values))
                if ended:
                    answers.append(event)
            if usage:
                yield _format_event(reply.counts(count_usage(answers)))
            yield "data: [DONE]\n\n"

        return StreamingResponse(written(), media_type="text/event-stream")

    async def _answers(self, works: list[Work]) -> list[Generation]:
        futures = map(asyncio.wrap_future, self._batcher.submit(works))
        return list(await asyncio.gather(*futures))

    def _messages(self, turns: Sequence[ChatTurn]) -> tuple[Message, ...]:
        """The messages of a request.

        Raises:
            Refusal: If nothing in them is asked of an arm, which puts its own prompt around that.
        """
        messages = tuple(turn.message for turn in turns)
        if not self._served.plain and all(message.role == "system" for message in messages):
            raise RequestRefusal("messages: nothing but system messages", param="messages")
        return messages

    def _needs_tokens(self, what: str) -> LocalEngine:
        engine = self._served.local
        if engine is None:
            raise RequestRefusal(f"{what} are not to be had from this model", status=501)
        return engine

    def _check_model(self, name: str) -> None:
        if name != self._served.name:
            raise self._unknown(name)

    def _unknown(self, name: str) -> RequestRefusal:
        return RequestRefusal(
            f"The model {name!r} does not exist; this server has {self._served.name!r}",
            status=404,
            code="model_not_found",
            param="model",
        )


def _make_keys(seed: int | None, n: int) -> list[str]:
    """Names of random streams: those of a seed, or new ones."""
    named = secrets.token_hex(8) if seed is None else str(seed)
    return [f"{named}:{at}" for at in range(n)]


def _echo_prompt(
    engine: LocalEngine, files: ModelFiles, ids: list[int]
) -> tuple[list[str], list[float | None]]:
    """The text and the log-probability of each token of a prompt; the first has none."""
    values = engine.echo(files, [(ids[:1], ids[1:])])[0] if ids[1:] else ()
    return engine.pieces(files, ids), [None, *values]


def _guard(
    handler: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """The handler, whose refusals are answers in the protocol's shape."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            refusal = _make_refusal(error)
            return JSONResponse(refusal.body, refusal.status, refusal.headers)

    return guarded


def _make_refusal(error: BaseException) -> RequestRefusal:
    if isinstance(error, RequestRefusal):
        return error
    if isinstance(error, WhatworksError):
        user = not isinstance(error, ArmFailure)
        kind = "invalid_request_error" if user else "server_error"
        return RequestRefusal(str(error), status=400 if user else 500, kind=kind)
    return RequestRefusal(f"{type(error).__name__}: {error}", status=500, kind="server_error")


async def _answer_not_found(request: Request, _: Exception) -> Response:
    refusal = RequestRefusal(f"nothing at {request.method} {request.url.path}", status=404)
    return JSONResponse(refusal.body, status_code=404)


async def _read(request: Request, kind: type[R]) -> R:
    """The request's body, checked.

    Raises:
        Refusal: Naming the field at fault.
    """
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        problem = find_problem(error)
        cause = "not supported here" if problem.kind == "unknown" else problem.reason
        where = problem.where
        raise RequestRefusal(f"{where or 'body'}: {cause}", param=where or None) from error


def _format_event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


def run(served: Served, access: Access, port: int) -> None:
    """Serve until interrupted; requests under way are finished first."""
    import uvicorn

    config = uvicorn.Config(
        Gate(ModelServer(served).app(), access), host=access.host, port=port, log_level="warning",
        timeout_graceful_shutdown=30,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()
