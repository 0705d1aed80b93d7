"""The examiner: the one choke point where candidates are asked and scored.

Rendering, generation, the answer cache and the metric meet here. A bench asks it about train and
dev rows, the study itself about test rows after the decisions are on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.frozen import hash_content
from whatworks.base.store import Store
from whatworks.data.scripted_tools import is_scripted
from whatworks.data.task import Example, hash_examples
from whatworks.methods.bench import pick_answer as samples
from whatworks.methods.bench.play_script import play
from whatworks.methods.bench.tuned_models import find_tuned
from whatworks.metrics.citations import make_answer_reader, score_grounding
from whatworks.metrics.registry import find_refused
from whatworks.metrics.score import Metric, Score
from whatworks.models.endpoint.batches import MOST
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import Answers, Engine, Generation, ModelFiles
from whatworks.models.metering import Meter
from whatworks.models.open_engine import is_served
from whatworks.models.weights import Weights
from whatworks.prompts.answerers import Answerer
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import Rendering, render, render_each
from whatworks.version import __version__

CHUNK = 64
"""Examples asked together: the unit of caching and of resuming."""


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
        meter: Meter | None = None,
        tick: Callable[[int], None] | None = None,
        tell: Callable[[Sequence[Answer]], None] | None = None,
    ) -> list[Answer]:
        """Answers in the order of ``examples``.

        Examples are asked in fixed chunks, each kept on disk when it is complete: a killed run
        repeats at most one chunk, and in the same company, so that its answers are the same.

        Args:
            candidate: What to ask.
            examples: Rows of one split; each is excluded from its own prompt.
            meter: Counts what leaves and what came back; may refuse.
            tick: Called with the number of answers just completed.
            tell: Called with these answers, before ``tick``.

        Raises:
            ArmFailure: If no example's prompt fits the model's context.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        model = self.files(candidate.weights)
        meter = meter or Meter(price=self.engine.price)
        answers: list[Answer] = []
        for chunk in self._chunks(examples):
            if candidate.answerer is None:
                meter.require(len(chunk) * candidate.decoding.samples)
            key = self._key(candidate, chunk)
            stored = self.store.read("answers", key)
            requests: Sequence[Rendering | None]
            if stored is None:
                requests = render_each(candidate.prompt, chunk)
                generations = self._generate(model, candidate, requests, meter)
                self.store.write("answers", key, [asdict(g) for g in generations])
            else:
                # Scoring reads passages alone: without any, nothing is rendered again.
                again = candidate.prompt.context is not None
                requests = render_each(candidate.prompt, chunk) if again else [None] * len(chunk)
                generations = [Generation(**record) for record in stored]
                if candidate.answerer is None:
                    meter.charge(generations)
            fresh = [
                Answer(e, g, self.score(candidate, e, g, request))
                for e, g, request in zip(chunk, generations, requests, strict=True)
            ]
            answers += fresh
            if tell is not None:
                tell(fresh)
            if tick is not None:
                tick(len(chunk))
        if answers and all(a.generation.finish == "overflow" for a in answers):
            longest = max(answers, key=lambda a: a.generation.prompt_tokens)
            tokens, context = longest.generation.prompt_tokens, self.engine.context_length(model)
            raise ArmFailure(
                f"every prompt is too long: that of example {longest.example.id!r} has {tokens} "
                f"tokens, {tokens - (context or 0) + 1} too many for a context of {context}",
                remedy="use fewer or shorter demonstrations and passages, or a longer model",
            )
        return answers

    def has_asked(self, candidate: Candidate, examples: Sequence[Example]) -> bool:
        """Whether these examples were asked before, in this order and company: ``ask`` is free."""
        keys = (self._key(candidate, chunk) for chunk in self._chunks(examples))
        return all(self.store.read("answers", key) is not None for key in keys)

    def _chunks(self, examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
        """Examples as they are asked and kept together: where a batch takes a day, all of them."""
        batches = isinstance(self.engine, EndpointEngine) and self.engine.batch
        size = MOST if batches else CHUNK
        return (examples[start : start + size] for start in range(0, len(examples), size))

    def _key(self, candidate: Candidate, chunk: Sequence[Example]) -> str:
        """What a chunk's answers are kept under."""
        asked = candidate.asked.key
        return hash_content([asked, hash_examples(chunk), self.engine.identity, __version__])

    def logprobs(
        self,
        candidate: Candidate,
        examples: Sequence[Example],
        answers: Answers,
        *,
        meter: Meter | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> list[tuple[float, ...]]:
        """Log-probability of each token of an answer to each example; see ``Engine.logprobs``.

        Asked, kept and metered like answers: a request each, its tokens all read.

        Raises:
            ArmFailure: If a prompt with its answer is too long, or the engine cannot say.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        model = self.files(candidate.weights)
        meter = meter or Meter(price=self.engine.price)
        likelihoods: list[tuple[float, ...]] = []
        for start in range(0, len(examples), CHUNK):
            chunk, chunk_answers = examples[start : start + CHUNK], answers[start : start + CHUNK]
            meter.require(len(chunk))
            made_from = [candidate.prompt.key, candidate.weights.key, hash_examples(chunk)]
            key = hash_content([*made_from, list(chunk_answers), self.engine.identity, __version__])
            stored = self.store.read("logprobs", key)
            if stored is None:
                stored = self._likelihoods(model, candidate, chunk, chunk_answers, meter)
                self.store.write("logprobs", key, stored)
            meter.charge([Generation(**record) for record in stored["taken"]])
            likelihoods += [tuple(values) for values in stored["values"]]
            if tick is not None:
                tick(len(chunk))
        return likelihoods

    def prompt_tokens(self, candidate: Candidate, examples: Sequence[Example]) -> list[int]:
        """Length of each rendered prompt in tokens."""
        model = self.files(candidate.weights)
        requests = render_each(candidate.prompt, examples)
        return self.engine.prompt_tokens(model, [request.messages for request in requests])

    def files(self, weights: Weights) -> ModelFiles:
        """Where the weights lie in the store."""
        return find_model_files(weights, self.store)

    def _generate(
        self, model: ModelFiles, candidate: Candidate, requests: Sequence[Rendering], meter: Meter
    ) -> list[Generation]:
        if candidate.answerer is not None:
            return reply_without_model(candidate.answerer, requests)
        if not any(is_scripted(request.example) for request in requests):
            return self._answer(model, candidate, requests, meter)
        if candidate.decoding.samples > 1:
            raise ArmFailure(
                "a conversation with a scripted user is played once, not drawn several times",
                remedy="leave self-consistency and best-of-n out of this study",
            )

        def ask(now: Sequence[Rendering]) -> list[Generation]:
            return self._answer(model, candidate, now, meter)

        return play(requests, ask)

    def _answer(
        self, model: ModelFiles, candidate: Candidate, requests: Sequence[Rendering], meter: Meter
    ) -> list[Generation]:
        """One answer to each request."""
        prompts = [request.messages for request in requests]
        lengths = self.engine.prompt_tokens(model, prompts)
        context = self.engine.context_length(model)
        # An answer may be cut short by the end of the context; without any room it is not asked.
        fits = [context is None or length < context for length in lengths]
        pending = [i for i, fit in enumerate(fits) if fit]
        decoding, n = candidate.decoding, candidate.decoding.samples
        generations = [Generation("", length, 0, 0.0, "overflow") for length in lengths]
        while pending:
            # As many as the budget surely allows; what they did not use makes room for more.
            count = meter.admit([(n * lengths[i], n * decoding.max_tokens) for i in pending])
            now, pending = pending[:count], pending[count:]
            with meter.failing():
                fresh = samples.generate(
                    self.engine,
                    model,
                    [prompts[i] for i in now],
                    decoding,
                    examples=[requests[i].example for i in now],
                    metric=self.metric,
                    read=make_answer_reader(candidate.prompt),
                )
            meter.charge(fresh)
            for i, generation in zip(now, fresh, strict=True):
                generations[i] = generation
        return generations

    def _likelihoods(
        self,
        model: ModelFiles,
        candidate: Candidate,
        chunk: Sequence[Example],
        answers: Answers,
        meter: Meter,
    ) -> dict[str, Any]:
        """The ``values`` of a chunk's answers, and what they have ``taken``."""
        prompts = [request.messages for request in render_each(candidate.prompt, chunk)]
        lengths = self.engine.prompt_tokens(model, prompts)
        answered = sum(len(answer) for answer in answers if not isinstance(answer, str))
        texts = [answer for answer in answers if isinstance(answer, str)]
        answered += sum(self.engine.count_tokens(model, texts)) + len(texts)  # and their ends
        meter.admit([(sum(lengths) + answered, 0)])  # all of them or none
        began = time.perf_counter()
        with meter.failing():
            values = self.engine.logprobs(model, prompts, answers)
        share = (time.perf_counter() - began) / len(chunk)
        taken = [
            asdict(Generation("", length + len(value), 0, share))
            for length, value in zip(lengths, values, strict=True)
        ]
        return {"values": values, "taken": taken}

    def score(
        self,
        candidate: Candidate,
        example: Example,
        generation: Generation,
        request: Rendering | None = None,
    ) -> Score:
        """The score of an answer to an example under the candidate's prompt, whoever gave it.

        Args:
            candidate: Whose prompt was asked.
            example: The row asked for.
            generation: The answer.
            request: What was asked, where it is at hand; rendered anew only where passages matter.
        """
        if generation.finish == "overflow":
            note = f"not asked: the prompt of {generation.prompt_tokens} tokens leaves no room"
            return self._score_nothing(example, note)
        if generation.finish == "missing":
            return self._score_nothing(example, "no answer to this row was given")
        if candidate.decoding.constraint is not None and generation.finish == "length":
            # It may be of some other allowed form by chance: a label that begins like another.
            note = f"cut off at {generation.completion_tokens} tokens, before its form was complete"
            return self._score_nothing(example, note)
        ended = generation.finish != "length"

        def judge(text: str) -> Score:
            return self.metric(example, text, ended=ended)

        if candidate.prompt.context is None:
            return judge(generation.text)
        request = request or render(candidate.prompt, example, exclude=[example])
        return score_grounding(request, generation.text, judge)

    def _score_nothing(self, example: Example, note: str) -> Score:
        """The score of an answer that does not count: the parts are those of an empty one."""
        parts = {} if self.metric.asks else self.metric(example, "").parts
        return Score(value=0.0, kind="malformed", feedback=note, parts=parts)


def reply_without_model(answerer: Answerer, requests: Sequence[Rendering]) -> list[Generation]:
    """What an answerer says, as generations; each takes its share of the time, and no tokens."""
    began = time.perf_counter()
    replies = answerer.reply(requests)
    share = (time.perf_counter() - began) / max(1, len(replies))
    return [
        Generation("", 0, 0, share, "missing")
        if reply.text is None
        else Generation(reply.text, 0, 0, share, logprob=reply.logprob)
        for reply in replies
    ]


def find_model_files(weights: Weights, store: Store) -> ModelFiles:
    """Where the weights lie: the last full stage is the base, the last adapter stands on it.

    Those of a server have the name that they have there.
    """
    base, adapter = weights.base, None
    if is_served(base):
        if weights.stages:
            base = find_tuned(store, weights.stages[-1].artifact)
        return ModelFiles(base=base, template=weights.template)
    for stage in weights.stages:
        folder = store.so_far(stage.artifact)  # dev is asked while training goes on
        base, adapter = (str(folder), None) if stage.kind == "full" else (base, folder)
    return ModelFiles(base=base, adapter=adapter, template=weights.template)


def refuse_targets(metric: Metric, examples: Sequence[Example]) -> None:
    """Tell at once of rows of dev and test that would fail every arm when they are scored.

    Raises:
        InputError: Naming how many, and the first.
    """
    broken = find_refused(metric, examples)
    if broken:
        name, reason = next(iter(broken.items()))
        raise InputError(
            f"{len(broken)} rows of dev and test cannot be scored, the first is {name!r}: {reason}",
            place=f"metric {metric.name!r}",
            remedy="`whatworks check STUDY` lists them, with --fix it writes a copy without them",
        )


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; 0 for nothing."""
    return sum(values) / len(values) if values else 0.0
