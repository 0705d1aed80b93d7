"""Turns with images, audio or files: such rows are left out with a count, the others are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data import read, stream

PICTURE = {"url": "data:image/png;base64,AA=="}
PARTS: dict[str, dict[str, Any]] = {
    "image_url": {"type": "image_url", "image_url": PICTURE},
    "image": {"type": "image", "text": ""},
    "input_image": {"type": "input_image", "image_url": PICTURE["url"]},
    "input_audio": {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    "audio": {"audio": {"data": "AA=="}},
    "video_url": {"type": "video_url", "video_url": {"url": "a.mp4"}, "text": "a film"},
    "file": {"type": "file", "file": {"file_id": "f1"}},
}


def ask(content: Any, answer: Any = "Four.") -> dict[str, Any]:
    says = answer if isinstance(answer, dict) else {"content": answer}
    return {
        "messages": [
            {"role": "user", "content": content},
            {"role": "assistant", **says},
        ]
    }


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", PARTS)
def test_rows_with_such_parts_are_left_out_with_a_count(tmp_path: Path, kind: str) -> None:
    shown = ask([{"type": "text", "text": "How many mills?"}, PARTS[kind]])
    plain = ask([{"type": "text", "text": "How many"}, {"type": "text", "text": "mills?"}])
    path = write_rows(tmp_path / "rows.jsonl", [shown, plain, shown, ask("And ferries?")])
    data = read(path)
    assert [example.text for example in data.examples] == ["How many\nmills?", "And ferries?"]
    note = f"2 rows were left out: they hold {kind!r}, and only text is read"
    assert note in data.notes
    assert [example.id for example in stream(path)] == [example.id for example in data.examples]


@pytest.mark.parametrize("kind", PARTS)
def test_a_file_of_such_rows_alone_says_so(tmp_path: Path, kind: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [ask([PARTS[kind]])] * 3)
    with pytest.raises(InputError, match=f"all 3 rows were left out: they hold '{kind}'") as caught:
        read(path)
    assert caught.value.place and caught.value.remedy


def test_an_answer_that_is_spoken_only_is_left_out(tmp_path: Path) -> None:
    spoken = ask("How many?", {"content": None, "audio": {"id": "a1"}})
    data = read(write_rows(tmp_path / "rows.jsonl", [spoken, ask("How many?")]))
    assert len(data.examples) == 1
    assert "1 rows were left out: they hold 'audio', and only text is read" in data.notes


def test_other_parts_and_turns_without_anything_still_refuse_the_file(tmp_path: Path) -> None:
    odd = ask([{"type": "text", "text": "Why?"}, {"type": "riddle"}])
    for name, row, said in (("odd", odd, "riddle"), ("no", ask("Why?", {"x": 1}), "without text")):
        with pytest.raises(InputError, match=said):
            read(write_rows(tmp_path / f"{name}.jsonl", [ask("How many?"), row]))


def test_text_that_a_part_of_a_file_holds_is_read(tmp_path: Path) -> None:
    row = ask([{"type": "document", "text": "The fee is 4."}, "What is the fee?"])
    (example,) = read(write_rows(tmp_path / "rows.jsonl", [row])).examples
    assert example.text == "The fee is 4.\nWhat is the fee?"


def test_sharegpt_and_preference_rows_too(tmp_path: Path) -> None:
    talk = {
        "conversations": [
            {"from": "human", "value": [PARTS["image"], "What is it?"]},
            {"from": "gpt", "value": "A mill."},
        ]
    }
    plain = {
        "conversations": [
            {"from": "human", "value": "What is it?"},
            {"from": "gpt", "value": "A mill."},
        ]
    }
    assert len(read(write_rows(tmp_path / "s.jsonl", [talk, plain])).examples) == 1
    good, bad = ([{"role": "assistant", "content": text}] for text in ("A mill.", "A cow."))
    pairs = [
        {"prompt": [{"role": "user", "content": content}], "chosen": good, "rejected": bad}
        for content in ([PARTS["image"]], "What is it?")
    ]
    assert len(read(write_rows(tmp_path / "p.jsonl", pairs)).pairs) == 1
