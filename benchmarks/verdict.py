"""What the verdict is worth where the truth is known: false alarms, power, coverage, its advice.

Studies are drawn from ``verdict_world`` and judged twice: ``apart`` is each arm by its own test and
its own seeds, with Holm's correction for "works" and none for "does not work"; ``joint`` is what a
study's report says. For each design, in percent of the studies unless said otherwise:

- ``alarm``: no arm differs from the baseline, and some arm is said to be better or worse;
- ``power``: one arm is 20 points better (8 where the baseline is at 90%), and it "works";
- ``cover``: of the arms of both, those whose 95% interval holds the true difference;
- ``dismiss``: every arm is one point above the smallest effect that matters, and some arm "does not
  work";
- ``N``: one arm is 8 points better and it "cannot tell": the median number of further rows that it
  asks for (the lower end of its range, then the upper), and how often so many rows, with the seeds
  that it asks for, settle it in a study drawn anew;
- ``regret``: arms lie 0 to 20 points above the baseline; points by which the arm chosen on 60 dev
  rows falls short of the best, on average.

    python benchmarks/verdict.py                       # all designs, 1,000 studies of each kind
    python benchmarks/verdict.py --studies 200 --only "3 seeds"
    python benchmarks/verdict.py --looks               # the same studies looked at four times
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from verdict_world import Design, Draw, begin, draw

from whatworks.analysis.comparison import Comparison, compare, compare_all
from whatworks.analysis.tied_set import find_tied
from whatworks.analysis.verdict import (
    MIN_EFFECT,
    Option,
    Verdict,
    choose,
    judge,
    show_decided,
)

EFFECT = 0.2
DEV = 60
MOST = 4_000
"""Rows beyond which advice is not followed: drawing them takes too long."""
DESIGNS: dict[str, Design] = {
    "1 seed": Design(),
    "1 seed, 300 rows": Design(rows=300),
    "1 seed, 25 groups": Design(group=4),
    "1 seed, base 2%": Design(base=0.02),
    "1 seed, base 90%": Design(base=0.9),
    "3 seeds, SD 0": Design(seeds=3),
    "3 seeds, SD 7": Design(seeds=3, spread=0.07),
    "3 seeds, SD 18": Design(seeds=3, spread=0.18),
    "3 seeds, one of 18": Design(seeds=3, unstable=0.18),
    "3 seeds, SD 0, 300 rows": Design(rows=300, seeds=3),
    "3 seeds, SD 7, 300 rows": Design(rows=300, seeds=3, spread=0.07),
    "3 seeds, SD 18, 300 rows": Design(rows=300, seeds=3, spread=0.18),
    "3 seeds, one of 18, 300 rows": Design(rows=300, seeds=3, unstable=0.18),
    "3 seeds, SD 7, 25 groups": Design(seeds=3, spread=0.07, group=4),
    "3 seeds, SD 7, base 2%": Design(seeds=3, spread=0.07, base=0.02),
    "3 seeds, SD 7, base 90%": Design(seeds=3, spread=0.07, base=0.9),
}


Further = tuple[int, int]


@dataclass(frozen=True)
class Call:
    """What is said of one arm.

    Attributes:
        verdict: The verdict.
        low: Lower end of its 95% interval.
        high: Upper end.
        more: Further rows and seeds that are asked for, at least and at most; None when none are.
    """

    verdict: Verdict
    low: float
    high: float
    more: tuple[Further, Further] | None

    @property
    def significant(self) -> bool:
        """Whether the arm is said to differ from the baseline."""
        return (self.verdict.p_adjusted or 0.0) < 0.05


Procedure = Callable[[Draw], Mapping[str, Call]]


def apart(study: Draw) -> dict[str, Call]:
    """Each arm by itself, with its own seeds, then Holm's correction."""
    return _calls({n: compare(own, study.base, study.groups) for n, own in study.arms.items()})


def equal(study: Draw) -> dict[str, Call]:
    """All arms together, each with the same share of what may be erred."""
    return _calls(compare_all(study.arms, study.base, study.groups))


def joint(study: Draw, look: int = 1) -> dict[str, Call]:
    """All arms together, half of what may be erred for the one that dev chose: as a report does."""
    first = choose([Option(name, score) for name, score in study.dev.items()]) or ""
    return _calls(compare_all(study.arms, study.base, study.groups, first=first, look=look))


