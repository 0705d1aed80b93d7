"""The named chat templates: what stands around each turn."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Text before and after each kind of turn; ``end`` is the token that closes an answer."""

    user: tuple[str, str]
    assistant: tuple[str, str]
    system: tuple[str, str] = ("", "\n\n")
    opening: str = ""
    lead: str = ""
    end: str | None = None


STYLES = {
    # https://github.com/tatsu-lab/stanford_alpaca#data-release
    "alpaca": Style(
        opening="Below is an instruction that describes a task. Write a response that "
        "appropriately completes the request.",
        user=("### Instruction:\n", "\n\n"),
        assistant=("### Response:\n", "\n\n"),
    ),
    # FastChat's vicuna_v1.1
    "vicuna": Style(
        opening="A chat between a curious user and an artificial intelligence assistant. The "
        "assistant gives helpful, detailed, and polite answers to the user's questions.",
        system=("", " "),
        user=("USER: ", " "),
        assistant=("ASSISTANT:", ""),
        lead=" ",
    ),
    # https://github.com/openai/openai-python/blob/release-v0.28.0/chatml.md
    "chatml": Style(
        system=("<|im_start|>system\n", "<|im_end|>\n"),
        user=("<|im_start|>user\n", "<|im_end|>\n"),
        assistant=("<|im_start|>assistant\n", "\n"),
        end="<|im_end|>",
    ),
    "plain": Style(user=("Input: ", "\n"), assistant=("Output:", "\n\n"), lead=" "),
}


def write_jinja(style: Style, *, end: str, bos: bool) -> str:
    """The style as a Jinja template.

    Args:
        style: One of ``STYLES``.
        end: What closes an answer.
        bos: Whether it begins with BOS.
    """
    own_end = style.end

    def text(value: str) -> str:
        # In a style, `end` also closes the other turns.
        return json.dumps(value.replace(own_end, end) if own_end else value, ensure_ascii=False)

    def turn(around: tuple[str, str]) -> str:
        return "{{ " + f"{text(around[0])} + m['content'] + {text(around[1])}" + " }}"

    opening = (
        "{% if messages[0]['role'] != 'system' %}{{ "
        + text(style.system[0] + style.opening + style.system[1])
        + " }}{% endif %}"
        if style.opening
        else ""
    )
    header, after = style.assistant
    return (
        ("{{ bos_token }}" if bos else "")
        + opening
        + "{% for m in messages %}"
        + "{% if m['role'] == 'system' %}"
        + turn(style.system)
        + "{% elif m['role'] == 'assistant' %}"
        + "{{ " + text(header + style.lead) + " }}"
        + "{% generation %}{{ m['content'] + " + json.dumps(end) + " }}{% endgeneration %}"
        + "{{ " + text(after) + " }}"
        + "{% else %}"
        + turn(style.user)
        + "{% endif %}{% endfor %}"
        + "{% if add_generation_prompt %}{{ " + text(header) + " }}{% endif %}"
    )  # fmt: skip
