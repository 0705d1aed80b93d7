"""The bench: the only door a method has to the world.

``Bench`` gives a method train and dev rows, scoring, training and documents, and meters what they
cost; test rows never enter it. Answers come from the examiner (``examiner.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from whatworks.analysis.method_outcomes import EpochScores, Losses, MethodOutcome, Note, Trace
from whatworks.base.errors import ArmFailure, BudgetExceeded
from whatworks.base.frozen import hash_content
from whatworks.base.lock import wait_for_lock
from whatworks.data.task import Document, Example, Pair
from whatworks.methods.bench.examiner import Answer, Examiner
from whatworks.methods.bench.provider_tuning import (
    admit,
    compute_cost,
    estimate_training,
    make_order,
    train_there,
)
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.files import resolve
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.training.encoder_fit import EncoderJob, FittedEncoder, fit_encoder, list_folders
from whatworks.training.job import Trained, TrainingJob, TrainingProgress
from whatworks.training.launch import train
from whatworks.training.rows import RenderedRow
from whatworks.training.settings import AnySettings
from whatworks.version import __version__

Tick = Callable[[str, int, int], None]
"""Progress: (what is being done, units done so far, units in all)."""


@dataclass
class Waiting:
    """Early stopping: whether the score of dev has stopped rising.

    Attributes:
        patience: Epochs without a better score after which it is enough; None never is.
        score: The score of an epoch by its name.
        seen: Scores so far.
    """

    patience: int | None
    score: Callable[[str], float]
    seen: dict[str, float] = field(default_factory=dict[str, float])

    def enough(self, epoch: str) -> bool:
        """Whether training should end with this epoch; epochs come in their order."""
        if epoch not in self.seen:
            self.seen[epoch] = self.score(epoch)
        names = list(self.seen)
        scores = [self.seen[name] for name in names[: names.index(epoch) + 1]]
        best = scores.index(max(scores))
        return self.patience is not None and len(scores) - 1 - best >= self.patience


@dataclass(frozen=True)
class Fitting:
    """A training as a method asks for it; ``Bench.fit`` says what each part is."""

    start: Candidate
    settings: AnySettings
    rows: Sequence[RenderedRow]
    method: str
    second: Weights | None = None
    patience: int | None = None


@dataclass
class Bench:
    """What a method may use: train and dev rows, documents, scoring and training, metered.

    Attributes:
        train: Rows for fitting.
        dev: Rows for every decision.
        documents: Texts for retrieval.
        documents_fault: Why there are none although the task names some.
        preferences: Preference pairs.
        seed: Seed of everything random in the method.
        budget: Limits; ``ledger`` holds what this arm has spent so far.
        outcomes: What the method has told (``note``, ``tell``).
        helper: A second model to ask; None when the study names none (``helper.require_helper``).
        on_loss: Called with step and loss as a training goes on.
    """

    examiner: Examiner
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    documents: tuple[Document, ...] = ()
    documents_fault: str = ""
    preferences: tuple[Pair, ...] = ()
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    ledger: Ledger = field(default_factory=Ledger)
    tick: Tick | None = None
    outcomes: list[MethodOutcome] = field(default_factory=list[MethodOutcome])
    helper: Helper | None = None
    on_loss: Callable[[int, float], None] | None = None

    def answers(self, candidate: Candidate, examples: Sequence[Example]) -> list[Answer]:
        """Ask and score rows of train or dev; charged.

        Raises:
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            self.report("asking", done, len(examples))

        return self.examiner.ask(
            candidate,
            examples,
            meter=self._meter,
            tick=advance,
        )

    def logprobs(
        self, candidate: Candidate, examples: Sequence[Example], answers: Sequence[str]
    ) -> list[tuple[float, ...]]:
        """Natural-log probability of each token of an answer to each row of train or dev; charged.

        The end of the turn is the last token. Teacher-forced, so never a score.

        Raises:
            ArmFailure: If a prompt with its answer is too long, or the engine cannot say.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        return self.examiner.logprobs(candidate, examples, answers, meter=self._meter)

    @property
    def _meter(self) -> Meter:
        return Meter(self.budget, self.ledger, self.examiner.engine.price)

    def open_writer(self, start: Candidate) -> Helper:
        """The start's own model, asked for texts as a helper is; charged as its answers are."""
        engine, weights = self.examiner.engine, start.weights
        model = HelperModel(engine, weights, self.examiner.files(weights))
        return self._make_writer(model)

    def _make_writer(self, model: HelperModel) -> Helper:
        return Helper(model, self.examiner.store, self._meter)

    def dev_score(self, candidate: Candidate) -> float:
        """Mean score on dev, of the kind that counts."""
        answers = self.answers(candidate, self.dev)
        return sum(a.score.counted for a in answers) / len(answers)

    def best(self, candidates: Sequence[Candidate]) -> tuple[Candidate, list[float]]:
        """The candidate with the highest dev score, the earliest among equals, and all scores."""
        if len(candidates) == 1:
            return candidates[0], []
        scores = [self.dev_score(candidate) for candidate in candidates]
        return candidates[scores.index(max(scores))], scores

    def within(self, build: Callable[[int], Candidate], k: int, tokens: int, what: str) -> int:
        """The largest n up to ``k`` for which ``build(n)`` adds at most so many tokens to a prompt.

        The mean over dev, against ``build(0)``; fewer than ``k`` are noted.

        Raises:
            ArmFailure: If even one takes more.
        """
        plain = sum(self.examiner.prompt_tokens(build(0), self.dev))
        taken = 0.0
        for n in range(k, 0, -1):
            taken = (sum(self.examiner.prompt_tokens(build(n), self.dev)) - plain) / len(self.dev)
            if taken <= tokens:
                if n < k:
                    self.note(
                        "tokens", f"{n} {what} instead of {k}: {taken:.0f} of {tokens} tokens"
                    )
                return n
        raise ArmFailure(
            f"one of the {what} takes {taken:.0f} tokens, more than the {tokens} allowed",
            remedy="raise `tokens`, or use shorter examples",
        )

    def best_epoch(self, start: Candidate, weights: Sequence[Weights]) -> Candidate:
        """The start with the weights, one per epoch, that score best on dev; the curve is noted."""
        best, scores = self.best([start.with_weights(each) for each in weights])
        self.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        return best

    def largest_fit(self, build: Callable[[int], Candidate], k: int, what: str) -> Candidate:
        """``build(n)`` for the largest n up to ``k`` whose prompts fit the model's context.

        Prompts of dev and of a share of train are rendered and counted: 95% of them must leave
        room for the longest answer. One is taken in any case when half of the prompts leave room
        for some answer; both are noted.

        Raises:
            ArmFailure: If even one does not fit half of the prompts.
        """
        sample = [*self.dev, *self.train[:100]]
        model = self.examiner.files(build(1).weights)
        context = self.examiner.engine.context_length(model)
        if context is None:
            return build(k)
        lengths: list[int] = []
        for n in range(k, 0, -1):
            candidate = build(n)
            lengths = self.examiner.prompt_tokens(candidate, sample)
            room = context - candidate.decoding.max_tokens
            if sum(length <= room for length in lengths) >= 0.95 * len(sample):
                if n < k:
                    self.note("fit", f"{n} {what} instead of {k}: the context is {context} tokens")
                return candidate
        short = sum(length < context for length in lengths)
        if short < len(sample) / 2:
            at = max(range(len(sample)), key=lengths.__getitem__)
            raise ArmFailure(
                f"not even one of the {what} fits the model's context of {context} tokens: the "
                f"prompt of example {sample[at].id!r} has {lengths[at]}, "
                f"{lengths[at] - context + 1} too many",
                remedy="shorten them, or use a model with a longer context",
            )
        self.note("fit", f"1 of the {what}, and for {len(sample) - short} of {len(sample)} "
                         f"rows even that is too long for {context} tokens")  # fmt: skip
        return build(1)

    def fit(
        self,
        start: Candidate,
        settings: AnySettings,
        rows: Sequence[RenderedRow],
        method: str,
        *,
        second: Weights | None = None,
        patience: int | None = None,
    ) -> list[Weights]:
        """Train ``start``'s weights on rows that it rendered; the weights of each checkpoint.

        Runs in a child process. The result is kept under the content of start, rows and job;
        a killed training resumes from its last checkpoint. With ``patience``, dev is asked while
        training goes on, and it ends when the score has not risen for so many epochs; the epochs
        kept are the same however far it had run by then.

        Raises:
            ArmFailure: If memory runs out, the loss diverges or no row fits.
            BudgetExceeded: If training takes longer than the budget leaves.
        """
        return self._fit(Fitting(start, settings, rows, method, second, patience))

    def _fit(self, asked: Fitting) -> list[Weights]:
        start, settings, rows, patience = asked.start, asked.settings, asked.rows, asked.patience
        job = TrainingJob(
            stacking=start.weights.stack(settings.stage),
            template=start.weights.template,
            seed=self.seed,
            settings=settings,
        )
        key = hash_content(
            [start.weights.key, job.key, [row.key for row in rows], self.seed, __version__]
        )

        def weights(epoch: str) -> Weights:
            return start.weights.then(
                Stage(kind=job.kind, method=asked.method, artifact=f"{key}/{epoch}")
            )

        # Asked again, and charged, when dev chooses; here only the budget is minded.
        aside = replace(self, ledger=replace(self.ledger), tick=None)
        waiting = Waiting(
            patience, lambda epoch: aside.dev_score(start.with_weights(weights(epoch)))
        )
        stored = self.examiner.store.read("trained", key)
        engine = self.examiner.engine
        if isinstance(engine, EndpointEngine):
            trained = self._fit_there(asked, engine, key, stored)
        elif stored is None:
            trained = self._fit_here(asked, job, key, waiting)
        else:
            trained = Trained.model_validate(stored)
        self.ledger.training_seconds += trained.seconds
        self.ledger.training_tokens += trained.tokens
        checkpoints = trained.checkpoints
        if patience:
            last = next(
                (i for i, c in enumerate(checkpoints) if waiting.enough(c.name)), len(checkpoints)
            )
            checkpoints = checkpoints[: last + 1]
        self.tell(Losses(values=trained.losses[: checkpoints[-1].step]))
        if trained.trace:
            self.tell(Trace(steps=trained.trace))
        if trained.stopped:
            self.note("stopped", trained.stopped)
        if trained.dropped_rows:
            self.note("dropped", f"{trained.dropped_rows} training rows are longer than allowed")
        return [weights(checkpoint.name) for checkpoint in checkpoints]

    def _fit_here(self, asked: Fitting, job: TrainingJob, key: str, waiting: Waiting) -> Trained:
        """Train in a child process, or wait for another process of the study that does it."""
        self.ledger.require(self.budget)
        store, model = self.examiner.store, self.examiner.files(asked.start.weights)
        folder = store.workplace(key)
        with wait_for_lock(folder.with_name(f".{key}.made.lock"), "this training"):
            if (stored := store.read("trained", key)) is not None:
                store.finish(key)  # what is made anew here is empty
                return Trained.model_validate(stored)
            trained = train(
                job,
                asked.rows,
                base=resolve(model.base),
                adapter=model.adapter,
                folder=folder,
                second=self.examiner.files(asked.second) if asked.second else None,
                on_progress=self._follow_training,
                enough=(lambda epoch: waiting.enough(f"epoch-{epoch}")) if asked.patience else None,
            )
            store.finish(key)
            store.write("trained", key, trained.model_dump(mode="json"))
        return trained

    def _fit_there(self, asked: Fitting, engine: EndpointEngine, key: str, stored: Any) -> Trained:
        """Train where the model is served, within the limit in money; the tokens are charged."""
        if asked.patience:
            raise ArmFailure(
                "a server that trains takes no `patience`",
                remedy="leave it out, or name the model's folder instead of its endpoint",
            )
        name = engine.name_model(self.examiner.files(asked.start.weights))
        order = make_order(asked.settings, asked.rows, name, self.seed)
        if stored is None:
            tokens = estimate_training(engine, order)
            self.ledger.require(self.budget)
            admit(engine.price, tokens, self.budget, self.ledger)
            trained = train_there(engine, self.examiner.store, key, order, tokens)
            self.examiner.store.write("trained", key, trained.model_dump(mode="json"))
        else:
            trained = Trained.model_validate(stored)
        self.ledger.usd += compute_cost(engine.price, trained.tokens) or 0.0
        return trained

    def fit_encoder(self, job: EncoderJob) -> list[Path]:
        """Tune an encoder in a child process; where it lies after each epoch. Kept by content.

        Raises:
            ArmFailure: If it cannot be tuned here.
            BudgetExceeded: If nothing of the budget is left.
        """
        self.ledger.require(self.budget)
        store = self.examiner.store
        key = hash_content([job.key, __version__])
        stored = store.read("trained", key)
        if stored is None:
            folder = store.workplace(key)
            with wait_for_lock(folder.with_name(f".{key}.made.lock"), "this encoder"):
                fitted = fit_encoder(job, folder, partial(self.report, "training"))
                store.finish(key)
            store.write("trained", key, fitted.model_dump(mode="json"))
        else:
            fitted = FittedEncoder.model_validate(stored)
        self.ledger.training_seconds += fitted.seconds
        self.tell(Losses(values=fitted.losses))
        return list_folders(store.artifact(key), fitted)

    def note(self, name: str, value: Any) -> None:
        """Record a figure or a sentence for the report."""
        self.tell(Note(name=name, value=value))

    def tell(self, outcome: MethodOutcome) -> None:
        """Record an outcome, in place of one of the same kind and name."""
        which = (type(outcome), outcome.name)
        others = [one for one in self.outcomes if (type(one), one.name) != which]
        self.outcomes[:] = [*others, outcome]

    @property
    def notes(self) -> dict[str, Any]:
        """What was noted, by name."""
        return {one.name: one.value for one in self.outcomes if isinstance(one, Note)}

    def report(self, what: str, done: int, total: int) -> None:
        """Tell the progress display."""
        if self.tick is not None:
            self.tick(what, done, total)

    def _follow_training(self, progress: TrainingProgress) -> None:
        if self.on_loss is not None:
            self.on_loss(progress.step, progress.loss)
        self._training_tick(progress.step, progress.steps, progress.seconds)

    def _training_tick(self, step: int, steps: int, seconds: float) -> None:
        limit = self.budget.seconds
        spent = self.ledger.all_seconds + seconds
        if limit is not None and spent > limit:
            raise BudgetExceeded(
                f"training passed the budget of {limit:g} seconds at step {step} of {steps}",
                remedy="raise `budget: {seconds: ...}`, or train fewer epochs or rows",
            )
        self.report("training", step, steps)
