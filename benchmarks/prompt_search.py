"""Requests and seconds until a prompt search reaches a score: ours, and GEPA by its own defaults.

The task is scripted, so that the cure is known and every request costs the same: a model that
labels messages, and is right once its instructions list the labels and ask for nothing else. GEPA
needs a helper that writes prompts; here it is scripted as well, and writes one of the two missing
sentences, or a useless one, at random. The search by edits has no helper.

    python benchmarks/prompt_search.py

What is compared is the number of answers scored until a prompt has the full score on the rows that
are searched (ours adds the answers on its held-out rows, 24 for each prompt that it decides among),
the median over five seeds.
"""

from __future__ import annotations

import random
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

LABELS = ("branch", "card", "loan", "rate")
SEED = "Label the message."
CURE = ("Answer with one label and nothing else.", f"The labels are: {', '.join(LABELS)}.")
USELESS = ("Take your time.", "Read with care.", "Be kind.")
SEEDS = 5
ROW = "{:<44}{:>10}{:>10}{:>10}"


def rows(count: int) -> tuple[Example, ...]:
    return tuple(
        Example(
            id=f"r{i}",
            inputs={"text": f"Message {i * 7919 % 997} on {LABELS[i % 4]} business"},
            target=LABELS[i % 4],
        )
        for i in range(count)
    )


def labels(instructions: str, text: str) -> str:
    """What the scripted model answers: an eighth of the rows stays wrong for each missing cure."""
    right = next(label for label in LABELS if label in text)
    missing = sum(sentence not in instructions for sentence in CURE)
    number = int(re.findall(r"\d+", text)[0])
    return right if number % 8 >= 4 * missing else f"I think {right}"


class Writer:
    """The scripted helper: the prompt it was shown with one more sentence."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def __call__(self, prompt: Any) -> str:
        text = prompt if isinstance(prompt, str) else prompt[-1].content
        shown = text.split("```")[1].strip()
        return f"```\n{shown}\n{self.rng.choice((*CURE, *USELESS))}\n```"


def ours(seed: int, *, helper: bool) -> tuple[int, float, float]:
    train, dev = rows(200)[100:], rows(60)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))

        def model(messages: Sequence[Message]) -> str:
            return labels(messages[0].content, messages[-1].content)

        bench = Bench(
            Examiner(FakeEngine(model), load(MetricSpec(name="category"), train), store),
            train=train,
            dev=dev,
            seed=seed,
        )
        if helper:
            fake = HelperModel(FakeEngine(Writer(seed)), Weights(base="fake:"))
            bench.helper = Helper(fake, store, Meter())
        start = Candidate(
            prompt=Prompt(instructions=SEED),
            weights=Weights(base="fake:"),
            decoding=Decoding(max_tokens=20),
        )
        began = time.perf_counter()
        settings = {"examples": 0, "calls": 800}
        found = build_chain("prompt-search", {"prompt-search": settings}).adapt(start, bench)
        seconds = time.perf_counter() - began
        return bench.ledger.requests, seconds, bench.dev_score(found)


def gepa_by_itself(seed: int) -> tuple[int, float, float]:
    """GEPA with its own adapter and defaults, stopped when its best prompt is fully right."""
    from gepa.adapters.default_adapter.default_adapter import EvaluationResult
    from gepa.api import optimize

    calls = 0
    dev = rows(60)

    def task(messages: Any) -> str:
        nonlocal calls
        calls += 1
        return labels(messages[0]["content"], messages[-1]["content"])

    def evaluate(data: Any, response: str) -> Any:
        right = response == data["answer"]
        return EvaluationResult(score=float(right), feedback=f"wanted {data['answer']}")

    class Quiet:
        def log(self, message: str) -> None: ...

    data = [{"input": r.text, "answer": r.target, "additional_context": {}} for r in dev]
    began = time.perf_counter()
    found = optimize(
        {"system_prompt": SEED},
        trainset=data,
        valset=data,
        task_lm=task,
        evaluator=evaluate,
        reflection_lm=Writer(seed),
        max_metric_calls=800,
        stop_callbacks=lambda gepa_state: max(gepa_state.program_full_scores_val_set) >= 1.0,
        logger=Quiet(),
        seed=seed,
    )
    return calls, time.perf_counter() - began, max(found.val_aggregate_scores)


def main() -> None:
    print(ROW.format("median of five seeds", "answers", "seconds", "score"))
    searches = {
        "whatworks, edits (no helper)": lambda seed: ours(seed, helper=False),
        "whatworks, GEPA through the bench": lambda seed: ours(seed, helper=True),
        "gepa, its own defaults, stopped at the score": gepa_by_itself,
    }
    for name, search in searches.items():
        calls, seconds, scores = zip(*(search(seed) for seed in range(SEEDS)), strict=True)
        middle = [statistics.median(values) for values in (calls, seconds, scores)]
        print(ROW.format(name, f"{middle[0]:.0f}", f"{middle[1]:.2f}", f"{middle[2]:.2f}"))


if __name__ == "__main__":
    main()
