"""Messages as conversations: ids of any kind, and replies that go round in a circle."""

from __future__ import annotations

from typing import Any

import pytest

from whatworks.data.joined_rows import join_threads
from whatworks.data.raw_row import RawRow


def make_message(name: Any, parent: Any, role: str, text: str) -> RawRow:
    fields = {"message_id": name, "parent_id": parent, "role": role, "text": text}
    return RawRow(fields, place="file", name=text)


@pytest.mark.parametrize(("root", "reply"), [("a", "b"), (1, 2), ([""], ["x"]), ({"a": 1}, None)])
def test_ids_may_be_anything(root: Any, reply: Any) -> None:
    rows = [
        make_message(root, None, "prompter", "hi"),
        make_message(reply, root, "assistant", "ho"),
    ]
    (thread,) = join_threads(iter(rows))
    assert [turn["content"] for turn in thread.fields["messages"]] == ["hi", "ho"]


def test_a_reply_to_itself_ends_the_conversation() -> None:
    rows = [make_message("a", None, "prompter", "hi"), make_message("a", "a", "assistant", "ho")]
    (thread,) = join_threads(iter(rows))
    assert [turn["content"] for turn in thread.fields["messages"]] == ["hi", "ho"]
