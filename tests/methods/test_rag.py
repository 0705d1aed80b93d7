"""rag beyond retrieval: gold and wrong passages, citations, "not in the documents", bad input."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.result_rows import Results
from whatworks.app.run_study import run_study
from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.citations import EVIDENCE, strip_citations
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import UNKNOWN, Prompt
from whatworks.prompts.render import render, render_each
from whatworks.studies.study_folder import StudyFolder
from whatworks.training.rows import make_pair_rows, make_training_rows

DOCUMENTS = tuple(
    Document(id=f"doc{i}", text=f"Person {i} of the valley lives in Town{i}.") for i in range(40)
)


def ask(i: int, split: str) -> Example:
    return Example(
        id=f"{split}{i}",
        inputs={"q": f"Where does person {i} of the valley live?"},
        target=f"Town{i}",
        evidence=(f"doc{i}",),
    )


TRAIN = tuple(ask(i, "t") for i in range(20))
DEV = tuple(ask(i, "d") for i in range(20, 40))
START = Candidate(
    prompt=Prompt(instructions="Answer."),
    weights=Weights(base="fake:"),
    decoding=Decoding(max_tokens=20),
)


def reads(messages: Sequence[Message]) -> str:
    """A model that copies from the passage about the person asked for, and cites when told to."""
    asked = messages[-1].content
    number = asked.rpartition("person ")[2].split()[0]
    for line in asked.split("\n"):
        if f"Person {number} of" in line:
            answer = line.rpartition(" in ")[2].strip(".")
            place = line.partition("]")[0].strip("[")
            return f"{answer} [{place}]" if "name the passage" in messages[0].content else answer
    return UNKNOWN if UNKNOWN in messages[0].content else "Nowhere"


def bench(folder: Path, **more: Any) -> Bench:
    examiner = Examiner(FakeEngine(reads), load(MetricSpec(name="facts"), TRAIN), Store(folder))
    return Bench(examiner, **{"train": TRAIN, "dev": DEV, "documents": DOCUMENTS, **more})


def rag(folder: Path, **settings: Any) -> tuple[Candidate, Bench]:
    mine = bench(folder)
    settings = {"k": 3, "search": "lexical", **settings}
    return build_chain("rag", {"rag": settings}).adapt(START, mine), mine


def test_gold_passages_are_the_evidence_and_wrong_ones_are_not(tmp_path: Path) -> None:
    scores: dict[str, float] = {}
    for passages in ("gold", "retrieved", "wrong"):
        made, mine = rag(tmp_path / passages, passages=passages)
        shown = [[p.id for p in asked.passages] for asked in render_each(made.prompt, DEV)]
        right = [f"{e.evidence[0]}#0" in ids for e, ids in zip(DEV, shown, strict=True)]
        if passages == "gold":
            assert all(len(ids) == 1 for ids in shown) and all(right)
        if passages == "wrong":
            assert all(len(ids) == 3 for ids in shown) and not any(right)
        assert made.prompt.oracle == (passages != "retrieved")
        answers = mine.answers(made, DEV)
        assert [bool(a.score.parts[EVIDENCE]) for a in answers] == right
        scores[passages] = mine.dev_score(made)
        assert mine.notes["recall"] == sum(right) / len(DEV)
    assert scores["gold"] == 1.0 >= scores["retrieved"] > scores["wrong"] == 0.0


def test_evidence_may_name_a_passage_as_well_as_a_document(tmp_path: Path) -> None:
    made, _ = rag(tmp_path, passages="gold")
    for evidence in ("doc25#0",), ("doc25", "doc25#0"):
        row = DEV[0].replace(evidence=evidence)
        shown = render(made.prompt, row, exclude=[row]).passages
        assert [passage.id for passage in shown] == ["doc25#0"]


def test_citations_are_asked_for_taken_off_and_checked(tmp_path: Path) -> None:
    made, mine = rag(tmp_path, answers={"cite": True})
    assert "name the passage" in render(made.prompt, DEV[0], exclude=()).messages[0].content
    answers = mine.answers(made, DEV)
    assert all("[" in a.generation.text for a in answers)
    assert all(a.score.kind == "correct" for a in answers)
    assert all(a.score.parts["cited"] == a.score.parts["cited_evidence"] == 1.0 for a in answers)
    silent = Examiner(FakeEngine(lambda m: "Town20"), mine.examiner.metric, Store(tmp_path / "b"))
    scored = silent.ask(made, DEV[:1])[0].score
    assert scored.parts["cited"] == 0.0 and "cites no passage" in scored.feedback
    wrong = Examiner(
        FakeEngine(lambda m: "Town20 [9]"), mine.examiner.metric, Store(tmp_path / "c")
    )
    assert wrong.ask(made, DEV[:1])[0].score.parts["cited"] == 0.0


@pytest.mark.parametrize(
    ("text", "answer", "numbers"),
    [
        ("Porto [1]", "Porto", [1]),
        ("Porto[1][2].", "Porto.", [1, 2]),
        ("Porto [1, 3]. Or [2]", "Porto. Or", [1, 3, 2]),
        ("Porto.[1] Or [2] Oslo", "Porto. Or Oslo", [1, 2]),
        ('{"ids": [3, 4]} [1]', '{"ids": [3, 4]}', [1]),
        ('{"ids": [3, 4]} [1].', '{"ids": [3, 4]}', [1]),
        ('{\n "ids": [3]\n}', '{\n "ids": [3]\n}', []),
        ("[3, 4] [1] [2]", "[3, 4]", [1, 2]),
        ("[3, 4]", "[3, 4]", []),
        ("inform(players[2], year[2014]) [1]", "inform(players[2], year[2014])", [1]),
        ("Nothing said", "Nothing said", []),
    ],
)
def test_citations_are_told_from_brackets_of_the_answer(
    text: str, answer: str, numbers: list[int]
) -> None:
    assert strip_citations(text) == (answer, numbers)


def test_citations_neither_vote_nor_are_rewarded(tmp_path: Path) -> None:
    """Three answers of five are 42, each by another passage; two are 7 by the same."""
    texts = ["42 [1]", "7 [2]", "42 [2]", "7 [2]", "42 [3]"]
    made, _ = rag(tmp_path, answers={"cite": True})

    class Draws(FakeEngine):
        def generate(self, model: Any, prompts: Any, decoding: Any, **more: Any) -> Any:
            return [Generation(text, 1, 1, 0.0, "stop", -1.0) for text in texts]

    examiner = Examiner(Draws(reads), load(MetricSpec(name="numeric")), Store(tmp_path / "votes"))
    row = DEV[0].replace(target="42")
    votes = made.with_decoding(samples=5, temperature=1.0)
    assert examiner.ask(votes, [row])[0].score.kind == "correct"
    reward = MetricSpec(name="json", options={"schema": {"const": 42}})
    best = votes.with_decoding(pick="reward", reward=reward)
    assert examiner.ask(best, [row])[0].generation.text == "42 [1]"


def test_data_steps_teach_citations_as_the_rows_do(tmp_path: Path) -> None:
    made, _ = rag(tmp_path, answers={"cite": True})
    asked = TRAIN[0]
    right = make_training_rows(made.prompt, [asked])[0].target
    assert right.startswith(f"{asked.target} [")
    # A refusal has no passage behind it, in the rules' words or in others.
    cites = {"k": 3, "search": "lexical", "answers": {"cite": True}}
    for says in ("I don't know", "Keine Angabe"):
        settings = {"rag": cites, "refusal": {"says": says}}
        mine = bench(tmp_path / says)
        engine = FakeEngine(lambda _: "Nowhere [1]")
        lost = Examiner(engine, mine.examiner.metric, mine.examiner.store)
        got = build_chain("rag+refusal", settings).adapt(START, replace(mine, examiner=lost))
        assert {row.target for row in make_training_rows(got.prompt, got.rows(TRAIN))} == {says}
    # An answer that is taught is preferred as it is taught.
    settings = {"rag": cites, "refusal": {"says": "Keine Angabe"}}
    got = build_chain("rag+refusal", settings).adapt(START, bench(tmp_path / "knows"))
    pairs = make_pair_rows(got.prompt, got.pairs(()))
    assert (asked.id, right, "Keine Angabe") in {
        (row.id, row.chosen, row.rejected) for row in pairs
    }
    # A citation that stands in a target is not doubled.
    cited = asked.replace(target=right)
    assert make_training_rows(made.prompt, [cited])[0].target == right


def test_a_teachers_citations_cost_nothing_and_go_with_its_passages(tmp_path: Path) -> None:
    settings: dict[str, dict[str, Any]] = {
        "rag": {"k": 3, "search": "lexical", "answers": {"cite": True}},
        "distill": {"keep": "correct", "teacher": "prompt"},
    }
    got = build_chain("rag+distill", settings).adapt(START, bench(tmp_path / "prompt"))
    assert got.prompt.context is None
    assert [row.target for row in got.rows(())] == [row.target for row in TRAIN]
    store = Store(tmp_path / "helper")
    helper = Helper(HelperModel(FakeEngine(reads), Weights(base="fake:")), store, Meter())
    settings["distill"]["teacher"] = "helper"
    got = build_chain("rag+distill", settings).adapt(START, bench(tmp_path, helper=helper))
    assert [row.target for row in make_training_rows(got.prompt, got.rows(()))] == [
        row.target for row in make_training_rows(got.prompt, TRAIN)
    ]


def test_not_in_the_documents_is_an_abstention(tmp_path: Path) -> None:
    made, mine = rag(tmp_path, answers={"allow_unknown": True}, passages="wrong")
    kinds = {a.score.kind for a in mine.answers(made, DEV)}
    assert kinds == {"abstained"}


def test_training_rows_lose_their_evidence_and_evaluation_does_not(tmp_path: Path) -> None:
    """RAFT: a share of the rows is rendered without the gold passage, in training only."""
    asks = {"cite": True, "allow_unknown": True}
    made, _ = rag(tmp_path, drop_gold=0.4, answers=asks)
    rows = make_training_rows(made.prompt, TRAIN)
    lost = [
        e.id
        for e, r in zip(TRAIN, rows, strict=True)
        if f"in {e.target}." not in r.messages[-1].content
    ]
    assert 3 <= len(lost) <= 12
    for example, row in zip(TRAIN, rows, strict=True):
        if example.id in lost:
            assert row.target == UNKNOWN
        else:
            place = row.target.rpartition(" [")[2].strip("]")
            assert row.target.startswith(example.target)
            assert f"[{place}] Person {example.id[1:]} of" in row.messages[-1].content
    assert rows == make_training_rows(made.prompt, TRAIN)
    shown = [asked.passages for asked in render_each(made.prompt, TRAIN)]
    assert all(
        any(p.id == f"{e.evidence[0]}#0" for p in s) for e, s in zip(TRAIN, shown, strict=True)
    )
    plain, _ = rag(tmp_path, drop_gold=0.4)
    assert [r.target for r in make_training_rows(plain.prompt, TRAIN)] == [e.target for e in TRAIN]


def test_passages_can_be_spread_out(tmp_path: Path) -> None:
    twins = tuple(Document(id=f"twin{i}", text=DOCUMENTS[20].text + "!" * i) for i in range(3))
    mine = bench(tmp_path, documents=(*twins, *DOCUMENTS))
    query = Example(id="x", inputs={"q": "Which person of the valley lives there?"})
    shown: dict[str, list[str]] = {}
    for rerank in ("", "mmr"):
        settings = {"k": 3, "search": "lexical", "index": {"rerank": rerank}}
        made = build_chain("rag", {"rag": settings}).adapt(START, mine)
        shown[rerank] = [p.text.strip("!") for p in render(made.prompt, query, exclude=()).passages]
    assert len(set(shown[""])) < len(set(shown["mmr"]))


@pytest.fixture(scope="session")
def cross_encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random sequence classifier with one output: its order is its own, and always the same."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("cross")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    torch.manual_seed(0)
    shape |= {"num_hidden_layers": 1, "num_labels": 1, "pad_token_id": 0}
    config = BertConfig(vocab_size=len(tokenizer), **shape)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_cross_encoder_orders_what_the_index_found(tmp_path: Path, cross_encoder: Path) -> None:
    from whatworks.prompts.retrieval.reranking import load_reranker

    made, _ = rag(tmp_path, index={"rerank": str(cross_encoder)})
    wide, _ = rag(tmp_path, k=12)
    query = DEV[0]
    found = render(wide.prompt, query, exclude=()).passages
    order = load_reranker(str(cross_encoder)).order(query.text, [p.passage for p in found])
    shown = render(made.prompt, query, exclude=()).passages
    assert [p.id for p in shown] == [found[i].id for i in order[:3]]
    assert [p.id for p in shown] != [p.id for p in found[:3]]


@pytest.mark.parametrize(
    ("settings", "more", "cause"),
    [
        ({}, {"documents": ()}, "no documents"),
        (
            {},
            {"documents": (Document(id="a", text="  \n "),)},
            "there is no text",
        ),
        ({}, {"documents_fault": "b.pdf: the PDF is encrypted", "documents": ()}, "encrypted"),
        ({"passages": "gold"}, {"dev": (DEV[0].replace(evidence=()),)}, "no row says"),
        ({"index": {"rerank": "no/such-model"}}, {}, "reranker cannot be loaded"),
        ({"search": "vector", "embedder": "./nowhere"}, {}, "no embedder"),
        ({"search": "vector", "index": {"store": "lancedb"}}, {}, "no vector store"),
    ],
)
def test_what_is_missing_is_said_with_a_remedy(
    settings: Any, more: Any, cause: str, tmp_path: Path
) -> None:
    method = build_chain("rag", {"rag": {"search": "lexical", "embedder": "lexical", **settings}})
    with pytest.raises((ArmFailure, InputError), match=cause) as caught:
        mine = bench(tmp_path, **more)
        mine.answers(method.adapt(START, mine), DEV)
    assert caught.value.remedy


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


STUDY = """
task: {train: rows.jsonl, metric: facts, documents: docs, split: {dev: 8, test: 8}}
model: fake:script.json
arms:
- zero-shot
- {rag: {search: lexical}}
- {arm: rag, name: gold, rag: {search: lexical, passages: gold}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"id": e.id, "input": e.text, "target": e.target, "evidence": [f"doc{e.id[1:]}"]}
        for e in (*TRAIN, *DEV)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "docs").mkdir()
    for document in DOCUMENTS:
        (tmp_path / "docs" / f"{document.id}.txt").write_text(document.text)
    answers = [
        {"contains": f"lives in Town{i}.", "last": f"person {i} of", "answer": f"Town{i}"}
        for i in range(40)
    ]
    (tmp_path / "script.json").write_text(json.dumps({"answers": answers, "default": "Nowhere"}))
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def test_an_unreadable_pdf_fails_the_arms_that_need_documents_alone(folder: Path) -> None:
    pytest.importorskip("pypdf")
    (folder / "docs" / "handbook.pdf").write_bytes(b"%PDF-1.4 this is no PDF")
    run_study(folder / "study.yaml", out=folder / "out", watcher=Quiet())
    rows = Results(folder / "out" / "results.jsonl").rows()
    failed = {r.arm: r.cause for r in rows if r.status == "failed"}
    assert set(failed) == {"rag", "gold"}
    assert all("handbook.pdf" in cause for cause in failed.values())
    assert sum(r.arm == "zero-shot" for r in rows) == 8


def test_an_arm_that_cannot_be_served_is_never_recommended(folder: Path) -> None:
    summary, _ = run_study(folder / "study.yaml", out=folder / "out", watcher=Quiet())
    gold, plain = summary.arm("gold"), summary.arm("rag")
    assert gold is not None and gold.score is not None and gold.score.value == 1.0
    assert plain is not None and plain.parts[EVIDENCE] > 0.9
    assert summary.recommendation.winner == "rag"
    assert StudyFolder(folder / "out").read_finished().study.winner == "rag"
