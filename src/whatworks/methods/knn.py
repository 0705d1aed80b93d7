"""knn: demonstrations chosen for each request by nearness (Liu et al. 2022, KATE)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from whatworks.base.file_ref import Named
from whatworks.base.paths import resolve_model
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos
from whatworks.prompts.retrieval import resolve_embedder


class Knn(Method):
    """Show the ``k`` training examples whose inputs are nearest, most similar last.

    Attributes:
        k: How many; fewer when the model's context is too short for them.
        diversity: 0 takes the nearest; towards 1 they are spread out (MMR).
        balance: Prefer examples of different targets: the nearest of each before the second
            nearest of any.
        fixed: How many of them are the same for every request, so that their computation is
            shared; the rest is chosen.
        embedder: ``auto``, ``lexical``, ``minilm``, or the folder or id of an encoder model.
    """

    name: ClassVar[str] = "knn"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.demos"})

    k: int = Field(default=4, ge=1)
    diversity: float = Field(default=0.0, ge=0.0, lt=1.0)
    balance: bool = False
    fixed: int = Field(default=0, ge=0)
    embedder: Named = "auto"

    def locate(self, root: Path) -> Knn:
        """The method with the encoder's folder located."""
        return self.replace(embedder=resolve_model(str(self.embedder), root))

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the whole train split as its pool of demonstrations."""

        embedder = resolve_embedder(str(self.embedder))
        bench.note("embedder", embedder)

        def build(k: int) -> Candidate:
            demos = Demos(
                pool=bench.train,
                k=k,
                select="nearest",
                embedder=embedder,
                diversity=self.diversity,
                balance=self.balance,
                fixed=min(self.fixed, k),
            )
            return start.with_prompt(demos=demos)

        return bench.largest_fit(build, min(self.k, len(bench.train)), "demonstrations")
