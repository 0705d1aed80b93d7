"""Reasoning before an answer: told from the answer, for scoring, training and chat templates. Pure.

A block stands between two marks. Some templates open it themselves, behind the header of the
assistant's turn, so that an answer holds only its end; some close it at once, so that the model
answers without reasoning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Marks = tuple[str, str]
"""What opens a block of reasoning, and what closes it."""

MARKS: tuple[Marks, ...] = (
    ("<think>", "</think>"),  # DeepSeek R1, Qwen3, SmolLM3, GLM, ...
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    ("<|channel>thought", "<channel|>"),  # Gemma 4
)

_FIELDS = ("thinking", "reasoning", "reasoning_content")
_EMPTY = "\n"
"""What stands in a block without reasoning, as Qwen3's template closes one at once."""


@dataclass(frozen=True)
class Split:
    """A text as reasoning and answer.

    Attributes:
        reasoning: Without its marks; empty where there is none.
        answer: What stands behind it; empty while the block is open.
        open: Whether the block does not end.
    """

    reasoning: str
    answer: str
    open: bool = False


def list_marks(tokenizer: Any) -> tuple[Marks, ...]:
    """The known marks, those first that the tokenizer's own ``response_template`` names."""
    template = getattr(tokenizer, "response_template", None)
    fields: Any = template.get("fields", {}) if isinstance(template, dict) else {}
    own = [
        (fields[name].get("open"), fields[name].get("close")) for name in _FIELDS & fields.keys()
    ]
    named = tuple((str(o), str(c)) for o, c in own if isinstance(o, str) and isinstance(c, str))
    return (*named, *(marks for marks in MARKS if marks not in named))


def split(text: str, *, opened: bool = False, marks: Sequence[Marks] = MARKS) -> Split:
    """Take the reasoning off the beginning of a text.

    A text without an opening mark that holds a closing one was opened by the template of a server.

    Args:
        text: What a model wrote, or a target.
        opened: Whether the template has opened the block already.
        marks: Those to look for.
    """
    blocks: list[str] = []
    while True:
        start = text.lstrip()
        begun = next((pair for pair in marks if start.startswith(pair[0])), None)
        if begun is not None:
            inside, ends = start.removeprefix(begun[0]), [begun[1]]
        else:
            inside, ends = text, [close for _, close in marks]
        places = [(at, close) for close in ends if (at := inside.find(close)) >= 0]
        if not places:
            break
        at, close = min(places)
        blocks.append(inside[:at].strip())
        # A second block, of a model that begins anew, is reasoning too.
        text, opened = inside[at + len(close) :].lstrip(), False
    if begun is not None or opened:
        return Split("\n\n".join(filter(None, [*blocks, inside.strip()])), "", open=True)
    return Split("\n\n".join(filter(None, blocks)), text)


def holds_reasoning(text: str, marks: Sequence[Marks] = MARKS) -> bool:
    """Whether a text begins with a block of reasoning."""
    start = text.lstrip()
    return any(start.startswith(opening) for opening, _ in marks)


def find_state(
    prompt: str, marks: Sequence[Marks] = MARKS
) -> tuple[Literal["", "open", "closed"], Marks]:
    """Whether a rendered prompt ends with an open block of reasoning, or with a closed one."""
    end = prompt.rstrip()
    for pair in marks:
        if end.endswith(pair[0]):
            return "open", pair
        if end.endswith(pair[1]):
            return "closed", pair
    return "", MARKS[0]


def continue_prompt(prompt: str, target: str, marks: Sequence[Marks] = MARKS) -> str:
    """A target as it continues a prompt: each block is opened once and closed once.

    Behind a block that the template opened, a target with reasoning begins inside it, and one
    without closes it first; behind one that the template closed, a target is its answer alone.
    """
    now, (opening, closing) = find_state(prompt, marks)
    if not now:
        return target
    begins = holds_reasoning(target, marks)
    if now == "closed":
        return split(target, marks=marks).answer if begins else target
    if not begins:
        return target if closing in target else f"{_EMPTY}{closing}\n\n{target}"
    inside = target.lstrip().removeprefix(opening)
    # The prompt may bring the line break that a target's own opening mark has behind it.
    return inside.removeprefix("\n") if prompt.endswith("\n") else inside


def close(prompt: str, marks: Sequence[Marks] = MARKS) -> str:
    """What closes a block that a prompt leaves open; nothing where it leaves none."""
    now, (_, closing) = find_state(prompt, marks)
    return f"{_EMPTY}{closing}\n\n" if now == "open" else ""
