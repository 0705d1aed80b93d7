"""Text completions and tokens: plain text in, no chat template and no arm's prompt around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from whatworks.app.serve.batcher import Work, make_length_refusal
from whatworks.app.serve.chat_input import read_messages
from whatworks.app.serve.desk import Desk, make_keys
from whatworks.app.serve.guard import read_request
from whatworks.app.serve.protocol import RequestRefusal, TextRequest, TokenizeRequest
from whatworks.app.serve.replies import ReplyWriter, count_usage, format_text_logprobs
from whatworks.app.serve.served import Served
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles, Token
from whatworks.models.local.engine import LocalEngine


class TextDesk:
    """Answers ``/v1/completions`` and ``/tokenize``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, request: Request) -> Response:
        """``POST /v1/completions``."""
        body = await read_request(request, TextRequest)
        served = self._desk.models.find(body.model)
        engine, files = self._desk.need_tokens(served, "text completions"), served.files

        def encode() -> list[tuple[int, ...]]:
            return [
                tuple(engine.encode(files, one) if isinstance(one, str) else one)
                for one in body.prompts
            ]

        prompts = await self._desk.call(encode)
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
        decoding = body.over(served.candidate.decoding, limit).replace(samples=1)
        self._desk.check_rules(decoding, served)
        reply = ReplyWriter("text_completion", served.name)
        if body.stream:
            if body.echo or body.logprobs is not None:
                raise RequestRefusal("a stream has no echo and no logprobs here", param="stream")
            keys = make_keys(body.seed, body.n)
            works = [Work(served, decoding, key, ids=ids) for ids in prompts for key in keys]
            return self._desk.stream(works, reply, usage=body.with_usage, logprobs=False)
        return await self._answer_whole(request, body, served, prompts, decoding)

    async def _answer_whole(
        self,
        request: Request,
        asked: TextRequest,
        served: Served,
        prompts: list[tuple[int, ...]],
        decoding: Decoding,
    ) -> Response:
        engine, files = self._desk.need_tokens(served, "text completions"), served.files
        reply = ReplyWriter("text_completion", served.name)
        context = engine.context_length(files)
        keys = make_keys(asked.seed, asked.n)
        works: list[Work] = []
        token_lists: list[list[Token]] = []
        echoed: list[_Echo] = []
        for ids in prompts:
            echo = _Echo()
            if asked.echo:
                tops = bool(asked.logprobs)
                echo = await self._desk.call(partial(_echo_prompt, engine, files, list(ids), tops))
            for key in keys:
                tokens: list[Token] = []
                works.append(Work(served, decoding, key, ids=ids, on_token=tokens.append))
                token_lists.append(tokens)
                echoed.append(echo)

        def room(work: Work) -> bool:
            return decoding.max_tokens > 0 and (context is None or len(work.ids) < context)

        asked_for = [work for work in works if room(work)]
        generations = iter(await self._desk.answer(request, asked_for))
        answers = [
            next(generations) if room(work) else Generation("", len(work.ids), 0, 0.0, "length")
            for work in works
        ]
        choices: list[dict[str, Any]] = []
        for at, (answer, tokens, echo) in enumerate(zip(answers, token_lists, echoed, strict=True)):
            logprobs = None
            if asked.logprobs is not None:
                own = [token for token in tokens if token.text]
                logprobs = format_text_logprobs(
                    [*echo.texts, *(t.text for t in own)],
                    [*echo.values, *(t.logprob for t in own)],
                    own if decoding.rules else (),
                    echo.tops,
                )
            lead = tokens[0].lead if tokens else ""
            choices.append(reply.choice(at, answer, logprobs, "".join(echo.texts) + lead))
        return JSONResponse(reply.whole(choices, count_usage(answers)))

    async def tokenize(self, request: Request) -> Response:
        """``POST /tokenize``."""
        body = await read_request(request, TokenizeRequest)
        models = self._desk.models
        served = models.first if body.model is None else models.find(body.model)
        engine = self._desk.need_tokens(served, "tokens")

        def tokens() -> list[int]:
            if body.messages is None:
                return engine.encode(served.files, body.prompt or "")
            messages = read_messages(body.messages, served)
            answer = None
            if not body.add_generation_prompt and messages[-1].role == "assistant":
                messages, answer = messages[:-1], messages[-1].content
            prompt = served.render(served.example(messages, "request"))
            return engine.encode(served.files, prompt, answer)

        ids = await self._desk.call(tokens)
        most = engine.context_length(served.files)
        return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": most})


@dataclass(frozen=True)
class _Echo:
    """A prompt as it is echoed, token by token; the first token has nothing to be likely after.

    Attributes:
        texts: The tokens.
        values: Their log-probabilities.
        tops: The likeliest token in the place of each, where asked for.
    """

    texts: Sequence[str] = ()
    values: Sequence[float | None] = ()
    tops: Sequence[tuple[str, float] | None] = ()


def _echo_prompt(engine: LocalEngine, files: ModelFiles, ids: list[int], tops: bool) -> _Echo:
    pairs = [(ids[:1], ids[1:])] if ids[1:] else []
    values = [value for one in engine.echo(files, pairs) for value in one]
    likeliest = [top for one in engine.find_likeliest(files, pairs) for top in one] if tops else []
    texts = engine.pieces(files, [token for token, _ in likeliest])
    beside = [(text, chance) for text, (_, chance) in zip(texts, likeliest, strict=True)]
    return _Echo(engine.pieces(files, ids), [None, *values], [None, *beside])
