"""prompt: hand-written instructions, the best of several variants on dev."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate


class ManualPrompt(Method):
    """Replace the instructions by the variant that scores best on dev.

    Attributes:
        variants: Instructions to try, written by hand.
    """

    name: ClassVar[str] = "prompt"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.instructions"})

    variants: tuple[str, ...] = Field(min_length=1)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the best variant; each variant's dev score is noted."""
        tried = [start.with_prompt(instructions=text) for text in self.variants]
        best, scores = bench.best(tried)
        if scores:
            bench.note("variants", dict(zip(self.variants, scores, strict=True)))
        return best