def _calls(compared: Mapping[str, Comparison]) -> dict[str, Call]:
    calls: dict[str, Call] = {}
    for name, verdict in judge(compared).items():
        shown, needs = show_decided(compared[name]), verdict.needs
        per = math.ceil(shown.n_items / shown.n_groups) if needs.unit == "group" else 1
        least, seeds = needs.examples or 0, needs.seeds or 0
        most = (needs.most or least) * per, needs.most_seeds or seeds
        calls[name] = Call(
            verdict, shown.low, shown.high, ((least * per, seeds), most) if any(most) else None
        )
    return calls


PROCEDURES: dict[str, Procedure] = {"apart": apart, "equal": equal, "joint": joint}


@dataclass(frozen=True)
class Figures:
    """What one procedure does with one design; shares of 1, N in rows, regret in points."""

    alarm: float
    power: float
    cover: float
    dismiss: float
    least: Advice
    most: Advice

    def __str__(self) -> str:
        shares = (self.alarm, self.power, self.cover, self.dismiss)
        return "".join(f"{100 * share:8.1f}" for share in shares) + f"{self.least}{self.most}"


@dataclass(frozen=True)
class Advice:
    """Median of the further rows asked for, and how often that many settle the verdict."""

    rows: float
    settles: float

    def __str__(self) -> str:
        return f"{self.rows:9,.0f}{100 * self.settles:6.0f}"


def measure(
    design: Design,
    procedure: Procedure,
    studies: int,
    *,
    follow: int | None = None,
    seed: int = 0,
) -> Figures:
    """Figures of a procedure over so many studies of each kind.

    Args:
        design: What the studies look like.
        procedure: Judges them.
        studies: How many of each kind.
        follow: Of how many the advice is followed; a sixteenth by default.
        seed: Seed of the draws.
    """
    follow = max(5, studies // 16) if follow is None else follow
    gain = min(EFFECT, 0.8 * (1 - design.base))
    none, small = [0.0] * design.arms, [MIN_EFFECT + 0.01] * design.arms
    alarms = hits = dismissed = 0
    covered: list[bool] = []
    for number in range(studies):
        said = procedure(draw(design, none, _rng(seed, 0, number)))
        alarms += any(call.significant for call in said.values())
        covered += [call.low <= 0 <= call.high for call in said.values()]
        study = draw(design, [gain, *none[1:]], _rng(seed, 1, number))
        said = procedure(study)
        hits += said["arm0"].verdict.label == "works"
        covered += [said[a].low <= true <= said[a].high for a, true in study.truth.items()]
        said = procedure(draw(design, small, _rng(seed, 2, number)))
        dismissed += any(call.verdict.label == "does not work" for call in said.values())
    shares = (alarms / studies, hits / studies, float(np.mean(covered)), dismissed / studies)
    return Figures(*shares, *advice(design, procedure, follow, seed))


def advice(
    design: Design, procedure: Procedure, studies: int, seed: int = 0, effect: float = 0.08
) -> tuple[Advice, Advice]:
    """What is asked for where an arm cannot be told, and whether it is enough."""
    effects = [min(effect, 0.8 * (1 - design.base)), *[0.0] * (design.arms - 1)]
    asked: list[tuple[Further, Further]] = []
    settled: tuple[list[bool], list[bool]] = [], []
    for number in range(studies):
        call = procedure(draw(design, effects, _rng(seed, 3, number)))["arm0"]
        if call.verdict.label != "cannot tell" or call.more is None:
            continue
        asked.append(call.more)
        for (rows, seeds), done in zip(call.more, settled, strict=True):
            if design.rows + rows <= MOST:
                further = replace(design, rows=design.rows + rows, seeds=design.seeds + seeds)
                larger = draw(further, effects, _rng(seed, 4, number))
                done.append(procedure(larger)["arm0"].verdict.label != "cannot tell")
    least, most = (
        Advice(
            float(np.median([ends[i][0] for ends in asked])) if asked else math.nan,
            float(np.mean(settled[i])) if settled[i] else math.nan,
        )
        for i in (0, 1)
    )
    return least, most


def look_again(design: Design, studies: int, *, spending: bool, looks: int = 4) -> float:
    """Share of studies without a difference that alarm at one of so many looks.

    Each look has as many rows more as the first; ``spending`` counts the looks.
    """
    alarms = 0
    for number in range(studies):
        rng = _rng(0, 6, number)
        whole = draw(replace(design, rows=looks * design.rows), [0.0] * design.arms, rng)
        alarms += any(
            call.significant
            for look in range(1, looks + 1)
            for call in joint(begin(whole, look * design.rows), look if spending else 1).values()
        )
    return alarms / studies


def alarm(design: Design, procedure: Procedure, studies: int, seed: int = 0) -> float:
    """Share of studies without any difference in which some arm is told apart."""
    none = [0.0] * design.arms
    drawn = (procedure(draw(design, none, _rng(seed, 0, n))) for n in range(studies))
    return sum(any(call.significant for call in said.values()) for said in drawn) / studies


def see(design: Design, procedure: Procedure, gain: float, studies: int, seed: int = 0) -> float:
    """Share of studies in which an arm that is better by ``gain``, among equals, works."""
    effects = [gain, *[0.0] * (design.arms - 1)]
    drawn = (procedure(draw(design, effects, _rng(seed, 1, n))) for n in range(studies))
    return sum(said["arm0"].verdict.label == "works" for said in drawn) / studies


def hold_best(design: Design, studies: int, seed: int = 0) -> tuple[float, float]:
    """Share of the studies whose tied set holds the truly best arm, and its mean size."""
    held, size = 0, 0
    for number in range(studies):
        rng = _rng(seed, 7, number)
        highest = min(EFFECT, 0.8 * (1 - design.base))
        study = draw(design, [*rng.uniform(0, highest, design.arms)], rng)
        tied = find_tied(study.arms, study.groups)
        best = max(study.truth, key=lambda name: study.truth[name])
        held += tied is not None and best in tied.members
        size += len(tied.members) if tied is not None else 0
    return held / studies, size / studies


def regret(design: Design, studies: int, seed: int = 0) -> float:
    """Mean shortfall in points of the arm that dev chooses."""
    lost: list[float] = []
    for number in range(studies):
        rng = _rng(seed, 5, number)
        highest = min(EFFECT, 0.8 * (1 - design.base))
        effects = sorted(rng.uniform(0, highest, design.arms))
        study = draw(replace(design, rows=DEV), effects, rng)
        options = [Option(name, float(np.mean([*s.values()]))) for name, s in study.arms.items()]
        name = choose(options) or ""
        lost.append(100 * (max(effects) - study.truth[name]))
    return float(np.mean(lost))


def _rng(seed: int, kind: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, kind, number])


