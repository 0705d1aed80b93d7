"""What a study takes after its arms, foreseen: forgetting measured, wrong answers diagnosed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from whatworks.methods.bench.rehearsal import Rehearsal
from whatworks.studies.diagnosis import MOST, SHARE
from whatworks.studies.probes import ROWS
from whatworks.studies.retention import Retention
from whatworks.studies.study import Study

FEW = 4
"""Retention prompts whose probabilities are measured; the others take as long."""
CELLS = 3
"""Answers to a diagnosed row, at most: with the form, the facts, and both."""
SUBJECTS = 2
"""Arms that are diagnosed, at most: the baseline and the choice."""
CHANGES = 6
"""Changes that the choice is asked with, about: it depends on what its prompt holds."""


@dataclass(frozen=True)
class AfterArms:
    """Seconds that a study takes after its arms.

    Attributes:
        forgetting: Asking the retention prompts of each run that trains.
        diagnosis: Asking for wrong answers again, as many as the diagnosis may at most.
    """

    forgetting: float = 0.0
    diagnosis: float = 0.0

    @property
    def seconds(self) -> float:
        """Both."""
        return self.forgetting + self.diagnosis


def foresee_forgetting(
    study: Study, rehearsal: Rehearsal, prompts: Sequence[str], trained: int
) -> float:
    """Seconds of the retention set for so many trained runs.

    The untouched model answers twice, greedily and drawing; each trained one answers once, and is
    asked how likely it finds what was drawn.

    Args:
        study: The study.
        rehearsal: A bench of its own for the sample.
        prompts: The retention set.
        trained: Runs of arms that train.
    """
    if not trained or not prompts:
        return 0.0
    examiner = rehearsal.examiner
    retention = Retention(prompts, study.start.weights, examiner.engine, examiner.store)
    rehearsal.foresee(retention.untouched, retention.asked, len(prompts))
    rows = retention.asked[:FEW]
    texts = [answer.generation.text for answer in examiner.ask(retention.untouched, rows)]
    began = time.perf_counter()
    examiner.logprobs(retention.untouched, rows, [text or " " for text in texts])
    likelihood = (time.perf_counter() - began) / len(rows) * len(prompts)
    return rehearsal.foreseen * (2 + trained) + likelihood * trained


def foresee_diagnosis(study: Study, answers: int, seconds: float) -> float:
    """Seconds of the diagnosis: a fifth of the study's answers, or fewer where dev is small.

    Args:
        study: The study.
        answers: What the arms are asked on dev and test.
        seconds: Of one of their answers.
    """
    wrong, rows = (min(most, len(study.task.splits.dev)) for most in (MOST, ROWS))
    return min(answers // SHARE, SUBJECTS * CELLS * wrong + CHANGES * rows) * seconds
