"""Probabilities of given answers under each candidate of a finished study, beside its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.store import write_atomic
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.open_engine import open_engine
from whatworks.prompts.candidate import Candidate
from whatworks.studies.study_folder import StudyFolder

FILE = "likelihood.json"


Found = dict[str, dict[str, dict[str, float]]]
"""Arm to question to answer to probability."""


def measure(run: StudyFolder, model: str, answers: Sequence[str]) -> Found:
    """Probability of each answer to each differing test question by arm, a mean over the seeds.

    Kept beside the study's results until its candidates, its questions or the answers change.
    Empty where the engine gives no probabilities.

    Args:
        run: Folder of a finished study.
        model: Its model.
        answers: Whole answers, the end of the turn included.
    """
    questions = list({example.text: example for example in run.task().splits.test}.values())
    candidates = [(one.arm, one.candidate) for one in run.decisions() if one.candidate]
    key = hash_content([candidates, list(answers), [example.text for example in questions]])
    stored = _read_kept(run)
    if stored.get("key") == key:
        return stored["arms"]
    by_arm = _measure_arms(run, model, candidates, questions, answers)
    write_atomic(run.path / FILE, json.dumps({"key": key, "arms": by_arm}))
    return by_arm


def read(run: StudyFolder) -> Found:
    """What was measured beside a study; empty where nothing was."""
    return _read_kept(run).get("arms", {})


def _read_kept(run: StudyFolder) -> dict[str, Any]:
    path = run.path / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _measure_arms(
    run: StudyFolder,
    model: str,
    candidates: Sequence[tuple[str, str]],
    asked: Sequence[Example],
    answers: Sequence[str],
) -> Found:
    engine, _ = open_engine(model)
    examiner = Examiner(engine, load(MetricSpec(name="contains")), run.store)
    by_arm: dict[str, dict[str, dict[str, list[float]]]] = {}
    try:
        for arm, key in candidates:
            if (candidate := run.candidate(key)) is None:
                continue
            for answer in answers:
                for example, value in zip(
                    asked, _measure_probabilities(examiner, candidate, asked, answer), strict=True
                ):
                    by = by_arm.setdefault(arm, {}).setdefault(example.text, {})
                    by.setdefault(answer, []).append(value)
    except ArmFailure:  # the engine cannot say
        by_arm = {}
    engine.close()
    return {
        arm: {text: {a: fmean(v) for a, v in by.items()} for text, by in texts.items()}
        for arm, texts in by_arm.items()
    }


def _measure_probabilities(
    examiner: Examiner, candidate: Candidate, asked: Sequence[Example], answer: str
) -> list[float]:
    logs = examiner.logprobs(candidate, asked, [answer] * len(asked))
    return [math.exp(sum(tokens)) for tokens in logs]
