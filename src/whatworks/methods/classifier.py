"""classifier: an embedder with logistic regression, in the place of the language model."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from whatworks.analysis.method_outcomes import Losses
from whatworks.base.errors import ArmFailure
from whatworks.base.file_ref import Named
from whatworks.base.paths import resolve_model
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.answerers import LinearClassifier, measure_log_chances
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.prompts.retrieval import load_embedder, resolve_embedder
from whatworks.prompts.retrieval.vectors import Vectors

LEAST_ROWS = 2
"""Train rows of a label, on average, below which targets are no categories."""


class Classifier(Method):
    """Fit a logistic regression on the embedder's vectors of the train rows; no model is asked.

    Multinomial, with an L2 penalty (Hastie, Tibshirani and Friedman 2009, section 4.4); the
    embedder is left as it is. Dev chooses the strength of the penalty by the study's metric.

    Attributes:
        penalties: Inverse strengths of the penalty to choose among (``C`` of scikit-learn).
        balance: Whether rare labels count as much as frequent ones.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
    """

    name: ClassVar[str] = "classifier"
    owns: ClassVar[frozenset[str]] = frozenset({"answerer", "lessons"})
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})
    answers_from: ClassVar[frozenset[str] | None] = frozenset({"lessons"})

    penalties: tuple[float, ...] = Field(default=(1.0, 10.0, 100.0), min_length=1)
    balance: bool = False
    embedder: Named = "auto"

    def locate(self, root: Path) -> Classifier:
        """The method with the encoder's folder located."""
        return self.replace(embedder=resolve_model(str(self.embedder), root))

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the classifier in the place of its model.

        Raises:
            ArmFailure: If scikit-learn is not installed, or the targets are no categories.
            BudgetExceeded: If nothing of the budget is left.
        """
        rows = [row for row in start.rows(bench.train) if not row.bare]
        labels = list_labels(rows)
        embedder = resolve_embedder(str(self.embedder))
        bench.ledger.require(bench.budget)
        began = time.monotonic()
        vectors = load_embedder(embedder).embed([row.text for row in rows])
        wanted = np.array([labels.index(row.target.strip()) for row in rows])
        fitted: list[LinearClassifier] = []
        losses: list[float] = []
        for penalty in self.penalties:
            weights, bias = fit_logistic(vectors, wanted, penalty, balance=self.balance)
            chances = measure_log_chances(vectors, weights, bias)
            losses.append(-float(chances[np.arange(len(rows)), wanted].mean()))
            fitted.append(LinearClassifier.pack(embedder, labels, weights, bias))
            bench.report("training", len(fitted), len(self.penalties))
        bench.ledger.training_seconds += time.monotonic() - began
        start = start.drop_lesson("rows")
        options = [start.replace(answerer=one) for one in fitted]
        best, _ = bench.best(options)
        chosen = options.index(best)
        bench.tell(Losses(values=(math.log(len(labels)), losses[chosen])))
        bench.note("embedder", embedder)
        bench.note("labels", len(labels))
        bench.note("penalty", self.penalties[chosen])
        return best


def list_labels(rows: Sequence[Example]) -> list[str]:
    """The labels of rows, sorted.

    Raises:
        ArmFailure: If there is one alone, or so many that they are no categories.
    """
    counts = Counter(row.target.strip() for row in rows)
    if 1 < len(counts) <= len(rows) / LEAST_ROWS:
        return sorted(counts)
    what = "one target" if len(counts) == 1 else f"{len(counts)} different targets"
    raise ArmFailure(
        f"{what} in {len(rows)} train rows: nothing to tell apart as categories",
        remedy="a classifier needs at least two labels with a few rows each; drop the arm",
    )


def fit_logistic(
    vectors: Vectors, wanted: Any, penalty: float, *, balance: bool
) -> tuple[Vectors, Vectors]:
    """Weights [labels, dimensions] and bias [labels] of a multinomial logistic regression.

    Args:
        vectors: [rows, dimensions].
        wanted: Number of each row's label, from 0, every number there.
        penalty: Inverse strength of the L2 penalty.
        balance: Whether rare labels count as much as frequent ones.

    Raises:
        ArmFailure: If scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ArmFailure(
            "a classifier needs scikit-learn", remedy="pip install 'whatworks[classify]'"
        ) from error
    kind: Any = LogisticRegression
    weight = "balanced" if balance else None
    model = kind(C=penalty, class_weight=weight, max_iter=2000).fit(vectors, wanted)
    weights, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weights) == 1:  # of two labels one row is kept: the log-odds of the second
        weights, bias = np.vstack([-weights / 2, weights / 2]), np.concatenate([-bias, bias]) / 2
    return weights.astype(np.float32), bias.astype(np.float32)
