"""Kinds of trouble that users of other tools reported, rebuilt with rows of our own.

The table of sources is docs/fidelity.md; each of its rows names one of these tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data import Data, expand_turns, read, read_documents
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load
from whatworks.models import chat_templates as templates
from whatworks.models.files import load_tokenizer, resolve
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.studies.first_columns import propose
from whatworks.studies.first_files import sort_files
from whatworks.studies.first_metric import guess_metric
from whatworks.studies.first_study_file import render_study

Save = Callable[[str, Any], Data]
ASK, SAID = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Bo."}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes text, or rows as JSON lines, and reads the file."""

    def write(name: str, content: Any) -> Data:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return read(path)

    return write


def value(metric: str, target: str, answer: str, **options: Any) -> tuple[float, float]:
    """Strict and lenient score."""
    example = Example(id="x", inputs={"q": "?"}, target=target)
    others = [Example(id=f"o{i}", inputs={"q": "?"}, target=one) for i, one in enumerate("ABCD")]
    score = load(MetricSpec(name=metric, options=options), [example, *others])(example, answer)
    return score.value, score.forgiving


# Files


def test_json_lines_under_a_text_ending_are_rows(save: Save) -> None:
    rows = [{"prompt": "who?", "completion": "Bo"}, {"prompt": "and?", "completion": "Al"}]
    data = save("rows.txt", rows)
    assert [row.target for row in data.examples] == ["Bo", "Al"]


def test_a_mark_at_the_start_of_json_lines(save: Save) -> None:
    line = json.dumps({"prompt": "who?", "completion": "Bo"}).encode()
    assert save("rows.jsonl", b"\xef\xbb\xbf" + line + b"\n" + line).examples[1].target == "Bo"


def test_an_array_over_many_lines(save: Save) -> None:
    text = json.dumps([{"prompt": "who?", "completion": "Bo"}], indent=2)
    assert save("rows.json", text).examples[0].target == "Bo"


def test_a_quote_that_breaks_a_line_is_named_with_line_and_column(save: Save) -> None:
    good = '{"prompt": "a", "completion": "b"}\n'
    with pytest.raises(InputError, match="column 35") as caught:
        save("rows.jsonl", good + '{"prompt": "a", "completion": "b" c"}\n')
    assert caught.value.place.endswith("rows.jsonl:2")


def test_a_folder_of_conversations_without_a_name(save: Save) -> None:
    talk = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Bo."}]
    (row, _) = save("talks.json", json.dumps([talk, talk])).examples
    assert (row.text, row.target) == ("Who?", "Bo.")


def test_json_in_a_cell_without_quotes_around_it(save: Save) -> None:
    (row,) = save("rows.csv", 'question,answer\nwhen?,{"day": "Monday"}\n').examples
    assert json.loads(row.target) == {"day": "Monday"}


def test_a_blank_cell_in_another_column_is_none(save: Save) -> None:
    rows = save("rows.csv", "question,answer,expected\nwho?,Bo,\nand?,Al,yes\n").examples
    assert [row.meta for row in rows] == [{}, {"expected": "yes"}]


def test_rows_with_the_same_question_keep_ids_of_their_own(save: Save) -> None:
    rows = save("rows.csv", "question,answer\nwho?,Bo\nwho?,Bo\n").examples
    assert len({row.id for row in rows}) == 2


def test_plain_text_is_no_failed_conversation(save: Save) -> None:
    data = save("rows.jsonl", [{"text": "The mill grinds rye. It stands by the river."}])
    assert data.format == "passages" and data.examples[0].target


def test_a_pdf_without_its_ending_is_not_read_as_text(tmp_path: Path) -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "paper")
    with pytest.raises(InputError, match="no text on the 1 pages"):
        read_documents(tmp_path / "paper")


def test_two_columns_that_could_be_the_answer_are_asked_about() -> None:
    rows = [
        {"user_input": f"who is {i}?", "response": f"Bo {i}", "reference": f"Al {i}",
         "retrieved_contexts": [f"text {i} of it"]}
        for i in range(12)
    ]  # fmt: skip
    proposal = propose(rows)
    assert proposal is not None and not proposal.plain
    assert proposal.input == ("user_input",)


