"""Methods and metrics of the user's own: declared by a decorator, run, and refused."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

import whatworks as ww
from whatworks.app.cli import app
from whatworks.base.progress import Silent
from whatworks.methods.registry import list_packages
from whatworks.studies.study_file import read_arms, read_study

OWN = """
import whatworks as ww

@ww.method(owns=["prompt.instructions"])
def shout_it(start: ww.Candidate, bench, *, words: str = "IN CAPITALS"):
    \"\"\"Ask for capitals.\"\"\"
    bench.note("says", words)
    return start.with_prompt(instructions=f"{start.prompt.instructions} {words}.")

@ww.metric
def capitals(example, text, *, strict: bool = True):
    wanted = example.target.upper()
    return float(text == wanted if strict else text.upper() == wanted)
"""
ROWS = [{"input": f"What is it, number {n * 37}?", "target": "parcel"} for n in range(40)]
Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes a file and imports it, as a program does."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> ModuleType:
        path = tmp_path / "own.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("own", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(__import__("sys").modules, "own", module)
        spec.loader.exec_module(module)
        return module

    return write


def start(own: ModuleType, **keys: Any) -> ww.Result:
    script = {"answers": [{"contains": "CAPITALS", "answer": "PARCEL"}], "default": "parcel"}
    Path("script.json").write_text(json.dumps(script))
    rows = {"train": ROWS[:16], "dev": ROWS[16:24], "test": ROWS[24:]}
    words: dict[str, Any] = {"metric": own.capitals, "seeds": 1, "diagnose": False, **keys}
    path = ww.study(rows, model=f"fake:{Path('script.json').absolute()}", **words)
    return ww.run(path, watcher=Silent())


def test_a_decorated_method_and_metric_run(load: Load) -> None:
    own = load(OWN)
    loud = {"arm": "shout-it", "name": "quiet", "shout-it": {"words": "softly"}}
    result = start(own, arms=["zero-shot", own.shout_it, loud], plugins=[own.shout_it])
    assert {one["arm"]: one["score"] for one in result.records} == {
        "zero-shot": 0.0, "shout-it": 1.0, "quiet": 0.0,
    }  # fmt: skip
    told = {arm.name: arm.info.outcomes for arm in result.summary.arms}
    assert [getattr(one, "value", "") for one in told["quiet"][0]] == ["softly"]
    assert str(ww.open_result(result.folder)) == str(result)  # the file is found again


def test_options_and_chains(load: Load) -> None:
    own = load(OWN)
    metric = {own.capitals: {"strict": False}}
    result = start(own, metric=metric, arms=["shout-it+few-shot"], plugins=["own.py"])
    assert [one["score"] for one in result.records] == [1.0]
    with pytest.raises(ww.InputError, match="strict"):
        start(own, metric={own.capitals: {"strict": "perhaps"}}, arms=[own.shout_it], name="other")


def test_another_content_of_the_file_is_another_method(load: Load) -> None:
    def read() -> ww.Method:
        return read_arms(read_study(Path("s/study.yaml")))[0].chain.steps[0]

    path = ww.study(ROWS, arms=[load(OWN).shout_it], folder="s", metric="exact")
    before = list_packages(read())
    assert before == list_packages(read()) and before[0].startswith("own.py ")
    load(OWN + "# another word\n")
    assert list_packages(read()) != before
    Path("own.py").unlink()
    with pytest.raises(ww.InputError, match=r"no such file"):
        read_arms(read_study(path))


def test_a_fault_of_a_method_is_a_row(load: Load) -> None:
    own = load(
        "import whatworks as ww\n@ww.method\ndef broken(start, bench):\n    return 1 / 0\n"
        "@ww.method\ndef empty(start, bench):\n    bench.note('a', 'b')\n"
        "@ww.metric\ndef capitals(example, text): return 1.0\n"
    )
    result = start(own, arms=["zero-shot", own.broken, own.empty])
    failures = {one["arm"]: one["failure"] for one in result.records}
    assert "ZeroDivisionError" in failures["broken"] and "line 4" in failures["broken"]
    assert "returned NoneType" in failures["empty"] and not failures["zero-shot"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("@ww.method\ndef shout(start): ...", r"shout takes start\n.*\n?.*def shout\(start, bench"),
        (
            "@ww.method\ndef shout(start, bench, *, n: Nowhere): ...",
            "types of shout cannot be read",
        ),
        ("@ww.method(name='a+b')\ndef shout(start, bench): ...", r"'a\+b' cannot be the name"),
        ("@ww.metric\ndef score(example): ...", "score takes example"),
        ("@ww.metric\ndef score(example, text, n): ...", "score takes example, text, n"),
    ],
)
def test_a_function_that_takes_something_else_is_refused(load: Load, text: str, cause: str) -> None:
    with pytest.raises(ww.InputError, match=cause):
        load(f"from __future__ import annotations\nimport whatworks as ww\n{text}\n")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import whatworks as ww", "no method is defined there"),
        ("1 / 0", r"line 1.*ZeroDivisionError"),
        ("import whatworks as ww\n@ww.method\ndef sft(start, bench): ...", "'sft' is taken"),
    ],
)
def test_a_file_without_one_is_refused(text: str, cause: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact}\narms: [zero-shot]\nplugins: [own.py]\n"
    )
    study = read_study(tmp_path / "study.yaml")  # runs nothing
    with pytest.raises(ww.InputError, match=cause):
        read_arms(study)


def test_what_lies_in_no_file_is_refused(tmp_path: Path) -> None:
    @ww.method
    def shout(start: ww.Candidate, bench: Any) -> ww.Candidate:
        return start

    @ww.metric
    def score(example: ww.Example, text: str) -> float:
        return 1.0

    keys: list[dict[str, Any]] = [{"arms": [shout]}, {"metric": score, "arms": ["zero-shot"]}]
    for one in keys:
        with pytest.raises(ww.InputError, match="lies in no file"):
            ww.study(ROWS, folder=tmp_path / "s", **one)


def test_the_conformance_checks_run_over_a_file(load: Load) -> None:
    load(OWN)
    for words in (["own.py:shout_it"], ["own.py:shout_it", "--settings", "{words: softly}"],
                  ["own.py:capitals", "--settings", "{strict: false}"]):  # fmt: skip
        done = CliRunner().invoke(app, ["check", "--json", "--plugin", *words])
        findings = json.loads(done.stdout)["findings"]
        assert done.exit_code == 0 and len(findings) >= 3, done.output
    load(OWN.replace('owns=["prompt.instructions"]', "stochastic=True"))
    done = CliRunner().invoke(app, ["check", "--json", "--plugin", "own.py:shout_it"])
    assert done.exit_code == 1 and "so does prompt.instructions" in done.stdout
