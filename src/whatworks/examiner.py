"""The examiner: the one choke point where candidates are asked and scored.

Rendering, generation, the answer cache and the metric meet here. A bench asks it about train and
dev rows, the study itself about test rows after the decisions are on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from whatworks import __version__
from whatworks.candidate import Candidate, Weights
from whatworks.engines import Engine, Generation, ModelFiles
from whatworks.errors import ArmFailure
from whatworks.identity import content_key
from whatworks.metrics import Metric, Score
from whatworks.prompt import render, warm
from whatworks.store import Store
from whatworks.task import Example, Message, examples_key

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
        return self.metric(example, generation.text, ended=generation.finish != "length")


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; 0 for nothing."""
    return sum(values) / len(values) if values else 0.0
