"""The retention set: general prompts that show what training changed beside its task.

They are asked without the arm's instructions, examples or passages, so that the weights alone are
compared. Each run's ledger is charged with what its own model was asked. Nothing is decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from importlib import resources
from pathlib import Path

from whatworks.analysis.forgetting import Forgetting, average_seeds, compare, estimate_kl
from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.paths import resolve_path
from whatworks.base.progress import Phase, Watcher
from whatworks.base.store import Store
from whatworks.data import read
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, Generation
from whatworks.models.metering import Ledger, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.decisions import ArmRun
from whatworks.studies.study import Study

LONGEST = 12
"""Tokens of an answer: enough to tell two models apart, and a small part of an arm's time."""
TASK_ROWS = 20
"""Rows of dev on which the divergence on the task is measured."""
NONE = "none"


def read_prompts(name: str | None, root: Path) -> tuple[str, ...]:
    """The prompts of a study's retention set.

    Args:
        name: A text file with one prompt a line, or any data file that ``whatworks.data`` reads,
            whose inputs are taken; None for the general prompts that ship with the package;
            ``none`` for no measurement.
        root: What ``name`` is relative to.

    Raises:
        InputError: If the file cannot be read or holds no prompt.
    """
    if name == NONE:
        return ()
    if name is None:
        text = (resources.files("whatworks.studies") / "retention.txt").read_text("utf-8")
        return tuple(text.splitlines())
    path = resolve_path(root, name)
    if path.suffix != ".txt":
        return tuple(example.text for example in read(path).examples)
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "the retention prompts cannot be read",
            place=str(path),
            remedy="give a text file with one prompt a line, or `retention: none`",
        ) from error
    prompts = tuple(line.strip() for line in lines if line.strip())
    if not prompts:
        raise InputError(
            "no retention prompt here", place=str(path), remedy="write one prompt a line"
        )
    return prompts


class Draws:
    """What the untouched model says to some rows at temperature 1, asked once.

    Args:
        examiner: Asks both models; a study that resumes asks nothing twice.
        untouched: The model before any training, and the prompt that both are asked under.
        asked: The rows.
    """

    def __init__(self, examiner: Examiner, untouched: Candidate, asked: Sequence[Example]) -> None:
        self._examiner, self._untouched, self._asked = examiner, untouched, asked

    def estimate_kl(self, weights: Weights, meter: Meter) -> float:
        """KL(untouched || tuned) in nats per token; the tuned model's answers are charged."""
        return estimate_kl(self.before, self.chances(self._untouched.with_weights(weights), meter))

    @cached_property
    def sampled(self) -> list[Generation]:
        """The answers."""
        drawing = self._untouched.with_decoding(temperature=1.0)
        return [answer.generation for answer in self._examiner.ask(drawing, self._asked)]

    @cached_property
    def before(self) -> list[float]:
        """How likely the untouched model finds each of its own sampled answers.

        It says so as it draws them; only of one that did not, it is asked.
        """
        logprobs = [sample.logprob for sample in self.sampled]
        if any(one is None for one in logprobs):
            return [sum(one) for one in self.chances(self._untouched)]
        return [one for one in logprobs if one is not None]

    def chances(self, candidate: Candidate, meter: Meter | None = None) -> list[tuple[float, ...]]:
        """How likely a candidate finds each token of them."""
        # Of exactly what was drawn: the text alone hides a stop string, and may have other tokens.
        drawn = [sample.ids or sample.text for sample in self.sampled]
        return self._examiner.logprobs(candidate, self._asked, drawn, meter=meter)


