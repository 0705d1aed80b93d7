"""Personal data in imported calls: replaced or dropped, counted by kind, its value never said."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data import import_logs
from whatworks.data.logs import personal
from whatworks.data.logs.personal import KINDS, find_personal


class Finds:
    """In presidio's place: every word with one of its signs, at the score that it is given."""

    supported_entities = ("EMAIL_ADDRESS",)

    def __init__(self, sign: str = "@", score: float = 0.5) -> None:
        self.sign, self.score = sign, score

    def analyze(self, text: str, *_: Any) -> list[Any]:
        found, begin = [], 0
        for word in text.split(" "):
            if self.sign in word:
                end = begin + len(word)
                place = {"start": begin, "end": end, "entity_type": "EMAIL_ADDRESS"}
                found.append(SimpleNamespace(score=self.score, **place))
            begin += len(word) + 1
        return found


def write_log(folder: Path, *turns: tuple[str, str]) -> Path:
    calls = [
        {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": reply}],
         "metadata": {"user": ask.split()[0]}, "id": f"c{i}"}
        for i, (ask, reply) in enumerate(turns)
    ]  # fmt: skip
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    return path


TURNS = (
    ("a@x.org writes to b@y.org and a@x.org", "answer A@x.org first"),
    ("nothing here", "fine"),
    ("c@z.org asks", "no"),
)


def test_values_are_replaced_by_their_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "_load_recognisers", lambda: (Finds(), Finds("o", score=0.1)))
    data = import_logs(write_log(tmp_path, *TURNS), personal="redact")
    first = data.examples[0]
    assert first.messages[0].content == (
        "<e-mail address> writes to <e-mail address 2> and <e-mail address>"
    )
    assert first.target == "answer <e-mail address> first", "the same one has the same name"
    assert data.examples[1].target == "fine"
    assert data.examples[2].messages[0].content == "<e-mail address> asks"
    assert "@" not in str(data.examples) + str(data.notes)
    assert any("e-mail address (" in note for note in data.notes)


def test_calls_that_hold_any_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "_load_recognisers", lambda: (Finds(),))
    data = import_logs(write_log(tmp_path, *TURNS), personal="drop")
    assert [example.target for example in data.examples] == ["fine"]
    assert data.notes[-1] == "2 calls hold personal data: dropped; e-mail address (2)"
    assert len(import_logs(write_log(tmp_path, *TURNS)).examples) == 3, "only where asked for"


def test_ids_and_groups_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from whatworks.data.task import Example

    monkeypatch.setattr(personal, "_load_recognisers", lambda: (Finds(),))
    redactor = personal.Redactor()
    one, two = (
        redactor.redact(Example(id=f"{n}@x.org", group="g", meta={"a": [{"b": n + "@"}]}))
        for n in ("p", "q")
    )
    assert one.id != two.id and "@" not in one.id + str(one.meta) and one.group == "g"


def test_what_stands_at_the_seam_of_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "_load_recognisers", lambda: (Finds(),))
    for before in range(1780, 2010):
        text = "x" * before + " someone@example.org " + "y" * 3000
        begin = before + 1
        assert find_personal(text) == [(begin, begin + 19, "e-mail address")], before


def test_without_the_package_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    personal._load_recognisers.cache_clear()
    with pytest.raises(InputError, match="presidio-analyzer") as caught:
        import_logs(write_log(tmp_path, *TURNS), personal="redact")
    assert "whatworks[personal]" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail bo.lind@example.org or", "e-mail address"),
        ("mail bo@corp.internal now", "e-mail address"),
        ("call +47 22 34 56 78 today", "telephone number"),
        ("call (212) 555-0100", "telephone number"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "bank account"),
        ("card 4111 1111 1111 1111", "payment card"),
        ("host 192.168.0.12", "IP address"), ("mac 00:1A:2B:3C:4D:5E", "MAC address"),
        ("SSN 536-90-4399", "social security number"), ("dni 54362315K", "tax number"),
        ("hetu 131052-308T", "identity number"),
        ("order 4711, 2024-01-12, 12:30, $1,234.50, item 8839201", ""),
        ("at 2024-11-30T22:40:03.123456Z std::map<int>", ""), ("a @ b, x@y", ""),
    ],
)  # fmt: skip
def test_presidio_itself(monkeypatch: pytest.MonkeyPatch, text: str, kind: str) -> None:
    pytest.importorskip("presidio_analyzer", reason="pip install 'whatworks[personal]'")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the net is asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    personal._load_recognisers.cache_clear()
    found = find_personal(text)
    assert [one for _, _, one in found] == [kind] * bool(kind)
    assert not kind or kind in KINDS.values()


@pytest.mark.parametrize("part", [".", "a@", "1 ", "a.b@c.", "1.", "+47 ", "1A", "@", "a", ":"])
def test_presidio_in_linear_time(part: str) -> None:
    pytest.importorskip("presidio_analyzer", reason="pip install 'whatworks[personal]'")
    find_personal("x")
    begun = time.process_time()
    find_personal(part * (20_000 // len(part)))
    assert time.process_time() - begun < 4.0
