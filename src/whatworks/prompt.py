"""The prompt and the one renderer.

``render`` makes the messages for training, evaluation, export and serving. Demonstrations and
passages may be fixed or chosen for each request; the choice is part of the frozen prompt, so a
candidate means the same thing everywhere. ``exclude`` is mandatory: whoever renders says which
rows must not leak into the prompt (the row itself in training and evaluation, none when serving).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from whatworks.identity import Frozen, Named, NamedStore
from whatworks.task import Document, Example, Message

if TYPE_CHECKING:
    from whatworks.retrieval import Index, Pool

NEAR_DUPLICATE = 0.85
"""Jaccard similarity of character 5-grams from which two inputs count as the same."""

ASKS_SOMETHING = 3
"""Words from which the parts in which two inputs differ can make them different questions."""


UNKNOWN = "Not in the documents."
"""What is said when the passages do not hold the answer; metrics see an abstention in it."""

RERANKED = 4
"""A cross-encoder orders this many times the passages that are shown."""

BALANCED = 4
"""Balance chooses among this many times the demonstrations that are shown."""

MMR = 0.3
"""Weight of diversity where passages are spread out."""

TOOLS = 'Functions that can be called, by [{"name": ..., "arguments": {...}}]: '
"""Stands before the functions of a conversation; calls are written so wherever data are read."""

CITE = "After the answer, name the passage that it stands in, like [1]."
MAY_NOT_KNOW = f"If the passages do not hold the answer, say: {UNKNOWN}"


class Demos(Frozen):
    """Demonstrations, shown as earlier turns.

    Attributes:
        pool: The examples to show or to choose from.
        k: How many are shown.
        select: ``fixed`` shows the first ``k`` of the pool to every request; ``nearest`` chooses
            the ``k`` whose inputs are closest to the request, most similar last.
        embedder: Name of the embedder behind ``nearest``.
        diversity: 0 takes the nearest; towards 1, maximal marginal relevance spreads them out
            (Carbonell and Goldstein 1998, with lambda = 1 - diversity).
        balance: Under ``nearest``: the nearest of each target stands before the second nearest of
            any, among four times as many as are shown.
        fixed: Under ``nearest``: how many of the pool's first examples stand before the chosen
            ones for every request, so that their computation is shared.
    """

    pool: tuple[Example, ...]
    k: int
    select: Literal["fixed", "nearest"] = "fixed"
    embedder: Named = ""
    diversity: float = 0.0
    balance: bool = False
    fixed: int = 0

    @cached_property
    def texts(self) -> Pool:
        """What ``nearest`` searches: the pool's inputs."""
        from whatworks.retrieval import Pool

        return Pool(example.text for example in self.pool)


class Context(Frozen):
    """Passages from documents, chosen for each request.

    Attributes:
        chunks: The passages to choose from; ids are ``document#n``.
        k: How many are shown, best first.
        search: ``vector``, ``lexical`` (BM25) or ``hybrid`` (reciprocal rank fusion of both,
            Cormack et al. 2009).
        embedder: Name of the embedder behind ``vector`` and ``hybrid``.
        store: A vector database instead of exact search in memory (``retrieval.stores``).
        rerank: ``mmr``, or the folder of a cross-encoder, which orders more passages than are
            shown; empty for neither.
        passages: ``retrieved``; to measure with, the ``gold`` ones of the row's evidence, or
            ``wrong`` ones, retrieved but for these.
        drop_gold: Share of the training rows that are rendered with ``wrong`` passages (RAFT, Zhang
            et al. 2024); nothing else is.
        cite: Ask for the number of the passage behind the answer.
        allow_unknown: Ask to say so when the passages do not hold the answer.
    """

    chunks: tuple[Document, ...]
    k: int
    search: Literal["hybrid", "vector", "lexical"] = "hybrid"
    embedder: Named = ""
    store: NamedStore = ""
    rerank: Named = ""
    passages: Literal["retrieved", "gold", "wrong"] = "retrieved"
    drop_gold: float = 0.0
    cite: bool = False
    allow_unknown: bool = False

    @property
    def asks(self) -> list[str]:
        """What the prompt says about the passages."""
        return [CITE] * self.cite + [MAY_NOT_KNOW] * self.allow_unknown

    @cached_property
    def by_name(self) -> Mapping[str, tuple[int, ...]]:
        """Positions of the passages of each document, and of each passage by its own id."""
        from whatworks.retrieval.recall import document_of

        found: dict[str, list[int]] = {}
        for position, chunk in enumerate(self.chunks):
            for name in {document_of(chunk.id), chunk.id}:
                found.setdefault(name, []).append(position)
        return {name: tuple(positions) for name, positions in found.items()}

    @cached_property
    def texts(self) -> Pool:
        """What is searched: the passages."""
        from whatworks.retrieval import Pool

        return Pool(chunk.passage for chunk in self.chunks)


