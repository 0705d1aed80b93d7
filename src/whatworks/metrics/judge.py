"""A judge model: is the answer at least as good as the target, or what of a rubric does it meet?

Against a target, both are shown in both orders (position swaps, Zheng et al. 2023, "Judging
LLM-as-a-Judge", section 3.4). A reply without a verdict is a failure that is counted, never a
number that is made up; a judge that cannot be reached fails the arm. With rows that people have
judged (``labels``), the figures say how far the judge agrees with them, and what the share of good
answers would be after its known mistakes are taken out. Empty answers are wrong and not shown.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.base.store import Store
from whatworks.data import read
from whatworks.data.task import Example, Message
from whatworks.metrics.definition import MODEL, Options, metric
from whatworks.metrics.powered_mean import estimate_powered_mean
from whatworks.metrics.rubric import RubricPart, build_question, read_rubric, score_parts
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.open_engine import open_engine

CRITERIA = "which answer is more correct, more helpful and better kept to what was asked"
_DECODING = Decoding(max_tokens=256)
_VERDICT = re.compile(r"\[\[\s*(A|B|C|tie)\s*\]\]", re.IGNORECASE)
_BARE = re.compile(r"^\W*(?:answer\s+)?(A|B|C|tie)\W*$", re.IGNORECASE)
_POINTS = {"A": (1.0, 0.0), "B": (0.0, 1.0)}
"""Is the first, is the second one at least as good; a tie is both."""


class JudgeOptions(Options):
    """Options of ``judge``.

    Attributes:
        model: The judge: ``https://host/v1#name``, a Hugging Face id or a folder; the study's
            ``helper`` unless given.
        criteria: What decides, in the judge's prompt.
        rubric: Questions about the answer alone, in place of a comparison with the target
            (``metrics.rubric``); a row may bring more in ``meta["rubric"]``.
        labels: Rows that people have judged: ``meta`` holds ``answer`` and ``human``, from 0 to 1.
        keep: Folder in which the judge's replies are kept, so that none is paid for twice.
    """

    model: Annotated[str, MODEL]
    criteria: str = CRITERIA
    rubric: tuple[RubricPart, ...] = ()
    labels: Path | None = None
    keep: Path | None = None


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: JudgeOptions
) -> dict[str, float]:
    """Means of the parts and, with ``labels``, how far the judge agrees with people."""
    figures = average_parts(examples, scores)
    if options.labels is None:
        return figures
    human, verdicts = _calibrate(
        options.model, options.criteria, options.labels, options.keep, options.rubric
    )
    rates = measure_agreement([one >= 0.5 for one in human], [one >= 0.5 for one in verdicts])
    values = [score.value if _has_rubric(e, options) else float(score.value == 1.0)
              for e, score in zip(examples, scores, strict=True)]  # fmt: skip
    figures |= rates
    if not options.rubric:  # the correction is one of shares
        figures["corrected"] = correct_share(fmean(values), rates)
    if min(len(values), len(human)) >= 2:
        share = estimate_powered_mean(values, human, verdicts)
        figures |= {"powered": share.value, "powered_low": share.low, "powered_high": share.high}
    return figures


@metric(JudgeOptions, figures=_compute_figures, asks=True, seconds=lambda _: None)
def judge(example: Example, text: str, options: JudgeOptions) -> Score:
    """At least as good as the target, in the judge's eyes, whichever is shown first.

    With a rubric, of the options or of the row, what of it the answer meets instead, with no
    target: ``rubric.score_parts``.

    Strict: the share of the two orders. Lenient: in one of them. Parts: ``consistent`` (both orders
    say the same), ``failed`` (share of replies without a verdict; the score is that of the others,
    and 0 where there is none), ``first`` (share of the verdicts for what was shown first).

    Args:
        example: What was asked, and as target the answer to measure against.
        text: The answer.
        options: The judge.

    Raises:
        InputError: If there is no target and no rubric.
        ArmFailure: If the judge cannot be reached.
    """
    if _has_rubric(example, options):
        return _score_rubric(example, text.strip(), options)
    target, answer = example.target.strip(), text.strip()
    if not target:
        raise InputError(
            "there is no target to measure against",
            place=f"example {example.id!r}",
            remedy="give the row one, leave it out, or judge by a `rubric`",
        )
    if not answer:
        return Score(0.0, "wrong", "says nothing", parts={"failed": 0.0})
    if answer == target:
        return Score(1.0, "correct", parts={"failed": 0.0})
    prompts = [
        _build_prompt(example, *pair, options.criteria)
        for pair in ((answer, target), (target, answer))
    ]
    replies = _load_judge(options.model, options.keep).ask(prompts)
    points = [read_verdict(reply) for reply in replies]
    ours = [p[at] for at, p in enumerate(points) if p]
    decided = [p for p in points if p and p != (1.0, 1.0)]
    parts = {"failed": 1 - len(ours) / 2}
    if decided:
        parts["first"] = fmean(p[0] for p in decided)
    if len(ours) == 2:
        parts["consistent"] = float(points[0] == tuple(reversed(points[1] or ())))
    if not ours:
        return Score(
            0.0, "wrong", f"the judge gave no verdict: {quote_briefly(replies[0])}", parts=parts
        )
    value = fmean(ours)
    if value == 1.0:
        return Score(1.0, "correct", parts=parts)
    why = next(r for r, p, at in zip(replies, points, (0, 1), strict=True) if p and not p[at])
    return Score(
        value, "wrong", f"worse than the target: {quote_briefly(why, 200)}", max(ours), parts
    )


def _has_rubric(example: Example, options: JudgeOptions) -> bool:
    return bool(options.rubric or example.meta.get("rubric"))


def _score_rubric(example: Example, answer: str, options: JudgeOptions) -> Score:
    rubric = read_rubric(options.rubric, example)
    if not answer:
        return Score(0.0, "wrong", "says nothing", parts={"failed": 0.0})
    asked = [build_question(example, answer, part) for part in rubric.parts]
    replies = _load_judge(options.model, options.keep).ask(asked)
    return score_parts(rubric, replies, options.rubric)


def read_verdict(reply: str) -> tuple[float, float] | None:
    """Whether the first and whether the second answer is at least as good; None if not said."""
    marks = _VERDICT.findall(reply) or _BARE.findall(reply)
    return _POINTS.get(marks[-1].upper(), (1.0, 1.0)) if marks else None


def measure_agreement(human: Sequence[bool], verdicts: Sequence[bool]) -> dict[str, float]:
    """A judge's verdicts against people's on the same answers.

    ``human_agreement`` is the share that is the same, ``human_kappa`` the same beyond chance (Cohen
    1960; 0 where either says the same of all), ``sensitivity`` the share of good answers that the
    judge calls good, ``specificity`` that of bad ones that it calls bad (1 where there are none).
    """
    pairs = list(zip(human, verdicts, strict=True))
    same = fmean(a == b for a, b in pairs)
    good, called = fmean(human), fmean(verdicts)
    chance = good * called + (1 - good) * (1 - called)
    hits = [b for a, b in pairs if a]
    refusals = [not b for a, b in pairs if not a]
    return {
        "human_agreement": same,
        "human_kappa": (same - chance) / (1 - chance) if chance < 1 else 0.0,
        "sensitivity": fmean(hits) if hits else 1.0,
        "specificity": fmean(refusals) if refusals else 1.0,
    }


def correct_share(share: float, rates: dict[str, float]) -> float:
    """The true share of good answers behind a judge's share (Rogan and Gladen 1978).

    (share + specificity - 1) / (sensitivity + specificity - 1), within [0, 1]; the share itself
    where the judge is no better than chance, since nothing can be learned from it then.
    """
    power = rates["sensitivity"] + rates["specificity"] - 1
    if power <= 0:
        return share
    return min(1.0, max(0.0, (share + rates["specificity"] - 1) / power))


class Judge:
    """A judge model with its replies kept.

    Args:
        model: Its name, as in a study file.
        folder: Where replies are kept.
    """

    def __init__(self, model: str, folder: Path) -> None:
        self._engine, weights = open_engine(model)
        self._files = ModelFiles(base=weights.base, template=weights.template)
        self._helper = Helper(HelperModel(self._engine, weights), Store(folder), Meter())

    def ask(self, prompts: Sequence[Sequence[Message]]) -> list[str]:
        """One reply per prompt; "" to a prompt that leaves no room in the judge's context.

        Raises:
            ArmFailure: If the judge cannot be reached.
        """
        context = self._engine.context_length(self._files)
        lengths = self._engine.prompt_tokens(self._files, prompts)
        fits = [context is None or n + _DECODING.max_tokens <= context for n in lengths]
        fitting = [prompt for prompt, fit in zip(prompts, fits, strict=True) if fit]
        replies = iter(self._helper.ask(fitting, _DECODING) if fitting else ())
        return [next(replies).text if fit else "" for fit in fits]


@lru_cache(maxsize=4)
def _load_judge(model: str, keep: Path | None) -> Judge:
    return Judge(model, keep or Path(tempfile.mkdtemp(prefix="whatworks-judge-")))


@lru_cache(maxsize=4)
def _calibrate(
    model: str,
    criteria: str,
    labels: Path,
    keep: Path | None,
    rubric: tuple[RubricPart, ...] = (),
) -> tuple[list[float], list[float]]:
    """What people and what the judge say of each labelled answer, from 0 to 1.

    Against a target it is good or not; by a rubric it has the value that the score has.
    """
    options = JudgeOptions(model=model, criteria=criteria, keep=keep, rubric=rubric)
    human: list[float] = []
    verdicts: list[float] = []
    for row in read(labels, missing="keep").examples:
        answer: Any = row.meta.get("answer")
        opinion: Any = row.meta.get("human")
        if not isinstance(answer, str) or not isinstance(opinion, bool | int | float):
            raise InputError(
                f"the row {row.id!r} has no `answer` or no `human` in its meta",
                place=str(labels),
                remedy='write {"input": ..., "target": ..., "meta": {"answer": ..., "human": 1}}',
            )
        score = judge.score(row, answer, options)
        if score.parts["failed"] < 1.0:
            by_parts = _has_rubric(row, options)
            human.append(float(opinion) if by_parts else float(opinion >= 0.5))
            verdicts.append(score.value if by_parts else float(score.value == 1.0))
    if not human:
        raise InputError(
            "the judge gave no verdict on any labelled row",
            place=str(labels),
            remedy="take a model that follows instructions",
        )
    return human, verdicts


def _build_prompt(example: Example, first: str, second: str, criteria: str) -> tuple[Message, ...]:
    """What the judge is asked (after Zheng et al. 2023, figure 5)."""
    request = "\n".join(f"{m.role}: {m.content}" for m in example.messages) or example.text
    return (
        Message(
            role="system",
            content=f"Two answers to the same request are compared. Decide {criteria}. The order "
            "in which they stand and their length must not matter. Give one short reason, then "
            "your verdict in double brackets: [[A]] if answer A is better, [[B]] if answer B is "
            "better, [[C]] if they are equally good.",
        ),
        Message(
            role="user",
            content=f"[Request]\n{request}\n\n[Answer A]\n{first}\n[End of answer A]\n\n"
            f"[Answer B]\n{second}\n[End of answer B]",
        ),
    )
