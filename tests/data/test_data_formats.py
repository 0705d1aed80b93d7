"""Every format: recognised by its rows, read to the right examples, overridable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data import FORMATS, expand_turns, read, stream
from whatworks.data.task import Message
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

Save = Callable[..., Path]

USER = {"role": "user", "content": "What is 2+2?"}
RIGHT = {"role": "assistant", "content": "4"}
WRONG = {"role": "assistant", "content": "5"}

ROWS: dict[str, list[dict[str, Any]]] = {
    "whatworks": [{"id": "a", "inputs": {"q": "x", "r": "y"}, "target": "z", "meta": {"k": [1]}}],
    "alpaca": [{"instruction": "Add.", "input": "1 2", "output": "3"}],
    "sharegpt": [
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
    ],
    "openai": [{"messages": [USER, RIGHT]}],
    "tau-bench": [{"task_id": 0, "reward": 1.0, "traj": [USER, RIGHT]}],
    "prompt-completion": [{"prompt": "2+2=", "completion": "4"}],
    "mt-bench": [{"question_id": 1, "turns": ["Write.", "Again."], "reference": ["A", "B"]}],
    "viggo": [{"mr": "inform(name[X])", "ref": "It is X."}],
    "viggo-json": [{"mr": "inform(name[X], genres[b, a])", "ref": "It is X."}],
    "sql-create-context": [
        {"question": "how many", "context": "CREATE TABLE a (b int)", "answer": "SELECT 1"}
    ],
    "entityquestions": [
        {"subject": "S", "question": "Who?", "answers": ["A", "B"], "paragraph": "S is A."}
    ],
    "selfaware": [{"question": "Who?", "answer": None, "answerable": False}],
    "passages": [{"text": "A long and winding road. It goes on and on and on."}],
    "openai-preference": [
        {
            "input": {"messages": [USER], "tools": []},
            "preferred_output": [RIGHT],
            "non_preferred_output": [WRONG],
        }
    ],
    "preference": [{"prompt": "2+2=", "chosen": "4", "rejected": "5"}],
    "sharegpt-preference": [
        {
            "conversations": [{"from": "human", "value": "2+2="}],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        }
    ],
    "kto": [{"prompt": "2+2=", "completion": "4", "label": True}],
    "ultrachat": [{"data": ["Hi", "Hello", "And?", "Nothing more."]}],
    "bfcl": [
        {
            "question": [[USER]],
            "function": [{"name": "add", "parameters": {}}],
            "ground_truth": [{"add": {"a": [2], "b": [2, ""]}}],
        }
    ],
    "beir": [{"query": "Who?", "relevant": [{"_id": "d1", "title": "A", "text": "A did."}]}],
    "squad": [{"context": "A did.", "question": "Who?", "answers": {"text": ["A", "A"]}}],
    "hotpotqa": [
        {
            "question": "Who?",
            "answer": "A",
            "context": {"title": ["A", "B"], "sentences": [["A did."], ["B", " not."]]},
            "supporting_facts": {"title": ["A"], "sent_id": [0]},
        }
    ],
    "drop": [{"passage": "A did.", "question": "Who?", "answers_spans": {"spans": ["A", "B"]}}],
    "tagged": [{"tokens": ["A", "did", "."], "ner_tags": ["B-PER", "O", "O"]}],
    "multiple-choice": [{"question": "Who?", "choices": ["A", "B"], "answer": 1}],
    "generic": [{"text": "I lost my card", "category": "lost_card", "id": 7}],
}
ASKED = {"viggo-json": "viggo"}
"""Formats that are used only where somebody says so, and what their rows are taken for else."""


def test_every_format_is_tried_here() -> None:
    assert {form.name for form in FORMATS} == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_recognised_by_content(save: Save, name: str, ending: str) -> None:
    rows = [*ROWS[name], *({**row, "id": f"n{i}"} for i, row in enumerate(ROWS[name]))]
    path = save(f"rows.{ending}", rows)
    assert read(path).format == ASKED.get(name, name)
    data = read(path, format=name if name in ASKED else None)
    assert data.format == name
    assert len(data.examples) == 2
    assert data.examples[0].text


def test_ids_come_from_the_column_or_from_file_and_row(save: Save) -> None:
    rows = [{"input": "a", "target": "b"}, {"input": "c", "target": "d"}]
    assert [e.id for e in read(save("mine.jsonl", rows)).examples] == ["mine-1", "mine-2"]
    rows = [{"id": 0, "input": "a", "target": "b"}, {"id": "x", "input": "c", "target": "d"}]
    path = save("mine.jsonl", rows)
    assert [e.id for e in read(path).examples] == ["0", "x"]
    assert [e.id for e in read(path, columns={"id": ""}).examples] == ["mine-1", "mine-2"]


def test_other_columns_are_kept_for_the_metric(save: Save) -> None:
    rows = [{"question": "q", "answer": ["a", "b"], "db": "x", "group": "g", "evidence": ["d1"]}]
    (example,) = read(save("rows.jsonl", rows)).examples
    assert example.target == "a"
    assert example.meta == {"aliases": ["a", "b"], "db": "x"}
    assert example.group == "g"
    assert example.evidence == ("d1",)


def test_json_targets_become_text(save: Save) -> None:
    rows = [{"input": "x", "target": {"name": "é", "n": [1]}}]
    (example,) = read(save("rows.jsonl", rows)).examples
    assert json.loads(example.target) == {"name": "é", "n": [1]}
    assert "é" in example.target


def test_columns_can_be_named(save: Save) -> None:
    path = save("rows.csv", "title;body;kind;topic;key\nT;B;K;G;1\nT2;B2;K2;G;2\n")
    with pytest.raises(InputError, match="title, body, kind, topic, key"):
        read(path)
    roles = {"input": ["title", "body"], "target": "kind", "group": "topic", "id": "key"}
    data = read(path, columns=roles)
    assert data.examples[0].inputs == {"title": "T", "body": "B"}
    assert data.examples[0].target == "K"
    assert data.examples[1].group == "G"
    assert data.examples[1].id == "2"
    assert data.columns == {
        "input": "title + body",
        "target": "kind",
        "id": "key",
        "group": "topic",
    }


def test_named_columns_win_over_the_recognised_format(save: Save) -> None:
    path = save("rows.csv", "mr,ref\ninform(x),It is x.\n")
    data = read(path, columns={"input": "mr", "target": "ref"})
    assert data.format == "generic"
    assert data.examples[0].target == "It is x."


def test_an_input_alone_leaves_targets_empty_and_says_so(save: Save) -> None:
    data = read(save("rows.jsonl", [{"ask": "x"}]), columns={"input": "ask"})
    assert data.examples[0].target == ""
    assert "targets are empty" in data.notes[0]


def test_a_context_column_stands_before_the_question(save: Save) -> None:
    data = read(save("rows.jsonl", [{"question": "q", "context": "c", "answer": "a"}]))
    assert list(data.examples[0].inputs) == ["context", "question"]


def read_one(save: Save, row: dict[str, Any]) -> tuple[list[tuple[str, str]], str]:
    """The turns that one row asks, and its target."""
    (example,) = read(save("one.jsonl", [row])).examples
    asked = [(m.role, m.content) for m in render(Prompt(), example, exclude=()).messages]
    return [(str(role), text) for role, text in asked], example.target


@pytest.mark.parametrize(
    ("ask", "answer"),
    [("instruction", "response"), ("instruction", "output"), ("prompt", "completion"),
     ("question", "answer")],
)  # fmt: skip
def test_an_input_beside_an_instruction_reaches_the_model(
    save: Save, ask: str, answer: str
) -> None:
    for given in ("Hello", 0):
        asked, target = read_one(save, {ask: "Say it", "input": given, answer: "x"})
        (role, text), *rest = asked
        assert (role, rest, target) == ("user", [], "x")
        assert text.index("Say it") < text.index(str(given))
    for row in ({ask: "Say it", answer: "x"}, {ask: "Say it", "input": "", answer: "x"}):
        assert read_one(save, row) == ([("user", "Say it")], "x")


@pytest.mark.parametrize(
    "answers",
    [{"completion": "x"}, {"completion": "x", "label": True}, {"chosen": "x", "rejected": "y"},
     {"response": "x"}],
)  # fmt: skip
def test_a_system_column_is_the_system_message(save: Save, answers: dict[str, Any]) -> None:
    for column in ("system", "system_prompt"):
        row = {column: "In French.", "prompt": "Say it", "input": "Hello", **answers}
        wanted = [("system", "In French."), ("user", "Say it\nHello")]
        assert read_one(save, row) == (wanted, "x")


def test_columns_that_the_model_is_not_shown_are_named(save: Save) -> None:
    rows = [{"instruction": "Say", "input": "Hello", "response": "x", "db": "d", "who": "me"}]
    data = read(save("rows.jsonl", rows))
    assert data.columns["input"] == "instruction + input"
    assert data.columns["not shown to the model"] == "db + who"


@pytest.mark.parametrize(
    ("columns", "format", "words"),
    [
        ({"inptu": "a"}, None, "inptu"),
        ({"input": "c"}, None, "no column 'c'"),
        ({"input": "a"}, "alpaca", "of its own"),
        ({}, "alpacka", "alpaca"),
        ({"target": ["a", "b"]}, None, "one column"),
    ],
)
def test_wrong_options_are_named(save: Save, columns: Any, format: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(save("rows.jsonl", [{"a": "1", "b": "2", "d": "3"}]), columns=columns, format=format)


def test_two_candidates_for_the_target_are_not_guessed(save: Save) -> None:
    rows = [{"question": "q", "answer": "a", "response": "b"}]
    with pytest.raises(InputError, match="several columns"):
        read(save("rows.jsonl", rows))


def test_roles_and_tools_in_openai_messages(save: Save) -> None:
    call = {"function": {"name": "add", "arguments": '{"a": 1}'}, "type": "function", "id": "c"}
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Add."}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "3", "tool_call_id": "c"},
            {"role": "assistant", "content": "It is 3."},
        ],
        "tools": [{"type": "function"}],
    }
    (example,) = read(save("rows.jsonl", [row])).examples
    assert [m.role for m in example.messages] == ["system", "user", "assistant", "tool"]
    assert json.loads(example.messages[2].content) == [{"name": "add", "arguments": {"a": 1}}]
    assert example.target == "It is 3."
    assert example.meta == {"tools": [{"type": "function"}]}


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [USER, RIGHT]},
        {"conversations": [USER, RIGHT]},
        {"prompt": [USER], "completion": [RIGHT]},
        {"prompt": "What is 2+2?", "completion": "4", "label": True},
        {"prompt": "What is 2+2?", "chosen": "4", "rejected": "5"},
    ],
)
def test_the_model_sees_the_tools(save: Save, row: dict[str, Any]) -> None:
    tools = [{"type": "function", "function": {"name": "add"}}]
    (role, text), asked = read_one(save, {**row, "tools": tools})[0]
    assert (role, asked) == ("system", ("user", "What is 2+2?"))
    assert json.loads(text.partition("}]: ")[2]) == tools
    for none in ([], "[]"):
        assert read_one(save, {**row, "tools": none})[0] == [("user", "What is 2+2?")]


def test_answers_of_weight_0_are_not_learned(save: Save) -> None:
    silent = {**WRONG, "weight": 0}
    rows = [
        {"messages": [USER, silent, USER, {**RIGHT, "weight": 1}]},
        {"messages": [USER, RIGHT, USER, silent]},
        {"messages": [USER, silent]},
        {"messages": [USER, RIGHT]},
    ]
    path = save("rows.jsonl", rows)
    data = read(path)
    assert [(len(e.messages), e.target) for e in data.examples] == [(3, "4"), (1, "4"), (1, "4")]
    assert data.notes == ("1 rows were left out: all answers have weight 0",)
    assert tuple(stream(path)) == data.examples
    with pytest.raises(InputError, match="all 1 rows were left out"):
        read(save("rows.jsonl", rows[2:3]))


def test_a_call_as_a_turn_of_sharegpt_is_written_as_any_other(save: Save) -> None:
    call = {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'}
    row = {"conversations": [{"from": "human", "value": "Add."}, call]}
    assert json.loads(read_one(save, row)[1]) == [{"name": "add", "arguments": {"a": 1}}]


@pytest.mark.parametrize(
    ("shared", "answers", "asked", "wanted"),
    [
        ("\n\nHuman: Hi\n\nAssistant: I am ", ("well", "ill"), "Human: Hi\n\nAssistant:",
         ("I am well", "I am ill")),
        ("What is 2+2?\nIt is ", ("4", "5"), "What is 2+2?", ("It is 4", "It is 5")),
        ("What is 2+2? It is ", ("4", "5"), "What is 2+2? It is", ("4", "5")),
        ("Human: Hi\nNote: I am ", ("a", "b"), "Human: Hi", ("Note: I am a", "Note: I am b")),
    ],
)  # fmt: skip
def test_where_two_texts_without_a_prompt_part(
    save: Save, shared: str, answers: tuple[str, str], asked: str, wanted: tuple[str, str]
) -> None:
    row = {"chosen": shared + answers[0], "rejected": shared + answers[1]}
    (pair,) = read(save("rows.jsonl", [row])).pairs
    assert (pair.example.text, (pair.chosen, pair.rejected)) == (asked, wanted)


def test_turns_after_the_last_answer_are_left_out_and_told(save: Save) -> None:
    data = read(save("rows.jsonl", [{"messages": [USER, RIGHT, USER]}]))
    assert data.examples[0].messages == (Message.model_validate(USER),)
    assert data.examples[0].target == "4"
    assert data.notes == ("1 rows end after the last answer with a user turn, which was left out",)


def test_every_turn_makes_examples_of_one_group(save: Save) -> None:
    data = read(save("rows.jsonl", [{"id": "a", "messages": [USER, RIGHT, USER, WRONG]}]))
    first, second = expand_turns(data.examples)
    assert (first.id, first.target, len(first.messages)) == ("a-t1", "4", 1)
    assert (second.id, second.target, len(second.messages)) == ("a-t2", "5", 3)
    assert first.group == second.group == "a"


def test_a_greeting_and_silence_are_no_turns(save: Save) -> None:
    system = {"role": "system", "content": "Be brief."}
    greeting, silence = ({**RIGHT, "content": text} for text in ("Hi!", ""))
    talk = [system, greeting, USER, silence, USER, RIGHT, USER, WRONG]
    rows = [{"id": "a", "messages": talk}]
    made = expand_turns(read(save("rows.jsonl", rows)).examples)
    assert [(row.id, row.target) for row in made] == [("a-t1", "4"), ("a-t2", "5")]


def test_images_are_refused_not_dropped(save: Save) -> None:
    part = {"type": "image_url", "image_url": {"url": "x"}}
    with pytest.raises(InputError, match="image_url"):
        read(save("rows.jsonl", [{"messages": [{"role": "user", "content": [part]}, RIGHT]}]))


def test_preference_pairs_of_every_shape_say_the_same(save: Save) -> None:
    shapes = [
        {"prompt": "What is 2+2?", "chosen": "4", "rejected": "5"},
        {"prompt": [USER], "chosen": [RIGHT], "rejected": [WRONG]},
        {"chosen": [USER, RIGHT], "rejected": [USER, WRONG]},
        {"prompt": "What is 2+2?", "chosen": [USER, RIGHT], "rejected": [USER, WRONG]},
        {"chosen": "What is 2+2? 4", "rejected": "What is 2+2? 5"},
        {"instruction": "What is 2+2?", "input": "", "chosen": "4", "rejected": "5"},
        {
            "input": {"messages": [USER]},
            "preferred_output": [RIGHT],
            "non_preferred_output": [WRONG],
        },
    ]
    for number, row in enumerate(shapes):
        data = read(save(f"rows{number}.jsonl", [row]))
        (pair,) = data.pairs
        assert pair.example.inputs == {"prompt": "What is 2+2?"}, row
        assert (pair.chosen, pair.rejected) == ("4", "5"), row
        assert data.examples == (pair.example,)
        assert pair.example.target == "4"


def test_kto_labels_pair_up_and_bad_answers_are_nobodys_target(save: Save) -> None:
    rows = [
        {"prompt": "p", "completion": "bad", "label": False},
        {"prompt": "q", "completion": "fine", "label": True},
        {"prompt": "p", "completion": "good", "label": True},
        {"prompt": "r", "completion": "awful", "label": False},
    ]
    data = read(save("rows.jsonl", rows))
    assert [e.target for e in data.examples] == ["fine", "good"]
    assert [(p.example.text, p.chosen, p.rejected) for p in data.pairs] == [
        ("p", "good", "bad"),
        ("q", "fine", ""),
        ("r", "", "awful"),
    ]
    assert data.pairs[0].example.target == "good"
    assert "2 labelled answers" in data.notes[0]


def test_sql_with_several_schemas_shows_them_to_the_model(save: Save) -> None:
    rows = [
        {"question": "q", "context": f"CREATE TABLE t{i} (a int)", "answer": "SELECT 1"}
        for i in range(3)
    ]
    data = read(save("rows.jsonl", rows))
    assert data.examples[2].inputs["context"] == "CREATE TABLE t2 (a int)"
    assert data.examples[2].meta["context"] == "CREATE TABLE t2 (a int)"
    assert data.notes == ()


def test_a_second_schema_that_comes_late_is_shown(save: Save) -> None:
    rows = [
        {"question": f"q{i}", "context": f"CREATE TABLE {'ab'[i >= 110]} (x int)", "answer": "1"}
        for i in range(160)
    ]
    path = save("rows.jsonl", rows)
    data = read(path)
    assert {tuple(e.inputs) for e in data.examples} == {("context", "question")}
    assert data.notes == ()
    one = read(path, limit=105)
    assert {tuple(e.inputs) for e in one.examples} == {("question",)}
    assert "one schema" in one.notes[0]
    # A stream has left the first rows behind: those that differ bring theirs along.
    late = [tuple(e.inputs) for e in stream(path)]
    assert late == [("question",)] * 110 + [("context", "question")] * 50


def test_a_meaning_representation_as_json_keeps_its_groups_and_names_what_is_none(
    save: Save,
) -> None:
    rows = [
        {"mr": "inform(name[A, B (C, D)], genres[x], rating[])", "ref": "It is so."},
        {"meaning_representation": "request(name[A])", "target": "Is it A?"},
    ]
    plain, data = (
        read(save(f"{i}.jsonl", rows), format=name)
        for i, name in enumerate(["viggo", "viggo-json"])
    )
    assert [json.loads(e.target) for e in data.examples] == [
        {"act": "inform", "name": ["A", "B (C, D)"], "genres": "x", "rating": []},
        {"act": "request", "name": "A"},
    ]
    assert [(e.text, e.group) for e in data.examples] == [(e.text, e.group) for e in plain.examples]
    for bad, said in [("inform name", "no meaning"), ("inform(act[x])", "'act'")]:
        with pytest.raises(InputError, match=said):
            read(save("bad.jsonl", [{"mr": bad, "ref": "?"}]), format="viggo-json")


def test_mt_bench_keeps_both_turns(save: Save) -> None:
    (example,) = read(save("rows.jsonl", ROWS["mt-bench"])).examples
    assert example.text == "Write."
    assert example.target == "A"
    assert example.meta == {"turns": ["Write.", "Again."], "references": ["A", "B"]}


def test_a_conversation_in_a_csv_cell(save: Save) -> None:
    cell = json.dumps([USER, RIGHT]).replace('"', '""')
    data = read(save("rows.csv", f'id,messages\n1,"{cell}"\n'))
    assert data.format == "openai"
    assert data.examples[0].target == "4"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"name": "Bo"}, "name"),
        ({"reasoning_content": "2 and 2 make 4."}, "reasoning_content"),
        ({"tool_call_id": "c1"}, "tool_call_id"),
        ({"audio": {"id": "a1"}}, "audio"),
        ({"loss": False}, "loss"),
        ({"refusal": ""}, ""),
    ],
)
@pytest.mark.parametrize("shape", ["messages", "conversations", "completion", "chosen", "packed"])
def test_fields_of_a_turn_that_are_not_shown_are_counted(
    save: Save, more: dict[str, Any], named: str, shape: str
) -> None:
    said = {**RIGHT, **more}
    row: dict[str, Any] = {
        "messages": {"messages": [USER, said]},
        "conversations": {"conversations": [USER, said]},
        "completion": {"prompt": [USER], "completion": [said]},
        "chosen": {"prompt": [USER], "chosen": [said], "rejected": [WRONG]},
        "packed": {"messages": json.dumps([USER, said])},
    }[shape]
    plain = {"messages": [USER, RIGHT]}
    data = read(save("rows.jsonl", [row, row]))
    wanted = (f"2 rows have turns with {named!r}, which the model is not shown",) if named else ()
    assert data.notes == wanted
    assert read(save("rows.jsonl", [plain])).notes == ()


def test_legacy_functions_are_tools(save: Save) -> None:
    function = {"name": "add", "parameters": {"type": "object"}}
    call = {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": ""}}
    rows = [{"messages": [USER, call], "functions": [function]}]
    (row,) = read(save("rows.jsonl", rows)).examples
    assert row.meta == {"tools": [{"type": "function", "function": function}]}
    assert json.loads(row.target)[0]["name"] == "add"


def test_every_learns_no_answer_of_weight_0(save: Save) -> None:
    talk = [USER, {**WRONG, "weight": 0}, USER, RIGHT, USER, RIGHT]
    rows = [{"id": "a", "messages": talk, "system": "Be brief."}, {"id": "b", "messages": talk}]
    made = expand_turns(read(save("rows.jsonl", rows)).examples)
    assert [(row.group, row.target) for row in made] == [("a", "4")] * 2 + [("b", "4")] * 2
    assert "5" in [m.content for m in made[0].messages]