# Turns


def test_a_target_that_is_an_object_is_json_text(save: Save) -> None:
    rows = [{"instruction": "Read it.", "input": "x", "output": {"a": None, "b": 57}}]
    assert json.loads(save("rows.jsonl", rows).examples[0].target) == {"a": None, "b": 57}


def test_calls_and_observations_as_roles(save: Save) -> None:
    talk = [
        {"from": "human", "value": "Add."},
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
        {"from": "observation", "value": "3"},
        {"from": "gpt", "value": "It is 3."},
    ]
    (row,) = save("rows.jsonl", [{"conversations": talk}]).examples
    assert [m.role for m in row.messages] == ["user", "assistant", "tool"]


def test_a_system_turn_does_not_shift_who_speaks(save: Save) -> None:
    system = {"role": "system", "content": "Be brief."}
    (row,) = save("rows.jsonl", [{"messages": [system, ASK, SAID]}]).examples
    assert [m.role for m in row.messages] == ["system", "user"] and row.target == "Bo."


def test_several_turns_of_one_role_are_read(save: Save) -> None:
    (row,) = save("rows.jsonl", [{"messages": [ASK, ASK, SAID, ASK, SAID]}]).examples
    assert [m.role for m in row.messages] == ["user", "user", "assistant", "user"]


def test_a_call_and_a_text_as_two_answers_in_a_row(save: Save) -> None:
    call = {"function": {"name": "add", "arguments": "{}"}}
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    (row,) = save("rows.jsonl", [{"messages": [ASK, calls, SAID]}]).examples
    assert row.target == "Bo." and "add" in row.messages[1].content


def test_a_call_beside_functions_is_valid(save: Save) -> None:
    call = {"role": "assistant", "function_call": {"name": "add", "arguments": '{"a": 1}'}}
    rows = [{"messages": [ASK, call], "functions": [{"name": "add"}]}]
    (row,) = save("rows.jsonl", rows).examples
    assert json.loads(row.target) == [{"name": "add", "arguments": {"a": 1}}]
    assert row.meta["tools"][0]["function"] == {"name": "add"}


def test_a_conversation_that_ends_with_a_question_says_so(save: Save) -> None:
    data = save("rows.jsonl", [{"messages": [ASK, SAID, ASK]}])
    assert data.examples[0].target == "Bo." and "left out" in data.notes[0]


def test_pairs_with_an_instruction_and_no_input(save: Save) -> None:
    (pair,) = save("rows.jsonl", [{"instruction": "Who?", "chosen": "Bo", "rejected": "X"}]).pairs
    assert (pair.example.text, pair.chosen, pair.rejected) == ("Who?", "Bo", "X")


def test_an_unknown_role_is_named_with_its_count(save: Save) -> None:
    rows = [{"messages": [ASK, {"role": "wizard", "content": "Bo."}]}] * 2
    with pytest.raises(InputError, match="'wizard' in 2 of 2 rows"):
        save("rows.jsonl", rows)


# Templates

MARKED = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}<pad>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    """A tokenizer whose template closes turns with another token than end-of-sequence."""
    import copy

    found = copy.copy(load_tokenizer(resolve(str(tiny_model))))
    found.chat_template = MARKED
    return found


def test_the_token_that_closes_a_turn_is_learned_and_stops(tokenizer: Any) -> None:
    ids = templates.encode_completion(tokenizer, "Bo.")
    assert tokenizer.convert_ids_to_tokens(ids[-1]) == "<pad>"
    assert ids[-1] in templates.find_ending(tokenizer).stop_ids


