"""Category ids: one label out of a known set. Empty answers and unknown ids are malformed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.normalise import part_words
from whatworks.metrics.score import Score
from whatworks.metrics.stated import is_denied_last
from whatworks.models.constraint import Constraint

_SCALE = re.compile(
    r"(?<![\w.])(\d+)\s*(?:/|out of)\s*\d+(?![\w.]\d)(?:\s*stars?\b)?", re.IGNORECASE
)
_PIECES = re.compile(r"(?<=[.!?;:])\s+|\n+|\s*(?=\()")
"""Where an answer that begins with an id goes on to explain it."""
_CHOICE = re.compile(
    r"\b(?:so|therefore|thus|hence|answer|choose|chose|pick|select|go with|category|label"
    r"|class|final|best|classify|daher|antwort|donc|réponse|entonces|respuesta)\b",
    re.IGNORECASE,
)
"""Words by which a sentence says which of several ids is meant."""


class Labels:
    """The valid ids.

    Args:
        names: The ids; space around them does not count.

    Raises:
        InputError: If there are none.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(name.strip() for name in names) - {""}
        if not self.names:
            raise InputError(
                "a category metric needs labels",
                remedy="give the option `labels`, or training rows whose targets are the labels",
            )

    @cached_property
    def _spoken(self) -> Mapping[str, tuple[str, ...]]:
        """The ids by their words, the longest first."""
        spoken: dict[str, list[str]] = {}
        for name in sorted(self.names):
            if words := part_words(name):
                spoken.setdefault(words, []).append(name)
        return {words: tuple(spoken[words]) for words in sorted(spoken, key=len, reverse=True)}

    def within(self, text: str) -> frozenset[str]:
        """The ids that the text names and does not deny; an id inside a longer one is not counted.

        "4/5" and "4 out of 5" name 4.
        """
        text = _SCALE.sub(r"\1", self._strip_signs(text))
        rest, ids = f" {part_words(text)} ", set[str]()
        for words, names in self._spoken.items():
            if f" {words} " in rest:
                ids.update(name for name in names if not is_denied_last(name, text))
                rest = rest.replace(f" {words} ", " \0 ")
        return frozenset(ids)

    def find_given(self, text: str) -> frozenset[str]:
        """The ids that the text gives as its answer: one where it says which of several it means.

        Where it names several: the one that it begins with and then explains, or else the one that
        its last sentence chooses.
        """
        named = self.within(text)
        if len(named) < 2:
            return named
        pieces = [piece for piece in _PIECES.split(text) if part_words(piece)]
        if pieces and _CHOICE.fullmatch(part_words(pieces[0])):  # "Category: billing"
            del pieces[0]
        alone = [self._spoken.get(part_words(piece), ()) for piece in pieces]
        if len(pieces) > 1 and alone[0] and not any(alone[1:]):
            return frozenset(alone[0])
        chosen = self.within(pieces[-1]) if pieces and _CHOICE.search(pieces[-1]) else frozenset()
        return chosen if len(chosen) == 1 else named

    def _strip_signs(self, text: str) -> str:
        """The text without signs that no id has and that would join what stands beside them."""
        return "".join(" " if sign in self._idle_signs else sign for sign in text)

    @cached_property
    def _idle_signs(self) -> frozenset[str]:
        return frozenset("*&^<>=~|") - frozenset("".join(self.names))

    def fold_name(self, name: str) -> str:
        """The first id with the words of this one; itself where there is none."""
        same = self._spoken.get(part_words(name))
        return same[0] if same else name.strip()


def _read_labels(value: Any) -> Labels:
    return Labels(TypeAdapter(list[str]).validate_python(value))


class CategoryOptions(Options):
    """Options of ``category``.

    Attributes:
        labels: The valid ids; the targets of the training rows unless given.
        fold: Whether ids that differ in case, blanks and punctuation alone are one.
    """

    labels: Annotated[Labels, BeforeValidator(_read_labels)]
    fold: bool = False


def _learn(train: Sequence[Example], aside: Sequence[Example]) -> dict[str, Any]:
    """The labels that the training rows use."""
    del aside
    return {"labels": sorted({example.target for example in train})}


def _make_label(text: str, options: CategoryOptions) -> str:
    """The id that the answer is."""
    answer = options.labels.fold_name(text) if options.fold else text.strip()
    return answer if answer in options.labels.names else ""


def _build_form(train: Sequence[Example], options: CategoryOptions) -> Constraint:
    """One of the labels."""
    del train
    names = options.labels.names
    if options.fold:
        names = frozenset(map(options.labels.fold_name, names))
    return Constraint(kind="choices", choices=tuple(sorted(names)))


def _count_confusion(
    examples: Sequence[Example], scores: Sequence[Score], options: CategoryOptions
) -> Counter[tuple[str, str]]:
    """Counts of (wanted id, said id); an invalid answer counts as the id ""."""
    read = options.labels.fold_name if options.fold else str.strip
    pairs = zip(examples, scores, strict=True)
    return Counter((read(example.target), score.label) for example, score in pairs)


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: CategoryOptions
) -> dict[str, float]:
    """Accuracy, macro-F1 and the rate of invalid ids.

    Macro-F1 is the mean over the ids that are wanted somewhere among these examples, so that two
    arms on the same examples average over the same ids whatever they answer. An invalid answer is
    a miss of the wanted id.
    """
    table = _count_confusion(examples, scores, options)
    targets, answers = Counter[str](), Counter[str]()
    for (one, other), count in table.items():
        targets[one] += count
        answers[other] += count
    f1 = [2 * table[name, name] / (count + answers[name]) for name, count in targets.items()]
    return {
        "accuracy": fmean(score.value for score in scores),
        "lenient_accuracy": fmean(score.forgiving for score in scores),
        "macro_f1": fmean(f1),
        "invalid_rate": fmean(score.kind == "malformed" for score in scores),
    }


@metric(
    CategoryOptions, figures=_compute_figures, learn=_learn, form=_build_form, label=_make_label
)
def category(example: Example, text: str, options: CategoryOptions) -> Score:
    """The target's id and nothing else; ids outside of ``labels`` are malformed.

    Lenient: the answer names the target's id and no other one, or says which of several it means;
    what it denies ("not billing") is not named. Case, and what separates the words of an id, do not
    count.

    Args:
        example: Its target is an id; one that the labels lack is valid for this row all the same.
        text: The answer.
        options: The valid ids.
    """
    labels = options.labels
    answer, target = text.strip(), example.target.strip()
    if options.fold:
        answer, target = labels.fold_name(answer), labels.fold_name(target)
    if answer == target:
        return Score(1.0, "correct", parts={"valid": 1.0}, label=answer)
    if answer in labels.names:
        feedback = f"said {quote_briefly(answer)}, wanted {quote_briefly(target)}"
        return Score(0.0, "wrong", feedback, parts={"valid": 1.0}, label=answer)
    named = labels.find_given(answer) or {
        name for name in [target] if part_words(answer) == part_words(name)
    }
    feedback = (
        f"{quote_briefly(answer)} is no category id, "
        f"wanted {quote_briefly(target)} and nothing else"
    )
    lenient = float(named == {target})
    return Score(0.0, "malformed", feedback, lenient=lenient, parts={"valid": 0.0})
