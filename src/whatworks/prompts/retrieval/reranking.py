"""A cross-encoder: reads query and passage together and says how well they fit.

Slower than embeddings and better at order (Nogueira and Cho 2019), so it only sees what the index
found. Any sequence classifier with one output works, e.g. the folder of a ms-marco MiniLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from whatworks.base.errors import InputError
from whatworks.models.files import is_download_allowed
from whatworks.models.quiet import silence_loading

MAX_TOKENS = 512
BATCH = 16
REMEMBERED = 10_000
"""Most requests whose order is kept; each is rendered several times."""


class Reranker:
    """A sequence classifier from a folder or a Hugging Face id, in float32 on the CPU.

    Attributes:
        max_tokens: Query and passage are read up to here.
    """

    def __init__(self, source: str) -> None:
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise InputError(
                f"the reranker {source!r} needs torch and transformers ({error})",
                remedy="pip install 'whatworks[local]', or use `rerank: mmr`",
            ) from error

        here = not is_download_allowed()
        try:
            with silence_loading():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(
                    source, local_files_only=here, trust_remote_code=False
                )
                model: Any = AutoModelForSequenceClassification.from_pretrained(
                    source, local_files_only=here, trust_remote_code=False
                )
        except Exception as error:  # broken files raise whatever the reader of that format raises
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"the reranker cannot be loaded: {reason}",
                place=source,
                remedy="give the folder of a cross-encoder, or use `rerank: mmr`",
            ) from error
        if model.config.num_labels != 1:
            raise InputError(
                f"the reranker has {model.config.num_labels} outputs, not one",
                place=source,
                remedy="give a cross-encoder for relevance, or use `rerank: mmr`",
            )
        self._model: Any = model.float().eval()
        longest = getattr(model.config, "max_position_embeddings", None) or MAX_TOKENS
        self.max_tokens = min(MAX_TOKENS, longest)
        self._known: dict[tuple[str, ...], list[int]] = {}

    def order(self, query: str, passages: Sequence[str]) -> list[int]:
        """Positions of the passages, best first, the earlier among equals; remembered."""
        key = (query, *passages)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            scores = np.array(self._scores(query, passages))
            self._known[key] = [int(i) for i in np.argsort(-scores, kind="stable")]
        return self._known[key]

    def _scores(self, query: str, passages: Sequence[str]) -> list[float]:
        import torch

        scores: list[float] = []
        for start in range(0, len(passages), BATCH):
            batch = list(passages[start : start + BATCH])
            tokens = self._tokenizer(
                [query] * len(batch),
                batch,
                truncation="only_second",
                max_length=self.max_tokens,
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                scores += self._model(**tokens).logits[:, 0].tolist()
        return scores


@lru_cache(maxsize=2)
def load_reranker(name: str) -> Reranker:
    """The cross-encoder of that name, loaded once per process.

    Raises:
        InputError: If it cannot be loaded.
    """
    return Reranker(name)


def check(name: str) -> None:
    """Refuse a reranker that is not there, before anything is asked.

    Raises:
        InputError: If it cannot be loaded.
    """
    if name not in ("", "mmr"):
        load_reranker(name)
