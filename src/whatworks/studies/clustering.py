"""Category ids from unlabelled texts: clusters of their embeddings, named from their members.

The number of clusters is the one with the best mean silhouette (Rousseeuw 1987) by cosine distance;
every number tried is reported with it. k-means gives clusters of like size and shape, HDBSCAN
(Campello et al. 2013) dense ones of any shape and leaves texts between them aside. Names are the
words that stand out by class-based TF-IDF (Grootendorst 2022, "BERTopic", section 3.3).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.prompts.retrieval import load_embedder as named

Method = Literal["k-means", "hdbscan"]

LEAST = 6
"""Fewest texts from which clusters are made."""
MOST = 100
"""Most clusters tried unless more are asked for."""
_SAMPLE = 2_000  # texts on which a silhouette is measured
_DIMENSIONS = 30  # to which vectors are reduced where density is measured
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Tried:
    """One clustering that was tried.

    Attributes:
        setting: The number of clusters asked for, or HDBSCAN's least cluster size.
        clusters: How many came out.
        silhouette: Mean over the texts in clusters, from -1 to 1.
        clustered: Share of the texts that lie in a cluster.
    """

    setting: int
    clusters: int
    silhouette: float
    clustered: float = 1.0

    @property
    def criterion(self) -> float:
        """What the choice goes by: the silhouette, times the share of texts that have one."""
        return self.silhouette * self.clustered


@dataclass(frozen=True)
class Clusters:
    """Texts in clusters.

    Attributes:
        labels: For each text its cluster, 0 for the largest.
        names: Of each cluster, usable as category ids, all different.
        central: For each cluster its texts' positions, those nearest to its middle first.
        tried: Everything that was tried, in order.
        chosen: The best of it by ``Tried.criterion``, the first among equals.
        between: Texts that HDBSCAN left aside; they are put to the nearest cluster.
    """

    labels: tuple[int, ...]
    names: tuple[str, ...]
    central: tuple[tuple[int, ...], ...]
    tried: tuple[Tried, ...]
    chosen: Tried
    between: int = 0


def cluster(
    texts: Sequence[str],
    vectors: Any,
    *,
    method: Method = "k-means",
    k: int | None = None,
    most: int | None = None,
    seed: int = 0,
) -> Clusters:
    """Cluster texts by their vectors; the same input gives the same clusters.

    Args:
        texts: At least 6.
        vectors: Their embeddings, unit length, shape (texts, dimensions).
        method: ``k-means`` or ``hdbscan``.
        k: The number of clusters for k-means, or HDBSCAN's least cluster size; chosen by default.
        most: Most clusters tried; an eighth of the texts by default, at most 100.
        seed: Seed of k-means and of the sample for the silhouette.

    Raises:
        InputError: If there are too few different texts, for ``k`` too, or no clusters among them.
    """
    different = len({tuple(row) for row in vectors.tolist()})
    if different < LEAST:
        raise InputError(
            f"{len(texts)} texts, {different} of them different to the embedder, are too few",
            remedy=f"give at least {LEAST}",
        )
    if k is not None and k > (different if method == "k-means" else len(texts)):
        request = f"{k} clusters" if method == "k-means" else f"a cluster of {k}"
        raise InputError(
            f"{request} cannot be made of {len(texts)} texts, {different} of them different to the "
            "embedder",
            remedy=f"give more texts, or a --k of at most {different // 2}",
        )
    if most is None:
        most = min(MOST, max(3, len(texts) // 8))
    make = _run_kmeans if method == "k-means" else _run_hdbscan
    settings = (
        [k] if k is not None else _list_settings(method, len(texts), min(most, different - 1))
    )
    partitions = [(setting, make(vectors, setting, seed)) for setting in settings]
    judged = [
        (_judge_setting(setting, labels, vectors, seed), labels)
        for setting, labels in partitions
        if len(set(labels.tolist()) - {-1}) > 1
    ]
    if not judged:
        raise InputError(
            "the texts fall into no two clusters",
            remedy="give more texts, or use --method k-means with --k",
        )
    chosen, labels = max(judged, key=lambda pair: pair[0].criterion)
    between = int((labels == -1).sum())
    placed, central = _place_texts(labels, vectors)
    return Clusters(
        labels=tuple(placed),
        names=name_clusters(texts, placed),
        central=central,
        tried=tuple(tried for tried, _ in judged),
        chosen=chosen,
        between=between,
    )


def categorise(
    rows: Sequence[Example], *, embedder: str = "auto", **options: Any
) -> tuple[tuple[Example, ...], Clusters]:
    """Rows with the name of their cluster as target, and the clusters.

    A target that a row has is its true category; it is kept as ``meta["category"]``.

    Args:
        rows: Texts.
        embedder: ``auto``, ``lexical``, ``minilm``, or an encoder's folder or id.
        options: Of ``cluster``.

    Raises:
        InputError: As ``cluster``, or if there is no such embedder.
    """

    texts = [row.text for row in rows]
    vectors = named(embedder).over(texts).embed(texts)
    clusters = cluster(texts, vectors, **options)
    examples: list[Example] = []
    for row, label in zip(rows, clusters.labels, strict=True):
        truth = {"category": row.target} if row.target else {}
        examples.append(row.replace(target=clusters.names[label], meta={**row.meta, **truth}))
    return tuple(examples), clusters


def name_clusters(texts: Sequence[str], labels: Sequence[int]) -> tuple[str, ...]:
    """A name for each cluster: the two words that stand out most, more where two would be alike.

    A word's weight is its count in the cluster times log(1 + mean words of a cluster / its count
    in all of them).
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    word_counts = [Counter[str]() for _ in range(max(labels) + 1)]
    for text, label in zip(texts, labels, strict=True):
        words = {word.casefold() for word in _WORD.findall(text)}
        word_counts[label].update(words - ENGLISH_STOP_WORDS)
    overall = sum(word_counts, Counter[str]())
    mean = overall.total() / len(word_counts)
    chosen_names: list[str] = []
    for own in word_counts:
        weight = {word: n * math.log(1 + mean / overall[word]) for word, n in own.items()}
        words = sorted(weight, key=lambda word: (-weight[word], word)) or ["cluster"]
        tries = ["_".join(words[:n]) for n in range(2, max(3, len(words) + 1))]
        tries += [f"{tries[0]}_{n}" for n in range(2, len(word_counts) + 2)]
        chosen_names.append(next(name for name in tries if name not in chosen_names))
    return tuple(chosen_names)


