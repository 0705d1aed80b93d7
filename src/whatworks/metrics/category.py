"""Category ids: one label out of a known set. Empty answers and unknown ids are malformed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter

from whatworks.base.errors import InputError
from whatworks.base.phrasing import brief
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.normalise import part_words
from whatworks.metrics.score import Score
from whatworks.models.constraint import Constraint


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
        """The ids that the text names; an id inside a longer named one is not counted."""
        rest, found = f" {part_words(text)} ", set[str]()
        for words, names in self._spoken.items():
            if f" {words} " in rest:
                found.update(names)
                rest = rest.replace(f" {words} ", " \0 ")
        return frozenset(found)

    def folded(self, name: str) -> str:
        """The first id with the words of this one; itself where there is none."""
        same = self._spoken.get(part_words(name))
        return same[0] if same else name.strip()


def _labels(given: Any) -> Labels:
    return Labels(TypeAdapter(list[str]).validate_python(given))


class CategoryOptions(Options):
    """Options of ``category``.

    Attributes:
        labels: The valid ids; the targets of the training rows unless given.
        fold: Whether ids that differ in case, blanks and punctuation alone are one.
    """

    labels: Annotated[Labels, BeforeValidator(_labels)]
    fold: bool = False


def _learn(train: Sequence[Example], aside: Sequence[Example]) -> dict[str, Any]:
    """The labels that the training rows use."""
    del aside
    return {"labels": sorted({example.target for example in train})}


def _label(text: str, options: CategoryOptions) -> str:
    """The id that the answer is."""
    said = options.labels.folded(text) if options.fold else text.strip()
    return said if said in options.labels.names else ""


def _form(train: Sequence[Example], options: CategoryOptions) -> Constraint:
    """One of the labels."""
    del train
    names = options.labels.names
    if options.fold:
        names = frozenset(map(options.labels.folded, names))
    return Constraint(kind="choices", choices=tuple(sorted(names)))


def _confusion(
    examples: Sequence[Example], scores: Sequence[Score], options: CategoryOptions
) -> Counter[tuple[str, str]]:
    """Counts of (wanted id, said id); an invalid answer counts as the id ""."""
    read = options.labels.folded if options.fold else str.strip
    pairs = zip(examples, scores, strict=True)
    return Counter((read(example.target), score.label) for example, score in pairs)


def _figures(
    examples: Sequence[Example], scores: Sequence[Score], options: CategoryOptions
) -> dict[str, float]:
    """Accuracy, macro-F1 and the rate of invalid ids.

    Macro-F1 is the mean over the ids that are wanted somewhere among these examples, so that two
    arms on the same examples average over the same ids whatever they answer. An invalid answer is
    a miss of the wanted id.
    """
    table = _confusion(examples, scores, options)
    wanted, said = Counter[str](), Counter[str]()
    for (one, other), count in table.items():
        wanted[one] += count
        said[other] += count
    f1 = [2 * table[name, name] / (count + said[name]) for name, count in wanted.items()]
    return {
        "accuracy": fmean(score.value for score in scores),
        "lenient_accuracy": fmean(score.forgiving for score in scores),
        "macro_f1": fmean(f1),
        "invalid_rate": fmean(score.kind == "malformed" for score in scores),
    }


@metric(CategoryOptions, figures=_figures, learn=_learn, form=_form, label=_label)
def category(example: Example, text: str, options: CategoryOptions) -> Score:
    """The target's id and nothing else; ids outside of ``labels`` are malformed.

    Lenient: the answer names the target's id and no other one; case, and what separates the words
    of an id, do not count.

    Args:
        example: Its target is an id; one that the labels lack is valid for this row all the same.
        text: The answer.
        options: The valid ids.
    """
    labels = options.labels
    said, wanted = text.strip(), example.target.strip()
    if options.fold:
        said, wanted = labels.folded(said), labels.folded(wanted)
    if said == wanted:
        return Score(1.0, "correct", parts={"valid": 1.0}, label=said)
    if said in labels.names:
        feedback = f"said {brief(said)}, wanted {brief(wanted)}"
        return Score(0.0, "wrong", feedback, parts={"valid": 1.0}, label=said)
    named = labels.within(said) or {
        name for name in [wanted] if part_words(said) == part_words(name)
    }
    feedback = f"{brief(said)} is no category id, wanted {brief(wanted)} and nothing else"
    lenient = float(named == {wanted})
    return Score(0.0, "malformed", feedback, lenient=lenient, parts={"valid": 0.0})
