"""rag: passages from the task's documents, retrieved for each request (Lewis et al. 2020)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.file_ref import Named, NamedStore
from whatworks.base.frozen import Frozen
from whatworks.base.paths import resolve_model, resolve_store
from whatworks.base.phrasing import format_percent
from whatworks.data.task import Document
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import mean
from whatworks.methods.method import Method
from whatworks.methods.retrieval_trials import Tried, make_probe, require_rows
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context
from whatworks.prompts.retrieval import chunk, load_embedder, resolve_embedder
from whatworks.prompts.retrieval.embedding import REMEMBERED
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.query_writing import QueryWriting, Way, load_query_writer
from whatworks.prompts.retrieval.reranking import check

SAMPLE = 4
"""Rows of dev for which queries are written to see what that takes."""
PART = 256
"""Passages that are embedded between two movements of the bar."""


class Indexing(Frozen):
    """How passages are cut, kept and ordered.

    Attributes:
        tried: Settings that are tried on dev by recall, before anything is asked.
        overlap: Words shared by neighbouring passages.
        store: ``lancedb:FOLDER``, ``qdrant:URL`` or ``pgvector:URL``; by default exact search in
            memory.
        rerank: ``mmr`` spreads the passages out; the folder or id of a cross-encoder orders four
            times as many as are shown.
        query: A model writes what is searched for: ``rewrite`` or ``hyde``; empty for the request.
        writer: The local model that does; empty is the study's own, untouched.
    """

    tried: Tried = Field(default=Tried(), exclude_if=lambda value: value == Tried())
    overlap: int = Field(default=0, ge=0)
    store: NamedStore = ""
    rerank: Named = ""
    query: Way | Literal[""] = Field(default="", exclude_if=lambda value: not value)
    writer: Named = Field(default="", exclude_if=lambda value: not str(value))

    @field_validator("store")
    @classmethod
    def _without_secrets(cls, name: str) -> str:
        if re.search(r"://[^/@]*:[^/@]+@|password=", name):
            raise ValueError(
                "the address holds a password, and settings are recorded; put it into "
                "QDRANT_API_KEY, PGPASSWORD or ~/.pgpass"
            )
        return name


class Answering(Frozen):
    """What an answer owes to its passages.

    Attributes:
        cite: Ask for ``[n]``, the passage behind the answer, and check it.
        allow_unknown: Allow "Not in the documents."
    """

    cite: bool = False
    allow_unknown: bool = False


class Rag(Method):
    """Put the ``k`` best passages before the input.

    Attributes:
        k: How many passages; fewer when the model's context is too short for them.
        size: Words per passage; documents are cut at paragraphs and sentences.
        search: ``hybrid`` (embeddings and BM25, fused), ``vector`` or ``lexical``.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
        index: How passages are cut, kept and ordered.
        answers: What an answer owes to its passages.
        passages: ``retrieved``, or to measure with: ``gold`` shows the row's evidence, ``wrong``
            shows what retrieval finds beside it.
        drop_gold: Share of the training rows of a later step that are rendered without evidence.
    """

    name: ClassVar[str] = "rag"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.context"})
    reads_documents: ClassVar[bool] = True

    k: int = Field(default=3, ge=1)
    size: int = Field(default=120, ge=5)
    search: Literal["hybrid", "vector", "lexical"] = "hybrid"
    embedder: Named = "auto"
    index: Indexing = Indexing()
    answers: Answering = Answering()
    passages: Literal["retrieved", "gold", "wrong"] = "retrieved"
    drop_gold: float = Field(default=0.0, ge=0.0, le=1.0)

    def locate(self, root: Path) -> Rag:
        """The method with the folders of encoder, cross-encoder and store located."""
        embedders = (resolve_model(str(one), root) for one in self.index.tried.embedder)
        index = self.index.replace(
            tried=self.index.tried.replace(embedder=tuple(embedders)),
            store=resolve_store(self.index.store, root),
            rerank=resolve_model(str(self.index.rerank), root),
            writer=resolve_model(str(self.index.writer), root),
        )
        return self.replace(embedder=resolve_model(str(self.embedder), root), index=index)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with an index over the documents; recall on dev is told.

        Raises:
            ArmFailure: If there are no documents, no text in them, or no evidence where it is
                needed.
        """
        if trials := self.index.tried.list_settings():
            return self._try(trials, start, bench).adapt(start, bench)
        chunks = cut_passages(bench, self.size, self.index.overlap)
        known = [row for row in bench.dev if row.evidence]
        if self.passages != "retrieved" and not known:
            raise ArmFailure(
                f"no row says which documents hold its answer, so no passage is {self.passages}",
                remedy="give rows a column `evidence` with ids of documents, or drop the arm",
            )
        check(str(self.index.rerank))
        embedder = self._choose_embedder(start.prompt.query_map)
        bench.note("embedder", embedder or "none (BM25)")
        _embed(chunks, embedder, self.index.store, bench)
        query = self._find_query_writing(start, bench)

        def build(k: int) -> Candidate:
            return start.with_prompt(
                context=self._make_context(chunks, k, embedder).replace(query=query)
            )

        fitted = bench.largest_fit(build, min(self.k, len(chunks)), "passages")
        probe = make_probe(bench.dev, chunks)
        context = fitted.prompt.context
        if known:
            bench.note("recall", round(probe.measure(fitted.prompt), 4))
            bench.note("recall_rows", len(known))
        if context is not None and self.passages == "retrieved":
            told = probe.measure_depths(context, fitted.prompt)
            if told is not None:
                bench.tell(told)
        bench.note("chunks", len(chunks))
        bench.note("words_per_chunk", round(mean([len(c.text.split()) for c in chunks]), 1))
        return fitted

    def _make_context(self, chunks: tuple[Document, ...], k: int, embedder: Named) -> Context:
        return Context(
            chunks=chunks,
            k=k,
            search=self.search,
            embedder=embedder,
            store=self.index.store,
            rerank=self.index.rerank,
            passages=self.passages,
            drop_gold=self.drop_gold,
            cite=self.answers.cite,
            allow_unknown=self.answers.allow_unknown,
        )

    def _find_query_writing(self, start: Candidate, bench: Bench) -> QueryWriting | None:
        """Who writes queries and how; what that takes, beside what is metered, is noted.

        Raises:
            ArmFailure: If the model is not here, or runs elsewhere.
        """
        if not self.index.query:
            return None
        model = self.index.writer or start.weights.base
        with arm_failures():
            writer, rows = load_query_writer(self.index.query, str(model)), bench.dev[:SAMPLE]
            began = time.monotonic()
            writer.write([row.text for row in rows], [row.text for row in rows])
        taken = (time.monotonic() - began) / max(1, len(rows))
        bench.note("queries", f"{self.index.query} by {model}, about {taken:.2g} s a request, "
                              "not among the tokens of an answer")  # fmt: skip
        return QueryWriting(way=self.index.query, model=model)

    def _try(self, trials: Sequence[Mapping[str, object]], start: Candidate, bench: Bench) -> Rag:
        """The settings whose passages hold most of the evidence, the first among equals."""
        words = self.k * self.size
        tried: list[tuple[float, Rag]] = []
        told: list[str] = []
        for settings in trials:
            own = self.replace(**settings, index=self.index.replace(tried=Tried()))
            own = own.replace(k=max(1, words // own.size))
            chunks = cut_passages(bench, own.size, own.index.overlap)
            embedder = own._choose_embedder(start.prompt.query_map)
            _embed(chunks, embedder, own.index.store, bench)
            probe = make_probe(bench.dev, chunks)
            require_rows(probe)
            context = own._make_context(chunks, min(own.k, len(chunks)), embedder)
            context = context.replace(query=self._find_query_writing(start, bench))
            recall = probe.measure(start.prompt.replace(context=context))
            tried.append((recall, own))
            said = ", ".join(f"{name} {value}" for name, value in settings.items())
            how = " by evidence found from the targets" if probe.found else ""
            told.append(f"{said}, k {own.k}: recall {format_percent(recall)}{how}")
            bench.report("trying", len(tried), len(trials))
        bench.note("tried", told)
        return max(tried, key=lambda one: one[0])[1]

    def _choose_embedder(self, query_map: QueryMap | None) -> Named:
        """The embedder that passages are searched with: that of the learned map, if there is one.

        Raises:
            ArmFailure: If the settings name another, or search by words alone.
        """
        if query_map is None:
            return "" if self.search == "lexical" else resolve_embedder(str(self.embedder))
        own = resolve_embedder(str(self.embedder))
        if self.search == "lexical" or (self.embedder != "auto" and own != str(query_map.embedder)):
            asked = "`search: lexical`" if self.search == "lexical" else f"the embedder {own}"
            raise ArmFailure(
                f"the retriever was tuned on vectors of {query_map.embedder}, and {asked} has none "
                "of them",
                remedy="leave `search` and `embedder` out here",
            )
        return query_map.embedder


def _embed(chunks: Sequence[Document], embedder: Named, store: str, bench: Bench) -> None:
    """Embed passages in parts and tell how far it is; the index finds them remembered.

    What a vector store holds already is not embedded, so the store is left to itself.
    """
    if not embedder or store:
        return
    texts = [one.passage for one in chunks][:REMEMBERED]
    by = load_embedder(str(embedder))
    for start in range(0, len(texts), PART):
        by.embed(texts[start : start + PART])
        bench.report("indexing", min(start + PART, len(texts)), len(texts))


def cut_passages(bench: Bench, size: int, overlap: int) -> tuple[Document, ...]:
    """Passages of the task's documents, of about ``size`` words.

    Raises:
        ArmFailure: If there are no documents, or no text in them.
    """

    if bench.documents_fault:
        raise ArmFailure(
            f"the documents cannot be used: {bench.documents_fault}",
            remedy="then run again: what needs no documents is not done again",
        )
    if not bench.documents:
        raise ArmFailure(
            "the task has no documents",
            remedy="name a folder or file with `task: {documents: ...}`, or drop the arm",
        )
    chunks = chunk(bench.documents, size=size, overlap=overlap)
    if not chunks:
        raise ArmFailure(
            f"there is no text in the {len(bench.documents)} documents",
            remedy="give documents with text in them",
        )
    return chunks
