"""Messages to text by a chat template: functions, calls and results as it has them, where it has.

A template that knows ``tools`` is given the functions of a conversation, the calls in it and what
came back in their own fields (``data.tools.read_native``), as the model saw them when it was
trained. Any other template, and one that refuses them, has them as text. An answer that calls is
written in the same way for training (``write_calls``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whatworks.data.task import Message
from whatworks.data.tools import read_native, split_calls
from whatworks.models.template_limits import make_template_refusal, render_within

TOOLS_AS_TEXT = "{# functions as text #}"
"""Before a template that could show functions and is not to."""

FOLDED = """\
{% if messages[0]['role'] == 'system' %}\
{% set folded_text, messages = messages[0]['content'], messages[1:] %}\
{% if messages and messages[0]['role'] == 'user' %}\
{% set folded_text, messages = folded_text + '\\n\\n' + messages[0]['content'], messages[1:] %}\
{% endif %}\
{% set messages = [{'role': 'user', 'content': folded_text}] + messages %}\
{% endif %}"""
"""``fold_system`` as a template says it."""


def takes_tools(tokenizer: Any) -> bool:
    """Whether the template shows functions."""
    template = str(tokenizer.chat_template)
    return "tools" in template and TOOLS_AS_TEXT not in template


def render_text(tokenizer: Any, messages: Sequence[Message], *, ask: bool) -> str:
    """The text that a template makes of messages.

    The system text is folded into the first user turn where the template has no system role.

    Args:
        tokenizer: One that ``chat_templates.use`` returned.
        messages: The turns.
        ask: Whether the assistant's turn is opened.

    Raises:
        InputError: If the template refuses the messages.
    """
    from jinja2 import TemplateError

    if (shown := _render_natively(tokenizer, messages, ask=ask)) is not None:
        return shown
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        text = render_within(tokenizer, turns, ask=ask)
        if turns[0]["role"] != "system" or turns[0]["content"].strip() in text:
            return text
    except TemplateError as error:
        if turns[0]["role"] != "system":
            raise make_template_refusal(error) from error
    try:
        return render_within(tokenizer, fold_system(turns), ask=ask)
    except TemplateError as error:
        raise make_template_refusal(error) from error


def write_calls(tokenizer: Any, messages: Sequence[Message], target: str) -> str:
    """An answer as the template writes it: calls of functions that it showed, in its own marks.

    Everything else, and calls that a template does not write where it ends a prompt, stay as they
    are.

    Args:
        tokenizer: One that ``chat_templates.use`` returned.
        messages: What is asked.
        target: The answer, calls as data have them (``data.tools.split_calls``).
    """
    if split_calls(target) is None:
        return target
    prompt = _render_natively(tokenizer, messages, ask=True)
    answered, plain = (
        _render_natively(tokenizer, [*messages, Message(role="assistant", content=text)], ask=False)
        for text in (target, _PROBE)
    )
    if prompt is None or answered is None or plain is None:
        return target
    before, found, end = plain.partition(_PROBE)
    if not (found and before.startswith(prompt.rstrip()) and answered.startswith(before.rstrip())):
        return target
    said = answered[len(before.rstrip()) :]
    return said.removesuffix(end).strip() or target


_PROBE = "whatworks answer"


def _render_natively(tokenizer: Any, messages: Sequence[Message], *, ask: bool) -> str | None:
    """The text with functions in fields of their own; None where that is not to be had."""
    from jinja2 import TemplateError

    if not takes_tools(tokenizer):
        return None
    native = read_native(messages)
    if native is None:
        return None
    try:
        text = render_within(
            tokenizer, native.turns, ask=ask, options={"tools": list(native.tools)}
        )
    except TemplateError:
        return None
    # One that takes functions only beside its own system text leaves ours out.
    first = native.turns[0] if native.turns else {}
    lost = first.get("role") == "system" and first["content"].strip() not in text
    names = (tool["function"]["name"] for tool in native.tools)
    return None if lost or not all(name in text for name in names) else text


def fold_system(turns: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The system text in front of the first user turn, for templates without a system role."""
    system, rest = turns[0]["content"], list(turns[1:])
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": system}, *rest]
    first = {"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}
    return [first, *rest[1:]]
