"""Vectors of a request, as those of the pool beside it were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.prompts.retrieval.word_vectors import (
    DIMENSIONS,
    make_word_vector,
    weigh_count,
    weigh_rarity,
)
from whatworks.prompts.retrieval.words import list_forms

Vectors = NDArray[np.float32]


def embed_words(text: str, frequencies: Mapping[str, int], size: int) -> Vectors:
    """Hashed words, weighed by how rare they are in a pool: [dimensions], of length one.

    Args:
        text: The request.
        frequencies: How many texts of the pool hold each word.
        size: How many texts the pool has.
    """
    # In float32 step by step, as the pool's vectors were: near-ties then fall alike.
    total = np.zeros((1, DIMENSIONS), np.float32)
    for word, count in Counter(list_forms(text)).items():
        places, signs = make_word_vector(word)
        one = np.zeros(DIMENSIONS, np.float32)
        np.add.at(one, places, signs)
        weight = weigh_count(count) * weigh_rarity(frequencies.get(word, 0), size)
        total[0] += np.float32(weight) * one
    length: Vectors = np.sqrt((total * total).sum(axis=1, keepdims=True))
    return np.divide(total, length, out=total, where=length > 0)[0]


class Encoder:
    """A transformers encoder, the mean of its last hidden states, in float32 on the CPU."""

    def __init__(self, source: str, max_tokens: int) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
        self._model: Any = AutoModel.from_pretrained(source).float().eval()
        self._max_tokens = max_tokens

    def embed(self, text: str) -> Vectors:
        """The vector of a text: [dimensions], of length one."""
        import torch

        ids = self._tokenizer([text], truncation=True, max_length=self._max_tokens)["input_ids"]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # last bits come to depend on how work is divided
        try:
            with torch.inference_mode():
                hidden: Any = self._model(input_ids=torch.tensor(ids)).last_hidden_state
                return torch.nn.functional.normalize(hidden.mean(dim=1), dim=-1).numpy()[0]
        finally:
            torch.set_num_threads(threads)


class Reranker:
    """A cross-encoder: reads request and passage together, and says how well they fit."""

    def __init__(self, source: str, max_tokens: int, batch: int) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(source)
        self._model: Any = AutoModelForSequenceClassification.from_pretrained(source)
        self._model = self._model.float().eval()
        self._max_tokens, self._batch = max_tokens, batch

    def order(self, query: str, passages: Sequence[str]) -> list[int]:
        """Positions of the passages, best first, the earlier among equals."""
        import torch

        scores: list[float] = []
        for start in range(0, len(passages), self._batch):
            some = list(passages[start : start + self._batch])
            tokens = self._tokenizer(
                [query] * len(some), some, truncation="only_second", max_length=self._max_tokens,
                padding=True, return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                scores += self._model(**tokens).logits[:, 0].tolist()
        return [int(i) for i in np.argsort(-np.array(scores), kind="stable")]


def find_source(root: Path, name: str) -> str:
    """A folder of the export, or a name on the Hugging Face hub."""
    return str(root / name) if (root / name).is_dir() else name


@lru_cache(maxsize=4)
def load_encoder(source: str, max_tokens: int) -> Encoder:
    """The encoder of a folder, loaded once."""
    return Encoder(source, max_tokens)
