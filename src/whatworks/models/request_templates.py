"""Requests that say more to a chat template than messages: tools, and settings by name.

Only what a server is asked for by its clients; studies render messages alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whatworks.models.chat_templates import Tokenizer, encode_plain
from whatworks.models.template_limits import make_template_refusal, render_within

RESERVED = frozenset((
    "messages", "conversation", "tokenize", "add_generation_prompt", "chat_template", "tools",
    "continue_final_message", "return_tensors", "return_dict", "padding", "truncation",
    "max_length", "documents", "return_assistant_tokens_mask", "tokenizer_kwargs",
))  # fmt: skip
"""Names that are the renderer's own, and no setting of a template."""


def encode_request(
    tokenizer: Tokenizer, turns: Sequence[dict[str, Any]], options: Mapping[str, Any]
) -> list[int]:
    """Prompt ids of turns as the template has them, its settings given by name.

    Args:
        tokenizer: One that ``chat_templates.use`` returned.
        turns: Roles, contents, and calls of tools.
        options: What the template is given: ``tools``, ``enable_thinking``, ...

    Raises:
        InputError: If the template refuses them.
    """
    from jinja2 import TemplateError

    try:
        return encode_plain(tokenizer, render_within(tokenizer, turns, ask=True, options=options))
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise make_template_refusal(error) from error
