"""The candidate: what is compared, exported and served.

A candidate is a prompt, weights and decoding. Weights are a base model and the lineage of training
stages on top of it; ``Weights.stack`` is the one place that knows which stage can stand on which.
"""

from __future__ import annotations

from pydantic import Field

from whatworks.base.frozen import Frozen
from whatworks.data.task import Example, Pair
from whatworks.models.decoding import Decoding
from whatworks.models.weights import Weights
from whatworks.prompts.answerers import AnyAnswerer
from whatworks.prompts.lessons import Lesson, Lessons
from whatworks.prompts.prompt import Prompt


class Candidate(Frozen):
    """A prompt, weights and decoding: frozen, with a content key.

    ``lessons`` are what a data step left for the trainer after it; no answer depends on them.
    ``answerer`` answers in the place of the weights, where there is one.
    """

    prompt: Prompt
    weights: Weights
    decoding: Decoding = Decoding()
    lessons: Lessons | None = Field(default=None, exclude_if=lambda value: value is None)
    answerer: AnyAnswerer | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def asked(self) -> Candidate:
        """The candidate as it is asked, exported and served: without lessons."""
        return self if self.lessons is None else self.replace(lessons=None)

    @property
    def fitted(self) -> bool:
        """Whether something in it was fitted to train rows, which then say too much good of it."""
        if self.answerer is not None:
            return self.answerer.fitted
        return bool(self.weights.stages) or self.prompt.query_map is not None

    def rows(self, train: tuple[Example, ...]) -> tuple[Example, ...]:
        """The rows that a trainer learns from."""
        return train if self.lessons is None else self.lessons.rows_with(train)

    def pairs(self, own: tuple[Pair, ...]) -> tuple[Pair, ...]:
        """The pairs that a trainer learns from."""
        return own if self.lessons is None else self.lessons.pairs_with(own)

    def drop_lesson(self, what: Lesson) -> Candidate:
        """The same candidate when a trainer has learned its rows, or its pairs."""
        if self.lessons is None:
            return self
        remaining = self.lessons.replace(**{what: None})
        return self.replace(
            lessons=None if remaining.rows is None and remaining.pairs is None else remaining
        )

    def with_prompt(self, **fields: object) -> Candidate:
        """The same candidate with some prompt fields replaced."""
        return self.replace(prompt=self.prompt.replace(**fields))

    def with_decoding(self, **fields: object) -> Candidate:
        """The same candidate with some decoding fields replaced."""
        return self.replace(decoding=self.decoding.replace(**fields))

    def with_weights(self, weights: Weights) -> Candidate:
        """The same candidate with other weights."""
        return self.replace(weights=weights)
