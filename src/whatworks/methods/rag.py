"""rag: passages from the task's documents, retrieved for each request (Lewis et al. 2020)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from whatworks.bench import Bench
from whatworks.candidate import Candidate
from whatworks.errors import ArmFailure
from whatworks.examiner import mean
from whatworks.methods.base import Method
from whatworks.prompt import Context, shown_passages


class Rag(Method):
    """Put the ``k`` best passages before the input.

    Attributes:
        k: How many passages; fewer when the model's context is too short for them.
        size: Words per passage; documents are cut at paragraphs and sentences.
        overlap: Words shared by neighbouring passages.
        search: ``hybrid`` (embeddings and BM25, fused), ``vector`` or ``lexical``.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
    """

    name: ClassVar[str] = "rag"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.context"})

    k: int = Field(default=3, ge=1)
    size: int = Field(default=120, ge=5)
    overlap: int = Field(default=0, ge=0)
    search: Literal["hybrid", "vector", "lexical"] = "hybrid"
    embedder: str = "auto"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with an index over the documents; recall on dev is noted where known.

        Raises:
            ArmFailure: If the task has no documents.
        """
        from whatworks.retrieval import chunk, recall_at_k, resolve_embedder

        if not bench.documents:
            raise ArmFailure(
                "the task has no documents to retrieve from",
                remedy="name a folder or file with `task: {documents: ...}`, or drop the arm",
            )
        chunks = chunk(bench.documents, size=self.size, overlap=self.overlap)
        embedder = "" if self.search == "lexical" else resolve_embedder(self.embedder)
        bench.note("embedder", embedder or "none (BM25)")

        def build(k: int) -> Candidate:
            context = Context(chunks=chunks, k=k, search=self.search, embedder=embedder)
            return start.with_prompt(context=context)

        made = bench.largest_fit(build, min(self.k, len(chunks)), "passages")
        known = [row for row in bench.dev if row.evidence]
        if known:
            found = [[p.id for p in shown_passages(made.prompt, r, exclude=[r])] for r in known]
            recall = recall_at_k(found, [row.evidence for row in known])
            bench.note("recall", round(recall, 4))
            bench.note("recall_rows", len(known))
        bench.note("chunks", len(chunks))
        bench.note("words_per_chunk", round(mean([len(c.text.split()) for c in chunks]), 1))
        return made
