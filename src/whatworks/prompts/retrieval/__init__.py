"""Retrieval: texts to vectors, pools to indexes, documents to chunks.

- ``get_index`` answers "which of these texts are closest to this one" exactly and
  deterministically, by vectors, by BM25 or by both.
- ``load_embedder`` turns texts into unit vectors and remembers them; ``resolve_embedder`` says
  which one ``auto`` stands for on this machine.
- ``chunk`` cuts documents into passages along their structure, ``measure_recall`` says how much of
  the evidence was found.
"""

from __future__ import annotations

from whatworks.prompts.retrieval.chunking import chunk
from whatworks.prompts.retrieval.embedding import Embedder, load_embedder, resolve_embedder
from whatworks.prompts.retrieval.index import Hit, Index, Pool, Search, get_index
from whatworks.prompts.retrieval.recall import measure_recall

__all__ = [
    "Embedder",
    "Hit",
    "Index",
    "Pool",
    "Search",
    "chunk",
    "get_index",
    "load_embedder",
    "measure_recall",
    "resolve_embedder",
]
