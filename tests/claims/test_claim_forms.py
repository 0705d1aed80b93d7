"""Claims of form: what one answer for all scores, lost arms and seeds, what is shown beside."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import ResultRow
from whatworks.data.task import Example
from whatworks.metrics.registry import load_task_metric
from whatworks.models.engine import ModelFiles
from whatworks.models.open_engine import open_engine
from whatworks_claims.claim import Claim
from whatworks_claims.decision_rule import decide
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import ClaimFinding, Table
from whatworks_claims.outcome import Outcome
from whatworks_claims.registry import choose_claims, find_steps
from whatworks_claims.study_plan import ClaimStudy

CLAIMS = choose_claims(("form", "examples"))
Said = Callable[[str, Example], str]


@cache
def desk() -> Desk:
    """Nothing is asked of the model here."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.json"
        script.write_text(json.dumps({"answers": [], "default": "Yes."}))
        engine, weights = open_engine(f"fake:{script}")
    model = ModelFiles(base=weights.base, template=weights.template)
    return Desk(engine, model, lambda facts: {})


def right(arm: str, example: Example) -> str:
    return example.target


@cache
def plans(quick: bool = True) -> dict[str, ClaimStudy]:
    """The studies of these claims; what builds on others reads right answers."""
    found: dict[str, ClaimStudy] = {}
    done: dict[str, Outcome] = {}
    for step in find_steps(CLAIMS, quick):
        plan = step.make(replace(desk(), finished=done, quick=quick))
        assert plan is not None
        found[step.name] = plan
        done[step.name] = answered(plan, right, seeds=1, scored=False)
    return found


def answered(plan: ClaimStudy, said: Said, *, seeds: int = 2, scored: bool = True) -> Outcome:
    """What a study gives when its arms say this."""
    metric = load_task_metric(plan.task) if scored else None
    rows: list[ResultRow] = []
    for arm in plan.names:
        for example in plan.task.splits.test:
            text = said(arm, example)
            score = metric(example, text) if metric else None
            value, kind = (score.value, score.kind) if score else (1.0, "correct")
            rows += [
                ResultRow(
                    arm,
                    seed,
                    "scored",
                    example=example.id,
                    output=text,
                    value=value,
                    kind=kind,
                    lenient=value,
                    parts=score.parts if score else {},
                    prompt_tokens=20,
                    seconds=0.1,
                )
                for seed in range(seeds)
            ]
    return Outcome(plan.task, tuple(rows))


def find(claim: Claim, outcomes: dict[str, Outcome]) -> ClaimFinding:
    return decide(claim.id, claim.find({name: outcomes[name] for name in claim.reads(True)}))


def of_claim(id_: str, said: Said) -> ClaimFinding:
    claim = choose_claims((id_,))[0]
    return find(claim, {name: answered(plans()[name], said) for name in claim.reads(True)})


def tuned(says: str | None) -> Said:
    """The tuned arm says the same to everything, or the target; the others say nothing."""

    def said(arm: str, example: Example) -> str:
        if arm != "sft":
            return ""
        return example.target if says is None else says

    return said


def table(finding: ClaimFinding, column: str) -> Table:
    return next(one for one in finding.evidence.tables if column in one.columns)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("form.style", "Hark! Nora Pasro be on the staff of Warro Glass, so the runes foretell!"),
        ("form.sql", "SELECT 2"),
    ],
)
def test_one_answer_to_everything_is_no_skill(claim: str, says: str):
    """It scores where the others do not, and it is not one of the targets."""
    constant = of_claim(claim, tuned(says))
    assert constant.measured[0].comparison.difference > 0.05, "it would be ahead of the others"
    assert constant.answer != "holds"
    assert any(one.what.endswith("one answer for all") for one in constant.measured)
    assert of_claim(claim, tuned(None)).answer == "holds"


def test_a_guess_is_the_best_single_answer_by_the_metric():
    made = answered(plans()["category"], tuned(None))
    targets = [example.target for example in made.task.splits.test]
    assert made.guess == max(targets.count(target) for target in targets) / len(targets)
    assert answered(plans()["json"], tuned(None)).guess == 0, "no object is right twice"
    assert answered(plans()["style"], tuned(None)).guess > 0.1


