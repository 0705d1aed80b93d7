"""A metric is declared on its function, found by an entry point, and refused where it is none."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics import registry
from whatworks.metrics.definition import MetricDefinition
from whatworks.metrics.registry import NAMES, load

PLUGIN = '''
from pydantic import PositiveInt
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts

class LengthOptions(Options):
    at_most: PositiveInt = 3

def learn(train, aside):
    return {"at_most": max(len(row.target.split()) for row in train)} if train else {}

@metric(LengthOptions, figures=average_parts, learn=learn, label=lambda text, _: text.upper())
def short(example, text, options):
    """At most so many words."""
    words = len(text.split())
    fits = words <= options.at_most
    return Score(float(fits), "correct" if fits else "wrong",
                 "" if fits else f"{words} words", parts={"words": float(words)})

def plain(example, text):
    return 1.0
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A package with metrics, installed as pip leaves it: a module and its metadata."""

    def put(entries: str, module: str = PLUGIN) -> None:
        (tmp_path / "short_answers.py").write_text(module)
        info = tmp_path / "short_answers-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: short-answers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[whatworks.metrics]\n{textwrap.dedent(entries)}")
        monkeypatch.syspath_prepend(str(tmp_path))
        forget()

    def forget() -> None:
        sys.modules.pop("short_answers", None)
        registry.list_entries.cache_clear()
        registry.find.cache_clear()

    yield put
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_declared_on_a_documented_function(name: str):
    found = registry.find(name)
    assert isinstance(found, MetricDefinition)
    assert found.score.__doc__ and found.options.__doc__


def test_options_that_name_files_are_known_by_their_types():
    assert registry.find("sql").file_options() == {"database"}
    assert registry.find("json").file_options() == {"schema"}
    assert registry.find("judge").file_options() == {"labels", "keep"}
    assert registry.find("style").file_options() == {"wanted", "others"}
    assert registry.find("exact").file_options() == set()


def test_a_metric_of_another_package_is_loaded_as_our_own_are(install):
    install("short = short_answers:short\n")
    train = [Example(id="t", target="two words")]
    metric = load(MetricSpec(name="short"), train)
    assert metric.spec.options == {"at_most": 2}
    example = Example(id="e", target="x")
    assert metric(example, "a b").value == 1.0
    assert metric(example, "a b c").feedback == "3 words"
    assert metric.label("a") == "A"
    assert metric.summary([example], [metric(example, "a b c")]) == {"words": 3.0}
    assert load(MetricSpec(name="short", options={"at_most": 3}))(example, "a b c").value == 1.0
    for options, says in (({"most": 3}, "did you mean 'at_most'"), ({"at_most": 0}, "cannot be 0")):
        with pytest.raises(InputError, match=says):
            load(MetricSpec(name="short", options=options))
    with pytest.raises(InputError, match="'short'"):
        load(MetricSpec(name="shor"))


@pytest.mark.parametrize(
    ("entries", "module", "says"),
    [
        ("plain = short_answers:plain\n", PLUGIN, "is no metric"),
        ("broken = short_answers:short\n", "raise ValueError('half written')", "half written"),
        ("absent = short_answers:nothing\n", PLUGIN, "cannot be imported"),
        ("needy = short_answers:short\n", "import no_such_package_here", "no_such_package_here"),
        ("exact = short_answers:short\n", PLUGIN, "two metrics are called 'exact'"),
    ],
)
def test_a_package_that_registers_no_metric_is_told_of(install, entries, module, says):
    install(entries, module)
    with pytest.raises(InputError, match=says):
        load(MetricSpec(name=entries.split(" ", 1)[0]))
