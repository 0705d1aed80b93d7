"""Chat: whether an answer is one turn of the conversation that it stands in.

Four things are asked of it: it *ends* its turn, keeps its *role*, *uses* what was said turns ago
where the target does, and has about the target's *length*. Whether it is the right answer is not
asked here; ``judge`` or a metric of the answer's content does that. Empty answers are wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pydantic import PositiveFloat

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.names_and_numbers import find_entities
from whatworks.metrics.normalise import is_contained, normalise
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts, measure_overlap

SLACK = 8
"""Words by which any answer may be longer than ``length`` allows: short targets vary more."""

_OTHER_TURN = re.compile(
    r"<\|[\w ]+\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>"
    r"|^[^\w\n]*+(?:user|human|assistant|system|bot|ai|gpt|instruction|response|input)[^\w\n]*:"
    r"|^#{2,}+\s*+(?:instruction|response|input|user|human|assistant)\b",
    re.IGNORECASE | re.MULTILINE,
)
_FINISHED = re.compile(r"[.!?…。！？][\"'”’»)\]*_]*$|```$")


class ChatOptions(Options):
    """Options of ``chat``.

    Attributes:
        length: How many times longer or shorter than the target is still fitting.
    """

    length: PositiveFloat = 3.0


def _score_cut_off(score: Score, options: ChatOptions) -> Score:
    """An answer that the model did not end: it fails in that, too."""
    del options
    parts = {**score.parts, "ends": 0.0}
    counted = [part for name, part in parts.items() if name != "overlap"]
    feedback = "; ".join(filter(None, ["does not end its turn: it was cut off", score.feedback]))
    return Score(0.0, "wrong", feedback, sum(counted) / len(counted), parts)


@metric(ChatOptions, figures=average_parts, cut_off=_score_cut_off)
def chat(example: Example, text: str, options: ChatOptions) -> Score:
    """One turn of the assistant's: ended, in its role, using what was said, of fitting length.

    Strict: all that apply. Lenient: the share of them. Parts: ``ends`` (not cut off, and with a
    full stop where the target has one), ``role`` (no other turn within it, no marker of a chat
    template, no earlier turn said again), ``uses`` (the names and numbers that the target takes
    from earlier turns; only where there are any), ``length`` (between 1/``length`` and
    ``length`` times the target's words, and a few more), and ``overlap``, the F1 of the answer's
    and the target's words, which does not count.

    Args:
        example: Its messages are the conversation, its target the answer that was given.
            ``meta["uses"]``, a list of texts, says what must be used instead.
        text: The answer.
        options: The length that fits.

    Raises:
        InputError: If there is no target, or ``meta`` is not as said.
    """
    if not example.target.strip():
        raise InputError(
            "there is no target to compare with",
            place=f"example {example.id!r}",
            remedy="use conversations that end with the assistant's answer",
        )
    answer, target = text.strip(), example.target.strip()
    problems: dict[str, str] = {
        "ends": _check_end(answer, target),
        "role": _check_role(answer, example),
        "length": _check_length(answer, target, options.length),
    }
    if used := _list_used(example):
        missing = [one for one in used if not is_contained(one, answer)]
        problems["uses"] = f"does not use {missing[0]!r}, said before" if missing else ""
    parts = {name: float(not problem) for name, problem in problems.items()}
    share = sum(parts.values()) / len(parts)
    words = (Counter(normalise(one).split()) for one in (answer, target))
    parts["overlap"] = measure_overlap(*words).f1 if answer else 0.0
    if not answer:
        return Score(0.0, "wrong", "says nothing", parts={name: 0.0 for name in parts})
    wrong = [problem for problem in problems.values() if problem]
    if not wrong:
        return Score(1.0, "correct", parts=parts)
    return Score(0.0, "wrong", "; ".join(wrong), share, parts)


def _check_end(answer: str, wanted: str) -> str:
    if _FINISHED.search(wanted) and not _FINISHED.search(answer):
        return "does not end its last sentence"
    return ""


def _check_role(answer: str, example: Example) -> str:
    other = _OTHER_TURN.search(answer)
    if other:
        return f"speaks for another: {quote_briefly(other[0])}"
    earlier = {normalise(m.content) for m in example.messages} or {normalise(example.text)}
    again = normalise(answer) in earlier and normalise(answer) != normalise(example.target)
    return "says an earlier turn again" if again else ""


def _check_length(answer: str, wanted: str, length: float) -> str:
    ours, theirs = len(answer.split()), len(wanted.split())
    if ours > theirs * length + SLACK:
        return f"{ours} words, too long beside {theirs}"
    if ours < (theirs - SLACK) / length:
        return f"{ours} words, too short beside {theirs}"
    return ""


def _list_used(example: Example) -> Sequence[str]:
    """What the answer must use of earlier turns: as the row says, else as the target does.

    The names and numbers of the target that were said before the last turn and not in it.
    """
    uses = example.meta.get("uses")
    if uses is not None:
        if not isinstance(uses, list | tuple) or not all(isinstance(one, str) for one in uses):  # pyright: ignore[reportUnknownVariableType]
            raise InputError(
                "`uses` is not a list of texts",
                place=f"example {example.id!r}",
                remedy='write ["one", "two"]',
            )
        return [str(one) for one in uses]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    before = " ".join(m.content for m in example.messages[:-1] if m.role != "system")
    last = example.messages[-1].content if example.messages else ""
    names = find_entities(example.target, before)
    return [name for name in names if is_contained(name, before) and not is_contained(name, last)]