class Prompt(Frozen):
    """What stands around an input: instructions, demonstrations, passages."""

    instructions: str = ""
    demos: Demos | None = None
    context: Context | None = None

    @property
    def oracle(self) -> bool:
        """Whether it shows what only a measurement knows, so that no request can be served so."""
        return self.context is not None and self.context.passages != "retrieved"


def render(
    prompt: Prompt, example: Example, *, exclude: Collection[Example]
) -> tuple[Message, ...]:
    """The messages that ask the model for ``example``'s target; the target is not among them.

    Order: one system message (instructions, the row's own, its tools), demonstrations as user and
    assistant turns, then the input with its passages before it as lines ``[1] text``.

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
    system += _tools(example)
    messages: list[Message] = []
    if system:
        messages.append(Message(role="system", content="\n".join(system)))
    for demo in shown_demos(prompt, example, exclude=exclude):
        messages.extend(turns(demo))
        messages.append(Message(role="assistant", content=demo.target))
    asked = turns(example)
    passages = shown_passages(prompt, example, exclude=exclude)
    if passages:
        lines = [f"[{i}] {chunk.passage}" for i, chunk in enumerate(passages, start=1)]
        block = "\n".join(lines) + "\n\n"
        asked[-1] = asked[-1].replace(content=block + asked[-1].content)
    return (*messages, *asked)


def _tools(example: Example) -> list[str]:
    """The functions that a conversation may call, as data keep them: ``meta["tools"]``."""
    tools = example.meta.get("tools") if example.messages else None
    if not tools or tools == "[]":
        return []
    return [TOOLS + (tools if isinstance(tools, str) else json.dumps(tools, ensure_ascii=False))]


def turns(example: Example) -> list[Message]:
    """The input as turns, without system messages and without the target."""
    if example.messages:
        return [m for m in example.messages if m.role != "system"]
    return [Message(role="user", content=example.text)]


def shown_demos(prompt: Prompt, example: Example, *, exclude: Collection[Example]) -> list[Example]:
    """The demonstrations that ``render`` shows for this request, in order."""
    demos = prompt.demos
    if demos is None or not demos.pool or demos.k < 1:
        return []

    def allowed(position: int) -> bool:
        return not any(same_source(demos.pool[position], row) for row in exclude)

    if demos.select == "fixed":
        chosen = [i for i in range(len(demos.pool)) if allowed(i)][: demos.k]
        return [demos.pool[i] for i in chosen]
    from whatworks.retrieval import index_of

    always = [i for i in range(len(demos.pool)) if allowed(i)][: demos.fixed]
    wanted = demos.k - len(always)
    index = index_of(demos.texts, "vector", demos.embedder)
    hits = index.search(
        example.text,
        BALANCED * wanted if demos.balance else wanted,
        allowed=lambda i: i not in always and allowed(i),
        diversity=demos.diversity,
    )
    positions = [hit.position for hit in hits]
    if demos.balance:
        positions = _balanced([demos.pool[i].target for i in positions], positions)[:wanted]
    return [demos.pool[i] for i in (*always, *reversed(positions))]  # the nearest last


def _balanced(targets: Sequence[str], positions: Sequence[int]) -> list[int]:
    """Positions by how many of their target stand before them, then as they were."""
    seen: Counter[str] = Counter()
    turns_of: list[int] = []
    for target in targets:
        turns_of.append(seen[target])
        seen[target] += 1
    return [positions[i] for i in sorted(range(len(positions)), key=lambda i: turns_of[i])]


def shown_passages(
    prompt: Prompt, example: Example, *, exclude: Collection[Example]
) -> list[Document]:
    """The passages that ``render`` shows for this request, best first."""
    context = prompt.context
    if context is None or not context.chunks or context.k < 1:
        return []
    chunks = context.chunks
    query = turns(example)[-1].content
    gold = list(
        dict.fromkeys(i for name in example.evidence for i in context.by_name.get(name, ()))
    )
    if context.passages == "gold" and len(gold) <= context.k:
        return [chunks[i] for i in gold]

    def allowed(position: int) -> bool:
        if context.passages != "retrieved" and (position in gold) != (context.passages == "gold"):
            return False
        return not any(repeats(chunks[position], row) for row in exclude)

    index = _passages(context)
    if context.rerank in ("", "mmr"):
        diversity = MMR if context.rerank else 0.0
        hits = index.search(query, context.k, allowed=allowed, diversity=diversity)
        return [chunks[hit.position] for hit in hits]
    from whatworks.retrieval.reranking import reranker

    hits = index.search(query, RERANKED * context.k, allowed=allowed)
    found = [chunks[hit.position] for hit in hits]
    order = reranker(context.rerank).order(query, [chunk.passage for chunk in found])
    return [found[i] for i in order[: context.k]]


def holds_evidence(passage: Document, example: Example) -> bool:
    """Whether a passage was cut from a document that holds the answer."""
    from whatworks.retrieval.recall import document_of

    return document_of(passage.id) in example.evidence or passage.id in example.evidence


def _passages(context: Context) -> Index:
    from whatworks.retrieval import index_of

    return index_of(context.texts, context.search, context.embedder, context.store)


def warm(prompt: Prompt, examples: Sequence[Example]) -> None:
    """Embed the queries of many requests in one batch, so that rendering each is quick."""
    demos, context = prompt.demos, prompt.context
    if not (demos and demos.select == "nearest") and not context:
        return
    from whatworks.retrieval import index_of

    if demos is not None and demos.select == "nearest":
        index = index_of(demos.texts, "vector", demos.embedder)
        index.warm([example.text for example in examples])
    if context is not None and context.chunks:
        _passages(context).warm([turns(example)[-1].content for example in examples])


def same_source(one: Example, other: Example) -> bool:
    """Whether two rows are the same row, share a group, or have nearly the same input."""
    if one.id == other.id or (one.group is not None and one.group == other.group):
        return True
    return same_input(one, other)


def same_input(one: Example, other: Example) -> bool:
    """Whether two rows ask nearly the same.

    As wholes they must be near-duplicates. Rows that share a long passage always are, whatever
    they ask about it; so each part in which they differ (a field, a turn, a line of a text) must
    be a near-duplicate of its counterpart as well, unless one of the two is too short to ask
    anything (``ASKS_SOMETHING``).
    """
    if not near_duplicate(one.text, other.text):
        return False
    return all(
        min(len(part.split()), len(counterpart.split())) < ASKS_SOMETHING
        or near_duplicate(part, counterpart)
        for part, counterpart in _counterparts(_parts(one), _parts(other))
    )


def _parts(example: Example) -> list[str]:
    """What an input consists of: its turns, its fields, or the lines of its only one."""
    if example.messages:
        parts = [m.content for m in example.messages if m.role != "system"]
    else:
        parts = list(example.inputs.values())
    return [plain(line) for line in parts[0].splitlines()] if len(parts) == 1 else parts


def _counterparts(parts: list[str], others: list[str]) -> list[tuple[str, str]]:
    """The parts that correspond; where their numbers differ, all that is not in the other."""
    if len(parts) == len(others):
        return list(zip(parts, others, strict=True))
    first = [part for part in parts if part not in others]
    second = [part for part in others if part not in parts]
    return [("\n".join(first), "\n".join(second))]


def near_duplicate(one: str, other: str) -> bool:
    """Whether two texts are equal up to case and spacing, or nearly (``NEAR_DUPLICATE``)."""
    first, second = _shingles(one), _shingles(other)
    if not first or not second:
        return first == second
    small, large = sorted((len(first), len(second)))
    if small < NEAR_DUPLICATE * large:  # the Jaccard index cannot reach the threshold
        return False
    shared = len(first & second)
    return shared >= NEAR_DUPLICATE * (len(first) + len(second) - shared)


def repeats(chunk: Document, row: Example) -> bool:
    """Whether a passage is the row written out, question with answer, not evidence for it.

    The text decides: ids of documents and ids of rows have nothing to do with one another.
    """
    return near_duplicate(chunk.text, f"{row.text}\n{row.target}")


@lru_cache(maxsize=200_000)
def _shingles(text: str) -> frozenset[str]:
    bare = plain(text)
    if len(bare) < 5:
        return frozenset([bare] if bare else [])
    return frozenset(bare[i : i + 5] for i in range(len(bare) - 4))


def forget_texts() -> None:
    """Give back the memory in which comparisons of texts keep what they may need again."""
    _shingles.cache_clear()


def plain(text: str) -> str:
    """The text without what near-duplicates may differ in: case and spacing."""
    return " ".join(text.split()).casefold()


def outline(prompt: Prompt) -> str:
    """A prompt as plain text to read and reuse: what is fixed in full, what is chosen described."""
    parts = [f"<system> {prompt.instructions}"] if prompt.instructions else []
    demos, context = prompt.demos, prompt.context
    if demos is not None and demos.select == "nearest":
        parts.append(f"[the {demos.k} nearest of {len(demos.pool)} examples, per request]")
    elif demos is not None:
        for demo in demos.pool[: demos.k]:
            parts.append(transcript([*turns(demo), Message(role="assistant", content=demo.target)]))
    if context is not None:
        parts.append(f"[{context.k} of {len(context.chunks)} passages, per request]")
    return "\n".join([*parts, "<user> [the input]"]) + "\n"


def transcript(messages: Sequence[Message]) -> str:
    """Messages as readable text, for reports and errors."""
    return "\n".join(f"<{m.role}> {m.content}" for m in messages)
