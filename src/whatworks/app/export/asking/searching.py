"""The index that an export brings with it: the texts nearest to a request.

``index.json`` says how to search; ``vectors.npy`` are the pool's, ``*_data.npy``, ``*_indices.npy``
and ``*_starts.npy`` the BM25 weights of each word (a sparse matrix by columns), ``map_*.npy`` a
learned map of the vectors of requests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.app.export.asking.embedding import embed_words, find_source, load_encoder
from whatworks.prompts.retrieval.mapping import map_vector
from whatworks.prompts.retrieval.ordering import (
    CANDIDATES,
    DEPTH,
    MARGIN,
    Ranked,
    choose_diverse,
    fuse,
    take_highest,
)
from whatworks.prompts.retrieval.words import list_forms


class Searcher:
    """One pool of texts to search in.

    Args:
        root: Folder of the export.
        name: Of the index below ``index/``.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        folder = root / "index" / name
        self._how: dict[str, Any] = json.loads((folder / "index.json").read_text("utf-8"))
        self._vectors: NDArray[np.float32] | None = None
        if (folder / "vectors.npy").is_file():
            self._vectors = np.load(folder / "vectors.npy")
        self._map: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        if (folder / "map_down.npy").is_file():
            self._map = (np.load(folder / "map_down.npy"), np.load(folder / "map_up.npy"))
        self._words: dict[str, int] = {}
        if (folder / "words.json").is_file():
            self._words = json.loads((folder / "words.json").read_text("utf-8"))
            self._weights = tuple(
                np.load(folder / f"words_{part}.npy") for part in ("data", "indices", "starts")
            )

    def search(self, query: str, k: int, *, leave: int = 0, diversity: float = 0.0) -> list[int]:
        """Positions of the ``k`` best texts, best first.

        Args:
            query: The request.
            k: How many.
            leave: The first texts of the pool, which are shown anyway.
            diversity: Above 0, maximal marginal relevance chooses among four times as many.
        """
        wanted = k if diversity == 0 else CANDIDATES * k
        limit = wanted + MARGIN
        while True:
            ranked = self._rank(query, limit)
            near = [at for at in range(len(ranked.positions)) if ranked.positions[at] >= leave]
            if len(near) >= wanted or len(ranked.positions) < limit:
                break
            limit *= 8
        near = near[:wanted]
        hits = [int(ranked.positions[at]) for at in near]
        if diversity == 0 or len(hits) < 2:
            return hits
        relevance = np.array([ranked.scores[at] / ranked.top for at in near], np.float32)
        assert self._vectors is not None
        vectors = self._vectors[self._rows(hits)]
        return [hits[i] for i in choose_diverse(relevance, vectors, k, diversity)]

    def _rank(self, query: str, limit: int) -> Ranked:
        how = self._how["search"]
        if how == "vector":
            return self._rank_by_vector(query, limit)
        if how == "lexical":
            return self._rank_by_words(query, limit)
        depth = max(limit, DEPTH)
        return fuse([self._rank_by_vector(query, depth), self._rank_by_words(query, depth)])

    def _rank_by_vector(self, query: str, limit: int) -> Ranked:
        assert self._vectors is not None
        encoder = self._how.get("encoder")
        if encoder is None:
            vector = embed_words(query, self._how["frequencies"], self._how["size"])
        else:
            source = find_source(self._root, encoder["source"])
            vector = load_encoder(source, encoder["max_tokens"]).embed(query)
        if self._map is not None:
            vector = map_vector(vector, *self._map)
        cosines: NDArray[np.float32] = np.einsum("ij,j->i", self._vectors, vector)
        return take_highest(cosines[self._rows(range(self._how["size"]))], limit)

    def _rank_by_words(self, query: str, limit: int) -> Ranked:
        known = [self._words[word] for word in list_forms(query) if word in self._words]
        if not known:
            return Ranked(np.zeros(0, np.int64), np.zeros(0, np.float32))
        data, indices, starts = self._weights
        scores = np.zeros(self._how["size"], np.float32)
        for word in known:
            mine = slice(starts[word], starts[word + 1])
            np.add.at(scores, indices[mine], data[mine])
        ranked = take_highest(scores, limit, top=float(scores.max()))
        sharing = int(np.count_nonzero(ranked.scores > 0))
        return Ranked(ranked.positions[:sharing], ranked.scores[:sharing], ranked.top)

    def _rows(self, positions: Any) -> list[int]:
        """Rows of the vectors: equal texts share one."""
        rows = self._how.get("rows")
        return [rows[at] for at in positions] if rows else list(positions)
