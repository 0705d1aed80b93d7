"""The one renderer: from a prompt and an example to a request.

A ``Rendering`` holds what was chosen for the request beside its messages, so that whoever scores,
teaches or reports reads it there and searches nothing again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from whatworks.data.near_duplicates import is_repeat, is_same_source
from whatworks.data.scripted_tools import is_scripted
from whatworks.data.task import Document, Example, Message, format_transcript
from whatworks.data.tools import show_tools
from whatworks.prompts.prompt import BALANCED, MMR, RERANKED, Context, Prompt
from whatworks.prompts.retrieval import Index, get_index
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.query_writing import load_query_writer
from whatworks.prompts.retrieval.recall import get_document_id
from whatworks.prompts.retrieval.reranking import load_reranker


@dataclass(frozen=True)
class Rendering:
    """One request and what it was made of.

    Attributes:
        prompt: What was rendered.
        example: The row asked for.
        messages: What the model reads; the row's target is not among them.
        demonstrations: Those that are shown, in order.
        passages: Those that are shown, as a rule best first; ``[n]`` in the messages is the n-th.
    """

    prompt: Prompt
    example: Example
    messages: tuple[Message, ...]
    demonstrations: tuple[Example, ...] = ()
    passages: tuple[Document, ...] = ()


def render(prompt: Prompt, example: Example, *, exclude: Collection[Example]) -> Rendering:
    """The request that asks the model for ``example``'s target.

    Order of the messages: one system message (instructions, the row's own, its tools),
    demonstrations as user and assistant turns, then the input with its passages before it as lines
    ``[1] text``.

    Args:
        prompt: The prompt to render.
        example: The row asked for.
        exclude: Rows that must not help: neither they, nor their group, nor near-duplicates of
            their inputs are shown as demonstrations, nor passages that repeat them. Pass the row
            itself in training and evaluation, ``()`` when serving a live request.
    """
    system = [prompt.instructions] if prompt.instructions else []
    system += prompt.context.asks if prompt.context else []
    system += [m.content for m in example.messages if m.role == "system"]
    shown = "".join(m.tools for m in example.messages[:1])  # a request that shows them itself
    messages: list[Message] = []
    if system:
        messages.append(Message(role="system", content="\n".join(system), tools=shown))
    if tools := _read_tools(example):
        messages = [*show_tools(messages, tools)]
    demonstrations = _choose_demos(prompt, example, exclude=exclude)
    for demo in demonstrations:
        messages.extend(list_turns(demo))
        messages.append(Message(role="assistant", content=demo.target))
    request = list_turns(example)
    passages = _choose_passages(prompt, example, exclude=exclude)
    if prompt.context is not None and prompt.context.backwards:
        passages.reverse()
    if passages:
        lines = [f"[{i}] {chunk.passage}" for i, chunk in enumerate(passages, start=1)]
        block = "\n".join(lines) + "\n\n"
        request[-1] = request[-1].replace(content=block + request[-1].content)
    return Rendering(prompt, example, (*messages, *request), tuple(demonstrations), tuple(passages))


def render_each(prompt: Prompt, examples: Sequence[Example]) -> list[Rendering]:
    """A request for each row, as in training and evaluation: none helps in its own prompt."""
    warm(prompt, examples)
    return [render(prompt, example, exclude=[example]) for example in examples]


def _read_tools(example: Example) -> str:
    """The functions that a conversation may call, as data keep them: ``meta["tools"]``."""
    tools = example.meta.get("tools") if example.messages else None
    if not tools or tools == "[]":
        return ""
    return tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False)


def list_turns(example: Example) -> list[Message]:
    """The input as turns, without system messages and without the target."""
    if example.messages:
        return [m for m in example.messages if m.role != "system"]
    return [Message(role="user", content=example.text)]


def _choose_demos(
    prompt: Prompt, example: Example, *, exclude: Collection[Example]
) -> list[Example]:
    demos = prompt.demos
    if demos is None or not demos.pool or demos.k < 1:
        return []

    def may_show(position: int) -> bool:
        if is_scripted(demos.pool[position]):  # it ends in a state, not in an answer
            return False
        return not any(is_same_source(demos.pool[position], row) for row in exclude)

    if demos.select == "fixed":
        chosen = [i for i in range(len(demos.pool)) if may_show(i)][: demos.k]
        return [demos.pool[i] for i in chosen]

    always = [i for i in range(len(demos.pool)) if may_show(i)][: demos.fixed]
    count = demos.k - len(always)
    index = get_index(demos.texts, "vector", str(demos.embedder))
    hits = index.search(
        example.text,
        BALANCED * count if demos.balance else count,
        allowed=lambda i: i not in always and may_show(i),
        diversity=demos.diversity,
    )
    positions = [hit.position for hit in hits]
    if demos.balance:
        positions = _balance([demos.pool[i].target for i in positions], positions)[:count]
    return [demos.pool[i] for i in (*always, *reversed(positions))]  # the nearest last


def _balance(targets: Sequence[str], positions: Sequence[int]) -> list[int]:
    """Positions by how many of their target stand before them, then as they were."""
    counts: Counter[str] = Counter()
    turns_of: list[int] = []
    for target in targets:
        turns_of.append(counts[target])
        counts[target] += 1
    return [positions[i] for i in sorted(range(len(positions)), key=lambda i: turns_of[i])]


def _choose_passages(
    prompt: Prompt, example: Example, *, exclude: Collection[Example]
) -> list[Document]:
    context = prompt.context
    if context is None or not context.chunks or context.k < 1:
        return []
    chunks = context.chunks
    query = write_queries(context, [example])[0]
    gold = list(
        dict.fromkeys(i for name in example.evidence for i in context.by_name.get(name, ()))
    )
    if context.passages == "gold" and len(gold) <= context.k:
        return [chunks[i] for i in gold]

    def may_show(position: int) -> bool:
        if context.passages != "retrieved" and (position in gold) != (context.passages == "gold"):
            return False
        return not any(is_repeat(chunks[position], row) for row in exclude)

    index = _index_passages(context, prompt.query_map)
    if context.rerank in ("", "mmr"):
        diversity = MMR if context.rerank else 0.0
        hits = index.search(query, context.k, allowed=may_show, diversity=diversity)
        return [chunks[hit.position] for hit in hits]

    hits = index.search(query, RERANKED * context.k, allowed=may_show)
    candidates = [chunks[hit.position] for hit in hits]
    order = load_reranker(str(context.rerank)).order(query, [chunk.passage for chunk in candidates])
    return [candidates[i] for i in order[: context.k]]


def is_evidence(passage: Document, example: Example) -> bool:
    """Whether a passage was cut from a document that holds the answer."""

    return get_document_id(passage.id) in example.evidence or passage.id in example.evidence


def find_query(example: Example) -> str:
    """What passages are searched by: the last turn of the request."""
    return list_turns(example)[-1].content


def write_queries(context: Context, examples: Sequence[Example]) -> list[str]:
    """What passages are searched by, for each row: its query, or what a model writes for it."""
    queries = [find_query(example) for example in examples]
    if context.query is None or not examples:
        return queries
    writer = load_query_writer(context.query.way, str(context.query.model))
    return writer.write([format_transcript(list_turns(one)) for one in examples], queries)


def _index_passages(context: Context, query_map: QueryMap | None) -> Index:
    return get_index(context.texts, context.search, str(context.embedder), context.store, query_map)


def warm(prompt: Prompt, examples: Sequence[Example]) -> None:
    """Embed the queries of many requests in one batch, so that rendering each is quick."""
    demos, context = prompt.demos, prompt.context
    if not (demos and demos.select == "nearest") and not context:
        return

    if demos is not None and demos.select == "nearest":
        index = get_index(demos.texts, "vector", str(demos.embedder))
        index.warm([example.text for example in examples])
    if context is not None and context.chunks:
        index = _index_passages(context, prompt.query_map)
        index.warm(write_queries(context, examples))


def outline(prompt: Prompt) -> str:
    """A prompt as plain text to read and reuse: what is fixed in full, what is chosen described."""
    parts = [f"<system> {prompt.instructions}"] if prompt.instructions else []
    demos, context = prompt.demos, prompt.context
    if demos is not None and demos.select == "nearest":
        parts.append(f"[the {demos.k} nearest of {len(demos.pool)} examples, per request]")
    elif demos is not None:
        for demo in demos.pool[: demos.k]:
            parts.append(
                format_transcript(
                    [*list_turns(demo), Message(role="assistant", content=demo.target)]
                )
            )
    if context is not None:
        parts.append(f"[{context.k} of {len(context.chunks)} passages, per request]")
    return "\n".join([*parts, "<user> [the input]"]) + "\n"
