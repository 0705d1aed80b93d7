"""zero-shot: the candidate as it stands, the usual baseline."""

from __future__ import annotations

from typing import ClassVar

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate


class ZeroShot(Method):
    """Ask with the task's instructions and nothing else."""

    name: ClassVar[str] = "zero-shot"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start itself."""
        return start
