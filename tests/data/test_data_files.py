"""Containers, documents and writing."""

from __future__ import annotations

import gzip
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data import read, read_documents, write
from whatworks.data.formats.base import NO_VALUE
from whatworks.data.passages import split_opening
from whatworks.data.task import Example, Message, Role
from whatworks.prompts.retrieval import chunk
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

Save = Callable[..., Path]
ROWS = [{"text": "a, b", "label": "x"}, {"text": "c\nd", "label": "y"}]
WANTED = [("a, b", "x"), ("c\nd", "y")]


def found(path: Path) -> list[tuple[str, str]]:
    return [(e.text, e.target) for e in read(path).examples]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("x.json", json.dumps(ROWS, indent=1)),
        ("x.json", "\n".join(map(json.dumps, ROWS))),
        ("x.jsonl", json.dumps(ROWS)),
        ("x.json", json.dumps({"name": "mine", "tags": ["t"], "data": ROWS})),
        ("x.json", json.dumps({"text": ["a, b", "c\nd"], "label": ["x", "y"]})),
        ("x.json", json.dumps({"text": {"3": "a, b", "7": "c\nd"}, "label": {"3": "x", "7": "y"}})),
        ("x.dump", "\n".join(map(json.dumps, ROWS))),
        ("x.jsonl", b"\xef\xbb\xbf" + "\r\n\r\n".join(map(json.dumps, ROWS)).encode()),
        ("x.csv", 'text,label\n"a, b",x\n\n"c\nd",y\n'),
        ("x.csv", b'\xef\xbb\xbftext;label\n"a, b";x\n"c\nd";y'),
        ("x.csv", ',text,label\n0,"a, b",x\n1,"c\nd",y\n'),
        ("x.tsv", 'text\tlabel\na, b\tx\n"c\nd"\ty\n'),
        ("x.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode(), mtime=0)),
        ("x.jsonl.xz", lzma.compress("\n".join(map(json.dumps, ROWS)).encode())),
    ],
)
def test_containers_say_the_same(save: Save, name: str, content: str | bytes) -> None:
    assert found(save(name, content)) == WANTED


def test_a_json_document_with_one_conversation(save: Save) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert found(save("x.json", json.dumps({"messages": turns}, indent=1))) == [("a", "b")]


@pytest.mark.parametrize(
    "record",
    [
        {"question": "q", "answer": ["a", "b"]},
        {"input": {"a": "1"}, "target": {"a": "2"}},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
         "tools": ["t", "u"]},
        {"question": ["q"], "answer": ["a", "b"]},
    ],
)  # fmt: skip
def test_one_record_with_lists_or_objects_is_no_table(save: Save, record: dict[str, Any]) -> None:
    assert read(save("x.json", record)).examples == read(save("x.jsonl", [record])).examples


def test_a_table_of_conversations_column_by_column(save: Save) -> None:
    turns = [
        [{"role": "user", "content": x}, {"role": "assistant", "content": y}] for x, y in WANTED
    ]
    numbered = {"messages": dict(enumerate(turns)), "kind": {0: "a", 1: "b"}}
    for table in (numbered, {"messages": turns, "kind": ["a", "b"]}):
        assert found(save("x.json", json.dumps(table))) == WANTED
    pairs = {"prompt": ["a, b", "c\nd"], "completion": ["x", "y"]}
    assert found(save("x.json", pairs)) == WANTED


def test_a_table_apart_from_its_columns_is_refused(save: Save) -> None:
    apart = {"columns": ["text", "label"], "index": [0, 1], "data": WANTED}
    with pytest.raises(InputError, match="orient='records'"):
        read(save("x.json", apart))


def test_parquet_and_saved_datasets_name_their_classes(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    label = datasets.ClassLabel(names=["x", "y"])
    features = datasets.Features({"text": datasets.Value("string"), "label": label})
    columns = {"text": [text for text, _ in WANTED], "label": [0, 1]}
    rows = datasets.Dataset.from_dict(columns, features=features)
    rows.to_parquet(tmp_path / "x.parquet")
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows, "validation": rows}).save_to_disk(tmp_path / "many")
    assert found(tmp_path / "x.parquet") == WANTED
    assert found(tmp_path / "one") == WANTED
    assert found(tmp_path / "many") == WANTED * 2
    splits = [e.meta["split"] for e in read(tmp_path / "many").examples]
    assert splits == ["train", "train", "dev", "dev"]


