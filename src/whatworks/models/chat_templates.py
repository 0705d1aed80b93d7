"""Chat templates: the one place where messages become token ids, for training and for serving.

A template is a Jinja string on the tokenizer, so that a saved tokenizer says the same everywhere.
The named ones mark the assistant's part with ``{% generation %}`` (content and end of turn), which
is what trainers with an assistant mask read.

Prompt and completion are tokenised **separately** and joined as ids: tokenised as one text, a
merge across the seam could give training other prompt ids than generation sees. So training on
``encode_training`` and generating from ``encode_prompt`` agree for every tokenizer, target and
template.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data.task import Message
from whatworks.models import reasoning
from whatworks.models.patterns import replace_surrogates
from whatworks.models.template_rendering import (
    FOLDED,
    TOOLS_AS_TEXT,
    fold_system,
    render_text,
    write_calls,
)
from whatworks.models.template_styles import STYLES, write_jinja

Tokenizer = Any
"""A ``PreTrainedTokenizerBase``; transformers is not imported for the name alone."""

_THINKS, _ANSWERS, _TEXT = "+thinking", "-thinking", "-tools"

_HEADER = 16
"""Tokens of a prompt's end that hold the mark of an open block."""

END_TEXT = "<|end|>"
"""Ends a turn of a tokenizer that has no end-of-sequence token."""


def list_names() -> tuple[str, ...]:
    """Names that ``use`` knows."""
    return ("auto", *STYLES)


def switch_thinking(name: str, enabled: bool | None) -> str:
    """A template's name that also says whether the model reasons; None leaves it unsaid.

    Unsaid, a local model is asked not to, and a server decides for itself.
    """
    return name if enabled is None else name + (_THINKS if enabled else _ANSWERS)


def switch_tools(name: str, native: bool) -> str:
    """A template's name that also says whether functions are shown by it, where it can, or as
    text."""
    return name if native else name + _TEXT


def read_tools(name: str) -> bool:
    """What ``switch_tools`` put into a template's name."""
    return not name.endswith(_TEXT)


def read_thinking(name: str) -> bool | None:
    """What ``switch_thinking`` put into a template's name."""
    return _parse_switch(name)[1]


def _parse_switch(name: str) -> tuple[str, bool | None]:
    name = name.removesuffix(_TEXT)
    for ending, enabled in ((_THINKS, True), (_ANSWERS, False)):
        if name.endswith(ending):
            return name.removesuffix(ending), enabled
    return name, None


def use(tokenizer: Tokenizer, name: str = "auto") -> Tokenizer:
    """A copy of the tokenizer whose ``chat_template`` is the named one.

    ``auto`` keeps the tokenizer's own template and takes ``plain`` where it has none. Named
    templates begin with BOS exactly where the tokenizer itself would add one, and close answers
    with the style's own token where the vocabulary has it, else with EOS, else with ``END_TEXT``.

    With ``switch_thinking`` in the name, the template is asked to let the model reason; with
    ``switch_tools`` functions are shown as text though it could show them.

    Raises:
        InputError: If the name is unknown.
    """
    if not read_tools(name):
        return _prefix_template(use(tokenizer, name.removesuffix(_TEXT)), TOOLS_AS_TEXT)
    name, switch = _parse_switch(name)
    if name not in list_names():
        raise InputError(
            f"unknown chat template {name!r}", remedy=suggest_nearest(name, list_names())
        )
    if switch:
        return _prefix_template(use(tokenizer, name), _write_switch("true"))
    own = getattr(tokenizer, "chat_template", None)
    if name == "auto" and own:
        return tokenizer
    style, chosen = STYLES["plain" if name == "auto" else name], copy.copy(tokenizer)
    end = style.end if style.end in tokenizer.get_vocab() else tokenizer.eos_token
    chosen.chat_template = write_jinja(style, end=end or END_TEXT, bos=is_bos_added(tokenizer))
    return chosen


