"""Probabilities of given answers under each candidate of a finished study, beside its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import content_key
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
    asked = list({example.text: example for example in run.task().splits.test}.values())
    made = [(one.arm, one.candidate) for one in run.decisions() if one.candidate]
    key = content_key([made, list(answers), [example.text for example in asked]])
    kept = _kept(run)
    if kept.get("key") == key:
        return kept["arms"]
    found = _asked(run, model, made, asked, answers)
    write_atomic(run.path / FILE, json.dumps({"key": key, "arms": found}))
    return found


def read(run: StudyFolder) -> Found:
    """What was measured beside a study; empty where nothing was."""
    return _kept(run).get("arms", {})


def _kept(run: StudyFolder) -> dict[str, Any]:
    path = run.path / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _asked(
    run: StudyFolder,
    model: str,
    made: Sequence[tuple[str, str]],
    asked: Sequence[Example],
    answers: Sequence[str],
) -> Found:
    engine, _ = open_engine(model)
    examiner = Examiner(engine, load(MetricSpec(name="contains")), run.store)
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    try:
        for arm, key in made:
            if (candidate := run.candidate(key)) is None:
                continue
            for answer in answers:
                for example, value in zip(
                    asked, _probabilities(examiner, candidate, asked, answer), strict=True
                ):
                    by = found.setdefault(arm, {}).setdefault(example.text, {})
                    by.setdefault(answer, []).append(value)
    except ArmFailure:  # the engine cannot say
        found = {}
    engine.close()
    return {
        arm: {text: {a: fmean(v) for a, v in by.items()} for text, by in texts.items()}
        for arm, texts in found.items()
    }


def _probabilities(
    examiner: Examiner, candidate: Candidate, asked: Sequence[Example], answer: str
) -> list[float]:
    logs = examiner.logprobs(candidate, asked, [answer] * len(asked))
    return [math.exp(sum(tokens)) for tokens in logs]
