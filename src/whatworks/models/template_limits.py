"""Rendering a chat template within limits: it comes with the weights, from whoever made them.

transformers renders in jinja2's ``ImmutableSandboxedEnvironment``, where a template reaches no file
and runs no code; a loop without end is not its concern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.models.template_styles import STYLES

SECONDS = 1.0
"""Most that one rendering may take."""

ADDED = 1_000_000
"""Most characters that a template may write around the messages."""


def render_within(
    tokenizer: Any,
    turns: Sequence[dict[str, Any]],
    *,
    ask: bool,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The text that a tokenizer's template makes of messages.

    Args:
        tokenizer: A ``PreTrainedTokenizerBase`` with a chat template.
        turns: Roles and contents.
        ask: Whether the assistant's turn is opened.
        options: What else the template is given by name, such as ``tools``.

    Raises:
        InputError: If the template takes more than ``SECONDS``, writes more than ``ADDED``, or
            computes what cannot be computed.
        jinja2.TemplateError: If it refuses the messages.
    """
    # enable_thinking: answers are scored as they stand, so reasoning models answer directly.
    # Templates that don't know the word ignore it.
    settings = {"enable_thinking": False, **(options or {})}
    render = partial(
        tokenizer.apply_chat_template, turns, tokenize=False, add_generation_prompt=ask, **settings
    )
    try:
        text = str(call_within(SECONDS, render))
    except OutOfTime:
        raise make_template_refusal(f"it runs for more than {SECONDS:g} s") from None
    except Exception as error:
        from jinja2 import TemplateError

        if isinstance(error, TemplateError):
            raise
        # A template computes: it may add what cannot be added, divide by zero, ask for all memory.
        reason = f"{type(error).__name__} while rendering: {get_first_line(error)}"
        raise make_template_refusal(reason) from error
    # A template may write the messages twice, as one with a summary at its end does.
    if len(text) > ADDED + 2 * len(str([turns, options])):
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
