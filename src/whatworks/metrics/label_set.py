"""Several labels at once, ``billing; urgent``: compared as sets. Empty answers are malformed.

The order of labels and how often each is named do not count. A target and an answer may be a JSON
list too. A blank target is the empty set, to which silence is right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Annotated, Any

from pydantic import StringConstraints

from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.normalise import normalise
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import measure_overlap

DIVIDERS = (";", "|", ",", "\n")
"""What parts labels, the surest first."""


class SetOptions(Options):
    """Options of ``set``.

    Attributes:
        divider: What parts the labels; guessed over all targets of train unless given.
    """

    divider: Annotated[str, StringConstraints(min_length=1)] = ";"


def guess_divider(targets: Iterable[str]) -> str:
    """The divider that most targets have; ``;`` where none has any."""
    counts = Counter(mark for text in targets for mark in DIVIDERS if mark in text)
    return max(DIVIDERS, key=lambda mark: counts[mark]) if counts else DIVIDERS[0]


def read_set(text: str, divider: str) -> frozenset[str]:
    """The labels of a text: a JSON list, or parted by the divider."""
    text = text.strip()
    if text.startswith("["):
        try:
            listed: Any = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(one, str | int) for one in listed):
            return frozenset(str(one).strip() for one in listed) - {""}
    return frozenset(part.strip() for part in text.split(divider)) - {""}


def _learn(train: Sequence[Example], aside: Sequence[Example]) -> dict[str, Any]:
    """The divider of the training rows' targets."""
    del aside
    return {"divider": guess_divider(row.target for row in train)} if train else {}


def _make_label(text: str, options: SetOptions) -> str:
    """The labels in alphabetical order."""
    return _format_labels(read_set(text, options.divider), options)


def _format_labels(labels: Iterable[str], options: SetOptions) -> str:
    return f"{options.divider} ".join(sorted(labels))


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: SetOptions
) -> dict[str, float]:
    """The share of exact sets, micro and macro F1, and the mean Jaccard index.

    Micro-F1 counts labels over all answers; macro-F1 is the mean over the labels that are wanted
    somewhere among these examples, so that two arms average over the same ones.
    """
    hits, targets, answers = Counter[str](), Counter[str](), Counter[str]()
    for example, score in zip(examples, scores, strict=True):
        theirs = read_set(example.target, options.divider)
        ours = read_set(score.label, options.divider)
        targets.update(theirs)
        answers.update(ours)
        hits.update(theirs & ours)
    both = targets.total() + answers.total()
    figures = {
        "exact_set": fmean(score.value for score in scores),
        "micro_f1": 2 * hits.total() / both if both else 1.0,
        "jaccard": fmean(score.parts["jaccard"] for score in scores),
    }
    if targets:
        f1 = [2 * hits[name] / (targets[name] + answers[name]) for name in targets]
        figures["macro_f1"] = fmean(f1)
    return figures


@metric(SetOptions, figures=_compute_figures, learn=_learn, label=_make_label)
def label_set(example: Example, text: str, options: SetOptions) -> Score:
    """The target's labels, all of them and no other.

    Lenient: the same up to case and punctuation. Parts: ``precision``, ``recall`` and ``f1`` of
    the labels, and ``jaccard``: those in both by those in either.

    Args:
        example: Its target is a set of labels; blank, it is the empty one.
        text: The answer.
        options: What parts the labels.
    """
    target, answer = (read_set(one, options.divider) for one in (example.target, text))
    shares = measure_overlap(Counter(answer), Counter(target))._asdict()
    either = answer | target
    parts = {**shares, "jaccard": len(answer & target) / len(either) if either else 1.0}
    label = _format_labels(answer, options)
    if answer == target:
        return Score(1.0, "correct", parts=parts, label=label)
    lenient = float({normalise(one) for one in answer} == {normalise(one) for one in target})
    if not answer:
        feedback = f"names no label, wanted {quote_briefly(_format_labels(target, options))}"
        return Score(0.0, "malformed", feedback, lenient, parts, label)
    missing, extra = sorted(target - answer), sorted(answer - target)
    complaints = [f"missing {quote_briefly(_format_labels(missing, options))}"] if missing else []
    complaints += [f"not wanted {quote_briefly(_format_labels(extra, options))}"] if extra else []
    return Score(0.0, "wrong", "; ".join(complaints), lenient, parts, label)
