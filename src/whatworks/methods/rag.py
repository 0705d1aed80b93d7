"""rag: passages from the task's documents, retrieved for each request (Lewis et al. 2020)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from whatworks.base.errors import ArmFailure
from whatworks.base.file_ref import Named, NamedStore
from whatworks.base.frozen import Frozen
from whatworks.base.paths import resolve_model, resolve_store
from whatworks.data.task import Document
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import mean
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context
from whatworks.prompts.render import render_each
from whatworks.prompts.retrieval import chunk, measure_recall, resolve_embedder
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.reranking import check


class Indexing(Frozen):
    """How passages are cut, kept and ordered.

    Attributes:
        overlap: Words shared by neighbouring passages.
        store: ``lancedb:FOLDER``, ``qdrant:URL`` or ``pgvector:URL``; by default exact search in
            memory.
        rerank: ``mmr`` spreads the passages out; the folder or id of a cross-encoder orders four
            times as many as are shown.
    """

    overlap: int = Field(default=0, ge=0)
    store: NamedStore = ""
    rerank: Named = ""

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
        index = self.index.replace(
            store=resolve_store(self.index.store, root),
            rerank=resolve_model(str(self.index.rerank), root),
        )
        return self.replace(embedder=resolve_model(str(self.embedder), root), index=index)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with an index over the documents; recall on dev is noted where known.

        Raises:
            ArmFailure: If there are no documents, no text in them, or no evidence where it is
                needed.
        """

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

        def build(k: int) -> Candidate:
            context = Context(
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
            return start.with_prompt(context=context)

        fitted = bench.largest_fit(build, min(self.k, len(chunks)), "passages")
        if known:
            shown = [
                [p.id for p in request.passages] for request in render_each(fitted.prompt, known)
            ]
            recall = measure_recall(shown, [row.evidence for row in known])
            bench.note("recall", round(recall, 4))
            bench.note("recall_rows", len(known))
        bench.note("chunks", len(chunks))
        bench.note("words_per_chunk", round(mean([len(c.text.split()) for c in chunks]), 1))
        return fitted

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
