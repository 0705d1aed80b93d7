"""What does not fit a model is one error with its place, its value and the nearest known name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.base.validation import explain, find_problem


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rank: int = Field(default=1, ge=1)
    name: str = ""


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner | None = None
    several: list[Inner] = []
    must: int = 0

    @model_validator(mode="after")
    def _agree(self) -> Outer:
        if self.must == 13:
            raise ValueError("13 is unlucky")
        return self


class Needs(BaseModel):
    needed: int


def problem(model: type[BaseModel], value: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return caught.value


@pytest.mark.parametrize(
    ("model", "value", "cause", "remedy"),
    [
        (
            Outer,
            {"inner": {"rnak": 2}},
            "unknown key 'inner.rnak' of it",
            "did you mean 'rank' or 'name'?",
        ),
        (Outer, {"mustt": 2, "inner": 3}, "unknown key 'mustt' of it", "did you mean 'must'?"),
        (Needs, {}, "the key 'needed' of it is missing", "ask"),
        (Outer, {"must": 13}, "it: 13 is unlucky", "ask"),
        (
            Outer,
            {"inner": {"rank": 0}},
            "key 'inner.rank' of it cannot be 0: Input should be greater than or equal to 1",
            "ask",
        ),
        (
            Outer,
            {"must": "m" * 999},
            f"key 'must' of it cannot be '{'m' * 77}...': Input should be a valid integer, "
            "unable to parse string as an integer",
            "ask",
        ),
        (Outer, [1], "it: Input should be a valid dictionary or instance of Outer", "ask"),
    ],
)
def test_the_first_problem_in_words(
    model: type[BaseModel], value: Any, cause: str, remedy: str
) -> None:
    error = explain(problem(model, value), model, subject="it", place="there", remedy="ask")
    assert (error.cause, error.place, error.remedy) == (cause, "there", remedy)
    assert len(str(error).splitlines()) == 2


def test_kinds() -> None:
    cases = [({"x": 1}, "unknown"), ({"must": 13}, "contradiction"), ({"must": "a"}, "value")]
    for value, kind in cases:
        assert find_problem(problem(Outer, value)).kind == kind
    assert find_problem(problem(Needs, {})).kind == "missing"
