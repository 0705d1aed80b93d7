from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from whatworks.base.errors import InputError, StackingError
from whatworks.methods.registry import build_chain
from whatworks.models.decoding import Decoding
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

BASE = Weights(base="lab", digest="0")
LORA = Stage(kind="lora", method="sft", artifact="a")
FULL = Stage(kind="full", method="sft", artifact="b")
SOFT = Stage(kind="soft-prompt", method="soft-prompt", artifact="c")


def test_key_follows_content_and_replace_makes_a_new_one() -> None:
    one = Candidate(prompt=Prompt(instructions="a"), weights=BASE)
    assert one.key == Candidate(prompt=Prompt(instructions="a"), weights=BASE).key
    other = one.with_prompt(instructions="b")
    assert other.key != one.key
    assert other.with_prompt(instructions="a").key == one.key
    assert one.replace(decoding=Decoding(seed=1)).key != one.key


def test_frozen_and_closed() -> None:
    with pytest.raises(ValidationError):
        Prompt().instructions = "x"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Prompt(unknown=1)  # type: ignore[call-arg]


def test_stacking_rule() -> None:
    assert BASE.stack("lora") == "new"
    assert BASE.then(LORA).stack("lora") == "continue"
    assert BASE.then(LORA).stack("full") == "merge"
    assert BASE.then(FULL).stack("lora") == "new"
    assert BASE.then(FULL).stack("full") == "continue"
    for stages, kind in (((LORA,), "soft-prompt"), ((SOFT,), "lora")):
        with pytest.raises(StackingError) as caught:
            Weights(base="lab", stages=stages).stack(kind)  # type: ignore[arg-type]
        assert caught.value.remedy


def test_what_cannot_stack_is_refused_at_planning() -> None:
    for spec in ("sft+sft", "sft+rag+sft", "rl+rl", "refusal+dpo+sft+sft"):
        with pytest.raises(StackingError, match="train twice"):
            build_chain(spec).plan(BASE)
    searched = {"rag": {"search": {"k": [1, 2]}}}
    with pytest.raises(StackingError, match="train twice"):
        build_chain("sft+rag+sft", searched).plan(BASE)
    assert len(build_chain("rag+sft").plan(BASE).stages) == 1


@pytest.mark.parametrize(
    "spec", ["sft+refusal+sft", "corpus+sft+sft", "augment+sft+distill+sft", "sft+augment+sft"]
)
@pytest.mark.parametrize("settings", [{}, {"sft": {"search": {"rank": [4, 8]}}}])
def test_a_trainer_may_come_again_for_other_rows(spec: str, settings: dict[str, Any]) -> None:
    made = build_chain(spec, settings).plan(BASE)
    assert [stage.method for stage in made.stages] == ["sft", "sft"]


@pytest.mark.parametrize("knob", [{"rank": 64}, {"variant": "dora"}, {"variant": "qlora"}])
def test_a_knob_of_an_adapter_is_refused_where_none_is_made(knob: dict[str, object]) -> None:
    with pytest.raises(InputError, match="trains none") as caught:
        build_chain("sft", {"sft": {"kind": "full", **knob}})
    assert caught.value.remedy
    for settings in (knob, {"search": {name: [value] for name, value in knob.items()}}):
        with pytest.raises(StackingError, match="would do nothing") as refused:
            build_chain("dpo+sft", {"sft": settings}).plan(BASE)
        assert refused.value.remedy
        assert build_chain("sft+dpo", {"sft": settings}).plan(BASE)
    with pytest.raises(StackingError, match="would do nothing"):
        build_chain("sft", {"sft": knob}).plan(
            BASE.then(Stage(kind="lora", method="dpo", artifact="d"))
        )
    merged = build_chain("dpo+sft", {"dpo": {"kind": "full"}, "sft": knob})
    assert merged.plan(BASE).stages[-1].kind == "lora"
    assert build_chain("dpo+sft", {"sft": {"rank": 16}}).plan(BASE), "as the adapter has it"
    assert build_chain("dpo+sft", {"sft": {"kind": "full"}}).plan(BASE)
