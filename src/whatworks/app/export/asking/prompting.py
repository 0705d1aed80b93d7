"""What the model reads for a request: the arm's prompt around it, as in the study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whatworks.app.export.asking.searching import Searcher

Messages = list[dict[str, str]]


class Prompter:
    """Puts instructions, demonstrations and passages around a request.

    Args:
        root: Folder of the export.
        prompt: What ``ask.json`` says of it.
    """

    def __init__(self, root: Path, prompt: dict[str, Any]) -> None:
        self._root = root
        self._system: str = prompt["system"]
        self._demos: dict[str, Any] | None = prompt["demonstrations"]
        self._passages: dict[str, Any] | None = prompt["passages"]

    def write(self, request: str | Sequence[dict[str, str]]) -> Messages:
        """The messages for a request, a text or a conversation.

        Raises:
            ValueError: If nothing is asked.
        """
        request_turns = (
            [{"role": "user", "content": request}] if isinstance(request, str) else request
        )
        turns = [dict(turn) for turn in request_turns if turn["role"] != "system"]
        if not turns:
            raise ValueError("nothing is asked: a request needs a turn that is not the system's")
        system = [self._system] if self._system else []
        system += [turn["content"] for turn in request_turns if turn["role"] == "system"]
        messages: Messages = [{"role": "system", "content": "\n".join(system)}] if system else []
        for shown in self._choose_demonstrations("\n".join(turn["content"] for turn in turns)):
            messages += shown
        passages = self._choose_passages(turns[-1]["content"])
        if passages:
            lines = [f"[{at}] {text}" for at, text in enumerate(passages, start=1)]
            turns[-1]["content"] = "\n".join(lines) + "\n\n" + turns[-1]["content"]
        return messages + turns

    def _choose_demonstrations(self, query: str) -> list[Messages]:
        demos = self._demos
        if demos is None:
            return []
        pool: list[Messages] = demos["turns"]
        if demos["select"] == "fixed":
            return pool[: demos["k"]]
        always = list(range(min(demos["fixed"], len(pool))))
        count = demos["k"] - len(always)
        nearest = self._demo_index.search(
            query, demos["among"] * count, leave=len(always), diversity=demos["diversity"]
        )
        if demos["balance"]:
            nearest = _balance([pool[at][-1]["content"] for at in nearest], nearest)
        return [pool[at] for at in (*always, *reversed(nearest[:count]))]  # the nearest last

    def _choose_passages(self, query: str) -> list[str]:
        passages = self._passages
        if passages is None:
            return []
        texts, k = passages["texts"], passages["k"]
        hits = self._passage_index.search(
            query, passages["among"] * k, diversity=passages["diversity"]
        )
        if passages["reranker"]:
            order = self._reranker.order(query, [texts[at] for at in hits])
            hits = [hits[at] for at in order]
        return [texts[at] for at in hits[:k]]

    @cached_property
    def _demo_index(self) -> Searcher:
        return _open_index(self._root, "demonstrations")

    @cached_property
    def _passage_index(self) -> Searcher:
        return _open_index(self._root, "passages")

    @cached_property
    def _reranker(self) -> Any:
        from whatworks.app.export.asking.embedding import Reranker, find_source

        assert self._passages is not None
        how = self._passages["reranker"]
        return Reranker(find_source(self._root, how["source"]), how["max_tokens"], how["batch"])


def _open_index(root: Path, name: str) -> Searcher:
    # Only where something is searched: this needs numpy.
    from whatworks.app.export.asking.searching import Searcher

    return Searcher(root, name)


def _balance(targets: Sequence[str], positions: Sequence[int]) -> list[int]:
    """Positions by how many of their target stand before them, then as they were."""
    counts: Counter[str] = Counter()
    turns: list[int] = []
    for target in targets:
        turns.append(counts[target])
        counts[target] += 1
    return [positions[i] for i in sorted(range(len(positions)), key=lambda i: turns[i])]
