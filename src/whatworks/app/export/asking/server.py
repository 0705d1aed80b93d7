"""The arm's model behind an OpenAI-compatible server. Standard library alone."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from typing import Any

from whatworks.models import reasoning

_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
_TRIES = 5
_OTHER_NAMES = {"max_tokens": "max_completion_tokens"}
"""What some servers call a field."""

_DISPENSABLE = ("seed", "stop", "top_p")
"""Left out for a server that refuses them by name."""


class ServerModel:
    """Answers messages by asking a server.

    The key is that of the environment variables named in ``ask.json``; none is sent without one.

    Args:
        spec: What ``ask.json`` says of model, decoding and form.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._model: dict[str, Any] = spec["model"]
        self._decoding: dict[str, Any] = spec["decoding"]
        self._form: dict[str, Any] | None = spec["form"]
        self._left_out: set[str] = set()

    def ask(self, messages: Sequence[dict[str, str]], draw: int = 0) -> str:
        """One answer.

        Args:
            messages: What the model reads.
            draw: Which of several answers, where they are drawn at random.

        Raises:
            SystemExit: If the server refuses the request, with its words.
        """
        decoding = self._decoding
        body: dict[str, Any] = {
            "model": self._model["name"],
            "messages": list(messages),
            "max_tokens": decoding["max_tokens"],
            "temperature": decoding["temperature"],
        }
        if decoding["temperature"] > 0:
            text = f"{decoding['seed']} {draw} {messages[-1]['content']}"
            body |= {"top_p": decoding["top_p"], "seed": zlib.crc32(text.encode()) % 2**31}
        if self._form is not None:
            body |= self._form["fields"]
        elif decoding["stop"]:
            body["stop"] = decoding["stop"]
        body |= self._model["fields"]
        content = self._post(body)["choices"][0]["message"]["content"] or ""
        answer = reasoning.split(content).answer
        for stop in decoding["stop"] if self._form is None else ():
            answer = answer.split(stop)[0]
        return answer

    def _post(self, body: dict[str, Any]) -> Any:
        names = (name for name in self._model["keys"] if os.environ.get(name))
        key = next((os.environ[name] for name in names), "")
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        for tried in range(_TRIES):
            sent = {
                _OTHER_NAMES[name] if name in _OTHER_NAMES and name in self._left_out else name: v
                for name, v in body.items()
                if not (name in self._left_out and name in _DISPENSABLE)
            }
            request = urllib.request.Request(
                self._model["url"] + "/chat/completions", json.dumps(sent).encode(), headers
            )
            try:
                with urllib.request.urlopen(request, timeout=120) as reply:
                    return json.load(reply)
            except urllib.error.HTTPError as error:
                complaint = error.read().decode("utf-8", "replace")
                refused = [
                    n for n in (*_DISPENSABLE, *_OTHER_NAMES) if n in sent and n in complaint
                ]
                if error.code in (400, 422) and refused:
                    self._left_out.update(refused)
                    continue
                if error.code not in _AGAIN or tried == _TRIES - 1:
                    place = self._model["url"]
                    raise SystemExit(f"{place} answers {error.code}: {complaint[:500]}") from None
                time.sleep(min(float(error.headers.get("Retry-After") or 2**tried), 60))
            except urllib.error.URLError as error:
                if tried == _TRIES - 1:
                    raise SystemExit(f"{self._model['url']}: {error.reason}") from None
                time.sleep(2**tried)
        raise SystemExit(f"{self._model['url']} refuses the request in every form")
