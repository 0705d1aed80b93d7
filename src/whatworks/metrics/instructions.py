"""Instructions whose keeping can be verified: "in at most 30 words", "without commas".

A row's ``meta["constraints"]`` is a list of ``{"kind": "words", "at_most": 30}``; the kinds and
their settings are in ``constraints``. Figures as in IFEval (Zhou et al. 2023, section 3): strict
and loose accuracy by prompt and by instruction. Empty answers are wrong: silence keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data.task import Example
from whatworks.metrics.constraints import KINDS, check_bullets, check_numbered
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.language import find_language
from whatworks.metrics.options import check_options
from whatworks.metrics.score import Score

Check = Callable[[str], str]

LONGER = 2
"""How much longer than the target an answer may be, where constraints are read off the target."""


class InstructionsOptions(Options):
    """Options of ``instructions``.

    Attributes:
        constraints: Constraints of every row, beside its own.
        from_target: Also wants what the target shows: its language, a list where it has one, and
            at most twice its words. For instruction data that names no constraints.
    """

    constraints: Sequence[Mapping[str, Any]] = ()
    from_target: bool = False


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: InstructionsOptions
) -> dict[str, float]:
    """Shares of prompts, and of single instructions, that are followed, strictly and loosely."""
    del examples, options
    total = sum(score.parts["asked"] for score in scores)
    return {
        "prompt_strict": fmean(score.value for score in scores),
        "prompt_loose": fmean(score.forgiving for score in scores),
        "instruction_strict": sum(score.parts["kept"] for score in scores) / total,
        "instruction_loose": sum(score.parts["kept_loosely"] for score in scores) / total,
    }


def _is_blind(options: InstructionsOptions) -> bool:
    """Where the options name constraints: those of rows are not part of a request."""
    return bool(options.constraints) and not options.from_target


@metric(InstructionsOptions, figures=_compute_figures, blind=_is_blind)
def instructions(example: Example, text: str, options: InstructionsOptions) -> Score:
    """Every constraint of the row.

    Parts: ``kept``, the number of constraints that hold, ``kept_loosely`` and ``asked``. Lenient,
    and loosely: also when it holds for the answer without its first line, its last line, both,
    or the asterisks of markdown (Zhou et al. 2023, section 3: one of eight variants).

    Args:
        example: ``meta["constraints"]`` holds its constraints.
        text: The answer.
        options: Constraints of every row.

    Raises:
        InputError: If a row has no constraint, or one that does not exist.
    """
    place = f"example {example.id!r}"
    own: Any = example.meta.get("constraints") or []
    if not isinstance(own, list | tuple):
        raise InputError(
            "`constraints` is not a list",
            place=place,
            remedy="write a list of mappings with a `kind`",
        )
    constraints = [
        *options.constraints,
        *own,
        *(_read_constraints(example.target) if options.from_target else ()),
    ]
    if not constraints:
        raise InputError(
            "there is no constraint to verify",
            place=place,
            remedy='give `meta: {"constraints": [{"kind": "words", "at_most": 30}]}`, '
            "or the option `constraints`",
        )
    checks = [_check(one, place) for one in constraints]
    if not text.strip():
        problems, loose = ["says nothing"] * len(checks), 0
    else:
        problems = [problem for check in checks if (problem := check(text))]
        variants = _list_variants(text)
        loose = sum(any(not check(one) for one in variants) for check in checks)
    parts = {
        "kept": float(len(checks) - len(problems)),
        "kept_loosely": float(loose),
        "asked": float(len(checks)),
    }
    if not problems:
        return Score(1.0, "correct", parts=parts)
    return Score(0.0, "wrong", "; ".join(problems), float(loose == len(checks)), parts)


def _check(constraint: Any, place: str) -> Check:
    """A constraint, checked and ready to be asked.

    Raises:
        InputError: If its kind is unknown or its settings do not fit.
    """
    if not isinstance(constraint, Mapping) or "kind" not in constraint:
        raise InputError(
            f"the constraint {constraint!r} has no kind",
            place=place,
            remedy='write {"kind": "words", "at_most": 30}',
        )
    settings: dict[str, Any] = dict(constraint)  # pyright: ignore[reportUnknownArgumentType]
    kind = str(settings.pop("kind"))
    if kind not in KINDS:
        raise InputError(
            f"unknown constraint {kind!r}", place=place, remedy=suggest_nearest(kind, KINDS)
        )
    arguments = check_options(
        KINDS[kind], settings, f"{place}, constraint {kind!r}", noun="setting"
    )
    return partial(KINDS[kind], **arguments)


def _list_variants(text: str) -> list[str]:
    """The text as it is, and what is left without its first or last line and asterisks."""
    rows = text.strip().split("\n")
    cut = [text, "\n".join(rows[1:]), "\n".join(rows[:-1]), "\n".join(rows[1:-1])]
    both = [*cut, *(one.replace("*", "") for one in cut)]
    return [one.strip() for one in both if one.strip()]


def _read_constraints(target: str) -> list[dict[str, Any]]:
    """Constraints that a target shows by example."""
    count = len(target.split())
    constraints: list[dict[str, Any]] = [{"kind": "words", "at_most": LONGER * count + 10}]
    if not check_bullets(target, at_least=2):
        constraints.append({"kind": "bullets", "at_least": 2})
    if not check_numbered(target, at_least=2):
        constraints.append({"kind": "numbered", "at_least": 2})
    if count >= 10:  # the language of shorter texts cannot be told
        constraints.append({"kind": "language", "language": find_language(target)})
    return constraints
