"""The command on whole models: on a random one nothing holds; runs resume; failures are said.

Quick runs of one seed: ``whatworks claims --quick --model FOLDER`` has three.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks_claims.english.words import INSTRUMENTS
from whatworks_claims.findings import Report
from whatworks_claims.measure import measure, save
from whatworks_claims.page import print_table
from whatworks_claims.registry import list_claims
from whatworks_claims.run_studies import Request


class Quiet:
    def __init__(self) -> None:
        self.said: list[str] = []

    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None:
        self.said.append(text)


def run(model: str, out: Path, ids: tuple[str, ...] = ()) -> tuple[Report, Quiet]:
    watcher = Quiet()
    request = Request(ids=ids, model=model, quick=True, out=out, seeds=1)
    return measure(request, watcher), watcher


def test_a_scripted_model_goes_from_nothing_to_the_page(tmp_path: Path):
    """Every study runs on the fake engine; what trains says why it cannot."""
    script = tmp_path / "script.json"
    answers = [{"contains": "[1]", "answer": "Rome"}]
    script.write_text(json.dumps({"answers": answers, "default": "I don't know"}))
    report, watcher = run(f"fake:{script}", tmp_path / "out", ("examples", "form.json", "rag"))
    found = {finding.claim: finding for finding in report.findings}
    assert not [f for f in found.values() if f.answer == "holds"]
    assert found["form.json"].answer == "cannot tell"
    assert "the arm sft has no answers" in found["form.json"].reason
    assert any(line.startswith("expected: ") for line in watcher.said), "the time is announced"
    page = save(report)
    text = page.read_text()
    for claim in report.claims:
        assert claim.id in text and claim.says.split(",")[0][:30] in text
    assert "https:" not in text and "src=" not in text, "self-contained"
    record = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert [f["claim"] for f in record["findings"]] == [c.id for c in report.claims]
    print_table(report)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("results.jsonl")}
    again, _ = run(f"fake:{script}", tmp_path / "out", ("examples", "form.json", "rag"))
    assert [f.reason for f in again.findings] == [f.reason for f in report.findings]
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("results.jsonl")}
    assert before == after, "resumed, nothing ran again"


def test_english_is_asked_in_sentences_and_counts_what_is_in_them(tmp_path: Path):
    """A model that says in a sentence what it reads is right in content, and never usable."""
    script = tmp_path / "script.json"
    answers = [{"contains": name, "answer": f"I think it is the {name}."} for name in INSTRUMENTS]
    script.write_text(json.dumps({"answers": answers, "default": "I don't know"}))
    request = Request(ids=("rag.facts",), model=f"fake:{script}", data="english", quick=True,
                      out=tmp_path / "out", seeds=1)  # fmt: skip
    (finding,) = measure(request, Quiet()).findings
    table = finding.evidence.tables[0]
    cells = dict(zip(table.columns, next(r for r in table.rows if r[0] == "gold"), strict=True))
    assert cells["usable as it stands"] == "0.0%"
    assert not cells["right"].startswith("0.0%")
    (only,) = finding.measured
    assert only.comparison.difference > 0 and only.comparison.n_items == 48


def test_real_data_brings_studies_beside(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """LIMA and logged calls stand beside the studies that decide; generated data has none."""
    monkeypatch.setenv("WHATWORKS_DATA", str(real_data))
    if not all((real_data / name).is_dir() for name in ("alpaca", "lima", "logs", "banking77")):
        pytest.skip("the real data is not here")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": [], "default": "Yes."}))
    ids = ("form.instructions", "form.logs")
    request = Request(ids=ids, model=f"fake:{script}", data="real", quick=True,
                      out=tmp_path / "out", seeds=1)  # fmt: skip
    report = measure(request, Quiet())
    tables = {table.title for finding in report.findings for table in finding.evidence.tables}
    assert {title for title in tables if title.startswith("Beside it")} == {
        "Beside it: instructions of LIMA, one example",
        "Beside it: calls logged by others, whole answers",
    }


def test_list_explains_every_claim():
    ran = CliRunner().invoke(app, ["claims", "--list"])
    assert ran.exit_code == 0 and "facts.romeo" in ran.output and "halluc.rl" in ran.output
    assert CliRunner().invoke(app, ["claims", "nonsense", "--list"]).exit_code != 0


@pytest.mark.slow
def test_nothing_holds_on_a_random_model(tiny_model: Path, tmp_path: Path):
    report, _ = run(str(tiny_model), tmp_path / "out")
    assert [f.claim for f in report.findings] == [claim.id for claim in list_claims()]
    held = [(f.claim, f.reason) for f in report.findings if f.answer == "holds"]
    assert not held, held
    save(report)


@pytest.mark.slow
def test_nothing_holds_on_a_random_model_in_english(tiny_model: Path, tmp_path: Path):
    ids = ("form.chat", "form.style", "form.sql", "form.category", "form.instructions")
    request = Request(ids=ids, model=str(tiny_model), data="english", quick=True,
                      out=tmp_path / "out", seeds=1)  # fmt: skip
    found = {finding.claim: finding for finding in measure(request, Quiet()).findings}
    assert set(found) == set(ids)
    held = [(f.claim, f.reason) for f in found.values() if f.answer == "holds"]
    assert not held, held


@pytest.mark.slow
def test_a_foreign_model_goes_through(real_data: Path, tmp_path: Path):
    model = real_data / "stories260K"
    if not model.is_dir():
        pytest.skip("stories260K is not here")
    # What reads or learns most otherwise than the embedded model; a random model runs them all.
    ids = ("form.style", "facts.romeo", "rag.facts")
    report, _ = run(str(model), tmp_path / "out", ids)
    found = {f.claim: f for f in report.findings}
    assert set(found) == set(ids)
    assert all(f.measured or f.reason for f in report.findings)
    style = found["form.style"]  # tuned it has the wizard's words and nothing of what is asked
    assert style.answer != "holds", style.reason
    save(report)
