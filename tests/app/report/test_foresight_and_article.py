"""Predictions held against what came, and the article's lines, wherever a study is shown."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sample_summary import summary as make_summary
from whatworks.analysis.comparison import Estimate
from whatworks.analysis.next_step.predictions import Outcome, Prediction
from whatworks.app.pipeline.pages import format_summary
from whatworks.app.programs.records import describe_verdict
from whatworks.app.report.html import render_page


def predict(arm: str, came: float | None) -> Outcome:
    gain = Estimate(0.2, 0.1, 0.3)
    return Outcome(Prediction(arm, "zero-shot", "facts help", gain, 60.0), came, 75.0)


def test_predictions_are_shown_with_what_came() -> None:
    summary, rows, items = make_summary()
    told = [predict("rag", 0.25), predict("rag+sft", 0.5), predict("knn", None)]
    summary = replace(summary, study=replace(summary.study, predicted=told))
    page = render_page(summary, rows, items)
    assert "What was foreseen, and what came" in page
    assert "rag over zero-shot: +20.0 [+10, +30] points expected on dev, +25.0 came, within" in page
    assert "+50.0 came, outside the interval" in page
    assert "no score to compare" in page
    record = describe_verdict(Path("run"), summary)
    assert [one["came"] for one in record["predicted"]] == [0.25, 0.5, None]
    good = record["foresight"]
    assert (good["tested"], good["within"]) == (2, 1)
    assert good["error"] == pytest.approx(0.175)
    assert good["bias"] == pytest.approx(0.175)
    assert "Of 2 predicted gains on dev, 1 came out" in format_summary(summary, [])


def test_without_predictions_nothing_is_said_of_them() -> None:
    summary, rows, items = make_summary()
    assert "What was foreseen" not in render_page(summary, rows, items)
    record = describe_verdict(Path("run"), summary)
    assert record["predicted"] == [] and record["foresight"] is None
    assert "predicted" not in format_summary(summary, [])


def test_the_article_ends_the_report_and_stands_in_the_record() -> None:
    summary, rows, items = make_summary()
    assert summary.article
    page = render_page(summary, rows, items)
    section = page[page.index('id="article"') :]
    assert "<section" not in section, "it is the last one"
    for one in summary.article:
        assert one.line.partition("’")[0].partition("'")[0] in section
    record = describe_verdict(Path("run"), summary)
    assert record["article"] == [asdict(one) for one in summary.article]
    assert all(one["evidence"] for one in record["article"])
