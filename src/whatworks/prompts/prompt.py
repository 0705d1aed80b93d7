"""The prompt and the one renderer.

``render`` makes the messages for training, evaluation, export and serving. Demonstrations and
passages may be fixed or chosen for each request; the choice is part of the frozen prompt, so a
candidate means the same thing everywhere. ``exclude`` is mandatory: whoever renders says which
rows must not leak into the prompt (the row itself in training and evaluation, none when serving).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from pydantic import Field

from whatworks.base.file_ref import Named, NamedStore
from whatworks.base.frozen import Frozen
from whatworks.data.task import Document, Example
from whatworks.prompts.retrieval import Pool
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.query_writing import QueryWriting
from whatworks.prompts.retrieval.recall import get_document_id

UNKNOWN = "Not in the documents."
"""What is said when the passages do not hold the answer; metrics see an abstention in it."""

RERANKED = 4
"""A cross-encoder orders this many times the passages that are shown."""

BALANCED = 4
"""Balance chooses among this many times the demonstrations that are shown."""

MMR = 0.3
"""Weight of diversity where passages are spread out."""

CITE = "After the answer, name the passage that it stands in, like [1]."
MAY_NOT_KNOW = f"If the passages do not hold the answer, say: {UNKNOWN}"


class Demos(Frozen):
    """Demonstrations, shown as earlier turns.

    Attributes:
        pool: The examples to show or to choose from.
        k: How many are shown.
        select: ``fixed`` shows the first ``k`` of the pool to every request; ``nearest`` chooses
            the ``k`` whose inputs are closest to the request, most similar last.
        embedder: Name of the embedder behind ``nearest``.
        diversity: 0 takes the nearest; towards 1, maximal marginal relevance spreads them out
            (Carbonell and Goldstein 1998, with lambda = 1 - diversity).
        balance: Under ``nearest``: the nearest of each target stands before the second nearest of
            any, among four times as many as are shown.
        fixed: Under ``nearest``: how many of the pool's first examples stand before the chosen
            ones for every request, so that their computation is shared.
    """

    pool: tuple[Example, ...]
    k: int
    select: Literal["fixed", "nearest"] = "fixed"
    embedder: Named = ""
    diversity: float = 0.0
    balance: bool = False
    fixed: int = 0

    @cached_property
    def texts(self) -> Pool:
        """What ``nearest`` searches: the pool's inputs."""

        return Pool(example.text for example in self.pool)


class Context(Frozen):
    """Passages from documents, chosen for each request.

    Attributes:
        chunks: The passages to choose from; ids are ``document#n``.
        k: How many are shown, best first.
        search: ``vector``, ``lexical`` (BM25) or ``hybrid`` (reciprocal rank fusion of both,
            Cormack et al. 2009).
        embedder: Name of the embedder behind ``vector`` and ``hybrid``.
        store: A vector database instead of exact search in memory (``retrieval.stores``).
        rerank: ``mmr``, or the folder of a cross-encoder, which orders more passages than are
            shown; empty for neither.
        query: How a model writes what is searched for; None searches for the request.
        passages: ``retrieved``; to measure with, the ``gold`` ones of the row's evidence, or
            ``wrong`` ones, retrieved but for these.
        drop_gold: Share of the training rows that are rendered with ``wrong`` passages (RAFT, Zhang
            et al. 2024); nothing else is.
        cite: Ask for the number of the passage behind the answer.
        allow_unknown: Ask to say so when the passages do not hold the answer.
        backwards: Show the best last; to measure with.
    """

    chunks: tuple[Document, ...]
    k: int
    search: Literal["hybrid", "vector", "lexical"] = "hybrid"
    embedder: Named = ""
    store: NamedStore = ""
    rerank: Named = ""
    query: QueryWriting | None = Field(default=None, exclude_if=lambda value: value is None)
    passages: Literal["retrieved", "gold", "wrong"] = "retrieved"
    drop_gold: float = 0.0
    cite: bool = False
    allow_unknown: bool = False
    backwards: bool = Field(default=False, exclude_if=lambda value: not value)

    @property
    def asks(self) -> list[str]:
        """What the prompt says about the passages."""
        return [CITE] * self.cite + [MAY_NOT_KNOW] * self.allow_unknown

    @cached_property
    def by_name(self) -> Mapping[str, tuple[int, ...]]:
        """Positions of the passages of each document, and of each passage by its own id."""

        positions_of: dict[str, list[int]] = {}
        for position, chunk in enumerate(self.chunks):
            for name in {get_document_id(chunk.id), chunk.id}:
                positions_of.setdefault(name, []).append(position)
        return {name: tuple(positions) for name, positions in positions_of.items()}

    @cached_property
    def texts(self) -> Pool:
        """What is searched: the passages."""

        return Pool(chunk.passage for chunk in self.chunks)


class Prompt(Frozen):
    """What stands around an input: instructions, demonstrations, passages.

    ``query_map`` moves the vectors of requests before passages are searched by them.
    """

    instructions: str = ""
    demos: Demos | None = None
    context: Context | None = None
    query_map: QueryMap | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def oracle(self) -> bool:
        """Whether it shows what only a measurement knows; such a prompt cannot be served."""
        return self.context is not None and self.context.passages != "retrieved"
