"""How long the studies will take here, from a short probe of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from whatworks.base.store import write_atomic
from whatworks.data.task import Example, Message, MetricSpec, Splits, Task
from whatworks.methods.bench.known_facts import PROMPTS, SAMPLES
from whatworks.methods.demand import Sizes
from whatworks.models.decoding import Decoding
from whatworks.studies.study_file import Arm
from whatworks.training import launch
from whatworks_claims.desk import Desk
from whatworks_claims.run_studies import conduct
from whatworks_claims.study_plan import ClaimStudy

KNOWN_PROMPT = 100
"""Tokens of a question with four examples, roughly."""
START = 7.0
"""Seconds to begin and to report a study, what all its trainings share included."""


@dataclass(frozen=True)
class MachinePace:
    """What this machine needs, in seconds.

    Attributes:
        token: To read one prompt token.
        request: To write one answer.
        training: To begin one training.
        learned: To train on one token.
    """

    token: float
    request: float
    training: float
    learned: float


def probe(desk: Desk, folder: Path) -> MachinePace:
    """Measure the pace with a few requests and one short training, once for a folder."""
    pace_file = folder / "pace.json"
    if pace_file.exists():
        return MachinePace(**json.loads(pace_file.read_text(encoding="utf-8")))
    base = "The quick answer of a short probe. " * 2
    short = [_ask(f"{i} {base}") for i in range(32)]
    long = [_ask(f"{i} {base * 6}") for i in range(32)]
    decoding = Decoding(max_tokens=12)
    for prompts in (short[:1], long[:1]):  # loading and first calls are not the pace
        desk.engine.generate(desk.model, prompts, decoding)
    seconds: list[float] = []
    tokens: list[int] = []
    for prompts in (short, long):
        began = time.perf_counter()
        desk.engine.generate(desk.model, prompts, decoding)
        seconds.append((time.perf_counter() - began) / len(prompts))
        tokens.append(sum(desk.engine.prompt_tokens(desk.model, prompts)) // len(prompts))
    token = max(0.0, seconds[1] - seconds[0]) / max(1, tokens[1] - tokens[0])
    start, learned = _train(desk, folder / "study")
    pace = MachinePace(token, max(1e-4, seconds[0] - token * tokens[0]), start, learned)
    write_atomic(pace_file, json.dumps(asdict(pace)))
    return pace


def _ask(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def _train(desk: Desk, folder: Path) -> tuple[float, float]:
    """Seconds to begin a training, and per token of it; zeros where the model cannot be trained."""

    rows = tuple(
        Example(id=str(i), inputs={"input": f"Item {i}: red lamp, late."}, target=f"lamp {i}")
        for i in range(72)
    )
    task = Task(
        name="probe",
        splits=Splits(train=rows[:64], dev=rows[64:68], test=rows[68:]),
        metric=MetricSpec(name="exact"),
    )
    epochs = 2
    plan = ClaimStudy(task, ({"sft": {"epochs": epochs}},), seeds=1)
    if Path(desk.model.base).is_dir():
        launch.prepare()
    began = time.perf_counter()
    outcome = conduct(plan, folder, desk.model.base)
    whole = time.perf_counter() - began
    spent = outcome.summary.arms[0].info.training_seconds if outcome.summary else 0.0
    tokens = _count_tokens(desk, rows[:64]) * 64 * epochs
    return (max(0.0, whole - spent), spent / tokens) if spent else (0.0, 0.0)


def estimate_seconds(plan: ClaimStudy, pace: MachinePace, desk: Desk) -> float:
    """Seconds that a study will take, within a factor of two or so."""
    splits = plan.task.splits
    row = _count_tokens(desk, splits.train[:20]) + _count_tokens(desk, splits.test[:20]) / 2
    words = [len(document.text.split()) for document in plan.task.documents] or [0]
    passage = 1.6 * sum(words) / len(words)
    return START + sum(_estimate_arm(arm, plan, pace, row / 1.5, passage) for arm in plan.parsed)


def estimate_known_seconds(facts: int, pace: MachinePace) -> float:
    """Seconds to tell what a model knows, where it knows about half of the facts."""
    requests = facts * (PROMPTS + PROMPTS * SAMPLES / 2)
    return requests * (pace.request + pace.token * KNOWN_PROMPT)


def _estimate_arm(
    arm: Arm, plan: ClaimStudy, pace: MachinePace, row: float, passage: float
) -> float:
    splits = plan.task.splits
    rows = min(arm.rows or len(splits.train), len(splits.train))
    sizes = Sizes(rows, len(splits.dev), len(plan.task.preferences))
    requests, prompt, total = len(splits.dev) + len(splits.test), row, 0.0
    for step in arm.chain.steps:
        demand = step.demand(sizes)
        prompt += row * demand.examples + passage * demand.passages
        requests += demand.requests
        if step.trains:
            total += pace.training + pace.learned * prompt * demand.learned
    total += requests * (pace.request + pace.token * prompt)
    return total * (plan.seeds if arm.chain.stochastic else 1)


def _count_tokens(desk: Desk, rows: Sequence[Example]) -> float:
    """Mean tokens of input and target together, and of what a template puts around them."""
    texts = [f"{row.text} {row.target}" for row in rows]
    return 8 + sum(desk.engine.count_tokens(desk.model, texts)) / max(1, len(texts))
