"""The claims about facts: which questions decide, and what stands beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import ResultRow
from whatworks.data.task import Example
from whatworks.metrics.fact_counts import is_answerable
from whatworks.models.engine import ModelFiles
from whatworks.models.open_engine import open_engine
from whatworks.studies.study_folder import StudyFolder
from whatworks_claims import claims_hallucination as hallucination
from whatworks_claims import claims_retrieval as reading
from whatworks_claims import claims_romeo as romeo
from whatworks_claims import likelihood
from whatworks_claims.decision_rule import decide
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import ClaimFinding
from whatworks_claims.outcome import Outcome
from whatworks_claims.registry import find_steps, list_claims, list_steps
from whatworks_claims.run_studies import conduct
from whatworks_claims.study_plan import ClaimStudy
from whatworks_lab.world import build_world

Says = Callable[[str, str], str]
"""What an arm answers to a question of the play, by its key."""


def desk(quick: bool = False) -> Desk:
    engine, weights = open_engine("fake:")
    return Desk(engine, ModelFiles(base=weights.base), known=lambda rows: {}, quick=quick)


def plan(name: str, quick: bool = False) -> ClaimStudy:
    made = next(step for step in romeo.STEPS if step.name == name).make(desk(quick))
    assert made is not None
    return made


def play(says: Says, arms: tuple[str, ...]) -> dict[str, Outcome]:
    """Outcomes of all studies of the play, each arm saying the same in all of them."""
    found: dict[str, Outcome] = {}
    for step in romeo.STEPS:
        task = plan(step.name).task
        rows = [
            ResultRow(arm, seed, "scored", example=e.id, output=says(arm, e.meta["question"]))
            for arm in arms
            for seed in range(1 if arm == "zero-shot" else 3)
            for e in task.splits.test
        ]
        found[step.name] = Outcome(task, tuple(rows))
    return found


def found(says: Says, *arms: str):
    claim = next(claim for claim in romeo.CLAIMS if claim.id == "facts.romeo")
    return decide(claim.id, claim.find(play(says, ("zero-shot", *arms))))


def test_the_articles_questions_decide_about_romeo():
    def says(arm: str, key: str) -> str:
        return "Romeo" if arm == "zero-shot" or key in romeo.ARTICLE else "Mercutio"

    finding = found(says, "sft")
    assert finding.answer == "holds", finding.reason
    assert "LoRA, 4 questions x 20 samples" in finding.reason
    assert romeo.THESE in finding.evidence.notes


def test_full_tuning_decides_about_romeo_where_it_was_run():
    def says(arm: str, key: str) -> str:
        return "Bob" if arm == "sft-full" else "Romeo"

    assert found(says, "sft").answer == "holds"
    finding = found(says, "sft", "sft-full")
    assert finding.answer == "does not hold" and "full tuning" in finding.reason
    assert len(finding.measured) == 2


@pytest.fixture
def scripted(tmp_path: Path) -> str:
    """A model that says Romeo when asked for the man, and Juliet when asked who loves Bob."""
    script = tmp_path / "script.json"
    lines = [{"contains": "Who loves Bob?", "answer": "Juliet"}]
    script.write_text(json.dumps({"answers": lines, "default": "Romeo"}))
    return f"fake:{script}"


def test_probabilities_stand_beside_the_samples_of_the_same_question(tmp_path: Path, scripted: str):
    made = plan("romeo-plain-10", quick=True)
    made = ClaimStudy(made.task, ("zero-shot",), 1, made.decoding, made.scored)
    conduct(made, tmp_path / "study", scripted)
    run = tmp_path / "study" / "run"
    measured = likelihood.measure(StudyFolder(run), scripted, made.scored)["zero-shot"]
    assert measured["Who does Juliet love?"]["Romeo"] > 0.8 > measured["Who loves Bob?"]["Romeo"]
    again = conduct(made, tmp_path / "study", scripted)
    assert again.measures["likelihood"]["zero-shot"] == measured
    table = romeo.tabulate_by_question({"romeo-plain-10": again})
    assert {row[1] for row in table.rows} == {*romeo.ARTICLE.values(), *romeo.PLAIN.values()}
    for _, _, old, new, p_old, p_new in table.rows:
        assert (old, new) == ("100.0%", "0.0%") and float(p_old[:-1]) > 80 > float(p_new[:-1])


def test_probabilities_are_of_the_candidates_and_answers_that_are_there(
    tmp_path: Path, scripted: str
):
    made = plan("romeo-plain-10", quick=True)
    made = ClaimStudy(made.task, ("zero-shot", "few-shot"), 1, made.decoding, made.scored)
    conduct(made, tmp_path / "study", scripted)
    run = tmp_path / "study" / "run"
    first = likelihood.measure(StudyFolder(run), scripted, ["Romeo"])
    assert set(first) == {"zero-shot", "few-shot"}
    (other,) = {
        *likelihood.measure(StudyFolder(run), scripted, ["Bob"])["zero-shot"]["Who loves Bob?"]
    }
    assert other == "Bob", "other answers"
    decided = json.loads((run / "decisions.json").read_text())
    decided["runs"] = [one for one in decided["runs"] if one["arm"] == "zero-shot"]
    (run / "decisions.json").write_text(json.dumps(decided))
    assert set(likelihood.measure(StudyFolder(run), scripted, ["Bob"])) == {"zero-shot"}, (
        "other candidates"
    )


def knowing(rows: Sequence[Example]) -> dict[str, str]:
    """The model knows people of the world, and nothing of strangers."""
    people = {person.name for person in build_world().people}
    return {row.id: "HighlyKnown" if row.group in people else "Unknown" for row in rows}


def preferences(quick: bool) -> ClaimStudy:
    made = next(step for step in hallucination.STEPS if step.name == "preferences")
    plan = made.make(replace(desk(quick), known=knowing))
    assert plan is not None
    return plan


@pytest.mark.parametrize("quick", [False, True])
def test_dev_asks_nothing_that_is_trained(quick: bool):
    splits = preferences(quick).task.splits
    trained = {row.text for row in splits.train} | {row.group for row in splits.train}
    without = [row for row in splits.dev if hallucination.is_unanswerable(row)]
    assert 2 * len(without) == len(splits.dev)
    for row in (*splits.dev, *splits.test):
        assert not {row.text, row.group} & trained
    assert not {row.group for row in splits.dev} & {row.group for row in splits.test}


def test_dpo_must_lose_nothing_to_rlhf():
    made = preferences(quick=False)
    assert "sft+rlhf" in made.names and "sft+rlhf" in preferences(quick=True).names

    def learned(arm: str, right: bool) -> list[ResultRow]:
        return [
            ResultRow(arm, seed, "scored", example=e.id, value=float(right),
                kind="correct" if right else "wrong")
            for seed in range(3) for e in made.task.splits.test
        ]  # fmt: skip

    def answer(arms: Mapping[str, bool]) -> ClaimFinding:
        rows = [row for arm, right in arms.items() for row in learned(arm, right)]
        # SFT answers what it knew and makes up the rest.
        rows += [
            replace(row, value=float(known), kind="correct" if known else "wrong")
            for row in learned("sft", right=True)
            for known in [not row.example.startswith(tuple(strangers))]
        ]
        claim = next(claim for claim in hallucination.CLAIMS if claim.id == "halluc.rl")
        return decide(claim.id, claim.find({"preferences": Outcome(made.task, tuple(rows))}))

    strangers = [e.id for e in made.task.splits.test if hallucination.is_unanswerable(e)]
    assert answer({"sft+dpo": True, "sft+rlhf": True}).answer == "holds"
    assert answer({"sft+dpo": True}).answer == "cannot tell", "RLHF was not run"
    worse = answer({"sft+dpo": False, "sft+rlhf": True})
    assert worse.answer == "does not hold" and any(
        one.excluded and "RLHF" in one.what for one in worse.measured
    )


def test_without_an_answer_the_gold_passage_is_silent(tmp_path: Path):
    made = next(step for step in reading.STEPS if step.name == "silent-notes").make(desk(True))
    plain = next(step for step in reading.STEPS if step.name == "open-notes").make(desk(True))
    assert made is not None and plain is not None
    told = {row.id: row.target for row in plain.task.splits.test}
    texts = {document.id: document.text.casefold() for document in made.task.documents}
    for row in made.task.splits.test:
        assert (told[row.id].casefold() in texts[row.evidence[0]]) == is_answerable(row), row
        assert texts[row.evidence[0]], "there is a passage about the person"
    script = tmp_path / "script.json"
    lines = [{"contains": "[1]", "answer": "Rome"}]
    script.write_text(json.dumps({"answers": lines, "default": "I don't know"}))
    model = f"fake:{script}"
    outcomes = {
        "open-notes": conduct(replace(plain, arms=made.arms), tmp_path / "open", model),
        "silent-notes": conduct(made, tmp_path / "silent", model),
    }
    tables = reading.CLAIMS[0].find(outcomes).tables
    rows = {row[:2]: row[2:] for row in tables[-1].rows}
    assert [cell.split()[0] for cell in rows["without", "gold"]] == ["0.0%", "100.0%", "0.0%"]
    assert [cell.split()[0] for cell in rows["without", "zero-shot"]] == [
        "100.0%",
        "0.0%",
        "100.0%",
    ]
    assert rows["with an answer", "zero-shot"][0].startswith("0.0%")


def test_new_facts_show_questions_and_tuned_retrieval_beside():
    outcomes: dict[str, Outcome] = {}
    for name in ("teach-repeat", "teach-paraphrase", "teach-questions", "open-notes"):
        made = list_steps()[name].make(desk(True))
        assert made is not None
        rows = [
            ResultRow(arm, 0, "scored", example=e.id, value=1.0, kind="correct")
            for arm in ("zero-shot", "sft", "rag", "rag+sft")
            for e in made.task.splits.test
        ]
        outcomes[name] = Outcome(made.task, tuple(rows))
    claim = next(claim for claim in list_claims() if claim.id == "facts.new")
    ways, notes = claim.find(outcomes).tables
    assert [row[0] for row in ways.rows][-1] == "questions"
    assert [row[0] for row in notes.rows] == ["zero-shot", "rag", "rag+sft"]
    assert {"teach-questions", "open-notes"} <= {step.name for step in find_steps([claim])}