def encode_prompt(tokenizer: Tokenizer, messages: Sequence[Message]) -> list[int]:
    """Prompt ids, up to where the assistant begins to write.

    Args:
        tokenizer: One that ``use`` returned.
        messages: The rendered messages, the last one not from the assistant.

    Raises:
        InputError: If the template refuses the messages even with the system text folded into
            the first user turn, which is what happens where a template has no system role.
    """
    return encode_plain(tokenizer, render_text(tokenizer, messages, ask=True))


def settle_template(tokenizer: Tokenizer) -> Tokenizer:
    """A copy whose own template asks as ``encode_prompt`` does: without reasoning, and with
    the system text folded where there is no system role. For whoever loads an export.

    Args:
        tokenizer: One that ``use`` returned.
    """
    probe = [
        Message(role="system", content="whatworks instructions"),
        Message(role="user", content="whatworks question"),
    ]
    turns = [{"role": m.role, "content": m.content} for m in probe]
    same = [Message.model_validate(turn) for turn in fold_system(turns)]
    folds = render_text(tokenizer, probe, ask=True) == render_text(tokenizer, same, ask=True)
    before = _write_switch("false") if "enable_thinking" in str(tokenizer.chat_template) else ""
    return _prefix_template(tokenizer, before + (FOLDED if folds else ""))


def render_for_trainer(tokenizer: Tokenizer) -> Tokenizer:
    """A copy for a trainer that asks the tokenizer to render: ``encode_prompt`` does it, with its
    ids and its limits, whatever the template is.
    """

    def render(conversation: Sequence[Sequence[dict[str, str]]], **_: Any) -> dict[str, Any]:
        prompts = [[Message.model_validate(turn) for turn in turns] for turns in conversation]
        return {"input_ids": [encode_prompt(tokenizer, messages) for messages in prompts]}

    chosen = copy.copy(tokenizer)
    chosen.apply_chat_template = render
    return chosen


def look_up_for_trainer(tokenizer: Tokenizer, prompts: Sequence[Sequence[int]]) -> Tokenizer:
    """A copy for a trainer that asks the tokenizer to render: a conversation is the place of its
    ids among ``prompts``, the last word of its last message."""

    def find(conversation: Sequence[Sequence[dict[str, str]]], **_: Any) -> dict[str, Any]:
        places = [int(turns[-1]["content"].split()[-1]) for turns in conversation]
        return {"input_ids": [list(prompts[at]) for at in places]}

    chosen = copy.copy(tokenizer)
    chosen.apply_chat_template = find
    return chosen


def _write_switch(value: str) -> str:
    return "{% set enable_thinking = " + value + " %}"


def _prefix_template(tokenizer: Tokenizer, before: str) -> Tokenizer:
    """A copy with something before its template; what the template is given by name gives way."""
    own, chosen = tokenizer.chat_template, copy.copy(tokenizer)
    chosen.chat_template = (
        {name: before + one for name, one in own.items()} if isinstance(own, dict) else before + own
    )
    return chosen


