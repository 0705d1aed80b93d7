"""The page on which a person judges, a row at a time: starlette's routes, on this machine alone.

``PageServer`` is the page; what is shown and what becomes of a verdict is a subclass's: two arms'
answers (``LabelServer``), or rows that were written from documents (``app.label.review``).

Whoever has the address has the token in it. Requests of other pages in the same browser lack it,
and carry a foreign ``Host`` or ``Origin`` (``app.serve.gate``).
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from whatworks.analysis.human_verdicts import Said, tally
from whatworks.app.label.questions import Questions
from whatworks.app.serve.gate import Access, Gate
from whatworks.base.errors import WhatworksError
from whatworks.data.task import format_transcript
from whatworks.studies.label_book import LabelBook, Question

HOST = "127.0.0.1"
LONGEST = 20_000
"""Characters of a target."""
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src "
    "'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


class Judgement(BaseModel):
    """What the page sends."""

    model_config = ConfigDict(extra="forbid")

    row: str
    verdict: str = Field(max_length=20)
    target: str = Field(default="", max_length=LONGEST)


@dataclass
class PageServer(ABC):
    """Shows one person a row at a time and keeps what they say.

    Attributes:
        token: What every request must carry.
    """

    verdicts: ClassVar[tuple[str, ...]]
    """What may be said."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), kw_only=True)

    @abstractmethod
    def has_row(self, row: str) -> bool:
        """Whether a row of this id is asked about."""

    @abstractmethod
    def keep(self, judgement: Judgement) -> None:
        """Keep what was said of a row that is asked about.

        Raises:
            WhatworksError: If it cannot be kept.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the page shows next, and how far it is."""

    def app(self) -> Gate:
        """The application, which answers on this machine's own address alone."""
        routes = [
            Route("/", self._page),
            Route("/next", self._next),
            Route("/verdict", self._verdict, methods=["POST"]),
        ]
        return Gate(Starlette(routes=routes), Access(HOST))

    async def _page(self, request: Request) -> Response:
        if not self._may(request.query_params.get("token", "")):
            return _refuse(
                403, "the address lacks its token: take the whole line from the terminal"
            )
        page = files("whatworks.app.label").joinpath("page.html").read_text("utf-8")
        return HTMLResponse(page, headers=_HEADERS)

    async def _next(self, request: Request) -> Response:
        if not self._may(_read_token(request)):
            return _refuse(403, "no token, or a wrong one")
        return JSONResponse(await asyncio.to_thread(self.describe), headers=_HEADERS)

    async def _verdict(self, request: Request) -> Response:
        if not self._may(_read_token(request)):
            return _refuse(403, "no token, or a wrong one")
        try:
            judgement = Judgement.model_validate_json(await request.body())
        except ValidationError as error:
            return _refuse(422, f"not a verdict: {error.error_count()} fields are wrong")
        if judgement.verdict not in self.verdicts:
            return _refuse(422, f"not a verdict: one of {', '.join(self.verdicts)}")
        if not self.has_row(judgement.row):
            return _refuse(404, "no such row")
        try:
            await asyncio.to_thread(self.keep, judgement)
        except WhatworksError as error:
            return _refuse(500, str(error))
        return JSONResponse(await asyncio.to_thread(self.describe), headers=_HEADERS)

    def _may(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())


@dataclass
class LabelServer(PageServer):
    """Asks which of two arms' answers is better, and never says which arm said what.

    Attributes:
        questions: What there is to ask.
        book: Where verdicts are kept.
        person: Who judges.
    """

    verdicts: ClassVar[tuple[str, ...]] = get_args(Said)

    questions: Questions
    book: LabelBook
    person: str

    def find_next(self) -> Question | None:
        """The first row that the person has not judged."""
        judged = {one.row for one in self.book.verdicts() if one.person == self.person}
        return next((q for q in self.questions.asked if q.example.id not in judged), None)

    def has_row(self, row: str) -> bool:
        """Whether the two differ on a row."""
        return any(q.example.id == row for q in self.questions.asked)

    def keep(self, judgement: Judgement) -> None:
        """Keep a verdict in the book."""
        question = next(q for q in self.questions.asked if q.example.id == judgement.row)
        said = TypeAdapter[Said](Said).validate_python(judgement.verdict)
        self.book.add(question, self.person, said, judgement.target.strip())

    def describe(self) -> dict[str, Any]:
        """What the page shows next: texts without the arms' names, and how far it is."""
        verdicts = self.book.verdicts()
        counts = tally(verdicts)
        mine = {one.row for one in verdicts if one.person == self.person}
        done = sum(q.example.id in mine for q in self.questions.asked)
        shown: dict[str, Any] = {
            "done": done,
            "total": len(self.questions.asked),
            "settled": counts.is_settled,
            "row": None,
        }
        question = self.find_next()
        if question is None:
            return shown
        answers = question.answers[::-1] if question.is_turned(self.person) else question.answers
        example = question.example
        text = format_transcript(example.messages) if example.messages else example.text
        return {**shown, "row": example.id, "input": text, "answers": list(answers)}


def _read_token(request: Request) -> str:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _refuse(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status, headers=_HEADERS)
