"""Steps that one arm of the study has more than another: what they would bring on top of a third.

``zero-shot``, ``rag`` and ``sft`` measure what ``sft`` mends and breaks, and so say what to expect
of ``rag+sft``. Dev alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from whatworks.analysis.next_step.gain import Measured, Share
from whatworks.base.phrasing import format_points
from whatworks.methods.bench.examiner import Answer
from whatworks.methods.method import Method
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import ArmRun
from whatworks.studies.diagnosis import LEAST
from whatworks.studies.next_step.arm_entry import ArmEntry
from whatworks.studies.next_step.remedies import Diagnosed, Remedy


def list_like_remedies(
    arms: Sequence[Arm], runs: Sequence[ArmRun], own: Mapping[str, ArmEntry], arm: Diagnosed
) -> Iterator[Remedy]:
    """The arm with each step that made another arm better, as far as both were asked its rows.

    Args:
        arms: The study's arms.
        runs: What ran on dev.
        own: The arms of the study file, by name.
        arm: The arm that is changed.
    """
    for without, with_it, step in _list_pairs(arms):
        if with_it.name not in own or step.name in arm.entry.steps:
            continue
        before, after = (_average_rows(runs, one.name) for one in (without, with_it))
        both = [a for a in arm.dev if a.example.id in before.keys() & after.keys()]
        gain = fmean(after[a.example.id] - before[a.example.id] for a in both) if both else 0.0
        if gain <= 0 or len(both) < LEAST:
            continue
        known = _measure(arm, both, before, after)
        steps = _place(step, arm.entry.steps)
        settings = own[with_it.name].settings.get(step.name)
        if known.mended:
            yield Remedy(
                steps,
                f"{step.name} brought {format_points(gain)} points on dev over {without.name}; it "
                f"mended {_count(known.mended)} of {len(known.mended)} answers that are wrong here "
                f"and broke {_count(known.broken)} of {len(known.broken)} that are right",
                known,
                {step.name: settings} if settings else {},
            )


def _list_pairs(arms: Sequence[Arm]) -> Iterator[tuple[Arm, Arm, Method]]:
    """Two arms that differ in one step and in nothing else, and that step."""
    for without in arms:
        for with_it in arms:
            less, more = _list_steps(without), _list_steps(with_it)
            if len(more) != len(less) + 1 or _describe(without) != _describe(with_it):
                continue
            for at, step in enumerate(more):
                if [*more[:at], *more[at + 1 :]] == less:
                    yield without, with_it, step


def _list_steps(arm: Arm) -> list[Method]:
    return [step for step in arm.chain.steps if step.owns or step.makes]


def _describe(arm: Arm) -> tuple[object, ...]:
    return arm.rows, arm.model, repr(arm.decoding)


def _place(step: Method, steps: Sequence[str]) -> tuple[str, ...]:
    """Prompts and lessons stand before the others, what tunes or decodes behind them."""
    prompt = bool(step.owns) and all(field.startswith("prompt.") for field in step.owns)
    first = prompt or bool(step.makes)
    return (step.name, *steps) if first else (*steps, step.name)


def _measure(
    arm: Diagnosed, both: Sequence[Answer], before: Mapping[str, float], after: Mapping[str, float]
) -> Measured:
    """What the step did to rows that stand alike here: wrong in both arms, or right in both."""
    mended: list[tuple[bool, Share]] = []
    broken: list[tuple[bool, Share]] = []
    for answer in both:
        row, group, here = answer.example.id, _group(answer), answer.score.counted
        old, new = before[row], after[row]
        if old < 1.0:
            mended.append((here < 1.0, Share(group, max(0.0, new - old) / (1.0 - old))))
        if old > 0.0:
            broken.append((here > 0.0, Share(group, max(0.0, old - new) / old)))
    return Measured(
        [Share(_group(a), 1.0 - a.score.counted) for a in arm.dev if a.score.counted < 1.0],
        _prefer_alike(mended),
        (),
        [Share(_group(a), a.score.counted) for a in arm.dev if a.score.counted > 0.0],
        _prefer_alike(broken),
    )


def _prefer_alike(shares: Sequence[tuple[bool, Share]]) -> list[Share]:
    """Those of rows that stand alike, or all of them where these are few."""
    alike = [share for same, share in shares if same]
    return alike if len(alike) >= LEAST else [share for _, share in shares]


def _group(answer: Answer) -> str:
    return answer.example.group or answer.example.id


def _count(shares: Sequence[Share]) -> str:
    return f"{sum(share.value for share in shares):g}"


def _average_rows(runs: Sequence[ArmRun], name: str) -> dict[str, float]:
    """Row of dev to the mean score of an arm's seeds."""
    values: dict[str, list[float]] = {}
    for answer in (a for run in runs if run.arm == name and run.candidate for a in run.dev):
        values.setdefault(answer.example.id, []).append(answer.score.counted)
    return {row: fmean(own) for row, own in values.items()}
