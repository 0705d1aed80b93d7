"""Probabilities of given answers under each candidate of a finished study, beside its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from whatworks.candidate import Candidate
from whatworks.engines import open_engine
from whatworks.errors import ArmFailure
from whatworks.examiner import Examiner
from whatworks.metrics import load
from whatworks.store import Store, write_atomic
from whatworks.task import Example, MetricSpec, Task

FILE = "likelihood.json"


def measure(run: Path, model: str, answers: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean probability of each answer by arm, over the differing test questions and the seeds.

    Kept beside the study's results. Empty where the engine gives no probabilities.

    Args:
        run: Folder of a finished study.
        model: Its model.
        answers: Whole answers, the end of the turn included.
    """
    path = run / FILE
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    task = Task.model_validate_json((run / "task.json").read_text(encoding="utf-8"))
    asked = list({example.text: example for example in task.splits.test}.values())
    engine, _ = open_engine(model)
    store = Store(run / "store")
    examiner = Examiner(engine, load(MetricSpec(name="contains")), store)
    found: dict[str, dict[str, list[float]]] = {}
    decided = json.loads((run / "decisions.json").read_text(encoding="utf-8"))
    try:
        for made in decided["runs"]:
            stored = store.read("candidates", made["candidate"] or "")
            if stored is None:
                continue
            candidate = Candidate.model_validate(stored)
            for answer in answers:
                values = _probabilities(examiner, candidate, asked, answer)
                found.setdefault(made["arm"], {}).setdefault(answer, []).extend(values)
    except ArmFailure:  # the engine cannot say
        found = {}
    engine.close()
    means = {arm: {a: fmean(v) for a, v in by.items()} for arm, by in found.items()}
    write_atomic(path, json.dumps(means))
    return means


def _probabilities(
    examiner: Examiner, candidate: Candidate, asked: Sequence[Example], answer: str
) -> list[float]:
    logs = examiner.logprobs(candidate, asked, [answer] * len(asked))
    return [math.exp(sum(tokens)) for tokens in logs]
