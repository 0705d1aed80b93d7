"""Rendering a chat template within limits: it comes with the weights, from whoever made them.

transformers renders in jinja2's ``ImmutableSandboxedEnvironment``, where a template reaches no file
and runs no code; a loop without end is not its concern.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.models.template_styles import STYLES

SECONDS = 1.0
"""Most that one rendering may take."""

ADDED = 1_000_000
"""Most characters that a template may write around the messages."""


def render_within(tokenizer: Any, turns: Sequence[dict[str, str]], *, ask: bool) -> str:
    """The text that a tokenizer's template makes of messages.

    Args:
        tokenizer: A ``PreTrainedTokenizerBase`` with a chat template.
        turns: Roles and contents.
        ask: Whether the assistant's turn is opened.

    Raises:
        InputError: If the template takes more than ``SECONDS``, or writes more than ``ADDED``.
        jinja2.TemplateError: If it refuses the messages.
    """
    # enable_thinking: answers are scored as they stand, so reasoning models answer directly.
    # Templates that don't know the word ignore it.
    render = partial(
        tokenizer.apply_chat_template,
        turns, tokenize=False, add_generation_prompt=ask, enable_thinking=False,
    )  # fmt: skip
    try:
        text = str(call_within(SECONDS, render))
    except OutOfTime:
        raise make_template_refusal(f"it runs for more than {SECONDS:g} s") from None
    except (MemoryError, OverflowError, RecursionError) as error:
        raise make_template_refusal(f"{type(error).__name__} while rendering") from None
    # A template may write the messages twice, as one with a summary at its end does.
    if len(text) > ADDED + 2 * sum(len(turn["content"]) for turn in turns):
        raise make_template_refusal(f"it writes {len(text):,} characters")
    return text


def make_template_refusal(cause: Exception | str) -> InputError:
    """The error of a template that cannot be used with these messages."""
    return InputError(
        f"the model's chat template refuses the messages: {cause}"
        if isinstance(cause, Exception)
        else f"the model's chat template is stopped: {cause}",
        remedy=f"choose a template: {', '.join(STYLES)}",
    )
