"""The real data sets read with the right counts, and mean what they should."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.base.errors import InputError
from whatworks.data import read, stream, write
from whatworks.data.meaning_representation import parse
from whatworks.data.splitting import split

Shared = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "format", "count"),
    [
        ("viggo/train.csv", "viggo", 5103),
        ("viggo/valid.csv", "viggo", 714),
        ("viggo/test.csv", "viggo", 1083),
        ("sql_geography/geography_sqlctx.jsonl", "sql-create-context", 877),
        ("banking77/train.csv", "generic", 10003),
        ("banking77/test.csv", "generic", 3080),
        ("entityquestions/joined_wikipedia.jsonl", "entityquestions", 3204),
        ("selfaware/SelfAware.json", "selfaware", 3369),
        ("lima/lima.json", "alpaca", 1029),
        ("alpaca/alpaca_data_cleaned_1000.json", "alpaca", 1000),
        ("preferences/dpo_en_demo.json", "sharegpt-preference", 300),
        ("chat/dummy_conversation.json", "sharegpt", 500),
        ("chat/mt_bench_question.jsonl", "mt-bench", 80),
        ("logs/hotpot_rag_calls.jsonl", "openai", 228),
    ],
)
def test_counts(shared: Shared, tmp_path: Path, name: str, format: str, count: int) -> None:
    data = read(shared(name))
    assert data.format == format
    assert len(data.examples) == count
    assert len({example.id for example in data.examples}) == count
    assert all(example.text.strip() for example in data.examples)
    write(data.examples, tmp_path / "copy.jsonl")
    assert read(tmp_path / "copy.jsonl").examples == data.examples


def test_viggo_as_json_says_the_same(shared: Shared, tmp_path: Path) -> None:
    path = shared("viggo/valid.csv")
    data, plain = read(path, format="viggo-json"), read(path)
    assert len(data.examples) == 714
    for example, other in zip(data.examples, plain.examples, strict=True):
        said, wanted = json.loads(example.target), parse(other.target)
        assert said.pop("act") == wanted.act
        items = {k: [v] if isinstance(v, str) else v for k, v in said.items()}
        assert items == {slot.name: list(slot.items) for slot in wanted.slots}
        assert (example.id, example.text, example.group) == (other.id, other.text, other.group)
    write(data.examples, tmp_path / "copy.jsonl")
    assert read(tmp_path / "copy.jsonl").examples == data.examples


def test_viggo_asks_for_the_meaning_and_groups_by_it(shared: Shared) -> None:
    data = read(shared("viggo/train.csv"))
    first = data.examples[0]
    assert first.text.startswith("Dirt: Showdown from 2012 is a sport racing game")
    assert first.target.startswith("inform(name[Dirt: Showdown]")
    assert len({example.group for example in data.examples}) == 1675
    assert data.columns["input"] == "ref" and data.columns["target"] == "mr"


def test_a_folder_of_splits_says_which_row_is_whose(shared: Shared) -> None:
    data = read(shared("viggo"))
    assert Counter(e.meta["split"] for e in data.examples) == {
        "train": 5103,
        "dev": 714,
        "test": 1083,
    }


def test_banking_categories(shared: Shared) -> None:
    data = read(shared("banking77/train.csv"))
    assert len({example.target for example in data.examples}) == 77
    assert data.columns["input"] == "text" and data.columns["target"] == "category"


def test_sql_keeps_the_schema_for_the_metric(shared: Shared) -> None:
    data = read(shared("sql_geography/geography_sqlctx.jsonl"))
    assert all(e.meta["context"].startswith("CREATE TABLE") for e in data.examples)
    assert {e.meta["db"] for e in data.examples} == {"geography"}
    assert sum(e.meta["executes"] for e in data.examples) == 872
    # One schema for all rows would make all inputs near-duplicates of each other.
    assert set(data.examples[0].inputs) == {"question"}
    assert "schema" in data.notes[0]


def test_entity_questions_bring_their_documents(shared: Shared) -> None:
    data = read(shared("entityquestions/joined_wikipedia.jsonl"))
    documents = {document.id: document for document in data.documents}
    assert len(documents) == 3083
    satie = data.examples[0]
    assert satie.target == "composer"
    assert satie.meta["aliases"] == ["composer", "pianist"]
    assert satie.group == "Erik Satie"
    assert "avant-garde" in documents[satie.evidence[0]].text
    assert all(e.evidence[0] in documents for e in data.examples)
    assert not documents.keys() & {e.id for e in data.examples}
    splits = split(data.examples)
    assert not {e.group for e in splits.train} & {e.group for e in splits.test}


def test_selfaware_flags(shared: Shared) -> None:
    data = read(shared("selfaware/SelfAware.json"))
    assert Counter(e.meta["answerable"] for e in data.examples) == {True: 2337, False: 1032}
    assert all(bool(e.target) == e.meta["answerable"] for e in data.examples)


def test_lima_history_becomes_turns(shared: Shared) -> None:
    data = read(shared("lima/lima.json"))
    many = [e for e in data.examples if e.messages]
    assert len(many) == 29
    assert all(e.messages[-1].role == "user" for e in many)
    assert {m.role for e in many for m in e.messages} == {"user", "assistant"}


def test_conversations_ask_for_their_last_answer(shared: Shared) -> None:
    data = read(shared("chat/dummy_conversation.json"))
    assert Counter(len(e.messages) for e in data.examples) == {1: 167, 3: 166, 5: 167}
    assert data.examples[0].target == "You too!"


def test_preferences(shared: Shared) -> None:
    data = read(shared("preferences/dpo_en_demo.json"))
    assert len(data.pairs) == 300
    assert all(p.chosen and p.rejected and p.example.target == p.chosen for p in data.pairs)
    system = [
        p for p in data.pairs if p.example.messages and p.example.messages[0].role == "system"
    ]
    assert len(system) == 80


def test_shakespeare_passages_give_the_text_back(shared: Shared) -> None:
    path = shared("tinyshakespeare/input.txt")
    data = read(path)
    assert data.format == "passages"
    assert 1000 < len(data.examples) < 2000
    words = [w for e in data.examples for w in (*e.text.split(), *e.target.split())]
    assert words == path.read_text(encoding="utf-8").split()


def test_packed_text_reads_in_part(shared: Shared) -> None:
    data = read(shared("english/english_100mb.txt.xz"), limit=200)
    assert len(data.examples) == 200
    assert data.examples[0].text.startswith("# Jabberwocky")


def test_limit_and_stream_agree(shared: Shared) -> None:
    path = shared("banking77/test.csv")
    some = read(path, limit=50).examples
    assert len(some) == 50
    assert tuple(e for e, _ in zip(stream(path), range(50), strict=False)) == some


def test_a_model_folder_is_no_data(shared: Shared) -> None:
    with pytest.raises(InputError, match="columns"):
        read(shared("stories260K"))
