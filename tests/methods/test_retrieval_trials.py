"""Retrieval taken apart: recall by depth and question, evidence found, settings tried by recall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_rag import DEV, START, bench

from whatworks.analysis.method_outcomes import Recall
from whatworks.analysis.question_kinds import read_question_kind
from whatworks.base.errors import ArmFailure
from whatworks.data.task import Document, Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.registry import build_chain
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import write_queries
from whatworks.prompts.retrieval.found_evidence import find_evidence
from whatworks.prompts.retrieval.query_writing import load_query_writer
from whatworks.training.rows import make_training_rows

FILLER = " ".join(f"Word{i} stands here for no reason at all." for i in range(12))


def adapt(mine: Bench, **settings: Any) -> Candidate:
    settings = {"k": 3, "search": "lexical", **settings}
    return build_chain("rag", {"rag": settings}).adapt(START, mine)


def told(mine: Bench) -> Recall:
    return next(one for one in mine.outcomes if isinstance(one, Recall))


def test_recall_by_depth_and_question(tmp_path: Path) -> None:
    """Half of the rows ask where, and share words with their passage; the others share none."""
    lost = tuple(
        row.replace(inputs={"q": f"Who is it, number {i}?"}, id=f"lost{i}")
        for i, row in enumerate(DEV[:10])
    )
    mine = bench(tmp_path, dev=(*DEV[:10], *lost))
    adapt(mine)
    recall = told(mine)
    assert recall.depths == (1, 3, 5, 10)
    assert recall.rows == 20 and not recall.found
    assert list(recall.values) == sorted(recall.values)
    by = {one.kind: one.values for one in recall.kinds}
    assert set(by) == {"where", "who"}
    assert by["where"][0] > by["who"][0] and by["where"][3] == 1.0
    assert len(recall.lines) == 2 and "by question: " in recall.lines[1]
    assert mine.notes["recall"] == recall.values[1]


def test_evidence_is_found_from_the_targets_and_marked(tmp_path: Path) -> None:
    bare = tuple(row.replace(evidence=()) for row in DEV)
    mine = bench(tmp_path, dev=bare)
    adapt(mine)
    recall = told(mine)
    assert recall.found and recall.rows == len(DEV)
    assert "evidence found from the targets" in recall.lines[0]
    assert "recall" not in mine.notes
    gold = bench(tmp_path / "gold")
    adapt(gold)
    assert told(gold).values == recall.values


def test_a_target_that_stands_everywhere_or_inside_a_word_is_no_evidence() -> None:
    documents = tuple(Document(id=f"d{i}", text=f"House {i} in Porto.") for i in range(5))
    more = (
        *documents,
        Document(id="e", text="Portobello is a road."),
        Document(id="f", text="Oslo"),
    )

    def row(target: str) -> Example:
        return Example(id=target, inputs={"q": "?"}, target=target)

    rows = [
        row("Porto"),
        row("oslo"),
        row("house 3"),
        row("bello"),
        row(" ".join("abcdefghijklmn")),
    ]
    assert find_evidence(rows, more) == {"oslo": ("f",), "house 3": ("d3",)}


def test_settings_are_tried_by_recall_with_as_many_words(tmp_path: Path) -> None:
    """Each document says first what is asked and then a lot of nothing."""
    documents = tuple(
        Document(id=f"doc{i}", text=f"Person {i} of the valley lives in Town{i}. {FILLER}")
        for i in range(40)
    )
    mine = bench(tmp_path, documents=documents)
    made = adapt(mine, k=1, size=100, index={"tried": {"size": [10, 100], "search": ["lexical"]}})
    assert made.prompt.context is not None
    lines = mine.notes["tried"]
    assert [line.split(":")[0] for line in lines] == [
        "size 10, search lexical, k 10",
        "size 100, search lexical, k 1",
    ]
    assert not mine.ledger.requests, "an answer was asked for"
    assert made.prompt.context.k in (1, 10)
    assert max(float(line.rpartition(" ")[2].rstrip("%")) for line in lines) == pytest.approx(
        100 * mine.notes["recall"], abs=0.1
    )


def test_nothing_to_try_by_fails_with_a_remedy(tmp_path: Path) -> None:
    rows = tuple(row.replace(evidence=(), target="nowhere to be read") for row in DEV)
    with pytest.raises(ArmFailure, match="no target stands in one") as caught:
        adapt(bench(tmp_path, dev=rows), index={"tried": {"size": [20, 40]}})
    assert "evidence" in (caught.value.remedy or "")


def test_the_index_is_built_with_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from whatworks.methods import rag

    monkeypatch.setattr(rag, "PART", 16)
    seen: list[tuple[str, int, int]] = []
    mine = bench(tmp_path, tick=lambda *one: seen.append(one))
    adapt(mine, search="vector", embedder="lexical")
    assert [one for one in seen if one[0] == "indexing"] == [
        ("indexing", 16, 40),
        ("indexing", 32, 40),
        ("indexing", 40, 40),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Who feeds the cats?", "who"),
        ("In which town, and when?", "which"),
        ("Tell me how many there are.", "how many"),
        ("How is it done?", "how"),
        ("Somewhere", "other"),
    ],
)
def test_kinds_of_questions(text: str, kind: str) -> None:
    assert read_question_kind(text) == kind


@pytest.fixture
def writer(tmp_path: Path) -> str:
    """A model that knows of whom a row speaks that names nobody."""
    answers = [
        {"contains": f"resident {chr(45 + i)}?", "answer": f"Person {i} of the valley"}
        for i in range(20, 40)
    ]
    path = tmp_path / "writer.json"
    path.write_text(json.dumps({"answers": answers, "default": ""}))
    return f"fake:{path}"


@pytest.mark.parametrize("way", ["rewrite", "hyde"])
def test_a_model_writes_what_is_searched_for(way: str, writer: str, tmp_path: Path) -> None:
    vague = tuple(
        row.replace(inputs={"q": f"And resident {chr(45 + i)}?"})
        for i, row in enumerate(DEV, start=20)
    )
    plain = bench(tmp_path / "plain", dev=vague)
    adapt(plain, k=1)
    mine = bench(tmp_path / way, dev=vague)
    made = adapt(mine, k=1, index={"query": way, "writer": writer})
    assert mine.notes["recall"] == 1.0 > plain.notes["recall"]
    assert "not among the tokens" in mine.notes["queries"]
    # Training and evaluation search alike, and the key tells the two prompts apart.
    rows = make_training_rows(made.prompt, vague)
    assert all(f"Person {i} of" in row.messages[-1].content for i, row in enumerate(rows, start=20))
    assert made.prompt.key != adapt(plain, k=1).prompt.key


def test_a_writer_with_nothing_to_say_leaves_the_request(writer: str, tmp_path: Path) -> None:
    mine = bench(tmp_path)
    adapt(mine, index={"query": "rewrite", "writer": writer})
    plain = bench(tmp_path / "plain")
    adapt(plain)
    assert mine.notes["recall"] == plain.notes["recall"]


def test_a_served_model_writes_no_queries(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="beside the budget"):
        adapt(bench(tmp_path), index={"query": "hyde", "writer": "http://localhost:9/v1#m"})


def test_the_lab_model_writes_for_itself(tmp_path: Path) -> None:
    """What it writes is of little use; it does so in a batch as one by one."""
    start = START.with_weights(Weights(base="lab"))
    settings = {"k": 1, "search": "lexical", "index": {"query": "hyde"}}
    mine = bench(tmp_path)
    made = build_chain("rag", {"rag": settings}).adapt(start, mine)
    context = made.prompt.context
    assert context is not None and context.query is not None
    one_by_one = [write_queries(context, [row])[0] for row in DEV[:3]]
    load_query_writer.cache_clear()
    assert write_queries(context, DEV[:3]) == one_by_one
    assert all(query.startswith(row.text) for query, row in zip(one_by_one, DEV, strict=False))
