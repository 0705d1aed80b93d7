"""tuned-retriever: a retriever that learns from the train rows which passages answer a request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from whatworks.analysis.method_outcomes import EpochScores, Losses
from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.file_ref import Named
from whatworks.base.paths import resolve_model
from whatworks.data.near_duplicates import is_repeat
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.rag import cut_passages
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import find_query, render_each
from whatworks.prompts.retrieval import load_embedder, measure_recall, resolve_embedder
from whatworks.prompts.retrieval.embedding import Embedder, resolve_source
from whatworks.prompts.retrieval.found_evidence import find_evidence
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.training.encoder_fit import EncoderJob, EncoderLoss
from whatworks.training.query_map_fit import FittedMap, MapSettings, fit_query_map

Taught = tuple[Example, list[int]]
"""A row, and the positions of the passages of a document that holds its answer."""


class TunedRetriever(Method):
    """Learn from rows that name their evidence; whatever searches passages after it does so by it.

    Attributes:
        fits: ``map`` learns a linear map of requests' vectors, and the encoder stays as it is
            (``training.query_map_fit``); ``encoder`` tunes the encoder itself by a loss of
            sentence-transformers (``training.encoder_fit``).
        loss: Of the encoder.
        rank: Of the map; it has twice this many numbers for each dimension.
        epochs: Passes over the train rows; dev chooses among their ends by recall. 10 for a map,
            3 for an encoder.
        learning_rate: Of Adam; 0.001 for a map, 0.00002 for an encoder.
        k: Recall on dev is that of so many passages.
        size: Words per passage that is learned from.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
    """

    name: ClassVar[str] = "tuned-retriever"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.query_map"})
    stochastic: ClassVar[bool] = True
    reads_documents: ClassVar[bool] = True

    fits: Literal["map", "encoder"] = "map"
    loss: EncoderLoss = "multiple-negatives"
    rank: int = Field(default=16, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    k: int = Field(default=3, ge=1)
    size: int = Field(default=120, ge=5)
    embedder: Named = "auto"

    def locate(self, root: Path) -> TunedRetriever:
        """The method with the encoder's folder located."""
        return self.replace(embedder=resolve_model(str(self.embedder), root))

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the map; recall on dev by vectors is noted, before and after.

        Raises:
            ArmFailure: If there are no documents, or no train or no dev row names its evidence.
            BudgetExceeded: If nothing of the budget is left.
        """
        chunks = cut_passages(bench, self.size, 0)
        embedder = resolve_embedder(str(self.embedder))
        context = Context(chunks=chunks, k=self.k, search="vector", embedder=embedder)
        taught = [(row, own) for row in bench.train for own in _find_positives(context, row)]
        known = [row for row in bench.dev if _find_positives(context, row)]
        if not taught or not known:
            raise ArmFailure(
                f"no {'dev' if taught else 'train'} row says which documents hold its answer",
                remedy="give rows a column `evidence` with ids of documents, or drop the arm",
            )
        before = _measure(context, known, None)
        fit = self._fit_map if self.fits == "map" else self._fit_encoder
        maps = fit(context, taught, bench)
        scores = [_measure(context.replace(embedder=one.embedder), known, one) for one in maps]
        best = int(np.argmax(scores))
        bench.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        bench.note("embedder", embedder)
        rows = len({row.id for row, _ in taught})
        bench.note("learned_from", f"{rows} of {len(bench.train)} train rows")
        bench.note(f"recall_at_{self.k}_before", round(before, 4))
        bench.note(f"recall_at_{self.k}_after", round(scores[best], 4))
        bench.note("recall_rows", len(known))
        return start.with_prompt(query_map=maps[best])

    def _fit_map(self, context: Context, taught: Sequence[Taught], bench: Bench) -> list[QueryMap]:
        """A map of the vectors of requests, after each epoch."""
        by = load_embedder(str(context.embedder)).over(context.texts)
        epochs, rate = self.epochs or 10, self.learning_rate or 1e-3
        settings = MapSettings(min(self.rank, by.dimensions), epochs, rate, bench.seed)
        bench.ledger.require(bench.budget)
        began = time.monotonic()
        fitted: list[FittedMap] = []
        # Passages that no train row asks for would be learned as never right.
        pool = sorted({i for _, own in taught for i in own})
        passages = by.embed([context.texts[i] for i in pool])
        positives = [[pool.index(i) for i in own] for _, own in taught]
        queries = by.embed([find_query(row) for row, _ in taught])
        for one in fit_query_map(queries, passages, positives, settings):
            fitted.append(one)
            bench.report("training", len(fitted), epochs)
        bench.ledger.training_seconds += time.monotonic() - began
        bench.tell(Losses(values=fitted[-1].losses))
        return [QueryMap.pack(context.embedder, one.down, one.up) for one in fitted]

    def _fit_encoder(
        self, context: Context, taught: Sequence[Taught], bench: Bench
    ) -> list[QueryMap]:
        """The encoder itself, after each epoch, with a map that moves nothing.

        Raises:
            ArmFailure: If the embedder is no encoder.
        """
        name = str(context.embedder)
        if name == "lexical":
            raise ArmFailure(
                "the embedder lexical counts words: there is no encoder to tune",
                remedy="name one, `embedder: minilm` or a folder, or learn a map: `fits: map`",
            )
        with arm_failures():
            by = load_embedder(name)
            job = EncoderJob(
                encoder=resolve_source(name),
                digest=by.fingerprint,
                pairs=tuple(
                    (find_query(row), context.texts[_choose_positive(context, by, row, own)])
                    for row, own in taught
                ),
                loss=self.loss,
                epochs=self.epochs or 3,
                learning_rate=self.learning_rate or 2e-5,
                seed=bench.seed,
            )
        none = np.zeros((1, by.dimensions), np.float32)
        return [QueryMap.pack(str(one.absolute()), none, none.T) for one in bench.fit_encoder(job)]


def _choose_positive(context: Context, by: Embedder, row: Example, own: Sequence[int]) -> int:
    """Which passage of a document that holds the answer is learned: the nearest of those in which
    the target stands, or of all."""
    texts = [context.chunks[i] for i in own]
    holding = [i for i, one in zip(own, texts, strict=True) if find_evidence([row], [one])]
    among = holding or list(own)
    vectors = by.embed([context.texts[i] for i in among])
    return among[int(np.argmax(vectors @ by.embed([find_query(row)])[0]))]


def _find_positives(context: Context, row: Example) -> list[list[int]]:
    """For each document of a row's evidence, the positions of its passages.

    Those that are the row itself are left out, and documents of which nothing is left.
    """
    each = [context.by_name.get(name, ()) for name in dict.fromkeys(row.evidence)]
    kept = [[i for i in own if not is_repeat(context.chunks[i], row)] for own in each]
    return [own for own in kept if own]


def _measure(context: Context, rows: Sequence[Example], query_map: QueryMap | None) -> float:
    """Recall of the evidence, through the renderer."""
    asked = render_each(Prompt(context=context, query_map=query_map), rows)
    shown = [[passage.id for passage in one.passages] for one in asked]
    return measure_recall(shown, [row.evidence for row in rows])
