"""The contracts that a method or a metric of another package has to keep, tried on invented rows.

Nothing is trained: of a method that trains, what stands beside its weights is all that is said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatworks.base.errors import (
    ArmFailure,
    BudgetExceeded,
    InputError,
    get_first_line,
    suggest_nearest,
)
from whatworks.base.python_file import run_python_file
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, MetricSpec, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.method import Chain, Method
from whatworks.methods.own_method import load_methods
from whatworks.methods.registry import build_chain, list_methods
from whatworks.metrics.registry import list_entries, load
from whatworks.metrics.score import Metric
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine, make_answerer
from whatworks.models.metering import Budget
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.studies.checks.finding import CheckFinding

MOST_REQUESTS = 3
_TRAIN = tuple(
    Example(
        id=f"train{i}",
        inputs={"text": f"Where does person {i * 37 % 101} of street {i} live?"},
        target=f"answertrain{i}x",
        group="mates" if i > 20 else None,
    )
    for i in range(24)
)
_DEV = tuple(
    Example(id=f"dev{i}", inputs={"text": f"Who lives in house {i * 13}?"}, target=f"answerdev{i}x")
    for i in range(6)
)
_DOCUMENTS = tuple(
    Document(id=f"doc{i}", text=f"Person {i} lives in the town of Place{i}.") for i in range(5)
)
_PAIRS = tuple(Pair(example=row, chosen=row.target, rejected="no idea") for row in _TRAIN[:12])
_TARGETS = ("yes", "42", "Paris", '{"a": 1}', "a, b", "SELECT 1")
_ANSWERS = ("", " ", "\x00", "\ud800", "{" * 2000, "9" * 5000, "é́" * 500, "no\n" * 500, "[]", "```")


def check_plugin(name: str, settings: Mapping[str, Any] | None = None) -> list[CheckFinding]:
    """Try the contracts of a registered method or metric.

    Args:
        name: As its entry point names it, or ``FILE.py:NAME``.
        settings: Of the method, or options of the metric.

    Raises:
        InputError: If there is none of that name, or the settings do not fit.
    """
    settings = settings or {}
    file, mark, own = name.rpartition(":")
    if mark and file.endswith(".py"):
        return _check_file(Path(file).absolute(), own, settings)
    methods, metrics = list_methods(), list_entries()
    if name in methods:
        return _check_method(build_chain(name, {name: dict(settings)}))
    if name in metrics:
        return _check_metric(load(MetricSpec(name=name, options=dict(settings)), _TRAIN))
    raise InputError(
        f"no method or metric {name!r} is registered",
        place="--plugin",
        remedy=suggest_nearest(name, [*methods, *metrics]),
    )


def _check_file(file: Path, name: str, settings: Mapping[str, Any]) -> list[CheckFinding]:
    """Try a method that a file defines under a name, or else a metric."""
    found = getattr(run_python_file(file, f"--plugin names {name!r} in it"), name, None)
    if isinstance(found, type) and issubclass(found, Method):
        own = load_methods(file, list_methods())
        return _check_method(build_chain(found.name, {found.name: dict(settings)}, own=own))
    options = {"file": str(file), "function": name, "options": dict(settings)}
    return _check_metric(load(MetricSpec(name="python", options=options), _TRAIN))


def _check_method(chain: Chain) -> list[CheckFinding]:
    if chain.trains:
        return [
            CheckFinding(
                f"method {chain.name}",
                "doubt",
                "it trains: its weights cannot be tried without a model",
                remedy="run a small study with it on `model: lab`",
            )
        ]
    start = Candidate(
        prompt=Prompt(instructions="Answer the question."),
        weights=Weights(base="fake:", digest="fake"),
        decoding=Decoding(max_tokens=8),
    )
    before = start.model_dump_json()
    try:
        after, again = (_adapt(chain, start) for _ in range(2))
    except Exception as error:  # whatever another package raises
        return [_judge("it adapts a candidate", get_first_line(error))]
    owned = chain.owns
    changed = sorted(
        name
        for name in _differ(start, after)
        if name not in owned and name.split(".")[0] not in owned
    )
    reread = Candidate.model_validate_json(after.model_dump_json())
    helped = [row.id for row in (*_TRAIN, *_DEV) if row.target in _show(after, row)]
    mutated = start.model_dump_json() != before
    return [
        _judge("its start is left as it is", "it is changed in place" if mutated else ""),
        _judge("only what it owns changes", f"so does {', '.join(changed)}" if changed else ""),
        _judge(
            "saved and read again it is the same", "" if reread.key == after.key else "it is not"
        ),
        _judge("the same seed gives the same", "" if again.key == after.key else "it does not"),
        _judge(
            "a row never helps itself",
            f"its answer stands in its own prompt: {helped[0]}" if helped else "",
        ),
        _judge("the budget is kept", _pass_budget(chain, start)),
    ]


def _adapt(chain: Chain, start: Candidate) -> Candidate:
    with tempfile.TemporaryDirectory() as folder:
        return chain.adapt(start, _open_bench(FakeEngine(_know_some()), folder))


def _pass_budget(chain: Chain, start: Candidate) -> str:
    """What is wrong with how a method meets a budget; "" if nothing."""
    engine = FakeEngine(_know_some())
    with tempfile.TemporaryDirectory() as folder:
        bench = _open_bench(engine, folder, Budget(requests=MOST_REQUESTS))
        try:
            chain.adapt(start, bench)
        except BudgetExceeded:
            pass
        except ArmFailure as failure:
            return get_first_line(failure)
    asked = len(engine.seen)
    return f"{asked} requests, of {MOST_REQUESTS} allowed" if asked > MOST_REQUESTS else ""


def _know_some() -> Any:
    return make_answerer({row.inputs["text"]: row.target for row in (*_TRAIN, *_DEV)}, 0.5)


def _open_bench(engine: FakeEngine, folder: str, budget: Budget | None = None) -> Bench:
    metric = load(MetricSpec(name="exact"), _TRAIN)
    return Bench(
        Examiner(engine, metric, Store(Path(folder))),
        train=_TRAIN,
        dev=_DEV,
        documents=_DOCUMENTS,
        preferences=_PAIRS,
        seed=3,
        budget=budget or Budget(),
    )


def _differ(first: Candidate, second: Candidate) -> set[str]:
    """Dotted names of the fields in which two candidates differ, two levels deep."""
    fields: list[dict[str, Any]] = []
    for candidate in (first, second):
        own: dict[str, Any] = {}
        for name, inner in candidate.model_dump(mode="json").items():
            if name == "lessons":
                own[name] = inner
            else:
                own.update({f"{name}.{deeper}": value for deeper, value in inner.items()})
        fields.append(own)
    ours, theirs = fields
    return {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}


def _show(candidate: Candidate, row: Example) -> str:
    messages = render(candidate.prompt, row, exclude=[row]).messages
    return "\n".join(message.content for message in messages)


def _check_metric(metric: Metric) -> list[CheckFinding]:
    if metric.asks:
        return [
            CheckFinding(
                f"metric {metric.name}",
                "doubt",
                "it asks a model: nothing is tried without one",
                remedy="run a small study with it on `model: lab`",
            )
        ]
    rows, full, raised, unsteady = 0, 0, "", ""
    for target in _TARGETS:
        row = Example(id="row", inputs={"text": "What is it?"}, target=target)
        try:
            own = metric(row, target)
        except InputError:
            continue  # no target of its kind
        except Exception as error:  # whatever another package raises
            return [_judge("a target is scored", f"of {target!r}: {get_first_line(error)}")]
        rows += 1
        full += own.value == 1.0
        for answer in _ANSWERS:
            try:
                first, second = metric(row, answer), metric(row, answer)
            except Exception as error:  # what a metric must not do, whatever it is
                raised = raised or f"on {answer[:8]!r}: {get_first_line(error)}"
                continue
            if first != second:
                unsteady = unsteady or f"{answer[:8]!r} scores {first.value} and {second.value}"
    if not rows:
        return [
            CheckFinding(
                f"metric {metric.name}",
                "doubt",
                "none of the sample targets is of its kind",
                remedy="`whatworks check STUDY` on a study that uses it tries the study's own",
            )
        ]
    return [
        _judge("no answer makes it raise", raised),
        _judge("the same answer has the same score", unsteady),
        CheckFinding(
            "a target scores 1",
            "fine" if full == rows else "doubt",
            f"{full} of {rows} do",
        ),
    ]


def _judge(what: str, wrong: str) -> CheckFinding:
    return CheckFinding(what, "spoils" if wrong else "fine", wrong or "kept")
