"""Numbers, ranges, times and dates, read in the locale of the column. Empty answers are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.plain_text import match
from whatworks.metrics.score import Score
from whatworks.metrics.values.number import Number, find_numbers, simplify
from whatworks.metrics.values.units import find_unit
from whatworks.metrics.values.value import (
    Value,
    find_value,
    guess_locale,
    is_close,
    read_value,
    resolve_locale,
)

_Allowance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_END = "####"
"""What GSM8K writes before a target's number."""
_ANY = Number(Decimal(0))


class NumericOptions(Options):
    """Options of ``numeric``.

    Attributes:
        tolerance: Largest difference that counts as equal.
        relative: The same as a share of the wanted number; the larger of the two holds.
        locale: In which numbers and dates are written, ``de`` or ``en_GB``; guessed over all
            targets of train unless given.
    """

    tolerance: _Allowance = 0.0
    relative: _Allowance = 0.0
    locale: Annotated[str, AfterValidator(resolve_locale)] = "en"


def _learn(train: Sequence[Example], aside: Sequence[Example]) -> dict[str, Any]:
    """The locale that the training rows are written in."""
    del aside
    return {"locale": guess_locale(row.target for row in train)} if train else {}


def _make_label(text: str, options: NumericOptions) -> str:
    """The value of an answer, or the number within it that it gives as its answer."""
    value = read_value(text, options.locale) or find_value(text, _ANY, options.locale)
    return "" if value is None else str(value)


@metric(NumericOptions, learn=_learn, label=_make_label)
def numeric(example: Example, text: str, options: NumericOptions) -> Score:
    """The target's number, however it is written; so with ranges, times and dates.

    Strict: the answer is one number; where the target itself is a text around a number, as in
    "#### 42", the number that any text gives. Lenient: the number that the answer gives: the one
    behind "answer:" or in a box, one at the beginning that is explained, else the last; not one
    that is denied ("not 42"), a bound ("more than 42"), or one of several guesses. A currency or a
    unit that only one of the two names is that of both, others are converted; per cent may be
    written as a share.

    Args:
        example: Its target is a number, or a text that has one ("#### 42": the one behind it).
        text: The answer.
        options: The differences that count as equal, and the locale.

    Raises:
        InputError: If the target has no number, or several.
    """
    alone = read_value(example.target, options.locale)
    target = _find_within(example, options) if alone is None else alone
    allowed = Decimal(options.tolerance), Decimal(options.relative)
    only = read_value(text, options.locale)
    if isinstance(only, Number) and isinstance(alone, Number) and not _can_have_unit(only, alone):
        only = None  # "42 apples" where a number is asked for: the number stands within it
    last = find_value(text, target, options.locale) if only is None else only
    strict = last if alone is None else only
    score = match(
        strict is not None and is_close(strict, target, *allowed),
        last is not None and is_close(last, target, *allowed),
        text,
        str(target),
    )
    return Score(
        score.value,
        score.kind,
        feedback=score.feedback,
        lenient=score.lenient,
        parts={"has_number": float(last is not None), "only_number": float(only is not None)},
        label="" if last is None else str(last),
    )


def _can_have_unit(number: Number, wanted: Number) -> bool:
    """Whether a unit is one that the target has too, or that a plain number may bear.

    Several words that are no unit of measure are words around the number.
    """
    if " " in number.unit and find_unit(number.unit) is None:
        return False
    currency = len(number.unit) == 3 and number.unit.isupper()
    return bool(wanted.unit) or not number.unit or number.unit == "%" or currency


def _find_within(example: Example, options: NumericOptions) -> Value:
    """The number that a longer target has: the one behind "####", or the only one."""
    head, mark, tail = example.target.rpartition(_END)
    numbers = [stated.value for stated in find_numbers(simplify(tail), options.locale)]
    if mark and (value := read_value(tail, options.locale)):
        return value
    if len(numbers) == 1 or (mark and numbers):
        return numbers[-1]
    del head
    several = f"{len(numbers)} numbers, and nothing says which is meant" if numbers else "no number"
    raise InputError(
        f"the target {quote_briefly(example.target)} has {several}",
        place=f"example {example.id!r}",
        remedy="give the number alone, end the target with `#### NUMBER`, or use a text metric",
    )