def test_parquet_of_datasets_before_version_4(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    text = {"dtype": "string", "_type": "Value"}
    features = {
        "messages": [{"role": text, "content": text}],
        "kind": {"names": ["x", "y"], "_type": "ClassLabel"},
    }
    table = pyarrow.Table.from_pylist([{"messages": turns, "kind": 1}])
    for described in ({"info": {"features": features}}, {"info": None}):
        note = {b"huggingface": json.dumps(described).encode()}
        parquet.write_table(table.replace_schema_metadata(note), tmp_path / "x.parquet")
        (example,) = read(tmp_path / "x.parquet").examples
        assert (example.text, example.target) == ("a", "b")
        assert example.meta["kind"] == ("y" if described["info"] else 1)


def test_a_saved_dataset_is_the_train_of_a_study(tmp_path: Path) -> None:
    import datasets

    parts = {
        name: datasets.Dataset.from_dict(
            {"text": [f"{name} {i * 7919}" for i in range(9)], "label": [f"{i}" for i in range(9)]}
        )
        for name in ("train", "validation", "test")
    }
    datasets.DatasetDict(**parts).save_to_disk(tmp_path / "saved")
    (tmp_path / "study.yaml").write_text("task: {train: saved, metric: exact}\narms: [knn]\n")
    splits = read_task(read_study(tmp_path / "study.yaml"), tmp_path).splits
    assert splits.counts() == {"train": 9, "dev": 9, "test": 9}
    assert splits.dev[0].text == "validation 0"


def test_lists_and_times_in_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from datetime import datetime

    parquet = pytest.importorskip("pyarrow.parquet")
    turns = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]]
    table = pyarrow.table({"messages": turns, "at": [datetime(2026, 1, 2)], "by": [b"me"]})
    parquet.write_table(table, tmp_path / "x.parquet")
    (example,) = read(tmp_path / "x.parquet").examples
    assert example.target == "b"
    assert example.meta == {"at": "2026-01-02T00:00:00", "by": "me"}
    assert example.key


def test_a_folder_of_files(save: Save, tmp_path: Path) -> None:
    save("d/train.jsonl", ROWS)
    save("d/test-00000.jsonl", ROWS[:1])
    save("d/README.md", "words about it")
    save("d/.cache/x.jsonl", "junk")
    examples = read(tmp_path / "d").examples
    assert [(e.id, e.meta["split"]) for e in examples] == [
        ("test-00000-1", "test"),
        ("train-1", "train"),
        ("train-2", "train"),
    ]


def test_a_folder_of_texts_is_a_style_corpus(save: Save, tmp_path: Path) -> None:
    save("d/one.txt", "It was the best of times. " * 5)
    save("d/two.md", "It was the worst of times. " * 5)
    data = read(tmp_path / "d")
    assert data.format == "passages"
    assert [e.id for e in data.examples] == ["one-1", "two-1"]


@given(st.text(min_size=1))
def test_openings_lose_nothing_but_space(text: str) -> None:
    start, rest = split_opening(text)
    assert (start + rest).split() == "".join(text.split()).split() or (
        [*start.split(), *rest.split()] == text.split()
    )
    assert bool(rest) == (len(text.split()) > 1)


def test_documents_of_a_folder(save: Save, tmp_path: Path) -> None:
    save("h/cards/lost.md", "# Lost cards\nBlock it at once.")
    save("h/fees.txt", "\nFees are low.\n")
    save("h/page.html", "<title>A &amp; B</title><script>no()</script><p>One\n two<br>Three</p>")
    save("h/rows.jsonl", [{"id": "r1", "title": "T", "text": "Body"}, {"content": "Other"}])
    save("h/.hidden.txt", "no")
    documents = [(d.id, d.title, d.text) for d in read_documents(tmp_path / "h")]
    assert documents == [
        ("cards/lost", "Lost cards", "# Lost cards\nBlock it at once."),
        ("fees", "", "Fees are low."),
        ("page", "A & B", "One two\nThree"),
        ("r1", "T", "Body"),
        ("rows-2", "", "Other"),
    ]
    assert [d.id for d in read_documents(tmp_path / "h" / "fees.txt")] == ["fees"]


def test_a_page_is_cut_as_the_same_in_markdown(save: Save, tmp_path: Path) -> None:
    save(
        "h/page.html",
        """<html><head><title>Help</title></head>
        <body><svg><title>Menu icon</title></svg><div><h2>Shipping</h2>
        <p>We ship to <b>Germany</b> and
           France within three days</p></div><h3>Returns</h3><p>Send it back within thirty days.
        A label is in the box.</p><ul><li>Free</li><li><p>Insured</p></li><li></li></ul>
        <table><thead><tr><th>Plan</th><th>Price</th></tr></thead><tr><td><p>Basic</p></td>
        <td>5 euros</td></tr><tr><td></td><td>9<br>euros</td></tr></table>And<br>so on.</body>""",
    )
    save("h/text.md", "## Shipping\n\nWe ship to Germany and France within three days\n\n"
         "### Returns\n\nSend it back within thirty days. A label is in the box.\n\n- Free\n"
         "- Insured\n\n| Plan | Price |\n| Basic | 5 euros |\n| | 9 euros |\n\n"
         "And\nso on.\n")  # fmt: skip
    page, text = read_documents(tmp_path / "h")
    assert page.title == "Help" and page.text == text.text
    for size in (8, 14, 30):
        cut = [[c.text for c in chunk([document], size=size)] for document in (page, text)]
        assert cut[0] == cut[1] and len(cut[0]) > 1


