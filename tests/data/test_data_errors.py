"""Bad files end in one or two lines that name the place and the remedy, never in a traceback."""

from __future__ import annotations

import gzip
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data import FORMATS, read, read_documents, stream
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

Save = Callable[..., Path]
GOOD = '{"input": "a", "target": "b"}\n'

CASES: dict[str, tuple[str, str | bytes, list[str]]] = {
    "empty": ("x.jsonl", "", ["empty"]),
    "blank": ("x.csv", " \n\n", ["empty"]),
    "header only": ("x.csv", "input,target\n", ["no rows"]),
    "empty array": ("x.json", "[]", ["no rows"]),
    "broken line": ("x.jsonl", GOOD + '{"input": "a", \n', ["x.jsonl:2", "column 15"]),
    "broken document": ("x.json", '[\n{"input": 1},\n{"input" 2}]', ["x.json:3", "column 10"]),
    "not an object": ("x.jsonl", GOOD + "[1]\n", ["x.jsonl:2", "object", "list"]),
    "not objects": ("x.json", "[1, 2]", ["x.json row 1", "object"]),
    "several arrays": ("x.json", '{"a": [{}], "b": [{}]}', ["a, b"]),
    "latin": (
        "x.csv",
        b"input,target\na,b\nxyz,caf\xe9\n",
        ["x.csv:3", "0xE9", "column 8", "UTF-8"],
    ),
    "wide": ("x.jsonl", GOOD.encode("utf-16"), ["UTF-16"]),
    "binary": ("x.jsonl", bytes(range(256)), ["x.jsonl", "binary"]),
    "no parquet": ("x.parquet", b"PAR1 but not really", ["x.parquet", "cannot be read"]),
    "no gzip": ("x.jsonl.gz", b"\x1f\x8b but not really", ["x.jsonl.gz", "cannot be read"]),
    "cut xz": ("x.jsonl.xz", lzma.compress(GOOD.encode() * 99)[:-20], ["cannot be read"]),
    "open quote": ("x.csv", 'input,target\na,b\n"c,d\ne,f\n', ["x.csv:3", "quote"]),
    "few cells": ("x.csv", "input,target\na,b\nc\n", ["x.csv:3", "1 cells", "2 columns"]),
    "cells after a long one": ("x.csv", 'input,target\n"a\nb",c\nd\n', ["x.csv:4"]),
    "twin columns": ("x.csv", "input,target,input\na,b,c\n", ["'input'", "twice"]),
    "half a pair": ("x.jsonl", GOOD + '{"input": "\\ud800", "target": "b"}', ["x.jsonl:2"]),
    "long number": ("x.jsonl", '{"input": %s}' % ("1" * 5000), ["x.jsonl:1", "digits"]),
    "deep": ("x.jsonl", '{"input": ' + "[" * 200 + "]" * 200 + "}", ["x.jsonl:1", "nested"]),
    "deeper": ("x.json", "[" * 100_000, ["x.json:1"]),
    "unknown kind": ("x.docx", "words", [".docx", ".jsonl"]),
    "missing fields": (
        "x.jsonl",
        '{"instruction": "a", "output": "b"}\n' * 3 + '{"instruction": "a"}\n' * 2,
        ["x.jsonl:4", "'output'", "2 of 5", "alpaca"],
    ),
    "duplicate ids": (
        "x.jsonl",
        '{"id": 1, "input": "a", "target": "b"}\n' * 2 + '{"id": 2, "input": "a", "target": "b"}\n',
        ["1 duplicate ids", "'1'", "columns"],
    ),
    "unknown role": ("x.jsonl", '{"messages": [{"role": "boss", "content": ""}]}', ["'boss'"]),
    "nobody asks": ("x.jsonl", '{"messages": [{"role": "assistant", "content": "a"}]}', ["user"]),
    "nothing in common": ("x.jsonl", '{"chosen": "a b", "rejected": "c"}', ["'prompt'"]),
    "label": ("x.jsonl", '{"chosen": "a", "rejected": null, "prompt": "p"}', ["'rejected'"]),
    "one word": ("x.txt", "word", ["no rows"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_error_says_what_where_and_what_to_do(save: Save, name: str) -> None:
    file, content, words = CASES[name]
    with pytest.raises(InputError) as caught:
        read(save(file, content))
    message = str(caught.value)
    assert all(word in message for word in (*words, file)), message
    assert message.count("\n") <= 1


def test_missing_file_and_folders(save: Save, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="no data files"):
        read(tmp_path)
    save("dataset/state.json", "{}")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "dataset")


def test_a_dataset_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody/nothing") as error:
        read(Path("hf:nobody/nothing"))
    assert "save_to_disk" in error.value.remedy
    (tmp_path / "study.yaml").write_text(
        "task: {train: 'hf:nobody/nothing', metric: exact}\narms: [knn]\n"
    )
    with pytest.raises(InputError, match="hf:nobody/nothing"):
        read_task(read_study(tmp_path / "study.yaml"), tmp_path)


def test_a_dataset_that_is_a_script_has_a_copy_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[tuple[str, str | None]] = []

    def load(name: str, *, revision: str | None, streaming: bool) -> Any:
        asked.append((name, revision))
        if revision is None:  # as `datasets` says it from version 4 on
            raise RuntimeError("Dataset scripts are no longer supported, but found plays.py")
        return {"train": datasets.Dataset.from_list([{"question": "q", "answer": "a"}])}

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(InputError, match="script") as error:
        read(Path("hf:somebody/plays"))
    copy = error.value.remedy.split()[-1]
    assert copy == "hf:somebody/plays@refs/convert/parquet"
    assert read(Path(copy)).examples[0].target == "a"
    assert asked == [("somebody/plays", None), ("somebody/plays", "refs/convert/parquet")]


def test_limit_must_be_positive(save: Save) -> None:
    with pytest.raises(InputError, match="limit is 0"):
        read(save("x.jsonl", GOOD), limit=0)


def test_streaming_reads_no_further_than_asked(save: Save) -> None:
    rows = stream(save("x.jsonl", GOOD * 300 + "{broken"))
    assert [next(rows).id for _ in range(300)][-1] == "x-300"
    with pytest.raises(InputError, match=r"x\.jsonl:301"):
        next(rows)


def explained(error: InputError, path: Path) -> None:
    """Two lines at most, which name the file and what to do."""
    assert str(error).count("\n") <= 1
    assert path.name in error.place
    assert error.remedy


def no_traceback(name: str, content: bytes, **options: Any) -> None:
    """Reads a file: either refused in few lines, or examples that can be hashed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            data = read(path, **options)
        except InputError as error:
            explained(error, path)
        else:
            assert all(example.key for example in data.examples)
        try:
            assert all(document.text.strip() for document in read_documents(path))
        except InputError as error:
            explained(error, path)


ENDINGS = ("jsonl", "json", "csv", "tsv", "txt", "md", "html", "parquet", "bin", "jsonl.gz")
quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

keys = st.sampled_from(
    sorted(
        {name for form in FORMATS for names in form.columns.values() for name in names}
        | {"text", "category", "id", "group", "evidence", "meta", "role", "from", "value"}
        | {"content", "tool_calls", "function", "arguments", "name", "system", "inputs"}
    )
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["user", "assistant", "human", "gpt", "CREATE TABLE a", "[1]", '[{"role":1}]']
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@quick
@given(ending=st.sampled_from(ENDINGS), content=st.binary(max_size=200))
def test_arbitrary_bytes(ending: str, content: bytes) -> None:
    no_traceback(f"x.{ending}", content)


@quick
@given(ending=st.sampled_from(ENDINGS), content=st.text(alphabet="{}[]\",:\\\n \tab1'ud8\ud7ff;"))
def test_text_that_is_nearly_a_file(ending: str, content: str) -> None:
    no_traceback(f"x.{ending}", content.encode())


@quick
@given(
    pack=st.sampled_from([gzip.compress, lzma.compress]),
    cut=st.integers(0, 60),
    flip=st.integers(0, 59),
)
def test_damaged_packing(pack: Callable[[bytes], bytes], cut: int, flip: int) -> None:
    packed = bytearray(pack(GOOD.encode() * 3))
    packed[flip % len(packed)] ^= 0xFF
    no_traceback("x.jsonl.gz", bytes(packed[: len(packed) - cut]))


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_row_under_any_format(form: Any, data: st.DataObject) -> None:
    columns = sorted({name for names in form.columns.values() for name in names}) or [
        "text",
        "label",
    ]
    rows = data.draw(
        st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(columns, values)), max_size=3)
        | st.lists(st.dictionaries(keys, values, max_size=6), max_size=3)
    )
    text = "\n".join(json.dumps(row) for row in rows)
    no_traceback("x.jsonl", text.encode(), format=data.draw(st.sampled_from([form.name, None])))