def test_no_answer_right_is_as_sure_as_its_number_of_examples():
    """0 of 60 right is up to 6% of all: a level of 1 in 12 is not excluded by 7 points."""
    finding = of_claim("form.logs", tuned("nothing known"))
    level = next(one.comparison for one in finding.measured if "one answer" in one.what)
    assert level.difference == pytest.approx(-1 / 12)
    assert level.low == pytest.approx(-1 / 12) and -0.04 < level.high < 0


SLOW = ("form.style", "form.sql")
"""Their scores take long, and they are found as form.json is."""


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.id not in SLOW], ids=lambda c: c.id)
def test_a_lost_arm_or_seed_is_told_and_stops_nothing(claim: Claim):
    names = claim.reads(True)
    whole = {name: answered(plans()[name], tuned(None)) for name in names}
    arms = {arm for name in names for arm in plans()[name].names}
    for arm in arms:
        for seeds in ((0,), (0, 1)):
            lost = {
                name: replace(
                    made,
                    rows=(
                        *(row for row in made.rows if row.arm != arm or row.seed not in seeds),
                        *(ResultRow(arm, seed, "failed", cause="no memory") for seed in seeds
                          if arm in plans()[name].names),
                    ),
                )
                for name, made in whole.items()
            }  # fmt: skip
            finding = find(claim, lost)
            assert finding.measured or "no memory" in finding.reason


def test_clusters_are_of_the_first_seed_that_answered_all():
    made = answered(plans()["category"], tuned(None))
    rows = [row for row in made.rows if (row.arm, row.seed) != ("sft", 0)]
    made = replace(made, rows=(*rows, ResultRow("sft", 0, "failed", cause="the loss diverged")))
    shown = table(find(choose_claims(("form.category",))[0], {"category": made}), "V-measure")
    assert ("sft", "1.00", "1.00") in shown.rows


def test_tuning_that_only_undoes_what_examples_spoil_is_not_taught():
    """As good as the untouched model, and better than examples: no instruction was learned."""

    def said(arm: str, example: Example) -> str:
        return "" if arm == "few-shot" else example.target

    assert of_claim("form.instructions", said).answer != "holds"
    assert of_claim("form.instructions", tuned(None)).answer == "holds"


def test_the_long_prompt_is_asked_the_test_rows_and_nothing_of_them_is_logged():
    source, logs = plans()["logs-source"].task.splits, plans()["logs"].task.splits
    assert {e.id for e in logs.test} < {e.id for e in source.test}
    assert len(logs.train) == len(source.test) - len(logs.test)
    assert not {e.text for e in logs.train} & {e.text for e in logs.test}
    notes = of_claim("form.logs", tuned(None)).evidence.notes
    assert any("less the long one on the same rows: +100" in note for note in notes)


def test_sizes_are_below_the_whole_and_the_crossover_has_an_interval():
    assert {"sft-10", "sft-50", "sft-200"} <= set(plans(False)["json"].names)
    assert not [name for name in plans()["json"].names if name.startswith("sft-")]

    def said(arm: str, example: Example) -> str:
        even = int(example.id.rpartition("-")[2]) % 2 == 0
        right = arm in ("sft", "sft-200") or (arm.startswith("few-shot") and even)
        return example.target if right else ""

    claim = choose_claims(("form.examples",))[0]
    finding = find(claim, {"json": answered(plans(False)["json"], said)})
    notes = " ".join(finding.evidence.notes)
    assert "Tuning overtakes few-shot-1 from about" in notes and "(95%: " in notes
    assert "tokens and takes 0.10 s tuned" in notes


def test_figures_of_all_answers_are_shown():
    assert ("sft", "1.00") in table(of_claim("form.category", tuned(None)), "macro-F1").rows
    assert ("sft", "1.00") in table(of_claim("form.json", tuned(None)), "field F1").rows