def encode_text(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of plain text as pretraining has it: no template, BOS where the tokenizer adds one, EOS
    where it has one."""
    before = [int(tokenizer.bos_token_id)] if is_bos_added(tokenizer) else []
    after = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    return [*before, *encode_plain(tokenizer, text), *after]


def encode_completion(tokenizer: Tokenizer, target: str, *, end: bool = True) -> list[int]:
    """Ids of an answer: the target and, with ``end``, the template's end of turn.

    Behind a block of reasoning that the template opens or closes itself, the target is completed
    or cut as ``reasoning.continue_prompt`` says.

    The ids end with a token of ``find_ending(tokenizer).stop_ids`` (with the ids of a text in
    ``stop_texts`` where the tokenizer has no end token at all).
    """
    tail = find_ending(tokenizer)
    target = reasoning.continue_prompt(tail.header, target, reasoning.list_marks(tokenizer))
    if end and not tail.ids:
        return encode_plain(tokenizer, tail.lead + target + tail.text)
    return encode_plain(tokenizer, tail.lead + target) + (list(tail.ids) if end else [])


def encode_training(
    tokenizer: Tokenizer, messages: Sequence[Message], target: str
) -> tuple[list[int], list[int]]:
    """Prompt ids exactly as at generation time, and completion ids with the end of turn.

    Calls of functions that the template shows are learned as it writes them.
    """
    target = write_calls(tokenizer, messages, target)
    return encode_prompt(tokenizer, messages), encode_completion(tokenizer, target)


@dataclass(frozen=True)
class Ending:
    """How an answer begins and ends under a template.

    Attributes:
        header: Text of the turn's beginning, the end of every prompt.
        lead: Text between the generation prompt and the answer (a space, under ``vicuna``).
        ids: Token ids that close an answer in training; empty without any end token.
        text: The text that closes an answer where ``ids`` is empty.
        stop_ids: Tokens any of which ends generation.
        stop_texts: Texts any of which ends generation: ``text``, and the header of the next user
            turn where it is made of ordinary text, for models that were not trained on the
            template and go on with a turn of their own.
    """

    header: str
    lead: str
    ids: tuple[int, ...]
    text: str
    stop_ids: frozenset[int]
    stop_texts: tuple[str, ...]


def find_ending(tokenizer: Tokenizer) -> Ending:
    """How an answer begins and ends, found by rendering a probe with the template."""
    return _probe_ending(tokenizer, str(tokenizer.chat_template))


def describe_response(tokenizer: Tokenizer) -> dict[str, Any]:
    """How an answer is told from what closes it, as a ``response_template`` of transformers.

    Servers that know it (``transformers serve``) otherwise go by the kind of the model, and take
    every Qwen for one that speaks ChatML.
    """
    tail = find_ending(tokenizer)
    close = [str(tokenizer.convert_ids_to_tokens(tail.ids[0])) if tail.ids else tail.text]
    return {
        "defaults": {"role": "assistant"},
        "start_anchor": tail.header,
        "fields": {"content": {"close": close, "content": "text"}},
    }


def decode(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """The text of an answer's ids, without the template's lead and without special tokens, but for
    the marks of reasoning."""
    marks, text, begin = find_special_marks(tokenizer), "", 0
    for at, one in enumerate(ids if marks else ()):
        if one in marks:
            text += _decode_plain(tokenizer, ids[begin:at]) + marks[one]
            begin = at + 1
    text += _decode_plain(tokenizer, ids[begin:])
    return text.removeprefix(find_ending(tokenizer).lead)


def split_answer(
    tokenizer: Tokenizer, text: str, asked: Sequence[int] | None = None
) -> reasoning.Split:
    """Reasoning and answer of a text that ``decode`` returned.

    Args:
        tokenizer: One that ``use`` returned.
        text: What the model wrote.
        asked: The prompt's ids, where it may be another than the template makes.
    """
    marks = reasoning.list_marks(tokenizer)
    opened = reasoning.find_state(find_ending(tokenizer).header, marks)[0] == "open"
    if opened and asked is not None:
        tail = str(tokenizer.decode(list(asked[-_HEADER:])))
        opened = reasoning.find_state(tail, marks)[0] == "open"
    return reasoning.split(text, opened=opened, marks=marks)


def close_reasoning(tokenizer: Tokenizer) -> list[int]:
    """Ids that close a block of reasoning which the template leaves open, if it does."""
    header = find_ending(tokenizer).header
    return encode_plain(tokenizer, reasoning.close(header, reasoning.list_marks(tokenizer)))


def may_reason(tokenizer: Tokenizer) -> bool | None:
    """Whether the model reasons before it answers, by its template; None where that is silent."""
    marks, template = reasoning.list_marks(tokenizer), str(tokenizer.chat_template)
    now = reasoning.find_state(find_ending(tokenizer).header, marks)[0]
    if now:
        return now == "open"
    if "enable_thinking" in template:
        return _write_switch("true") in template
    return True if any(close in template for _, close in marks) else None


def _decode_plain(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    return str(
        tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )


@lru_cache(maxsize=64)
def find_special_marks(tokenizer: Tokenizer) -> dict[int, str]:
    """Marks of reasoning that are special tokens, which decoding would leave out."""
    texts = {text for marks in reasoning.list_marks(tokenizer) for text in marks}
    special = _list_special_ids(tokenizer)
    known = tokenizer.get_added_vocab()
    return {known[text]: text for text in texts if known.get(text) in special}


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """A text up to the first stop string in it; the whole where there is none."""
    positions = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    return text[: min(positions, default=None)]


@lru_cache(maxsize=64)
def _probe_ending(tokenizer: Tokenizer, template: str) -> Ending:
    del template  # part of the cache key: the attribute can be changed from outside
    ask, answer, again = "whatworks question", "whatworks answer", "whatworks again"
    opened = [Message(role="user", content=ask)]
    closed = [*opened, Message(role="assistant", content=answer)]
    prompt = render_text(tokenizer, opened, ask=True)
    full = render_text(tokenizer, closed, ask=False)
    between, _, tail = full.removeprefix(prompt).partition(answer)
    lead = between if full.startswith(prompt) and not between.strip() else ""
    if lead.startswith(" ") and _is_space_added(tokenizer):
        lead = lead[1:]
    special = _list_special_ids(tokenizer)
    eos = tokenizer.eos_token_id
    tail_ids = encode_plain(tokenizer, tail) if tail else []
    closing = next((i for i in tail_ids if i in special), eos)
    visible = tail.strip() if not special.intersection(tail_ids) else ""
    further = [*closed, Message(role="user", content=again)]
    header = _find_next_header(tokenizer, further, answer, again, closing)
    text = "" if closing is not None else (visible or END_TEXT)
    return Ending(
        header=prompt.removeprefix(render_text(tokenizer, opened, ask=False)) or prompt,
        lead=lead,
        ids=() if closing is None else (int(closing),),
        text=text,
        stop_ids=frozenset(int(i) for i in (closing, eos) if i is not None),
        stop_texts=tuple(dict.fromkeys(t for t in (text, visible, header) if t)),
    )


def _find_next_header(
    tokenizer: Tokenizer, further: list[Message], answer: str, again: str, closing: int | None
) -> str:
    """The header of a user turn after an answer, empty where special tokens mark it."""
    between = render_text(tokenizer, further, ask=False).partition(answer)[2].partition(again)[0]
    if closing is not None:
        between = between.replace(str(tokenizer.convert_ids_to_tokens(closing)), "", 1)
    else:
        between = between.replace(END_TEXT, "", 1)
    if (
        _list_special_ids(tokenizer).intersection(encode_plain(tokenizer, between))
        or not between.strip()
    ):
        return ""
    return ("\n" if between.startswith("\n") else "") + between.rstrip().lstrip("\n")


def encode_plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of a text as it stands: templates write their own BOS, more would double it."""
    return list(tokenizer(replace_surrogates(text), add_special_tokens=False)["input_ids"])


def is_bos_added(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer itself begins a text with its BOS token."""
    bos = tokenizer.bos_token_id
    return bos is not None and list(tokenizer("a")["input_ids"])[:1] == [bos]


def _is_space_added(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer itself puts a space before a text (``add_prefix_space``)."""
    first = encode_plain(tokenizer, "a")[:1]
    # SentencePiece and byte-level tokenizers write the space differently.
    return bool(first) and str(tokenizer.convert_ids_to_tokens(first[0])).startswith(("▁", "Ġ"))


def _list_special_ids(tokenizer: Tokenizer) -> frozenset[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marked = {int(i) for i, token in added.items() if token.special}
    return frozenset(marked.union(int(i) for i in tokenizer.all_special_ids))
