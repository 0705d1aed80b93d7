"""The bench: the only door a method has to the world.

``Examiner`` is the one choke point where candidates are asked and scored: rendering, generation,
the answer cache and the metric meet there. ``Bench`` gives a method train and dev rows, scoring,
training and documents, and meters what they cost; test rows never enter it. The study asks the
examiner about test rows itself, after the decisions are on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from whatworks import __version__
from whatworks.candidate import Candidate, Stage, StageKind, Weights
from whatworks.engines import Engine, Generation, ModelFiles
from whatworks.errors import ArmFailure, BudgetExceeded
from whatworks.identity import Frozen, content_key
from whatworks.metrics import Metric, Score
from whatworks.prompt import render, warm
from whatworks.store import Store
from whatworks.task import Document, Example, Message, Pair, examples_key

if TYPE_CHECKING:
    from whatworks.training.job import TrainingJob

CHUNK = 64
"""Examples asked together: the unit of caching and of resuming."""

Tick = Callable[[str, int, int], None]
"""Progress: (what is being done, units done so far, units in all)."""


class Budget(Frozen):
    """Limits for adapting one arm (its chain, one seed); None is no limit.

    Attributes:
        requests: Generations on train and dev rows.
        tokens: Prompt and completion tokens of these.
        seconds: Seconds of generation and training together.
    """

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass
class Ledger:
    """What was spent. Cached answers are charged like fresh ones, so a resumed run adds up."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    generation_seconds: float = 0.0
    training_seconds: float = 0.0
    training_tokens: int = 0

    def charge(self, generations: Sequence[Generation]) -> None:
        """Add the cost of some generations."""
        self.requests += len(generations)
        self.prompt_tokens += sum(g.prompt_tokens for g in generations)
        self.completion_tokens += sum(g.completion_tokens for g in generations)
        self.generation_seconds += sum(g.seconds for g in generations)

    def add(self, other: Ledger) -> None:
        """Add another ledger's entries to this one."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def require(self, budget: Budget, requests: int = 0) -> None:
        """Refuse what would pass a limit, before it is done.

        Raises:
            BudgetExceeded: Naming the limit.
        """
        tokens = self.prompt_tokens + self.completion_tokens
        seconds = self.generation_seconds + self.training_seconds
        # How many requests leave is known beforehand; of tokens and seconds some must be left.
        passed = (
            ("requests", budget.requests, self.requests + requests, False),
            ("tokens", budget.tokens, tokens, True),
            ("seconds", budget.seconds, seconds, True),
        )
        for name, limit, spent, equal_is_over in passed:
            if limit is not None and (spent > limit or (equal_is_over and spent == limit)):
                raise BudgetExceeded(
                    f"the budget of {limit:g} {name} for one arm is used up",
                    remedy=f"raise `budget: {{{name}: ...}}` or choose cheaper settings",
                )


@dataclass(frozen=True)
class Answer:
    """One example's answer with its score."""

    example: Example
    generation: Generation
    score: Score


