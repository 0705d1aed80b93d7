"""A linear classifier over the vectors of an embedder that is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from whatworks.base.file_ref import Named
from whatworks.prompts.answerers.answerer import Answerer, Reply
from whatworks.prompts.render import Rendering
from whatworks.prompts.retrieval import load_embedder
from whatworks.prompts.retrieval.query_map import pack_floats, unpack_floats
from whatworks.prompts.retrieval.vectors import Vectors


class LinearClassifier(Answerer):
    """The label with the highest probability, softmax of ``weights x + bias``.

    Attributes:
        kind: Tells answerers apart where they are read.
        embedder: Whose vectors are classified.
        labels: The labels, in the order of the weights' rows.
        weights: [labels, dimensions], float32 little-endian as base64.
        bias: [labels], the same.
    """

    kind: Literal["linear"] = "linear"
    embedder: Named
    labels: tuple[str, ...]
    weights: str
    bias: str

    @classmethod
    def pack(
        cls, embedder: Named, labels: Sequence[str], weights: Vectors, bias: Vectors
    ) -> LinearClassifier:
        """The classifier of arrays [labels, dimensions] and [labels]."""
        packed = pack_floats(weights), pack_floats(bias)
        return cls(embedder=embedder, labels=tuple(labels), weights=packed[0], bias=packed[1])

    @cached_property
    def arrays(self) -> tuple[Vectors, Vectors]:
        """``weights`` and ``bias`` as arrays."""
        weights = unpack_floats(self.weights).reshape(len(self.labels), -1)
        return weights, unpack_floats(self.bias)

    def reply(self, requests: Sequence[Rendering]) -> list[Reply]:
        """The likeliest label of each input, with its log-probability."""
        vectors = load_embedder(str(self.embedder)).embed([one.example.text for one in requests])
        chances = measure_log_chances(vectors, *self.arrays)
        best = chances.argmax(axis=1)
        return [
            Reply(self.labels[label], float(row[label]))
            for row, label in zip(chances, best, strict=True)
        ]

    def __hash__(self) -> int:
        return hash(self.key)


def measure_log_chances(vectors: Vectors, weights: Vectors, bias: Vectors) -> Vectors:
    """Natural-log probability of each label for each vector, [vectors, labels]."""
    # Row by row, so that an answer does not depend on its company by a last bit.
    scores = np.stack([weights.astype(np.float64) @ row + bias for row in vectors])
    scores -= scores.max(axis=1, keepdims=True)
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