def test_a_table_that_lays_a_page_out_is_none(save: Save, tmp_path: Path) -> None:
    save("h/page.html", "<table><tr><td><h1>A</h1><p>One</p><p>Two</p></td></tr></table><p>Three")
    assert read_documents(tmp_path / "h")[0].text == "# A\n\nOne\n\nTwo\n\nThree"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("h/.keep", "x", "the documents folder is empty"),
        ("h/a.txt", " \n", "no text"),
        ("h/a.pdf", "%PDF", r"\.pdf"),
        ("h/a.jsonl", '{"id": 1, "size": 2}', "a.jsonl:1: no text; columns: id, size"),
        ("h/a.html", "<script>x</script>", "no text"),
        ("h/a.jsonl", '{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}', "id '1'"),
    ],
)
def test_documents_that_cannot_be_used(save: Save, name: str, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_documents(save(name, content).parent)


plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = plain.filter(bool)
metas = st.dictionaries(
    names, st.none() | st.integers() | plain | st.lists(plain, max_size=2), max_size=2
)
turns = st.lists(
    st.builds(
        Message, role=st.sampled_from(["user", "assistant", "tool", "system"]), content=plain
    ),
    max_size=4,
).map(tuple)
some = st.fixed_dictionaries(
    {"id": names, "target": plain},
    optional={
        "group": names,
        "evidence": st.lists(plain, max_size=2).map(tuple),
        "meta": metas,
    },
)


def same_after_writing(example: Example, format: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        assert write([example], path, format) == 1
        data = read(path)
        assert data.examples == (example,)
        assert data.format == format


@settings(max_examples=100, deadline=None)
@given(some, st.dictionaries(names, plain, max_size=3), turns)
def test_any_example_survives_in_our_own_format(
    fields: dict[str, Any], inputs: dict[str, str], messages: tuple[Message, ...]
) -> None:
    example = Example.model_validate({**fields, "inputs": inputs, "messages": messages})
    same_after_writing(example, "whatworks")


@pytest.mark.parametrize("format", ["sharegpt", "openai", "alpaca"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_conversations_survive_or_are_refused(format: str, data: st.DataObject) -> None:
    messages = (*data.draw(turns), Message(role="user", content=data.draw(plain)))
    example = Example.model_validate({**data.draw(some), "messages": messages})
    try:
        same_after_writing(example, format)
    except InputError:
        roles = [m.role for m in messages if m.role != "system"]
        missing = example.target.strip() in NO_VALUE  # a text that stands for no value
        assert format == "alpaca" or missing or "\ud800" in str(example), (roles, example)


@settings(max_examples=60, deadline=None)
@given(some, names, plain)
def test_instructions_survive_as_alpaca(fields: dict[str, Any], ask: str, extra: str) -> None:
    inputs = {"instruction": ask, **({"input": extra} if extra else {})}
    example = Example(**fields, inputs=inputs)
    # A text that stands for no value does not survive: a row without one is refused.
    assume(not {one.strip() for one in (example.target, *inputs.values())} & set(NO_VALUE))
    same_after_writing(example, "alpaca")


def test_alternating_turns_survive_as_alpaca(tmp_path: Path) -> None:
    roles: list[Role] = ["system", "user", "assistant", "user"]
    messages = tuple(Message(role=role, content=role * i) for i, role in enumerate(roles, 1))
    same_after_writing(Example(id="a", messages=messages, target="t"), "alpaca")


def test_tools_stand_where_openai_has_them(tmp_path: Path) -> None:
    example = Example(
        id="a",
        messages=(Message(role="user", content="q"),),
        target="t",
        meta={"tools": [{"type": "function"}], "k": 1},
    )
    same_after_writing(example, "openai")
    write([example], tmp_path / "x.jsonl", "openai")
    row = json.loads((tmp_path / "x.jsonl").read_text())
    assert row["tools"] == [{"type": "function"}]


def test_what_a_format_cannot_hold_is_refused_and_nothing_written(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("before")
    good = Example(id="a", inputs={"instruction": "i"}, target="t")
    bad = Example(id="b", inputs={"text": "i"}, target="t")
    for format in ("alpaca", "openai"):
        with pytest.raises(InputError, match="without loss"):
            write([good, bad], path, format)
    with pytest.raises(InputError, match="whatworks"):
        write([good], path, "whatwork")
    with pytest.raises(InputError, match="no examples"):
        write([], path)
    with pytest.raises(InputError, match="cannot be written"):
        write([good], tmp_path / "no" / "x.jsonl")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