class Examiner:
    """Asks candidates and scores their answers; every answer goes through here, once."""

    def __init__(self, engine: Engine, metric: Metric, store: Store) -> None:
        self.engine = engine
        self.metric = metric
        self.store = store

    def ask(
        self,
        candidate: Candidate,
        examples: Sequence[Example],
        *,
        before: Callable[[int], None] | None = None,
        after: Callable[[Sequence[Generation]], None] | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> list[Answer]:
        """Answers in the order of ``examples``.

        Examples are asked in fixed chunks, each kept on disk when it is complete: a killed run
        repeats at most one chunk, and in the same company, so that its answers are the same.

        Args:
            candidate: What to ask.
            examples: Rows of one split; each is excluded from its own prompt.
            before: Called with the number of requests about to leave; may refuse.
            after: Called with what came back, to be charged before more leaves.
            tick: Called with the number of answers just completed.

        Raises:
            ArmFailure: If no example's prompt fits the model's context.
        """
        model = self.files(candidate.weights)
        answers: list[Answer] = []
        for start in range(0, len(examples), CHUNK):
            chunk = examples[start : start + CHUNK]
            if before is not None:
                before(len(chunk))
            key = content_key(
                [candidate.key, examples_key(chunk), self.engine.identity, __version__]
            )
            stored = self.store.read("answers", key)
            if stored is None:
                generations = self._generate(model, candidate, chunk)
                self.store.write("answers", key, [asdict(g) for g in generations])
            else:
                generations = [Generation(**record) for record in stored]
            answers += [
                Answer(e, g, self._score(e, g)) for e, g in zip(chunk, generations, strict=True)
            ]
            if after is not None:
                after(generations)
            if tick is not None:
                tick(len(chunk))
        if answers and all(a.generation.finish == "overflow" for a in answers):
            longest = max(a.generation.prompt_tokens for a in answers)
            raise ArmFailure(
                f"every prompt is too long: up to {longest} tokens in a context of "
                f"{self.engine.context_length(model)}",
                remedy="use fewer or shorter demonstrations and passages, or a longer model",
            )
        return answers

    def prompt_tokens(self, candidate: Candidate, examples: Sequence[Example]) -> list[int]:
        """Length of each rendered prompt in tokens."""
        model = self.files(candidate.weights)
        return self.engine.prompt_tokens(model, self._render(candidate, examples))

    def files(self, weights: Weights) -> ModelFiles:
        """Where the weights lie: the last full stage is the base, the last LoRA its adapter."""
        base, adapter = weights.base, None
        for stage in weights.stages:
            folder = self.store.artifact(stage.artifact)
            base, adapter = (str(folder), None) if stage.kind == "full" else (base, folder)
        return ModelFiles(base=base, adapter=adapter, template=weights.template)

    def _render(
        self, candidate: Candidate, examples: Sequence[Example]
    ) -> list[tuple[Message, ...]]:
        warm(candidate.prompt, examples)
        return [render(candidate.prompt, example, exclude=[example]) for example in examples]

    def _generate(
        self, model: ModelFiles, candidate: Candidate, chunk: Sequence[Example]
    ) -> list[Generation]:
        prompts = self._render(candidate, chunk)
        lengths = self.engine.prompt_tokens(model, prompts)
        context = self.engine.context_length(model)
        # An answer may be cut short by the end of the context; without any room it is not asked.
        fits = [context is None or length < context for length in lengths]
        asked = [i for i, fit in enumerate(fits) if fit]
        generations = [Generation("", length, 0, 0.0, "overflow") for length in lengths]
        fresh = self.engine.generate(
            model,
            [prompts[i] for i in asked],
            candidate.decoding,
            keys=[chunk[i].id for i in asked],
        )
        for i, generation in zip(asked, fresh, strict=True):
            generations[i] = generation
        return generations

    def _score(self, example: Example, generation: Generation) -> Score:
        if generation.finish == "overflow":
            note = f"not asked: the prompt of {generation.prompt_tokens} tokens leaves no room"
            return Score(value=0.0, kind="malformed", feedback=note)
        return self.metric(example, generation.text)


@dataclass
class Bench:
    """What a method may use: train and dev rows, documents, scoring and training, metered.

    Attributes:
        train: Rows for fitting.
        dev: Rows for every decision.
        documents: Texts for retrieval.
        preferences: Preference pairs.
        seed: Seed of everything random in the method.
        budget: Limits; ``ledger`` holds what this arm has spent so far.
        notes: What the method wants the report to say (``note``).
    """

    examiner: Examiner
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    documents: tuple[Document, ...] = ()
    preferences: tuple[Pair, ...] = ()
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    ledger: Ledger = field(default_factory=Ledger)
    tick: Tick | None = None
    notes: dict[str, Any] = field(default_factory=dict[str, Any])

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
            before=lambda n: self.ledger.require(self.budget, requests=n),
            after=self.ledger.charge,
            tick=advance,
        )

    def dev_score(self, candidate: Candidate) -> float:
        """Mean strict score on dev."""
        answers = self.answers(candidate, self.dev)
        return sum(a.score.value for a in answers) / len(answers)

    def best(self, candidates: Sequence[Candidate]) -> tuple[Candidate, list[float]]:
        """The candidate with the highest dev score, the earliest among equals, and all scores."""
        if len(candidates) == 1:
            return candidates[0], []
        scores = [self.dev_score(candidate) for candidate in candidates]
        return candidates[scores.index(max(scores))], scores

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
            raise ArmFailure(
                f"not even one of the {what} fits the model's context of {context} tokens",
                remedy="shorten them, or use a model with a longer context",
            )
        self.note("fit", f"1 of the {what}, and for {len(sample) - short} of {len(sample)} "
                         f"rows even that is too long for {context} tokens")  # fmt: skip
        return build(1)

    def fit(self, start: Candidate, job: TrainingJob, method: str) -> list[Weights]:
        """Train on the train rows as ``start`` renders them; the weights of each checkpoint.

        Runs in a child process. The result is kept under the content of start, rows and job;
        a killed training resumes from its last checkpoint.

        Raises:
            ArmFailure: If memory runs out, the loss diverges or no row fits.
            BudgetExceeded: If training takes longer than the budget leaves.
        """
        from whatworks.training.job import Trained
        from whatworks.training.launch import train
        from whatworks.training.rows import training_rows

        warm(start.prompt, self.train)
        rows = training_rows(start.prompt, self.train)
        key = content_key(
            [start.weights.key, job.key, [row.key for row in rows], self.seed, __version__]
        )
        stored = self.examiner.store.read("trained", key)
        if stored is None:
            self.ledger.require(self.budget)
            model = self.examiner.files(start.weights)
            trained = train(
                job,
                rows,
                base=self.base_folder(model),
                adapter=model.adapter,
                folder=self.examiner.store.workplace(key),
                on_progress=lambda p: self._training_tick(p.step, p.steps, p.seconds),
            )
            self.examiner.store.finish(key)
            self.examiner.store.write("trained", key, trained.model_dump(mode="json"))
        else:
            trained = Trained.model_validate(stored)
        self.ledger.training_seconds += trained.seconds
        self.ledger.training_tokens += trained.tokens
        self.note("losses", list(trained.losses))
        if trained.dropped_rows:
            self.note("dropped", f"{trained.dropped_rows} training rows are longer than allowed")
        kind: StageKind = job.kind
        return [
            start.weights.then(Stage(kind=kind, method=method, artifact=f"{key}/{c.name}"))
            for c in trained.checkpoints
        ]

    def note(self, name: str, value: Any) -> None:
        """Record something for the report."""
        self.notes[name] = value

    def report(self, what: str, done: int, total: int) -> None:
        """Tell the progress display."""
        if self.tick is not None:
            self.tick(what, done, total)

    def base_folder(self, model: ModelFiles) -> Any:
        """Folder of the base model's files.

        Raises:
            ArmFailure: If the model is served elsewhere.
        """
        if model.base.startswith(("http://", "https://")):
            raise ArmFailure(
                "the weights of a served model cannot be trained from here",
                remedy="name the model's folder or Hugging Face id instead of its endpoint",
            )
        from whatworks.engines.models import resolve

        return resolve(model.base)

    def _training_tick(self, step: int, steps: int, seconds: float) -> None:
        limit = self.budget.seconds
        spent = self.ledger.generation_seconds + self.ledger.training_seconds + seconds
        if limit is not None and spent > limit:
            raise BudgetExceeded(
                f"training passed the budget of {limit:g} seconds at step {step} of {steps}",
                remedy="raise `budget: {seconds: ...}`, or train fewer epochs or rows",
            )
        self.report("training", step, steps)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; 0 for nothing."""
    return sum(values) / len(values) if values else 0.0