class Retention:
    """The retention set with the untouched model's answers, asked once.

    Args:
        prompts: User messages.
        untouched: The model before any training.
        engine: Runs both models.
        store: Keeps the answers, so that a study that resumes asks nothing twice.
    """

    def __init__(
        self, prompts: Sequence[str], untouched: Weights, engine: Engine, store: Store
    ) -> None:
        self._examiner = Examiner(engine, load(MetricSpec(name="exact"), ()), store)
        self.untouched = Candidate(
            prompt=Prompt(), weights=untouched, decoding=Decoding(max_tokens=LONGEST)
        )
        self.asked = [
            Example(id=f"retention {at}", inputs={"prompt": prompt})
            for at, prompt in enumerate(prompts)
        ]
        self.draws = Draws(self._examiner, self.untouched, self.asked)

    def measure(
        self, weights: Weights, ledger: Ledger, tick: Callable[[int], None] | None = None
    ) -> Forgetting:
        """Ask tuned weights the retention set.

        Args:
            weights: What training made.
            ledger: Charged with what the tuned model was asked.
            tick: Called with the number of prompts just answered.
        """
        tuned = self.untouched.with_weights(weights)
        meter = Meter(ledger=ledger, price=self._examiner.engine.price)
        answers = self._examiner.ask(tuned, self._greedy, meter=meter, tick=tick)
        same = [answer.score.value for answer in answers]
        return compare(same, self.draws.before, self.draws.chances(tuned, meter))

    @cached_property
    def _greedy(self) -> list[Example]:
        """The prompts with the untouched model's greedy answers as targets."""
        answers = self._examiner.ask(self.untouched, self.asked)
        return [answer.example.replace(target=answer.generation.text) for answer in answers]


class TaskDraws:
    """The divergence on rows of dev, under each prompt that an arm has.

    Args:
        rows: Rows of dev; the first ``TASK_ROWS`` are asked.
    """

    def __init__(self, rows: Sequence[Example]) -> None:
        self._rows = rows[:TASK_ROWS]
        self._draws: dict[str, Draws] = {}

    def estimate_kl(
        self, examiner: Examiner, candidate: Candidate, start: Weights, ledger: Ledger
    ) -> float:
        """KL of a candidate's weights from those before any training, in nats per token."""
        asked = Candidate(
            prompt=candidate.prompt, weights=start, decoding=Decoding(max_tokens=LONGEST)
        )
        draws = self._draws.setdefault(asked.key, Draws(examiner, asked, self._rows))
        meter = Meter(ledger=ledger, price=examiner.engine.price)
        return draws.estimate_kl(candidate.weights, meter)


def measure_forgetting(
    study: Study, runs: Sequence[ArmRun], prompts: Sequence[str], watcher: Watcher
) -> dict[str, Forgetting]:
    """The mean over the seeds of every arm that trained, by its name.

    What cannot be measured (a retention prompt longer than the context) is said, and is no
    failure of the arm.
    """
    trained = [run for run in runs if run.candidate and run.candidate.weights.stages]
    if not trained or not prompts:
        return {}
    retentions: dict[str, Retention] = {}  # of each untouched model
    phase = Phase(watcher, "forgetting", "retention prompts", len(prompts) * len(trained))
    by_arm: dict[str, list[Forgetting]] = {}
    task = TaskDraws(study.task.splits.dev)
    for run in trained:
        assert run.candidate is not None
        examiner, untouched = study.examiner_of(run.arm), study.start_of(run.arm).weights
        if untouched.key not in retentions:
            own = Retention(prompts, untouched, examiner.engine, examiner.store)
            retentions[untouched.key] = own
        try:
            one = retentions[untouched.key].measure(run.candidate.weights, run.ledger, tick=phase)
        except (ArmFailure, InputError) as error:
            watcher.say(f"forgetting of {run.arm} was not measured: {error.cause}")
        else:
            with contextlib.suppress(ArmFailure):  # a prompt with a whole answer may be too long
                on_task = task.estimate_kl(examiner, run.candidate, untouched, run.ledger)
                one = replace(one, task=on_task)
            by_arm.setdefault(run.arm, []).append(one)
    watcher.done("forgetting")
    return {arm: average_seeds(own) for arm, own in by_arm.items()}
