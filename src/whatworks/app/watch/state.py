"""What the page shows of a run: the lines of its live log, put together. Nothing is written.

While a run is at work only dev is shown; test is shut then, and a person who saw it could stop the
arm that loses. Scores of test come from the finished study, when nothing is at work any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from whatworks.analysis.comparison import Estimate, estimate_mean
from whatworks.base.errors import InputError
from whatworks.models.metering import Budget
from whatworks.studies.live_log import LONGEST, Line
from whatworks.studies.plan import read_plan
from whatworks.studies.study_folder import StudyFolder

SAID = 8
"""Lines of text that the page shows, the last ones."""
State = dict[str, Any]


@dataclass
class WatchedArm:
    """An arm, as far as its run told.

    Attributes:
        seeds: How often it is run.
        bar: Its bar's last line.
        values: Seed to dev row to score.
        texts: Seed to dev row to answer.
        losses: (seed, method) to its points.
        spent: Seed to what adapting it took, and in US dollars what all of it did.
    """

    seeds: int = 1
    bar: Line = field(default_factory=dict[str, Any])
    values: dict[int, dict[str, float]] = field(default_factory=dict[int, dict[str, float]])
    texts: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    losses: dict[tuple[int, str], dict[float, float]] = field(
        default_factory=dict[tuple[int, str], dict[float, float]]
    )
    spent: dict[int, dict[str, float]] = field(default_factory=dict[int, dict[str, float]])

    def take(self, line: Line) -> None:
        """Take in a line of the log that is about this arm."""
        kind = line["kind"]
        if kind == "bar":
            self.bar = line
        elif kind == "answers":
            for row, value, text in line["rows"]:
                self.values.setdefault(line["seed"], {})[row] = value
                self.texts.setdefault(line["seed"], {})[row] = text
        elif kind == "loss":
            points = self.losses.setdefault((line["seed"], line["method"]), {})
            points.update({step: loss for step, loss in line["points"]})
        elif kind == "spent":
            mine = self.spent.setdefault(line["seed"], {})
            names = ("requests", "tokens", "seconds", "usd") if line["adapting"] else ("usd",)
            mine.update({name: line[name] for name in names})


@dataclass(frozen=True)
class Watched:
    """A run as its log tells it.

    Attributes:
        facts: The log's first line; {} where there is none.
        arms: By name, in order.
        said: Lines of text, oldest first.
    """

    facts: Line
    arms: Mapping[str, WatchedArm]
    said: tuple[str, ...]


def collect_lines(lines: Iterable[Line]) -> Watched:
    """A run from the lines of its log."""
    facts: Line = {}
    arms: dict[str, WatchedArm] = {}
    said: list[str] = []
    for line in lines:
        if line["kind"] == "begin":
            facts = line
            arms = {name: WatchedArm(seeds) for name, seeds in line["arms"].items()}
        elif line["kind"] == "say":
            said.append(line["text"])
        else:
            arms.setdefault(line["arm"], WatchedArm()).take(line)
    return Watched(facts, arms, tuple(said))


class RunView:
    """Puts together what the page shows of a study's folder.

    Args:
        folder: The study's.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self._groups: dict[str, str] = {}
        self._tested: tuple[Any, dict[str, State]] = (None, {})

    @property
    def mark(self) -> tuple[object, ...]:
        """Changes when there may be something new to show."""
        path = self.folder.path
        names = ("live.jsonl", "wishes.json", "summary.json", "run.lock", "decisions.json")
        return tuple(_stamp(path / name) for name in names)

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``stopped`` before its end, or ``finished``."""
        if self.folder.is_held:
            return "running"
        if not self.folder.has_begun:
            return "waiting"
        return "finished" if self.folder.has_run else "stopped"

    def describe(self) -> State:
        """Everything but the answers, as JSON takes it."""
        watched = collect_lines(self.folder.live.read())
        wish, state = self.folder.wishes.read(), self.state
        limits = watched.facts.get("budget", {})
        budget = self.folder.wishes.over(Budget(**limits))
        plan = read_plan(self.folder) if self.folder.has_begun else None
        planned = {arm.name: arm.seconds for arm in plan.arms} if plan else {}
        tested = self._describe_test() if state == "finished" else {}
        arms = [
            {
                **_describe_arm(arm, self._read_groups()),
                "name": name,
                "stopping": name in wish.stopped,
                "planned": planned.get(name),
                "share": _compute_share(arm, budget),
                "test": tested.get(name),
            }
            for name, arm in watched.arms.items()
        ]
        usd = sum(
            one.get("usd", 0.0) for arm in watched.arms.values() for one in arm.spent.values()
        )
        return {
            "state": state,
            "model": watched.facts.get("model", ""),
            "metric": watched.facts.get("metric", ""),
            "began": watched.facts.get("at"),
            "now": time.time(),
            "arms": arms,
            "budget": {k: v for k, v in budget.model_dump().items() if v is not None},
            "usd": usd,
            "says": list(watched.said[-SAID:]),
            "rows": self._count_rows(watched),
        }

    def describe_row(self, at: int, *, differing: bool = False) -> State:
        """One dev row with the answers of each arm that was asked it.

        Args:
            at: Number of the row among those that were asked, from 0; past the last is the last.
            differing: Count only rows to which two arms say different things.
        """
        watched = collect_lines(self.folder.live.read())
        if not watched.arms or not self.folder.has_begun:
            return {"at": 0, "total": 0}
        rows = [
            row
            for row in self.folder.task().splits.dev
            if (said := _list_answers(watched, row.id))
            and (not differing or len({text.strip() for *_, text in said}) > 1)
        ]
        if not rows:
            return {"at": 0, "total": 0}
        at = max(0, min(at, len(rows) - 1))
        row = rows[at]
        shown = [
            {"arm": arm, "seed": seed, "score": value, "text": text, "cut": len(text) == LONGEST}
            for arm, seed, value, text in _list_answers(watched, row.id)
        ]
        asked = "\n\n".join(m.content for m in row.messages) if row.messages else row.text
        return {
            "at": at,
            "total": len(rows),
            "row": row.id,
            "input": asked,
            "target": row.target,
            "answers": shown,
        }

    def _count_rows(self, watched: Watched) -> int:
        return len(
            {row for arm in watched.arms.values() for seed in arm.values.values() for row in seed}
        )

    def _read_groups(self) -> dict[str, str]:
        """Dev row to its group, once the task is there."""
        if not self._groups and self.folder.has_begun:
            try:
                dev = self.folder.task().splits.dev
            except InputError:  # the run is about to write it
                return {}
            self._groups = {row.id: row.group for row in dev if row.group}
        return self._groups

    def _describe_test(self) -> dict[str, State]:
        """Scores of test by arm, of a study that has ended."""
        from whatworks.app.run_study import summarise_study

        stamp = _stamp(self.folder.path / "summary.json")
        if self._tested[0] != stamp:
            try:
                arms = summarise_study(self.folder).arms
            except InputError:
                return {}
            scores = {
                arm.name: {**_describe_estimate(arm.score), "verdict": arm.verdict.label}
                for arm in arms
                if arm.score is not None
            }
            self._tested = stamp, scores
        return self._tested[1]


def _describe_arm(arm: WatchedArm, groups: Mapping[str, str]) -> State:
    most = max(map(len, arm.values.values()), default=0)
    whole = {seed: rows for seed, rows in arm.values.items() if len(rows) == most}
    scores = {(seed, row): value for seed, rows in whole.items() for row, value in rows.items()}
    bar, losses = arm.bar, sorted(arm.losses.items())
    return {
        "seeds": arm.seeds,
        "score": _estimate(scores, groups),
        "rows": most,
        "by_seed": [
            {"seed": seed, "score": _estimate({(0, row): v for row, v in rows.items()}, groups)}
            for seed, rows in sorted(arm.values.items())
        ],
        "bar": {
            "done": bar.get("done", 0),
            "total": bar.get("total", 0),
            "note": bar.get("note", ""),
            "ended": bool(bar.get("ended")),
            "left": _estimate_time_left(bar),
        },
        "losses": [
            {"seed": seed, "method": method, "points": sorted(points.items())}
            for (seed, method), points in losses
        ],
        "usd": sum(one.get("usd", 0.0) for one in arm.spent.values()),
        "seconds": sum(one.get("seconds", 0.0) for one in arm.spent.values()),
        "tokens": sum(one.get("tokens", 0) for one in arm.spent.values()),
        "requests": sum(one.get("requests", 0) for one in arm.spent.values()),
    }


def _estimate(scores: Mapping[tuple[int, str], float], groups: Mapping[str, str]) -> State | None:
    """The mean with its 95% interval, as if this moment had been chosen beforehand."""
    return _describe_estimate(estimate_mean(scores, groups)) if scores else None


def _describe_estimate(found: Estimate) -> State:
    return {"value": found.value, "low": found.low, "high": found.high}


def _estimate_time_left(bar: Line) -> float | None:
    """Seconds left of a phase by its own pace; None before its first unit and after its last."""
    done, total = bar.get("done", 0), bar.get("total", 0)
    if not done or done >= total or bar.get("ended"):
        return None
    return (bar["at"] - bar["began"]) / done * (total - done)


def _compute_share(arm: WatchedArm, budget: Budget) -> float | None:
    """The largest share of a limit that a seed of the arm has spent; None without limits."""
    limits = {name: limit for name, limit in budget.model_dump().items() if limit}
    if not limits:
        return None
    spent = [mine.get(name, 0) / limits[name] for mine in arm.spent.values() for name in limits]
    return max(spent, default=0.0)


def _list_answers(watched: Watched, row: str) -> list[tuple[str, int, float, str]]:
    """(arm, seed, score, text) of each first seed that was asked a row."""
    found: list[tuple[str, int, float, str]] = []
    for name, arm in watched.arms.items():
        seeds = [seed for seed in sorted(arm.texts) if row in arm.texts[seed]]
        if seeds:
            found.append((name, seeds[0], arm.values[seeds[0]][row], arm.texts[seeds[0]][row]))
    return found


def _stamp(path: Any) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
