"""Whether a run passes: conditions on its figures, and no worse than an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.figures import Summary
from whatworks.analysis.two_runs import judge_gate
from whatworks.app.library.result import Result
from whatworks.app.pipeline.conditions import Outcome, judge_condition, read_condition
from whatworks.app.pipeline.pages import format_junit, format_summary
from whatworks.app.run_arms import open_run, require_same_score
from whatworks.base.errors import InputError
from whatworks.base.store import write_atomic


@dataclass(frozen=True)
class Wanted:
    """What a run must show.

    Attributes:
        conditions: As they are written: ``score>=0.9``.
        baseline_of: An earlier run, or RUN/ARM, that it must be no worse than; None for none.
        margin: The fall below it that is not allowed, as a share.
    """

    conditions: tuple[str, ...] = ()
    baseline_of: str | None = None
    margin: float = 0.02

    def check(self) -> None:
        """Refuse what could not be judged, before anything runs.

        Raises:
            InputError: If something is no condition, or the earlier run is none.
        """
        for written in self.conditions:
            read_condition(written)
        if not 0 < self.margin < 1:
            raise InputError(
                f"a fall of {self.margin:g} is no share between 0 and 1",
                place="--no-worse-than",
                remedy="write 0.02 for 2 points",
            )
        if self.baseline_of is not None:
            open_run(self.baseline_of)

    def judge(self, summary: Summary, folder: Path) -> list[Outcome]:
        """Hold a finished run against all of it.

        Raises:
            InputError: If the earlier run is scored in another way.
        """
        result = Result(folder, summary)
        outcomes = [
            judge_condition(read_condition(written), result.records, result.best)
            for written in self.conditions
        ]
        if self.baseline_of is not None:
            outcomes.append(self._hold_against(folder, result.best, self.baseline_of))
        return outcomes

    def _hold_against(self, folder: Path, best: str, before: str) -> Outcome:
        name = f"no worse than {before}"
        old, new = open_run(before), open_run(str(folder))
        note = require_same_score(old, new)
        theirs, ours = old.arm or old.chosen, old.arm or best
        if not (ours and theirs):
            return Outcome(name, False, "a run has no arm that finished")
        gate = judge_gate(new.collect(ours), old.collect(theirs), self.margin)
        return Outcome(name, gate.passed, f"{gate.reason}; {note}" if note else gate.reason)


def write_pages(
    summary: Summary, outcomes: Sequence[Outcome], junit: Path | None, markdown: Path | None
) -> None:
    """Write the files that a pipeline asked for."""
    for path, text in ((junit, format_junit), (markdown, format_summary)):
        if path is not None:
            write_atomic(path, text(summary, outcomes))
