"""Numbers. Empty answers are wrong."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from whatworks.base.errors import InputError
from whatworks.base.phrasing import brief
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.plain_text import match
from whatworks.metrics.score import Score

_Allowance = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_NUMBER = r"[-+\u2212]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_WHOLE = re.compile(rf"[$€£¥]?\s*({_NUMBER})\s*[%$€£¥]?\.?", re.ASCII)
_MOST_DIGITS = 1_000
_WITHIN = re.compile(rf"(?<![\w.])({_NUMBER})", re.ASCII)


class NumericOptions(Options):
    """Options of ``numeric``.

    Attributes:
        tolerance: Largest difference that counts as equal.
        relative: The same as a share of the wanted number; the larger of the two holds.
    """

    tolerance: _Allowance = 0.0
    relative: _Allowance = 0.0


def _label(text: str, options: NumericOptions) -> str:
    """The last number of an answer."""
    del options
    found = _last_number(text)
    return "" if found is None else str(found.normalize())


@metric(NumericOptions, label=_label)
def numeric(example: Example, text: str, options: NumericOptions) -> Score:
    """The target's number; thousands separators, a currency sign and a % sign are read over.

    Strict: the answer is one number; where the target itself is a text around a number, as in
    "#### 42", the last number of any text. Lenient: the last number of the answer.

    Args:
        example: Its target is a number, or a text whose last number is meant ("#### 42").
        text: The answer.
        options: The differences that count as equal.

    Raises:
        InputError: If the target has no number.
    """
    alone = _only_number(example.target)
    wanted = _last_number(example.target) if alone is None else alone
    if wanted is None:
        raise InputError(
            f"the target {brief(example.target)} has no number",
            place=f"example {example.id!r}",
            remedy="use a text metric, or give the number as target",
        )
    allowed = max(Decimal(options.tolerance), Decimal(options.relative) * abs(wanted))

    def close(said: Decimal | None) -> bool:
        return said is not None and abs(said - wanted) <= allowed

    only = _only_number(text)
    last = _last_number(text) if only is None else only
    score = match(close(last if alone is None else only), close(last), text, str(wanted))
    return Score(
        score.value,
        score.kind,
        feedback=score.feedback,
        lenient=score.lenient,
        parts={"has_number": float(last is not None), "only_number": float(only is not None)},
        label="" if last is None else str(last),
    )


def _only_number(text: str) -> Decimal | None:
    found = _WHOLE.fullmatch(text.strip())
    return _decimal(found[1]) if found else None


def _last_number(text: str) -> Decimal | None:
    found = _WITHIN.findall(text)
    return _decimal(found[-1]) if found else None


def _decimal(number: str) -> Decimal | None:
    # Exponents have three digits at most, so the value stays far within Decimal's range.
    if len(number) > _MOST_DIGITS:
        return None
    return Decimal(number.replace(",", "").replace("\u2212", "-"))
