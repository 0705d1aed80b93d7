"""The arm's weights as a GGUF file, run by llama.cpp (``xllamacpp``)."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatworks.models import reasoning


class GgufModel:
    """Answers messages with a GGUF file.

    Args:
        root: Folder of the export.
        spec: What ``ask.json`` says of model, decoding and form.
    """

    def __init__(self, root: Path, spec: dict[str, Any]) -> None:
        try:
            import xllamacpp  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError:
            raise SystemExit("this arm is a GGUF file: pip install xllamacpp") from None
        self._model: dict[str, Any] = spec["model"]
        self._decoding: dict[str, Any] = spec["decoding"]
        self._form: dict[str, Any] | None = spec["form"]
        params: Any = xllamacpp.CommonParams()
        params.model.path = str(root / self._model["file"])
        params.n_ctx = self._model["context"]
        params.n_parallel = 1
        params.cpuparams.n_threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        params.verbosity = -1
        self._server: Any = xllamacpp.Server(params)

    def ask(self, messages: Sequence[dict[str, str]], draw: int = 0) -> str:
        """One answer.

        Args:
            messages: What the model reads.
            draw: Which of several answers, where they are drawn at random.

        Raises:
            SystemExit: If llama.cpp refuses the request, with its words.
        """
        decoding = self._decoding
        text = f"{decoding['seed']} {draw} {messages[-1]['content']}"
        body: dict[str, Any] = {
            "messages": list(messages),
            "max_tokens": decoding["max_tokens"],
            "temperature": decoding["temperature"],
            "top_p": decoding["top_p"],
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "seed": zlib.crc32(text.encode()) % 2**31,
        }
        stops: list[str] = [] if self._form is not None else self._model["stops"]
        if stops:
            body["stop"] = stops
        if self._form is not None:
            # llama.cpp reads llguidance's grammars behind this line.
            body["grammar"] = "%llguidance {}\n" + self._form["grammar"]
        reply: Any = self._server.handle_chat_completions(body)
        reply = json.loads(reply) if isinstance(reply, str | bytes) else reply
        if "choices" not in reply:
            raise SystemExit(f"llama.cpp answers: {json.dumps(reply)[:500]}")
        content = str(reply["choices"][0]["message"].get("content") or "")
        answer = content if self._form is not None else reasoning.split(content).answer
        for stop in stops:
            answer = answer.split(stop)[0]
        return answer