def measure_agreement(truth: Sequence[str], labels: Sequence[int]) -> dict[str, float]:
    """How far clusters agree with true categories.

    V-measure (Rosenberg and Hirschberg 2007), from 0 to 1, and the adjusted Rand index (Hubert and
    Arabie 1985), 0 for chance and 1 for the same partition.
    """
    from sklearn.metrics import adjusted_rand_score, v_measure_score

    return {
        "v_measure": float(v_measure_score(truth, labels)),
        "adjusted_rand": float(adjusted_rand_score(truth, labels)),
    }


def measure_purity(truth: Sequence[str], labels: Sequence[int]) -> list[tuple[str, float]]:
    """For each cluster its commonest true category, and the share of it."""
    groups = [Counter[str]() for _ in range(max(labels) + 1)]
    for category, label in zip(truth, labels, strict=True):
        groups[label][category] += 1
    return [(own.most_common(1)[0][0], own.most_common(1)[0][1] / own.total()) for own in groups]


def _list_settings(method: Method, count: int, most: int) -> list[int]:
    """Numbers of clusters, each a tenth larger than the one before; or least cluster sizes."""
    if method == "hdbscan":
        return [n for n in (3, 5, 8, 12, 20, 35, 60) if n <= count // 3] or [2]
    numbers, n = [2], 2
    while n < most:
        n = min(most, max(n + 1, round(1.1 * n)))
        numbers.append(n)
    return numbers


def _run_kmeans(vectors: Any, k: int, seed: int) -> Any:
    from sklearn.cluster import KMeans

    model: Any = KMeans  # its stubs take the default "auto" for the type
    return model(n_clusters=k, n_init=4, random_state=seed).fit_predict(vectors)


def _run_hdbscan(vectors: Any, size: int, seed: int) -> Any:
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    flat = PCA(min(_DIMENSIONS, *vectors.shape), random_state=seed).fit_transform(vectors)
    model: Any = HDBSCAN
    return model(min_cluster_size=size, copy=True).fit_predict(flat)


def _judge_setting(setting: int, labels: Any, vectors: Any, seed: int) -> Tried:
    from sklearn.metrics import silhouette_score

    inside = labels != -1
    count = int(inside.sum())
    number = len(set(labels[inside].tolist()))
    sample = min(_SAMPLE, count) if count > _SAMPLE else None
    silhouette = -1.0
    if 1 < number < count:
        silhouette = silhouette_score(
            vectors[inside], labels[inside], metric="cosine", sample_size=sample, random_state=seed
        )
    return Tried(setting, number, float(silhouette), count / len(labels))


def _place_texts(labels: Any, vectors: Any) -> tuple[list[int], tuple[tuple[int, ...], ...]]:
    """Every text in a cluster, the largest first, and each cluster's texts from its middle on."""
    import numpy as np

    sizes = Counter(int(label) for label in labels if label != -1)
    order = [label for label, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))]
    middles = np.stack([vectors[labels == label].mean(axis=0) for label in order])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    near = vectors @ middles.T
    place = {label: at for at, label in enumerate(order)}
    placed = [
        place[int(label)] if label != -1 else int(near[i].argmax())
        for i, label in enumerate(labels)
    ]
    members = [[i for i, at in enumerate(placed) if at == own] for own in range(len(order))]
    central = tuple(
        tuple(sorted(own, key=lambda i: (-float(near[i, at]), i))) for at, own in enumerate(members)
    )
    return placed, central
