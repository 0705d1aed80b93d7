"""Queries that a model writes in the place of a request, before passages are searched.

- **rewrite**: one query that stands by itself, from the whole request (Ma et al. 2023, "Query
  Rewriting for Retrieval-Augmented Large Language Models", arXiv 2305.14283).
- **hyde**: a passage that would answer the request, true or not; passages like it are looked for
  (Gao et al. 2022, "Precise Zero-Shot Dense Retrieval without Relevance Labels", arXiv 2212.10496).
  Request and passage are searched together, by words as well as by vectors (Wang et al. 2023,
  "Query2doc", arXiv 2303.07678).

As an encoder or a cross-encoder does, the model belongs to the retrieval: it is named by its folder
or id, runs here, greedily, and serves training, evaluation and requests alike.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from whatworks.base.errors import InputError
from whatworks.base.file_ref import Named
from whatworks.base.frozen import Frozen
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, ModelFiles
from whatworks.models.open_engine import is_served, open_engine

Way = Literal["rewrite", "hyde"]
ORDERS: dict[Way, str] = {
    "rewrite": "Write one search query that finds what is needed to answer the last message. Name "
    "everything that it refers to. The query alone, on one line.",
    "hyde": "Write a short passage that answers the last message, as a document would say it. The "
    "passage alone.",
}
LONGEST: dict[Way, int] = {"rewrite": 48, "hyde": 128}
"""Tokens of what is written."""
REMEMBERED = 10_000
"""Most requests whose query is kept; each is rendered several times."""


class QueryWriting(Frozen):
    """How a request becomes a query.

    Attributes:
        way: ``rewrite`` or ``hyde``.
        model: Who writes: a local model by its folder or id.
    """

    way: Way
    model: Named


class QueryWriter:
    """A model that runs here and writes queries, each once.

    Args:
        way: What it writes.
        engine: Runs it.
        files: The model.
    """

    def __init__(self, way: Way, engine: Engine, files: ModelFiles) -> None:
        self._way: Way = way
        self._engine, self._files = engine, files
        self._decoding = Decoding(max_tokens=LONGEST[way])
        self._memo: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.RLock()

    def write(self, requests: Sequence[str], queries: Sequence[str]) -> list[str]:
        """What is searched for in the place of each query.

        A request that is too long for the model, or one for which it writes nothing, is searched
        for as it is.

        Args:
            requests: Whole requests, as text.
            queries: What would be searched for without a writer.
        """
        with self._lock:
            new = [one for one in dict.fromkeys(requests) if one not in self._memo]
            prompts = [[Message(role="user", content=f"{ORDERS[self._way]}\n\n{r}")] for r in new]
            context = self._engine.context_length(self._files)
            lengths = self._engine.prompt_tokens(self._files, prompts)
            room = [context is None or n + LONGEST[self._way] <= context for n in lengths]
            asked = [at for at, fits in enumerate(room) if fits]
            self._memo |= dict.fromkeys(new, "")
            replies = self._engine.generate(
                self._files, [prompts[at] for at in asked], self._decoding
            )
            for at, reply in zip(asked, replies, strict=True):
                self._memo[new[at]] = " ".join(reply.text.split())
            written = [self._memo[one] for one in requests]
            while len(self._memo) > REMEMBERED:
                self._memo.popitem(last=False)
        if self._way == "rewrite":
            return [own or query for own, query in zip(written, queries, strict=True)]
        return [f"{query}\n{own}".strip() for own, query in zip(written, queries, strict=True)]


@lru_cache(maxsize=4)
def load_query_writer(way: Way, model: str) -> QueryWriter:
    """The writer of that model, loaded once per process.

    Raises:
        InputError: If the model runs elsewhere, where each request would be paid for unseen, or
            is not here.
    """
    if is_served(model):
        raise InputError(
            "a served model writes no queries: each request would be paid for beside the budget",
            place=model,
            remedy="name a local model, by its folder or Hugging Face id",
        )
    engine, weights = open_engine(model)
    return QueryWriter(way, engine, ModelFiles(base=weights.base, template=weights.template))
