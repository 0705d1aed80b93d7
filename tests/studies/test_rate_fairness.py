"""Ways of training compared at rates that suit each of them, or what is said where they are not."""

from __future__ import annotations

from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.methods.registry import build_chain
from whatworks.methods.settings_search import Search
from whatworks.studies.arm_entries import Arm, read_arm
from whatworks.studies.rate_fairness import describe_unsearched
from whatworks.training.schedule import RATES


def arm(name: str, **sft: Any) -> Arm:
    return read_arm({"arm": "sft", "name": name, "sft": sft})


AUTO = {"learning_rate": "auto"}


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_auto_tries_the_rates_of_the_kind(kind: Any) -> None:
    (search,) = arm("a", kind=kind, search=AUTO).chain.steps
    assert isinstance(search, Search)
    rates = [getattr(trial.chain.steps[0], "learning_rate") for trial in search.trials]  # noqa: B009
    assert rates == list(RATES[kind])
    assert max(RATES["lora"]) == 10 * max(RATES["full"])


def test_rates_of_two_kinds_are_not_tried_together() -> None:
    with pytest.raises(InputError, match="for `full`"):
        build_chain("sft", {"sft": {"search": {"kind": ["lora", "full"], **AUTO}}})


def test_what_was_not_searched_is_said() -> None:
    both = [arm("lora", search=AUTO), arm("full", kind="full", search=AUTO)]
    assert describe_unsearched(both) == []
    (line,) = describe_unsearched([both[0], arm("full", kind="full")])
    assert line.startswith("lora and full differ in kind, and the learning rate of full was not")
    (line,) = describe_unsearched([arm("a", rank=8), arm("b", rank=64, modules="mlp")])
    assert "differ in rank and modules" in line and "of a and b was not searched" in line


def test_arms_that_differ_otherwise_are_left_in_peace() -> None:
    others = [
        arm("short", epochs=1),
        arm("long", epochs=9),
        read_arm({"arm": "rag+sft", "name": "rag", "sft": {"rank": 8}}),
        read_arm("zero-shot"),
        arm("alone", rank=16).model_copy(update={"model": "lab", "rows": 20}),
    ]
    assert describe_unsearched(others) == []
    searched = arm("a", search={"learning_rate": [1e-3, 1e-2]})
    assert describe_unsearched([searched, arm("b", rank=8, search={"epochs": [1, 2]})])
