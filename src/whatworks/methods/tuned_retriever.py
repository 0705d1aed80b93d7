"""tuned-retriever: a retriever that learns from the train rows which passages answer a request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from whatworks.analysis.method_outcomes import EpochScores, Losses
from whatworks.base.errors import ArmFailure
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
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.training.query_map_fit import FittedMap, MapSettings, fit_query_map


class TunedRetriever(Method):
    """Learn a linear map of requests' vectors from rows that name their evidence.

    The encoder and the passages' vectors stay as they are; whatever searches passages after it
    searches by the map. The loss and its source stand in ``training.query_map_fit``.

    Attributes:
        rank: Of the map; it has twice this many numbers for each dimension.
        epochs: Passes over the train rows; dev chooses among their ends by recall.
        learning_rate: Of Adam.
        k: Recall on dev is that of so many passages.
        size: Words per passage that is learned from.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
    """

    name: ClassVar[str] = "tuned-retriever"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.query_map"})
    stochastic: ClassVar[bool] = True
    reads_documents: ClassVar[bool] = True

    rank: int = Field(default=16, ge=1)
    epochs: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
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
        by = load_embedder(embedder).over(context.texts)
        settings = MapSettings(
            min(self.rank, by.dimensions), self.epochs, self.learning_rate, bench.seed
        )
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
            bench.report("training", len(fitted), self.epochs)
        bench.ledger.training_seconds += time.monotonic() - began
        maps = [QueryMap.pack(embedder, one.down, one.up) for one in fitted]
        scores = [_measure(context, known, one) for one in maps]
        best = int(np.argmax(scores))
        bench.tell(Losses(values=fitted[-1].losses))
        bench.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        bench.note("embedder", embedder)
        rows = len({row.id for row, _ in taught})
        bench.note("learned_from", f"{rows} of {len(bench.train)} train rows")
        bench.note(f"recall_at_{self.k}_before", round(_measure(context, known, None), 4))
        bench.note(f"recall_at_{self.k}_after", round(scores[best], 4))
        bench.note("recall_rows", len(known))
        return start.with_prompt(query_map=maps[best])


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
