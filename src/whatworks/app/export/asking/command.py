"""``python ask.py``: ask the arm in this folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatworks.app.export.asking.arm import Arm


def main(root: str | Path, words: Sequence[str] | None = None) -> None:
    """Answer the request on the command line, the lines of standard input, or those of a file."""
    parser = argparse.ArgumentParser(description="Ask the arm in this folder.")
    parser.add_argument("request", nargs="?", help="what is asked; by default a line of input each")
    parser.add_argument(
        "--rows",
        metavar="FILE",
        help="requests to ask instead: JSON lines with `request` (a text or messages, to be put "
        "into the arm's prompt) or `messages` (what the model reads)",
    )
    parser.add_argument("--out", metavar="FILE", help="where the answers to --rows go, a line each")
    parser.add_argument(
        "--examples",
        action="store_true",
        help="ask examples.jsonl again and say whether the answers are the recorded ones",
    )
    asked = parser.parse_args(words)
    arm = Arm(root)
    if asked.examples:
        for row in _read(Path(root) / "examples.jsonl"):
            answer = _ask_row(arm, row)["answer"]
            print(answer.strip() == row["answer"].strip(), answer, flush=True)
    elif asked.rows:
        with open(asked.out, "w", encoding="utf-8") if asked.out else sys.stdout as out:
            for row in _read(Path(asked.rows)):
                print(json.dumps(_ask_row(arm, row), ensure_ascii=False), file=out, flush=True)
    else:
        for request in [asked.request] if asked.request else map(str.strip, sys.stdin):
            print(arm.ask(request), flush=True)


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _ask_row(arm: Arm, row: dict[str, Any]) -> dict[str, Any]:
    request = row.get("request")
    messages = row["messages"] if request is None else arm.write_messages(request)
    return {"id": row.get("id"), "messages": messages, "answer": arm.answer(messages)}
