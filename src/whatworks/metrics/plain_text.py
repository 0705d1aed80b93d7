"""Plain answers: exact, normalised, contained. Empty answers are wrong."""

from __future__ import annotations

from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.normalise import is_contained, normalise
from whatworks.metrics.score import Score
from whatworks.metrics.stated import is_stated


def match(strict: bool, lenient: bool, answer: str, wanted: str) -> Score:
    """A right or a wrong answer; ``lenient`` counts where it is not strictly right."""
    if strict:
        return Score(1.0, "correct", label=normalise(answer))
    hint = "give only the answer: " if lenient else ""
    return Score(
        0.0,
        "wrong",
        feedback=f"{hint}said {quote_briefly(answer)}, wanted {quote_briefly(wanted)}",
        lenient=float(lenient),
        label=normalise(answer),
    )


@metric()
def exact(example: Example, text: str, options: NoOptions) -> Score:
    """The target, character by character; space around it does not count.

    Lenient: the answer says that it is the target (``stated``), up to normalisation.
    """
    del options
    answer, target = text.strip(), example.target.strip()
    return match(answer == target, is_stated(target, answer), answer, target)


@metric(label=lambda text, _: normalise(text))
def normalised(example: Example, text: str, options: NoOptions) -> Score:
    """The target up to case, punctuation, articles and spaces.

    Lenient: the answer says that it is the target (``stated``).
    """
    del options
    same = normalise(text) == normalise(example.target)
    return match(same, is_stated(example.target, text), text, example.target)


@metric(label=lambda text, _: normalise(text))
def contains(example: Example, text: str, options: NoOptions) -> Score:
    """The target's words within the answer, in one piece, normalised."""
    del options
    return match(is_contained(example.target, text), False, text, example.target)