def _line(
    name: str, design: Design, studies: int, procedures: Sequence[str], follow: int | None
) -> list[str]:
    lost = regret(design, studies)
    return [
        f"{name:<30}{how:<7}{measure(design, PROCEDURES[how], studies, follow=follow)}{lost:8.1f}"
        for how in procedures
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument(
        "--follow", type=int, help="studies whose advice is followed: the slow part"
    )
    parser.add_argument("--only", default="", help="designs whose name holds this")
    parser.add_argument("--procedures", nargs="*", default=list(PROCEDURES))
    parser.add_argument("--looks", action="store_true", help="only: four looks, more rows each")
    parser.add_argument("--alarms", action="store_true", help="only: alarms where none differs")
    parser.add_argument("--gain", type=float, help="only: how often such a gain is seen")
    parser.add_argument("--tied", action="store_true", help="only: whether the best is tied")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    began = time.monotonic()
    if args.looks:
        for spending in (False, True):
            share = look_again(Design(rows=60), args.studies, spending=spending)
            print(f"four looks, {'counted' if spending else 'not counted'}: {100 * share:.1f}%")
        return
    if args.tied:
        for name, design in DESIGNS.items():
            if args.only in name:
                held, size = hold_best(design, args.studies)
                print(f"{name:<30} best in the tied set {100 * held:.1f}%, of {size:.1f}")
        return
    designs = {name: design for name, design in DESIGNS.items() if args.only in name}
    if args.alarms or args.gain:
        for name, design in designs.items():
            for how in args.procedures:
                share = (
                    see(design, PROCEDURES[how], args.gain, args.studies)
                    if args.gain
                    else alarm(design, PROCEDURES[how], args.studies)
                )
                print(f"{name:<30}{how:<7}{100 * share:8.1f}", flush=True)
        return
    heads = ("alarm", "power", "cover", "dismiss")
    print(
        f"{'':<37}"
        + "".join(f"{h:>8}" for h in heads)
        + 2 * f"{'N':>9}{'done':>6}"
        + f"{'regret':>8}"
    )
    work = partial(_line, studies=args.studies, procedures=args.procedures, follow=args.follow)
    with ProcessPoolExecutor(args.processes) as pool:
        for lines in pool.map(work, designs.keys(), designs.values()):
            print(*lines, sep="\n", flush=True)
    print(f"{args.studies} studies of each kind, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
