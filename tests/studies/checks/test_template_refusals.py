"""One row that a template refuses stops no study: it is named, mended or left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.data import read
from whatworks.data.task import Example, Message
from whatworks.studies.checks.template_checks import mend
from whatworks.studies.open_study import open_study

Command = Callable[..., tuple[int, str]]
STRICT = (
    "{% if messages[0]['role'] == 'system' %}{% set turns = messages[1:] %}"
    "{% else %}{% set turns = messages %}{% endif %}"
    "{% for m in turns %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


@pytest.fixture(scope="module")
def strict_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose template wants user and assistant by turns, the user first."""
    folder = tmp_path_factory.mktemp("strict") / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(STRICT)
    return folder


def turns(*said: str) -> list[dict[str, str]]:
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": roles[one[0]], "content": one[2:]} for one in said]


KINDS: dict[str, tuple[list[dict[str, str]], list[str]]] = {
    "greeting": (turns("a Hello!", "u Who?", "a Bo."), ["u Who?"]),
    "two users": (turns("u Hm.", "u Who?", "a Bo."), ["u Hm.\nWho?"]),
    "two answers": (
        turns("u Who?", "a Well.", "a Bo.", "u And?", "a Al."),
        ["u Who?", "a Well.\nBo.", "u And?"],
    ),
    "two users after a system message": (
        turns("s Be brief.", "u Hm.", "u Who?", "a Bo."),
        ["s Be brief.", "u Hm.\nWho?"],
    ),
    "a tool": (turns("u Who?", "a Look.", "t Bo", "a Bo."), []),
}


def study(folder: Path, model: Path, bad: list[dict[str, str]], part: str) -> Path:
    for name, count in (("train", 30), ("dev", 8), ("test", 8)):
        rows: list[Any] = [
            {"id": f"{name}-{i}", "messages": turns(f"u Who is {name} {i * 7919}?", f"a Bo {i}.")}
            for i in range(count)
        ]
        if name == part:
            rows[3]["messages"] = bad
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = folder / "study.yaml"
    task = "{train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}"
    more = "arms: [zero-shot]\ndecoding: {max_tokens: 8}\n"
    path.write_text(f"task: {task}\nmodel: {model}\n{more}")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["train", "test"])
def test_the_row_is_named_mended_or_left_out_and_the_others_go_on(
    tmp_path: Path, strict_model: Path, command: Command, kind: str, part: str
) -> None:
    bad, mended = KINDS[kind]
    path = study(tmp_path, strict_model, bad, part)
    code, said = command("check", path, "--fix")
    assert code == (1 if part == "test" else 0), said
    assert "a run leaves them out" in said and f"{part}-3" in said
    assert "must alternate" in said
    how = "a greeting taken off" if kind == "greeting" else "turns of one role joined"
    line = f"mended: 1 rows, turns put in order: {how} in 1"
    assert (line in said) == ("mended:" in said) == (mended != [])

    opened = open_study(path)
    held = getattr(opened.task.splits, part)
    assert f"{part}-3" not in {row.id for row in held}
    assert len(held) == {"train": 29, "test": 7}[part]
    assert f"{part}: 1 rows were left out" in opened.task.notes[0]
    opened.close()

    kept = {row.id: row for row in read(tmp_path / f"study-clean/{part}.jsonl").examples}
    assert (f"{part}-3" in kept) == (mended != [])
    if mended:
        said_turns = [f"{m.role[0]} {m.content}" for m in kept[f"{part}-3"].messages]
        assert said_turns == mended
    clean = open_study(tmp_path / "study-clean.yaml")
    assert clean.task.notes == ()
    clean.close()


def test_a_study_runs_on_without_the_row(tmp_path: Path, strict_model: Path) -> None:
    from whatworks.app.run_study import run_study

    path = study(tmp_path, strict_model, KINDS["two users"][0], "test")
    summary, _ = run_study(path, out=tmp_path / "run")
    assert not any(arm.failures for arm in summary.arms)
    assert dict(summary.study.counts) == {"train": 30, "dev": 8, "test": 7}


def test_a_split_that_would_be_empty_is_an_error(
    tmp_path: Path, strict_model: Path, command: Command
) -> None:
    path = study(tmp_path, strict_model, KINDS["greeting"][0], "none")
    rows = [{"id": f"r{i}", "messages": turns(f"u Oh {i}.", "u Who?", "a Bo.")} for i in range(5)]
    (tmp_path / "dev.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, said = command("run", path, "--out", tmp_path / "run")
    assert code == 2 and "refuses all 5 rows of dev" in said and "--fix" in said


messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant"]),
        content=st.text("abc", min_size=1, max_size=3),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(messages)
def test_mending_keeps_the_order_and_what_was_asked(given_turns: list[Message]) -> None:
    row = Example(id="x", messages=tuple(given_turns))
    better = mend(row).row.messages
    assert all(a.role != b.role for a, b in pairwise(better))
    for role in ("user", "system"):
        asked = "\n".join(m.content for m in given_turns if m.role == role)
        assert "\n".join(m.content for m in better if m.role == role) == asked
    again = mend(mend(row).row)
    assert (again.row, again.how) == (mend(row).row, "")
