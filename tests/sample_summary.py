"""A made-up study with every kind of arm: works, does not, cannot tell, failed, several seeds."""

from __future__ import annotations

import random

from whatworks.analysis.figures import ArmInfo, StudyInfo, Summary
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.method_outcomes import EpochScores, Losses, MethodOutcome, Note
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.summarise import summarise
from whatworks.data.task import Example

RATES = {"zero-shot": 0.34, "few-shot": 0.5, "knn": 0.36, "rag": 0.62, "sft": 0.44, "rag+sft": 0.78}
TOKENS = {"zero-shot": 62, "few-shot": 540, "knn": 610, "rag": 890, "sft": 64, "rag+sft": 905}
TRAINED = {"sft": 214.0, "rag+sft": 388.0}
CITIES = ["Lisbon", "Bergen", "Graz", "Cork", "Turku", "Ghent", "Split", "Brno"]


def examples(n: int = 200) -> list[Example]:
    rng = random.Random(1)
    return [
        Example(
            id=f"q{i}",
            inputs={"question": f"Which office answers for {rng.choice(CITIES)} in case {i}?"},
            target=rng.choice(CITIES),
            group=f"doc{i // 2}",
        )
        for i in range(n)
    ]


def rows(items: list[Example], rates: dict[str, float] = RATES, seed: int = 0) -> list[ResultRow]:
    rng = random.Random(seed)
    hard = {e.id: rng.gauss(0, 0.25) for e in items}
    made: list[ResultRow] = []
    for arm, rate in rates.items():
        for number in range(3 if arm in TRAINED else 1):
            for e in items:
                right = rng.random() < rate - hard[e.id]
                wrong = rng.choice(["wrong", "wrong", "abstained", "malformed"])
                made.append(
                    ResultRow(
                        arm,
                        number,
                        "scored",
                        example=e.id,
                        group=e.group or e.id,
                        output=e.target if right else rng.choice(CITIES) + " office",
                        value=float(right),
                        lenient=float(right or wrong == "malformed"),
                        kind="correct" if right else wrong,
                        feedback="" if right else f"expected {e.target}",
                        prompt_tokens=TOKENS[arm] + rng.randrange(20),
                        completion_tokens=rng.randrange(3, 9),
                        seconds=0.01 + TOKENS[arm] / 12000 * rng.uniform(0.9, 1.1),
                        candidate=f"c-{arm}",
                    )
                )
    return made


def failure(arm: str = "dpo", seed: int = 0) -> ResultRow:
    return ResultRow(
        arm,
        seed,
        "failed",
        cause="out of memory while training: 9.1 GB asked, 7.8 GB free",
        remedy="lower batch_size, or use a smaller rank",
    )


def outcomes(name: str) -> list[list[MethodOutcome]]:
    if name == "few-shot":
        text = "5 demonstrations instead of 8: the context is 1024 tokens"
        return [[Note(method="few-shot", name="fit", value=text)]]
    if name not in TRAINED:
        return []
    return [
        [EpochScores(method=name, values=scores), Losses(method=name, values=losses)]
        for scores, losses in (
            ((0.3, 0.52, 0.61, 0.6), (2.0, 1.1, 0.4)),
            ((0.28, 0.5, 0.66, 0.68), (2.1, 1.0, 0.5)),
        )
    ]


def infos(names: list[str]) -> list[ArmInfo]:
    return [
        ArmInfo(
            name,
            chain=name,
            dev_score=RATES[name] + 0.012 if name in RATES else None,
            training_seconds=TRAINED.get(name, 0.0),
            seeds=3 if name in TRAINED or name == "dpo" else 1,
            prompt=f"system: Answer with the name of one office.\nuser: ({name}) Which office?\n",
            settings={name: {"k": 8, "learning_rate": 2e-4}},
            outcomes=outcomes(name),
            forgetting=Forgetting(0.714, 0.336, 40) if name in TRAINED else None,
        )
        for name in names
    ]


def study(**changes: object) -> StudyInfo:
    fields: dict[str, object] = {
        "name": "tickets",
        "model": "lab",
        "metric": "json",
        "counts": {"train": 500, "dev": 100, "test": 200},
        "baseline": "zero-shot",
        "winner": "rag+sft",
        "seconds": 1312.0,
        "machine": "Linux x86_64, 2 cores, Python 3.11",
        "version": "0.1.0",
        "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
        "command": "whatworks run tickets/study.yaml",
    }
    return StudyInfo(**{**fields, **changes})  # type: ignore[arg-type]


def summary(n: int = 200, **changes: object) -> tuple[Summary, list[ResultRow], list[Example]]:
    items = examples(n)
    made = [*rows(items), *(failure(seed=s) for s in range(3))]
    arms = infos([*RATES, "dpo"])
    return summarise(made, arms=arms, study=study(**changes)), made, items
