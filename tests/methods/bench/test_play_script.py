"""Played conversations: what calls change, what the user says next, how the end is scored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.store import Store
from whatworks.data.scripted_tools import NO_RULE, NO_TOOL, ToolWorld, read_script
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.play_script import MOST
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.render import render
from whatworks.training.rows import make_training_rows

START = Candidate(prompt=Prompt(instructions="Help."), weights=Weights(base="fake:"))


def shop(i: int, user: Sequence[str] = (), **end: str) -> Example:
    """A shop with two orders, one of which has been sent."""
    script = {
        "state": {f"order {i}": "open", f"order {i + 1}": "sent"},
        "user": list(user),
        "tools": {
            "cancel": [{"where": {"order {id}": "open"}, "set": {"order {id}": "cancelled"}}],
            "look_up": [{"read": "order {id}"}],
        },
    }
    wanted = {**script["state"], **{key.replace("_", " "): value for key, value in end.items()}}  # type: ignore[dict-item]
    return Example(
        id=str(i),
        messages=(Message(role="user", content=f"Cancel order {i}, please."),),
        target=json.dumps(wanted),
        meta={"script": script, "tools": json.dumps([{"name": "cancel"}, {"name": "look_up"}])},
    )


def call(name: str, **arguments: Any) -> str:
    return json.dumps([{"name": name, "arguments": arguments}])


def obliging(messages: Sequence[Message]) -> str:
    """Calls `cancel` for whatever order the user names last, and then says how it went."""
    last = messages[-1]
    if last.role == "tool":
        return "Done." if last.content == "done" else "That could not be done."
    return call("cancel", id=last.content.split("order ")[1].split(",")[0].rstrip("."))


def ask(says: Any, rows: Sequence[Example], folder: Path, start: Candidate = START) -> Any:
    engine = FakeEngine(says)
    examiner = Examiner(engine, load(MetricSpec(name="end_state"), rows), Store(folder))
    return Bench(examiner, train=tuple(rows), dev=tuple(rows)), engine, start


def test_a_conversation_is_played_to_its_end_and_its_state_is_scored(tmp_path: Path) -> None:
    rows = [
        shop(1, order_1="cancelled"),
        shop(3, ["Now cancel order 4."], order_3="cancelled"),
        shop(5, ["And order 6, too."], order_5="cancelled", order_6="cancelled"),
    ]
    bench, engine, start = ask(obliging, rows, tmp_path)
    answers = bench.answers(start, rows)
    assert [one.score.kind for one in answers] == ["correct", "correct", "wrong"]
    assert "order 6 is sent, wanted cancelled" in answers[2].score.feedback.replace("'", "")
    assert answers[2].score.parts == {"state_right": 0.5}
    said = json.loads(answers[1].generation.text)
    assert [turn.partition(">")[0].strip("<") for turn in said["turns"]] == [
        "assistant", "tool", "assistant", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert said["turns"][5] == f"<tool> {NO_RULE}"
    # Each turn is read with all before it, and what all of them took is counted.
    assert len(engine.seen) == 2 + 4 + 4
    last = max(engine.seen, key=len)
    assert [m.role for m in last][-3:] == ["user", "assistant", "tool"]
    assert answers[1].generation.completion_tokens > answers[0].generation.completion_tokens
    # Asked again, nothing is played anew.
    assert bench.answers(start, rows) == answers
    assert len(engine.seen) == 10


def test_one_that_never_ends_is_ended(tmp_path: Path) -> None:
    rows = [shop(1, order_1="cancelled")]
    bench, engine, start = ask(lambda m: call("look_up", id=1), rows, tmp_path)
    (answer,) = bench.answers(start, rows)
    assert len(engine.seen) == MOST and answer.score.kind == "wrong"


def test_what_a_table_says() -> None:
    world = ToolWorld(read_script(shop(1)))
    assert world.call("look_up", {"id": 1}) == "open"
    assert world.call("look_up", {"id": 9}) == NO_RULE
    assert world.call("refund", {"id": 1}) == NO_TOOL
    assert world.call("cancel", {"id": 2}) == world.call("cancel", {}) == NO_RULE
    assert world.call("cancel", {"id": "1"}) == "done"
    assert world.state == {"order 1": "cancelled", "order 2": "sent"}


def test_what_cannot_be_played_is_said(tmp_path: Path) -> None:
    metric = load(MetricSpec(name="end_state"), [])
    broken = shop(1).replace(meta={"script": {"state": 3}})
    for row, says in (
        (shop(1).replace(meta={}), "no script to play"),
        (shop(1).replace(target="cancelled"), "the target is no state"),
        (broken, "script cannot be read"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            metric(row, "")
        assert caught.value.remedy
    assert metric(shop(1), "Done.").kind == "malformed"
    votes = START.replace(decoding=Decoding(samples=3, temperature=1.0, pick="majority"))
    bench, _, _ = ask(obliging, [shop(1)], tmp_path)
    with pytest.raises(ArmFailure, match="played once"):
        bench.answers(votes, [shop(1)])


def test_a_study_of_rows_with_a_script(tmp_path: Path) -> None:
    """Files are read, played and scored; one model calls what it should, again and again."""

    from whatworks.app.run_study import run_study
    from whatworks.base.progress import Silent

    rows: list[dict[str, Any]] = []
    for i in range(1, 41):
        row = shop(10 * i, **{f"order_{10 * i}": "cancelled"})
        turns = [*(m.model_dump(include={"role", "content"}) for m in row.messages),
                 {"role": "assistant", "content": row.target}]  # fmt: skip
        rows.append({"id": row.id, "messages": turns, **row.meta})
    (tmp_path / "shop.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [
        {"contains": f"Cancel order {10 * i},", "answer": call("cancel", id=10 * i)}
        for i in range(1, 41, 2)
    ]
    (tmp_path / "model.json").write_text(json.dumps({"answers": answers, "default": "Hm."}))
    (tmp_path / "study.yaml").write_text(
        "task: {train: shop.jsonl, metric: end_state}\nmodel: fake:model.json\narms: [zero-shot]\n"
    )
    summary, _ = run_study(tmp_path / "study.yaml", out=tmp_path / "out", watcher=Silent())
    arm = summary.arm("zero-shot")
    assert arm is not None and arm.score is not None and 0 < arm.score.value < 1


def test_such_rows_neither_teach_nor_are_shown() -> None:
    with pytest.raises(ArmFailure, match="no answer to learn"):
        make_training_rows(START.prompt, [shop(1)])
    prompt = START.prompt.replace(demos=Demos(pool=(shop(1), shop(3)), k=2))
    assert not render(prompt, shop(7), exclude=()).demonstrations
