"""The learning curve: nested rows, the crossover and its interval, failed arms, the pages."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from whatworks.analysis.comparison import Comparison, Estimate, compare
from whatworks.analysis.figures import ArmInfo, StudyInfo
from whatworks.analysis.learning_curve import Crossover, Curve, Point, find_crossover
from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.analysis.summarise import summarise
from whatworks.app.report import charts
from whatworks.app.report.html import render_page
from whatworks.app.run_study import report_study, run_study
from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.studies.arm_entries import CurveSection
from whatworks.studies.study_file import read_arms, read_study


def gap(difference: float, low: float, high: float) -> Comparison:
    return Comparison(difference, low, high, 0.5, "bootstrap", 50, 50, 3, 0.1, 0.0)


@pytest.mark.parametrize(
    ("gaps", "wanted"),
    [
        # Halfway between 10 and 1000 on a log scale is 100.
        ([(10, -0.2, -0.3, -0.1), (1000, 0.2, 0.1, 0.3)], (100, 31.6, 316)),
        ([(10, 0.2, 0.1, 0.3), (1000, 0.2, 0.1, 0.3)], (10, 10, 10)),
        ([(10, -0.2, -0.3, -0.1), (1000, -0.2, -0.3, -0.1)], (None, None, None)),
        ([(10, -0.2, -0.3, -0.1), (1000, 0.1, -0.1, 0.3)], (215, 31.6, None)),
        # It must be passed for good: above, below and above again counts from the second time on.
        ([(10, 0.1, 0, 0.2), (100, -0.1, -0.2, 0), (1000, 0.1, 0, 0.2)], (316, 10, 1000)),
        ([(10, -0.1, -0.2, 0)], None),
    ],
)
def test_the_crossover_is_where_the_curve_passes_0_for_good(
    gaps: list[tuple[int, float, float, float]], wanted: tuple[float | None, ...] | None
):
    found = find_crossover([(n, gap(*rest)) for n, *rest in gaps])
    if wanted is None:
        assert found is None
        return
    assert found is not None
    for value, expected in zip((found.rows, found.low, found.high), wanted, strict=True):
        assert value == (None if expected is None else pytest.approx(expected, rel=0.01))


def test_the_interval_covers_the_true_crossover_about_as_often_as_it_says():
    """Planted: the curve is truly equal to the k-shot at 100 rows."""
    truth = {10: 0.3, 100: 0.5, 1000: 0.7}
    covered, runs = 0, 60
    for seed in range(runs):
        rng = random.Random(seed)
        shot = {(0, f"q{i}"): float(rng.random() < 0.5) for i in range(80)}
        compared = []
        for rows, rate in truth.items():
            own = {(0, f"q{i}"): float(rng.random() < rate) for i in range(80)}
            compared.append((rows, compare(own, shot)))
        found = find_crossover(compared)
        assert found is not None
        low, high = found.low or 1001, found.high or 1001
        assert low <= (found.rows or 1001) <= high
        covered += low <= 100 <= high
    assert covered >= 0.88 * runs


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Crossover(37.2, 12.4, None), "from about 37 train rows on (95%: 12 to more than 500)"),
        (Crossover(10, 10, 40), "from at most 10 train rows on (95%: at most 10 to 40)"),
        (
            Crossover(None, None, None),
            "no crossover up to 500 rows: sft is −20.0 [−30, −10] points",
        ),
        (Crossover(None, 200, None), "it may lie anywhere from 200"),
    ],
)
def test_the_answer_in_words(found: Crossover, says: str):
    ends = [Point(f"sft@{n}", n, difference=gap(-0.2, -0.3, -0.1)) for n in (10, 500)]
    assert says in Curve("sft", tuple(ends), Point("few-shot@4", 500), found).sentence


def study_file(folder: Path, **fields: object) -> Path:
    rows = [f'{{"input": "say {i}", "target": "{i}"}}\n' for i in range(40)]
    (folder / "rows.jsonl").write_text("".join(rows))
    study = {
        "task": {"train": "rows.jsonl", "metric": "exact", "split": {"dev": 8, "test": 8}},
        "model": "fake:",
        "arms": ["zero-shot"],
        **fields,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def test_a_curve_is_nothing_but_arms(tmp_path: Path):
    curve = {"arm": {"sft": {"epochs": 2}}, "rows": [4, 8, "all"], "shots": [1, 2]}
    arms = read_arms(read_study(study_file(tmp_path, curve=curve)))
    assert [(arm.name, arm.rows) for arm in arms] == [
        ("zero-shot", None),
        ("few-shot@1", None),
        ("few-shot@2", None),
        ("sft@4", 4),
        ("sft@8", 8),
        ("sft", None),
    ]
    both = {"arms": ["knn", {"sft": {"epochs": 2}}], "curve": {**curve, "shots": []}}
    named = [arm.name for arm in read_arms(read_study(study_file(tmp_path, **both)))]
    assert named == ["knn", "sft", "sft@4", "sft@8"]
    other = {"arms": ["knn", "sft"], "curve": curve}
    with pytest.raises(InputError, match="two arms are called 'sft'"):
        read_arms(read_study(study_file(tmp_path, **other)))
    assert arms[-1].chain.steps[0].model_dump()["epochs"] == 2
    assert CurveSection().rows == (10, 50, 200, 500, "all")


def test_a_curve_by_what_a_step_writes(tmp_path: Path):
    arm = {"arm": "augment+sft", "augment": {"kinds": ["entities"], "copies": 50}}
    curve = {"arm": arm, "tokens": [100, 400], "shots": []}
    study = read_study(study_file(tmp_path, curve=curve))
    arms = read_arms(study)[1:]
    assert [(arm.name, arm.rows) for arm in arms] == [
        ("augment+sft@100t", None),
        ("augment+sft@400t", None),
    ]
    steps = [arm.chain.steps[0].model_dump() for arm in arms]
    assert [(step["tokens"], step["copies"]) for step in steps] == [(100, 50), (400, 50)]
    assert study.curve is not None and study.curve.sizes == {
        "augment+sft@100t": 100,
        "augment+sft@400t": 400,
    }
    curve = Curve("augment+sft", (Point("a", 100),), None, None, "tokens")
    assert curve.counted == "synthetic tokens"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"curve": {"arm": "sft", "tokens": [9]}}, "no step writes as many tokens"),
        ({"curve": {"rows": [4], "tokens": [9]}}, "`rows` or `tokens`, not both"),
        ({"curve": {"row": [4]}}, "did you mean 'rows'"),
        ({"curve": {"rows": [0]}}, "curve.rows"),
        ({"curve": {"arm": "stf"}}, "did you mean 'sft'"),
        ({"arms": [{"arm": "knn", "rows": "few"}]}, "rows is 'few'"),
        ({"arms": [{"arm": "knn", "rows": 25}]}, "asks for 25 train rows, there are 24"),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path: Path, fields: dict[str, object], says: str):
    with pytest.raises(InputError) as caught:
        run_study(study_file(tmp_path, **fields), out=tmp_path / "out", watcher=Quiet())
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


def test_fewer_rows_are_the_beginning_of_more_rows_of_the_same_seed(tmp_path: Path):
    """few-shot with as many demonstrations as rows shows exactly the rows that an arm was given."""
    few = {"few-shot": {"k": 24}}
    arms = [{"arm": "few-shot", "name": f"n{n}", "rows": n, **few} for n in (3, 6, 24)]
    out = tmp_path / "out"
    run_study(study_file(tmp_path, arms=arms, seeds=2), out=out, watcher=Quiet())
    shown: dict[tuple[str, int], set[str]] = {}
    for path in (out / "prompts").iterdir():
        name, _, seed = path.stem.rpartition("-")
        text = path.read_text()
        shown[name, int(seed)] = {str(i) for i in range(40) if f"say {i}\n" in text + "\n"}
    for seed in (0, 1):
        small, large, all_ = (shown[f"n{n}", seed] for n in (3, 6, 24))
        assert (len(small), len(large), len(all_)) == (3, 6, 24)
        assert small < large < all_
    assert shown["n3", 0] != shown["n3", 1]


RATES = {"few-shot@1": 0.3, "few-shot@4": 0.5, "sft@10": 0.2, "sft@100": 0.6, "sft@1000": 0.9}


def made_up(failed: str = "") -> tuple[list[ResultRow], list[ArmInfo], StudyInfo]:
    rows: list[ResultRow] = []
    for arm, rate in RATES.items():
        if arm == failed:
            rows.append(ResultRow(arm, 0, "failed", cause="out of memory", remedy="less"))
            continue
        rng = random.Random(arm)
        tokens = 500 if "few" in arm else 40
        for i in range(100):
            right = float(rng.random() < rate)
            kind = "correct" if right else "wrong"
            row = ResultRow(
                arm, 0, "scored", f"q{i}", f"q{i}", value=right, lenient=right, kind=kind
            )
            rows.append(
                ResultRow(**{**vars(row), "prompt_tokens": tokens, "seconds": tokens / 1000})
            )
    infos = [
        ArmInfo(arm, dev_score=None if arm == failed else rate, rows=int(arm.partition("@")[2]))
        for arm, rate in RATES.items()
    ]
    study = StudyInfo(
        name="s",
        model="m",
        metric="exact",
        counts={"train": 1000, "dev": 50, "test": 100},
        baseline="few-shot@1",
        curve=[arm for arm in RATES if "sft" in arm],
        curve_arm="sft",
        shots=[arm for arm in RATES if "few" in arm],
    )
    return rows, infos, study


def test_a_summary_says_where_the_curve_overtakes_the_best_shots_on_dev():
    rows, infos, study = made_up()
    summary = summarise(rows, arms=infos, study=study)
    curve = summary.curve
    assert curve is not None and curve.against is not None and curve.crossover is not None
    assert curve.arm == "sft" and curve.against.arm == "few-shot@4"
    assert [p.rows for p in curve.points] == [10, 100, 1000]
    assert curve.against.prompt_tokens == 500 and curve.points[0].prompt_tokens == 40
    assert 10 < (curve.crossover.rows or 0) < 100
    own = summary.arm("sft@1000")
    assert own is not None and curve.points[-1].score == own.score
    examples = [Example(id=f"q{i}") for i in range(100)]
    text = render_page(summary, rows, examples)
    assert "How many rows sft needs" in text and "best k-shot on dev" in text
    assert "Sft overtakes few-shot@4 from about" in text


def test_a_failed_arm_of_the_curve_is_a_row_and_the_others_still_answer():
    rows, infos, study = made_up(failed="sft@100")
    summary = summarise(rows, arms=infos, study=study)
    assert summary.curve is not None and summary.curve.crossover is not None
    assert [p.score is None for p in summary.curve.points] == [False, True, False]
    assert "failed" in render_page(summary, rows, [])
    rows, infos, study = made_up(failed="few-shot@4")
    summary = summarise(rows, arms=infos, study=study)
    assert summary.curve is not None and summary.curve.against is not None
    assert summary.curve.against.arm == "few-shot@1"


def test_the_chart_holds_every_point_and_survives_few():
    score = Estimate(0.5, 0.4, 0.6)
    points = tuple(Point(f"sft@{n}", n, score, gap(0.1, -0.1, 0.2)) for n in (10, 50, 500))
    drawn = str(charts.draw_rows_curve(Curve("sft", points, Point("few-shot", 500, score), None)))
    assert drawn.count("<circle") == 3 and "50.0% at 500 rows" in drawn
    assert str(charts.draw_rows_curve(Curve("sft", points[:1], None, None))) == ""
    assert "<svg" in str(charts.draw_rows_curve(Curve("sft", points[:2], None, None)))


def test_a_study_with_a_curve_runs_resumes_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from whatworks.app.report.terminal import print_summary

    curve = {"arm": {"knn": {"embedder": "lexical"}}, "rows": [4, "all"], "shots": [1]}
    path, out = study_file(tmp_path, curve=curve, seeds=2), tmp_path / "out"
    summary, _ = run_study(path, out=out, watcher=Quiet())
    assert summary.curve is not None
    assert [p.rows for p in summary.curve.points] == [4, 24]
    arms = {(row.arm, row.seed) for row in Results(out / "results.jsonl").rows()}
    assert {("knn@4", 0), ("knn@4", 1), ("knn", 0), ("few-shot@1", 1)} <= arms
    again, _ = report_study(out)
    assert again.curve == summary.curve
    print_summary(summary)
    assert "knn by rows" in capsys.readouterr().out


def test_equal_scores_overtake_nothing():
    tied = [(n, gap(0.0, -0.04, 0.04)) for n in (50, 200, 500)]
    assert find_crossover(tied) == Crossover(None, 50, None)
    better = [*tied, (900, gap(0.1, 0.05, 0.15))]
    found = find_crossover(better)
    assert found is not None and found.rows == pytest.approx(500)
