"""What `check --plugin` says of methods and metrics that keep the contracts, and that do not."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.methods import registry as methods
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.metrics import registry as metrics
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.score import Score
from whatworks.prompts.candidate import Candidate
from whatworks.studies.checks.plugin_checks import check_plugin


class Honest(Method):
    name: ClassVar[str] = "honest"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.instructions"})

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        return start.with_prompt(instructions=f"{start.prompt.instructions} Be brief.")


class Greedy(Honest):
    """Changes what it does not own, tells a row its answer, differs each time, asks too much."""

    name: ClassVar[str] = "greedy"
    count: ClassVar[int] = 0

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        Greedy.count += 1
        bench.examiner.ask(start, bench.train)  # by the back door, unmetered
        told = f"{bench.train[0].target} {Greedy.count}"
        return start.with_prompt(instructions=told).with_decoding(temperature=1.0)


class Broken(Honest):
    name: ClassVar[str] = "broken"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        raise RuntimeError("no such thing")


def register(monkeypatch: pytest.MonkeyPatch, *kinds: type[Method]) -> None:
    found: dict[str, Any] = {kind.name: kind for kind in kinds}
    monkeypatch.setattr(methods, "load_plugins", lambda group, taken: found)


def levels(name: str, **settings: Any) -> dict[str, str]:
    return {one.check: one.level for one in check_plugin(name, settings)}


def test_methods_that_keep_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, Honest)
    assert set(levels("honest").values()) == {"fine"}
    for name, settings in {"few-shot": {"k": 2}, "knn": {"k": 2, "embedder": "lexical"}}.items():
        assert set(levels(name, **settings).values()) == {"fine"}
    assert set(levels("sft").values()) == {"doubt"}


def test_a_method_that_breaks_them(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, Greedy, Broken)
    found = levels("greedy")
    assert {name for name, level in found.items() if level == "spoils"} == {
        "only what it owns changes",
        "the same seed gives the same",
        "a row never helps itself",
        "the budget is kept",
    }
    assert found["its start is left as it is"] == "fine"
    done = CliRunner().invoke(app, ["check", "--plugin", "broken"])
    assert done.exit_code == 1 and "no such thing" in done.output


def test_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("exact", "normalised", "contains", "json"):
        assert "spoils" not in levels(name).values(), name
    assert set(levels("judge", criteria="Is it right?", model="fake:").values()) == {"doubt"}

    @metric()
    def rough(example: Example, text: str, options: NoOptions) -> Score:
        return Score(1.0 / len(text.split()), "correct")

    monkeypatch.setattr(metrics, "find", lambda name: rough)
    found = levels("exact")
    assert found["no answer makes it raise"] == "spoils"
    assert found["a target scores 1"] == "doubt"  # "a, b" has two words


def test_a_name_that_nobody_registers() -> None:
    with pytest.raises(InputError, match="no method or metric 'few-shoot'"):
        check_plugin("few-shoot")
    done = CliRunner().invoke(app, ["check"])
    assert isinstance(done.exception, InputError)
