"""Small experiments on the arm that dev chose: one thing of it changed, asked on dev rows again.

Each is an ordinary candidate, asked through the examiner, its answers kept and paired with the
arm's own. They tell what the arm lives on: its weights, its instructions, its passages and their
order, its examples and their labels (Min et al. 2022, section 4: do demonstrations teach the labels
or the form; Liu et al. 2024, "Lost in the Middle": where the right passage stands).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whatworks.analysis.diagnosis.probes import Probe, measure_effect
from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Document, Example
from whatworks.methods.bench.examiner import Answer
from whatworks.models.metering import Budget, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Demos
from whatworks.studies.answer_sample import draw_answers
from whatworks.studies.decisions import ArmRun
from whatworks.studies.study import Study

ROWS = 30
"""Rows that a change is asked on, at most."""
LEAST = 12
"""Fewer show nothing: better fewer changes on so many rows."""
SHORTENED = 500
"""Passages that are cut in half, at most: they are indexed anew."""


@dataclass(frozen=True)
class Change:
    """A candidate with one thing changed, and what a fall or a rise of the score says."""

    changed: str
    candidate: Candidate
    fall: str = ""
    rise: str = ""


def probe_arm(study: Study, run: ArmRun, most: int, watcher: Watcher) -> tuple[Probe, ...]:
    """What becomes of an arm when one thing of it is changed, for at most so many answers.

    Args:
        study: The study.
        run: A run of the arm, with a candidate and answers on dev.
        most: Answers that may be asked for.
        watcher: Shows progress.

    Returns:
        A probe for each change that was asked; none where ``most`` or dev is too small for any. A
        change that cannot be asked (its prompt is too long, say) is left out.
    """
    assert run.candidate is not None
    changes = list(list_changes(run.candidate, study.start_of(run.arm).weights))
    changes = changes[: most // min(LEAST, max(1, len(run.dev)))]
    if not changes or len(run.dev) < LEAST:
        return ()
    own = draw_answers(run.dev, min(ROWS, most // len(changes)))
    tick = Phase(watcher, f"why {run.arm}", "one thing changed", len(own) * len(changes))
    probes: list[Probe] = []
    for change in changes:
        try:
            with arm_failures():
                probes.append(_ask(study, run, change, own, tick))
        except ArmFailure:
            continue
    watcher.done(f"why {run.arm}")
    return tuple(probes)


def _ask(study: Study, run: ArmRun, change: Change, own: Sequence[Answer], tick: Phase) -> Probe:
    examiner = study.examiner_of(run.arm)
    meter = Meter(Budget(usd=study.budget.usd), run.total, examiner.engine.price)
    rows = [answer.example for answer in own]
    answers = examiner.ask(change.candidate, rows, meter=meter, tick=tick)
    groups = {row.id: row.group or row.id for row in rows}

    def tell(some: Sequence[Answer]) -> dict[str, float]:
        return {answer.example.id: answer.score.counted for answer in some}

    def count_made_up(some: Sequence[Answer]) -> dict[str, float]:
        return {answer.example.id: float(answer.score.kind == "wrong") for answer in some}

    facts = examiner.metric.name == "facts"
    return Probe(
        change.changed,
        len(rows),
        measure_effect(tell(answers), tell(own), groups),
        measure_effect(count_made_up(answers), count_made_up(own), groups) if facts else None,
        change.fall,
        change.rise,
    )


def list_changes(candidate: Candidate, untouched: Weights) -> Iterator[Change]:
    """The changes that an arm's candidate allows, the most telling first.

    Args:
        candidate: The arm's.
        untouched: The weights that its chain began with.
    """
    prompt = candidate.prompt
    if candidate.weights.key != untouched.key:
        yield Change(
            "with the weights before tuning",
            candidate.replace(weights=untouched),
            "the tuned weights bring this, not the prompt",
            "tuning costs this with the same prompt",
        )
    if prompt.instructions:
        yield Change(
            "without its instructions",
            candidate.with_prompt(instructions=""),
            "it needs them",
            "they stand in its way",
        )
    if prompt.context is not None:
        yield from _change_passages(candidate, prompt.context)
    if prompt.demos is not None and prompt.demos.k:
        yield from _change_examples(candidate, prompt.demos)


def _change_passages(candidate: Candidate, context: Context) -> Iterator[Change]:
    """Without them, fewer, more, in reverse order, each cut in half."""
    yield Change(
        "without its passages",
        candidate.with_prompt(context=None),
        "it reads them",
        "it is better without them: they mislead it",
    )
    fewer, more = context.replace(k=1), context.replace(k=context.k + 1)
    if context.k > 1:
        yield Change(
            "with the first passage alone",
            candidate.with_prompt(context=fewer),
            "the others hold what it needs",
            "the others mislead it",
        )
        yield Change(
            "with its passages in reverse order",
            candidate.with_prompt(context=context.replace(backwards=True)),
            "it matters where the right passage stands",
            "it reads better what stands last",
        )
    if context.k < len(context.chunks) and context.passages == "retrieved":
        yield Change(
            "with one passage more",
            candidate.with_prompt(context=more),
            "one passage more distracts it",
            "it lacks passages",
        )
    if len(context.chunks) <= SHORTENED:
        yield Change(
            "with half of each passage",
            candidate.with_prompt(
                context=context.replace(chunks=tuple(map(_halve, context.chunks)))
            ),
            "it needs the whole passages",
            "shorter passages are read better",
        )


def _halve(chunk: Document) -> Document:
    words = chunk.text.split()
    return chunk.replace(text=" ".join(words[: max(1, len(words) // 2)]))


def _change_examples(candidate: Candidate, demos: Demos) -> Iterator[Change]:
    """Without them; with the answers of others."""
    yield Change(
        "without its examples",
        candidate.with_prompt(demos=None),
        "it needs them",
        "they mislead it",
    )
    others = exchange_targets(demos.pool)
    if others != demos.pool:
        yield Change(
            "with the answers of its examples exchanged",
            candidate.with_prompt(demos=demos.replace(pool=others)),
            "it reads what the examples answer, not their form alone",
        )


def exchange_targets(pool: Sequence[Example]) -> tuple[Example, ...]:
    """The same examples, each with the target of another that has another one, where there is."""
    targets = sorted({row.target for row in pool})
    if len(targets) < 2:
        return tuple(pool)
    rng = random.Random("exchanged")
    return tuple(
        row.replace(target=rng.choice([one for one in targets if one != row.target]))
        for row in pool
    )
