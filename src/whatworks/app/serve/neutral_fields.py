"""Fields of a request that change nothing about the answer here, and are dropped before it is read.

Clients send many of them unasked. What would change the answer stays, to be refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALWAYS = frozenset({
    "metadata", "parallel_tool_calls", "prediction", "priority", "prompt_cache_key",
    "prompt_cache_retention", "request_id", "safety_identifier", "service_tier", "store", "user",
})  # fmt: skip
"""Told to the provider, not to the model; ``parallel_tool_calls`` needs ``tools`` to say
anything."""

_AT_VALUES: Mapping[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "min_p": (0,),
    "modalities": (["text"],),
    **{name: (True,) for name in ("skip_special_tokens", "spaces_between_special_tokens")},
    **{
        name: (False,)
        for name in (
            "ignore_eos",
            "include_stop_str_in_output",
            "use_beam_search",
            "continue_final_message",
            "return_tokens_as_token_ids",
            "return_token_ids",
        )
    },
    **{name: ([],) for name in ("bad_words", "stop_token_ids")},
    "add_generation_prompt": (True,),
    "length_penalty": (1,),
    "min_tokens": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "suffix": ("",),
    "tool_choice": ("auto",),
    "tools": ([],),
    "top_k": (-1, 0),
    "top_logprobs": (0,),
    "chat_template_kwargs": ({},),
}
"""What these say by leaving them out."""

_GUIDED = {f"guided_{kind}": kind for kind in ("json", "regex", "choice", "grammar")}
"""How vLLM named the kinds of ``structured_outputs`` before."""

_IN_ANSWERS = frozenset({"annotations", "parsed", "reasoning", "reasoning_content"})
"""Of an assistant's message that is given back; the reasoning of turns before is not read again,
as templates of reasoning models have it."""


def drop_neutral_fields(body: Any) -> Any:
    """A request without what changes nothing: nulls, fields for the provider, empty lists."""
    if not isinstance(body, dict):
        return body
    kept = {
        name: value
        for name, value in body.items()
        if not (value is None or name in _ALWAYS or value in _AT_VALUES.get(name, ()))
    }
    if kept.get("tool_choice") == "none":  # neither shown nor called
        kept.pop("tools", None)
        del kept["tool_choice"]
    guided = {kind: kept.pop(name) for name, kind in _GUIDED.items() if name in kept}
    return {**kept, "structured_outputs": guided} if guided else kept


def drop_from_message(turn: Any) -> Any:
    """A message as a client gives it back, without what is no part of its text."""
    if not isinstance(turn, dict):
        return turn
    dropped = _IN_ANSWERS if turn.get("role") == "assistant" else frozenset[str]()
    return {
        name: value
        for name, value in turn.items()
        if not (value is None or name in dropped or (name == "tool_calls" and value == []))
    }
