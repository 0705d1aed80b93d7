"""The server: starlette's routes over the batcher."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from whatworks.app.serve.batcher import Work, make_length_refusal
from whatworks.app.serve.chat_input import (
    encode_turns,
    needs_template,
    read_messages,
)
from whatworks.app.serve.desk import Desk, make_keys
from whatworks.app.serve.embeddings import EmbeddingRequest, embed
from whatworks.app.serve.guard import (
    answer_not_found,
    format_event,
    guard,
    read_request,
)
from whatworks.app.serve.json_replies import put_unique_keys
from whatworks.app.serve.metrics import CONTENT_TYPE, ServerMetrics
from whatworks.app.serve.models import Models
from whatworks.app.serve.protocol import (
    ChatRequest,
    RequestRefusal,
)
from whatworks.app.serve.replies import (
    ReplyWriter,
    count_usage,
    format_chat_logprobs,
)
from whatworks.app.serve.responses import ResponsesRequest, ResponseWriter, stream_events
from whatworks.app.serve.served import Served
from whatworks.app.serve.text_completions import TextDesk
from whatworks.app.serve.tool_replies import list_pieces, put_calls
from whatworks.app.serve.tuning.routes import TuningDesk
from whatworks.app.serve.tuning.shop import TuningShop
from whatworks.data.tools import show_tools
from whatworks.models.engine import Token
from whatworks.version import __version__

PATHS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/tokenize"),
    *("/v1/models", "/health", "/metrics"),
)
"""Addresses that are counted by name."""


class ModelServer:
    """Answers the protocol's requests for one model or arm, or for several.

    Args:
        served: The models; the first one is that of requests that name none.
        tuning: Folder of files and jobs, where clients may have models trained; else None.

    Raises:
        InputError: If two models have the same name, or another process holds the folder.
    """

    def __init__(self, *served: Served, tuning: Path | None = None) -> None:
        self._models = Models(served)
        self._shop = None if tuning is None else TuningShop(tuning, self._models)
        self._began = int(time.time())
        self._metrics = ServerMetrics(PATHS)
        self._desk = Desk(self._models, self._metrics)
        self._texts = TextDesk(self._desk)

    def app(self) -> Starlette:
        """The application."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncGenerator[None]:
            yield
            if self._shop is not None:
                await asyncio.to_thread(self._shop.close)
            await asyncio.to_thread(self._desk.close)

        posts = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._texts.answer,
            "/tokenize": self._texts.tokenize,
            "/v1/responses": self._responses,
            "/v1/embeddings": self._embeddings,
        }
        routes = [
            Route("/health", self._health),
            Route("/metrics", self._count),
            Route("/v1/models", self._list),
            Route("/v1/models/{name:path}", self._model),
            *(Route(path, guard(handler), methods=["POST"]) for path, handler in posts.items()),
            *(TuningDesk(self._shop).routes() if self._shop is not None else ()),
        ]
        handlers: Any = {404: answer_not_found, 405: answer_not_found}
        counted = Middleware(self._metrics.wrap)
        return Starlette(
            routes=routes, lifespan=lifespan, exception_handlers=handlers, middleware=[counted]
        )

    async def _health(self, _: Request) -> Response:
        return JSONResponse(
            {"status": "ok", "model": self._models.first.name, "version": __version__}
        )

    async def _list(self, _: Request) -> Response:
        cards = [self._describe(one) for one in self._models.all]
        return JSONResponse({"object": "list", "data": cards})

    async def _model(self, request: Request) -> Response:
        try:
            served = self._models.find(request.path_params["name"])
        except RequestRefusal as refusal:
            return JSONResponse(refusal.body, status_code=refusal.status)
        return JSONResponse(self._describe(served))

    def _describe(self, served: Served) -> dict[str, Any]:
        head = {"id": served.name, "object": "model", "owned_by": "whatworks"}
        return {**head, "created": self._began}

    async def _count(self, _: Request) -> Response:
        return Response(self._metrics.write(), headers={"content-type": CONTENT_TYPE})

    async def _embeddings(self, request: Request) -> Response:
        body = await read_request(request, EmbeddingRequest)
        served = self._models.get(body.model) or self._models.first
        return JSONResponse(await self._desk.call(partial(embed, body, served)))

    async def _responses(self, request: Request) -> Response:
        body = await read_request(request, ResponsesRequest)
        answered = await self._answer_chat(request, body.chat())
        if isinstance(answered, StreamingResponse):
            events = stream_events(body, aiter(answered.body_iterator))
            return StreamingResponse(events, media_type="text/event-stream")
        return JSONResponse(ResponseWriter(body).whole(json.loads(bytes(answered.body))))

    async def _chat(self, request: Request) -> Response:
        return await self._answer_chat(request, await read_request(request, ChatRequest))

    async def _answer_chat(self, request: Request, body: ChatRequest) -> Response:
        served = self._models.find(body.model)
        limit = body.max_completion_tokens or body.max_tokens
        decoding = body.over(served.candidate.decoding, limit)
        self._desk.check_rules(decoding, served)
        asked = await self._read_input(body, served)
        works = [Work(served, decoding, key, **asked) for key in make_keys(body.seed, body.n)]
        reply = ReplyWriter("chat.completion", served.name)
        token_lists: list[list[Token]] = [[] for _ in works]
        if body.logprobs:
            self._desk.need_tokens(served, "logprobs")
            if decoding.samples > 1:
                raise RequestRefusal(
                    "an arm that draws several answers has no logprobs", param="logprobs"
                )
            for work, tokens in zip(works, token_lists, strict=True):
                work.on_token = tokens.append
        # Tokens with log-probabilities and calls: only the whole answer says which is which.
        if body.stream and not (body.tools and body.logprobs):
            return self._desk.stream(
                works,
                reply,
                usage=body.with_usage,
                logprobs=bool(body.logprobs),
                tools=body.tool_names,
            )
        answers = await self._desk.answer(request, works)
        choices = [
            reply.choice(
                at, answer, format_chat_logprobs(token_lists[at]) if body.logprobs else None
            )
            for at, answer in enumerate(answers)
        ]
        if body.wants_any_object:
            choices = [put_unique_keys(choice) for choice in choices]
        if body.tools:
            choices = [put_calls(choice, body.tool_names) for choice in choices]
        if not body.stream:
            return JSONResponse(reply.whole(choices, count_usage(answers)))
        pieces = [*list_pieces(reply, choices)]
        pieces += [reply.counts(count_usage(answers))] if body.with_usage else []
        events = [*map(format_event, pieces), "data: [DONE]\n\n"]
        return StreamingResponse(iter(events), media_type="text/event-stream")

    async def _read_input(self, body: ChatRequest, served: Served) -> dict[str, Any]:
        """Messages, or tokens where the model's template is given more than these."""
        if needs_template(body, served):
            encode = partial(encode_turns, body, served)
            ids = await self._desk.call(encode)
            engine = self._desk.need_tokens(served, "tokens")
            context = engine.context_length(served.files)
            if context is not None and len(ids) + 1 > context:
                raise make_length_refusal(context, len(ids))
            return {"ids": ids}
        messages = read_messages(body.messages, served)
        if body.tools:
            shown = [tool.describe() for tool in body.tools]
            messages = show_tools(messages, json.dumps(shown, ensure_ascii=False))
        return {"messages": messages}