@pytest.mark.parametrize("answer", ["Bo.", " Bo.", "\nBo.", "!", "1"])
def test_a_prompt_is_the_same_in_training_and_in_use(tokenizer: Any, answer: str) -> None:
    row = Example(id="x", inputs={"q": "Who"}, target=answer)
    messages = render(Prompt(), row, exclude=()).messages
    asked, learned = templates.encode_training(tokenizer, messages, answer)
    assert asked == templates.encode_prompt(tokenizer, messages)
    assert templates.decode(tokenizer, learned).strip() == answer.strip()


def test_only_the_answer_is_learned_in_a_long_talk(tokenizer: Any) -> None:
    row = Example(id="x", messages=[ASK, SAID, ASK], target="Al.")  # pyright: ignore[reportArgumentType]
    messages = render(Prompt(), row, exclude=()).messages
    _, learned = templates.encode_training(tokenizer, messages, row.target)
    assert tokenizer.decode(learned) == "Al.<pad>"


# Scores

NUMBERS = {
    "a comma after it": ("72", "The answer is 72, in total, so she earns that much.", 1.0),
    "cents that are none": ("29", "$29.00", 1.0),
    "a mark after it": ("42", "The answer is 42!", 1.0),
    "brackets around it": ("42", "The answer is (42).", 1.0),
    "boxed": ("42", "So it is \\boxed{42}.", 1.0),
    "a negative one": ("#### -3", "It falls to -3", 1.0),
    "the sign is lost": ("#### -3", "It falls to 3", 0.0),
    "the same ending": ("11", "ANSWER: 711", 0.0),
    "the same beginning": ("5", "50 is the answer", 0.0),
    "a decimal within": ("3.14", "It is 33.14", 0.0),
    "per cent": ("60%", "ANSWER: 60%", 1.0),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    target, answer, wanted = NUMBERS[name]
    assert max(value("numeric", target, answer)) == wanted


@pytest.mark.parametrize("answer", ["B", "B.", "(B)", "**B**", "$B$", "b"])
def test_a_letter_in_other_clothes(answer: str) -> None:
    assert value("category", "B", answer)[1] == 1.0


@pytest.mark.parametrize("answer", ["A, B, C or D", "Not B but C", "A. No: D", "BC"])
def test_reasoning_with_letters_is_no_answer_by_luck(answer: str) -> None:
    assert value("category", "B", answer)[0] == 0.0


def test_an_answer_said_twice_is_not_the_answer() -> None:
    assert value("exact", "4", "4 4")[0] == value("facts", "4", "4 4")[0] == 0.0


@pytest.mark.parametrize(
    ("target", "answer", "scores"),
    [
        ("A", "It is some other thing", (0.0, 0.0)),
        ("A", "A", (1.0, 1.0)),
        ("A", "The answer is A.", (0.0, 1.0)),
        ("The", "the", (1.0, 1.0)),
        ("an", "nothing", (0.0, 0.0)),
    ],
)
def test_a_target_of_articles_alone(target: str, answer: str, scores: tuple[float, float]) -> None:
    assert value("normalised", target, answer) == scores
    assert value("facts", target, answer) == scores


@pytest.mark.parametrize(
    ("answer", "right"),
    [("A and B", False), ("A/B", False), ("A AND B", False), ("B, not C", True), ("B", True),
     ("not B", False)],
)  # fmt: skip
def test_two_letters_are_no_choice_and_a_denied_one_is_none(answer: str, right: bool) -> None:
    assert value("category", "B", answer)[1] == float(right)


@pytest.mark.parametrize("returned", ["4.9", "-0.1", "None", "'1'", "float('nan')"])
def test_a_metric_of_ones_own_beyond_its_range_is_an_error(tmp_path: Path, returned: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"def score(example, text):\n    return {returned}\n")
    with pytest.raises(InputError, match="returned"):
        value("python", "x", "y", file=str(file), function="score")


@pytest.mark.parametrize("number", [0, 0.0, 0.5, True])
def test_a_score_of_zero_is_a_row_like_any_other(tmp_path: Path, number: float) -> None:
    from whatworks.app.run_study import run_study

    (tmp_path / "mine.py").write_text(f"def score(example, text):\n    return {number}\n")
    rows = [json.dumps({"question": f"Who is {n * 7919}?", "answer": f"Bo {n}"}) for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    study = tmp_path / "study.yaml"
    study.write_text(
        "task: {train: rows.jsonl, metric: {python: mine.py:score}}\n"
        "model: 'fake:'\narms: [zero-shot]\n"
    )
    run_study(study, out=tmp_path / "out")
    [file] = (tmp_path / "out").rglob("results*.jsonl")
    scored = [json.loads(line) for line in file.read_text().splitlines()]
    asked = [row for row in scored if row["arm"] == "zero-shot"]
    assert len(asked) == 6 and {float(row["value"]) for row in asked} == {float(number)}


def test_what_is_no_label_is_malformed_and_counted() -> None:
    metric = load(MetricSpec(name="category", options={"labels": ["simple", "normal"]}))
    rows = [Example(id=str(n), target="simple") for n in range(4)]
    answers = ("simple", "normal", "The", " of")
    scores = [metric(row, answer) for row, answer in zip(rows, answers, strict=True)]
    assert [one.kind for one in scores] == ["correct", "wrong", "malformed", "malformed"]
    assert metric.summary(rows, scores)["invalid_rate"] == 0.5


def test_several_labels_a_row_are_a_set(tmp_path: Path) -> None:
    labels = ("price", "staff", "parking")
    rows = [
        {"text": f"A remark on visit {n * 7919}", "labels": "; ".join(labels[: 1 + n % 3])}
        for n in range(60)
    ]
    path = tmp_path / "remarks.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    guess = guess_metric(sort_files([path]))
    assert guess.metric.name == "set"
    assert value("set", "price; staff", "staff; price") == (1.0, 1.0)
    assert value("set", "price; staff", "price") == (0.0, 0.0)


@pytest.mark.parametrize("label", ["other", "Other", "none of the above", "out_of_scope", "oos"])
def test_a_label_for_what_belongs_to_no_class_is_named(tmp_path: Path, label: str) -> None:
    names = ("sports", "science", label)
    rows = [{"sentence": f"A line on {n * 7919}", "label": names[n % 3]} for n in range(60)]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    files = sort_files([path])
    text = render_study(files, guess_metric(files), tmp_path, "lab")
    assert f"{label!r} stands for what belongs to no class: 20 rows" in text


@pytest.mark.parametrize(
    ("said", "ids"),
    [
        ([ASK, SAID, ASK, SAID], ["talk-t1", "talk-t2"]),
        ([SAID, ASK, SAID], ["talk"]),
        ([ASK, SAID, SAID, ASK, SAID], ["talk-t1", "talk-t2", "talk-t3"]),
        ([ASK, SAID, ASK, SAID, ASK], ["talk-t1", "talk-t2"]),
        ([{"role": "system", "content": "Hm."}, ASK, SAID], ["talk"]),
    ],
)
def test_each_answer_of_a_transcript_is_a_row_with_what_came_before(
    save: Save, said: list[dict[str, str]], ids: list[str]
) -> None:
    """A greeting answers nothing; a question at the end is left out."""
    rows = expand_turns(save("talks.jsonl", [{"id": "talk", "messages": said}]).examples)
    assert [row.id for row in rows] == ids
    answers = [at for at, turn in enumerate(said) if turn == SAID and ASK in said[:at]]
    assert [len(row.messages) for row in rows] == answers
    assert all(row.target == "Bo." for row in rows)


def test_each_row_of_the_table_names_a_test_that_there_is() -> None:
    root = Path(__file__).parents[2]
    table = (root / "docs/fidelity.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| [")]
    assert len(rows) >= 48
    here = Path(__file__).read_text(encoding="utf-8")
    for row in rows:
        named = row[-2].strip().strip("`")
        name, _, kind = named.partition("[")
        if named.startswith("tests/"):
            assert (root / named).is_file(), named
        elif named != "the same":
            assert f"def {name}(" in here, named
            assert not kind or f'"{kind.rstrip("]")}"' in here, named
