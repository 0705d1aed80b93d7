"""The arm: from a request to its answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from whatworks.app.export.asking.prompting import Messages, Prompter


class Arm:
    """An exported arm.

    Args:
        root: Its folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._spec: dict[str, Any] = json.loads((self._root / "ask.json").read_text("utf-8"))
        self._prompter = Prompter(self._root, self._spec["prompt"])
        self._model: Callable[[Messages, int], tuple[str, float | None]] | None = None

    def write_messages(self, request: str | Sequence[dict[str, str]]) -> Messages:
        """What the model reads for a request."""
        return self._prompter.write(request)

    def ask(self, request: str | Sequence[dict[str, str]]) -> str:
        """The answer to a request, a text or a conversation."""
        return self.answer(self.write_messages(request))

    def answer(self, messages: Messages) -> str:
        """The answer to what the model reads.

        Of several that an arm draws, the one that most of them say (by its text, without case);
        where the study picked by likelihood, or nothing is said twice, the likeliest.
        """
        model = self._model = self._model or self._load()
        decoding = self._spec["decoding"]
        drawn = [model(messages, at) for at in range(decoding["samples"])]
        if decoding["pick"] == "majority":
            votes = Counter(text.strip().casefold() for text, _ in drawn)
            most = max(votes.values())
            drawn = [one for one in drawn if votes[one[0].strip().casefold()] == most]
        return max(drawn, key=lambda one: one[1] if one[1] is not None else 0.0)[0]

    def _load(self) -> Callable[[Messages, int], tuple[str, float | None]]:
        if self._spec["model"]["kind"] == "server":
            from whatworks.app.export.asking.server import ServerModel

            server = ServerModel(self._spec)
            return lambda messages, draw: (server.ask(messages, draw), None)
        if self._spec["model"]["kind"] == "gguf":
            from whatworks.app.export.asking.gguf_model import GgufModel

            file = GgufModel(self._root, self._spec)
            return lambda messages, draw: (file.ask(messages, draw), None)
        from whatworks.app.export.asking.local_model import LocalModel

        local = LocalModel(self._root, self._spec)

        def answer(messages: Messages, draw: int) -> tuple[str, float | None]:
            generation = local.answer(messages, draw)
            return generation.text, generation.likelihood

        return answer
