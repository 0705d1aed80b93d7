"""A rehearsal: a bench on which a method does all it would do, on a few rows for each call.

``Rehearsal`` is a ``Bench`` of which only the two costly doors are narrower: ``answers`` asks a
sample and repeats it, ``fit`` takes a few optimiser steps in the same child process. What each
would have taken is counted instead. The method itself runs unchanged, so a new method can be
planned without saying anything about its work.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from whatworks.base import memory
from whatworks.data.task import Example, Message, hash_examples
from whatworks.methods.bench.bench import Bench, Fitting
from whatworks.methods.bench.examiner import Answer, mean
from whatworks.methods.bench.provider_tuning import (
    admit,
    compute_cost,
    estimate_training,
    make_order,
)
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import Generation
from whatworks.models.files import resolve
from whatworks.models.helper import DECODING, Helper, HelperModel
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.training import launch
from whatworks.training import process as child
from whatworks.training.encoder_fit import EncoderJob
from whatworks.training.settings import AnySettings

SAMPLE = 32
"""Rows asked for each call of ``answers``: as many as the local engine takes at once on a CPU."""
FIRST, SECOND = 1, 4
"""Rows asked first and then, where these take ``SLOW`` seconds; no more of them."""
SLOW = 0.5
AT_ONCE = 1.25
"""Where ``SECOND`` rows take less than this times the time of the first, they are answered at
once, as an endpoint does, and the others are asked as well."""
MOST = 160
"""Rows asked in all while one method rehearses; after that, its last answers stand for more."""
BATCHES, FEWEST = 4, 2
"""Batches that a training is rehearsed with: one with the longest row, then usual ones. The fewest
where a training is short, so that rehearsing it is not half of it."""
SHORT = 40
"""Steps of a training that is not short."""
PART, IN_PARTS = 4, 30_000_000
"""Rows of a step that is rehearsed, where a CPU reads steps in parts: of models of this many
parameters."""


@dataclass(frozen=True)
class Sampled:
    """Answers to a sample of rows, and what asking takes.

    Attributes:
        answers: The answers.
        row: Seconds of each row.
        batch: Seconds of each ``SAMPLE`` rows beside: reading what they share, and the steps in
            which they are written together.
    """

    answers: list[Answer]
    row: float
    batch: float = 0.0

    def seconds(self, count: int) -> float:
        """Seconds for so many rows."""
        return self.row * count + self.batch * -(-count // SAMPLE)


@dataclass(frozen=True)
class TrainingPace:
    """What a training takes, in seconds.

    Attributes:
        around: Starting the child process, loading, closing.
        first: The first optimiser step: padded to the longest row, and warming up.
        longest: The first step of each further epoch.
        step: Each other one.
        save: A checkpoint.
        tokens: Tokens of a row.
        weights: The weights that the rehearsal ended in.
    """

    around: float
    first: float
    longest: float
    step: float
    save: float
    tokens: float
    weights: Weights

    def seconds(self, settings: AnySettings, rows: int) -> float:
        """Seconds for so many rows."""
        epochs = settings.epochs
        others = settings.steps(rows) - epochs
        firsts = self.first + self.longest * (epochs - 1)
        return self.around + firsts + self.step * others + self.save * epochs


@dataclass
class Rehearsal(Bench):
    """A bench that counts what a method would take; see ``Bench`` for what it offers.

    ``ledger`` holds what would be spent, so limits hold as in a run.

    Attributes:
        answer_tokens: Tokens of a usual target: what a tuned model writes.
        paces: Trainings measured before, by what decides their pace; shared between rehearsals.
        samples: Samples asked before, with the seconds that a row took; likewise.
        shared: By slow model, the part of the time of ``SECOND`` rows that they share; likewise.
        foreseen: Seconds that asking and training would take.
        spent: Seconds that they have taken here.
        asked: Candidates and rows that were asked.
    """

    answer_tokens: int = 64
    paces: dict[Any, TrainingPace] = field(default_factory=dict[Any, TrainingPace])
    samples: dict[Any, Sampled] = field(default_factory=dict[Any, "Sampled"])
    shared: dict[str, float] = field(default_factory=dict[str, float])
    foreseen: float = 0.0
    spent: float = 0.0
    asked: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _steps: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    _left: int = MOST
    _last: Sampled | None = None

    def answers(self, candidate: Candidate, examples: Sequence[Example]) -> list[Answer]:
        """Answers of a sample, repeated to the length of ``examples``; charged in full.

        Raises:
            BudgetExceeded: If so many requests pass a limit.
        """
        self.asked.add((candidate.key, hash_examples(examples)))
        sampled = self.foresee(candidate, examples, len(examples))
        return [
            replace(sampled[i % len(sampled)], example=example)
            for i, example in enumerate(examples)
        ]

    def foresee(
        self, candidate: Candidate, examples: Sequence[Example], count: int
    ) -> list[Answer]:
        """Ask a sample of ``examples``, and charge ``count`` requests like them."""
        self._meter.require(count)
        began = time.perf_counter()
        step = max(1, len(examples) // SAMPLE)
        sample = list(examples[::step][:SAMPLE])
        what = (candidate.key, hash_examples(sample))
        if what not in self.samples and self._last is not None and self._left < len(sample):
            self.samples[what] = self._last
        if what not in self.samples:
            self.samples[what] = self._ask_sample(candidate, sample)
        self._last = self.samples[what]
        answers = self._last.answers
        repeated = [answers[i % len(answers)].generation for i in range(count)]
        self._meter.charge(repeated)
        self.foreseen += self._last.seconds(count)
        self.spent += time.perf_counter() - began
        return answers

    def _make_writer(self, model: HelperModel) -> Helper:
        return RehearsedHelper(model, self.examiner.store, self._meter)

    def _ask_sample(self, candidate: Candidate, sample: Sequence[Example]) -> Sampled:
        """Ask a sample for real."""
        if candidate.weights.stages:  # a few steps do not teach a model where to stop
            length = min(candidate.decoding.max_tokens, self.answer_tokens)
            candidate = candidate.replace(decoding=candidate.decoding.replace(max_tokens=length))
        self._left -= len(sample)
        # Indexes and embeddings are made once, however many rows are asked.
        _, once = _time_run(lambda: self.examiner.prompt_tokens(candidate, sample))
        self.foreseen += once
        ask, base = partial(self.examiner.ask, candidate), candidate.weights.base
        if base in self.shared and len(sample) > SECOND:  # known to be slow: one call tells
            answers, seconds = _time_run(lambda: ask(sample[:: len(sample) // SECOND][:SECOND]))
            return _divide(answers, seconds, self.shared[base])
        answers, first = _time_run(lambda: ask(sample[:FIRST]))
        rest = sample[FIRST:]
        if first > SLOW and len(rest) > SECOND:
            some = rest[:: len(rest) // SECOND][:SECOND]
            more, second = _time_run(lambda: ask(some))
            if second > AT_ONCE * first:
                # Of a line through both: what the rows of a batch share, and each one's own.
                row = (second - first) / (SECOND - FIRST)
                row = min(max(row, second / SECOND / 2), second / SECOND)
                self.shared[base] = 1 - row * SECOND / second
                return _divide(answers + more, second, self.shared[base])
            answers, rest = answers + more, [row for row in rest if row not in some]
        more, seconds = _time_run(lambda: ask(rest)) if rest else ([], first)
        return Sampled(answers + more, seconds / len(rest or answers))

    def _fit(self, asked: Fitting) -> list[Weights]:
        """The weights after a few steps, once for each epoch; a whole training is charged.

        Whether ``patience`` will end it early is not known beforehand.

        Raises:
            ArmFailure: If even these few steps fail.
        """
        start, settings, rows = asked.start, asked.settings, asked.rows
        engine = self.examiner.engine
        if isinstance(engine, EndpointEngine):
            return self._foresee_there(asked, engine)
        began = time.perf_counter()
        short = settings.replace(epochs=1)
        # Rows of like lengths take as long, whatever prompt rendered them.
        lengths = [len(row.model_dump_json()) for row in rows]
        alike = [round(4 * math.log2(length)) for length in (mean(lengths), max(lengths))]
        lineage = (start.weights.base, start.weights.template, len(start.weights.stages))
        what = (short.key, *lineage, type(rows[0]).__name__, *alike)
        pace = self.paces.get(what)
        if pace is None:
            batches = BATCHES if settings.steps(len(rows)) >= SHORT else FEWEST
            pace = self._measure(replace(asked, settings=short, patience=None), batches)
            self.paces[what] = pace
        seconds = pace.seconds(settings, len(rows))
        self.ledger.training_seconds += seconds - pace.around
        self.ledger.training_tokens += round(pace.tokens * len(rows) * settings.epochs)
        self.foreseen += seconds
        self.spent += time.perf_counter() - began
        return [pace.weights] * settings.epochs

    def fit_encoder(self, job: EncoderJob) -> list[Path]:
        """The encoder after a few steps, once for each epoch; a whole tuning is charged."""
        some = job.pairs[: FEWEST * job.batch_size]
        began, spent = time.perf_counter(), self.ledger.training_seconds
        (few,) = super().fit_encoder(job.replace(pairs=some, epochs=1))
        whole = (self.ledger.training_seconds - spent) * job.epochs * len(job.pairs) / len(some)
        self.ledger.training_seconds = spent + whole
        self.foreseen += whole
        self.spent += time.perf_counter() - began
        return [few] * job.epochs

    def _foresee_there(self, asked: Fitting, engine: EndpointEngine) -> list[Weights]:
        """What a training at the server would cost; how long it takes nobody knows beforehand."""
        order = make_order(asked.settings, asked.rows, "", self.seed)
        tokens = estimate_training(engine, order)
        admit(engine.price, tokens, self.budget, self.ledger)
        self.ledger.training_tokens += tokens
        self.ledger.usd += compute_cost(engine.price, tokens) or 0.0
        return [asked.start.weights] * asked.settings.epochs

    def _measure(self, asked: Fitting, batches: int) -> TrainingPace:
        """Take a few steps for real, the longest row in the first, on rows of all lengths."""
        rows = asked.rows
        parts = asked.settings.rows_a_step
        settings = self._small_steps(asked.start, asked.settings)
        parts //= settings.rows_a_step
        lengths = [len(row.model_dump_json()) for row in rows]
        longest, *others = sorted(range(len(rows)), key=lambda i: -lengths[i])
        padded = estimate_length(lengths, settings.rows_a_step)
        room = batches * settings.rows_a_step - 1
        spread = [others[at * len(others) // room] for at in range(room)]
        chosen = [longest, *(spread if len(others) > room else others)]
        seconds, tokens = self.ledger.training_seconds, self.ledger.training_tokens
        self._steps = []
        launch.prepare()
        began = time.perf_counter()
        few = replace(asked, settings=settings, rows=[rows[i] for i in chosen])
        (weights,) = super()._fit(few)
        wall = time.perf_counter() - began
        # What the rehearsal itself took is not charged.
        seconds, self.ledger.training_seconds = self.ledger.training_seconds - seconds, seconds
        tokens, self.ledger.training_tokens = self.ledger.training_tokens - tokens, tokens
        share = mean(lengths) / mean([lengths[i] for i in chosen])
        count = settings.steps(len(chosen))
        (first, at_first), (last, at_last) = (
            (self._steps[0], self._steps[-1]) if self._steps else ((count, seconds),) * 2
        )
        if last > first:
            step = (at_last - at_first) / (last - first)
            beginning = max(step, at_first - step * (first - 1))
        else:
            step = beginning = at_last / max(1, last)
        beginning, step = beginning + (parts - 1) * step, parts * step
        return TrainingPace(
            around=max(0.0, wall - seconds),
            first=beginning,
            longest=min(beginning, step * lengths[longest] / padded),
            step=step,
            save=max(0.0, seconds - at_last),
            tokens=tokens / len(chosen) * share,
            weights=weights,
        )

    def _small_steps(self, start: Candidate, settings: AnySettings) -> AnySettings:
        """Settings with fewer rows a step, where a step takes as long as its rows one by one."""
        base = resolve(self.examiner.files(start.weights).base)
        whole = not settings.shuffled or settings.batch_size % PART or launch.has_accelerator()
        if whole or launch.count_parameters(base) < IN_PARTS:
            return settings
        return settings.replace(batch_size=PART)

    def _training_tick(self, step: int, steps: int, seconds: float) -> None:
        self._steps.append((step, seconds))
        super()._training_tick(step, steps, seconds)


def _divide(answers: list[Answer], seconds: float, shared: float) -> Sampled:
    """A sample whose last ``SECOND`` rows took so long, a part of which they share."""
    return Sampled(answers, seconds * (1 - shared) / SECOND, seconds * shared)


T = TypeVar("T")


def _time_run(run: Callable[[], T]) -> tuple[T, float]:
    """What it returns, and the seconds that it took."""
    began = time.perf_counter()
    return run(), time.perf_counter() - began


def estimate_length(lengths: Sequence[int], batch: int) -> float:
    """The length, on average over shuffles, of the longest row of a batch."""
    rng, drawn = random.Random("shuffles"), min(batch, len(lengths))
    return mean([max(rng.sample(lengths, drawn)) for _ in range(200)])


class RehearsedHelper(Helper):
    """A helper that is asked two prompts of each call; the others are charged like them."""

    FEW = 2

    def ask(
        self, prompts: Sequence[Sequence[Message]], decoding: Decoding = DECODING
    ) -> list[Generation]:
        """The answers to the first prompts, repeated."""
        replies = super().ask(prompts[: self.FEW], decoding)
        repeated = [replies[i % len(replies)] for i in range(len(prompts))]
        self._meter.charge(repeated[len(replies) :])
        return repeated


def measure_peak_memory() -> tuple[int, int]:
    """Most main memory that this process, and that any of its children so far, has held; bytes."""
    mine, theirs = memory.measure_peak_memory()
    return mine, max(theirs, child.measure_peak_memory())
