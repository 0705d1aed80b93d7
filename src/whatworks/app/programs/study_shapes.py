"""What a record of a study holds: its check, plan, verdict, comparison and gate."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Base of what stands in a record."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class CheckedFinding(Shape):
    """What one check found."""

    check: str
    level: Literal["fine", "doubt", "spoils"]
    says: str
    rows: int
    """How many rows."""
    remedy: str


class Check(Shape):
    """`check`: what would spoil a study, or a plugin's contracts."""

    spoilt: bool
    findings: list[CheckedFinding]


class PlannedArm(Shape):
    """What an arm will take."""

    name: str
    seeds: int
    requests: int
    tokens: int
    training_tokens: int
    seconds: float
    usd: float | None
    """None where a price is unknown."""
    memory: int
    """Bytes."""
    failure: str


class PlannedAfter(Shape):
    """Seconds that come after the arms."""

    forgetting: float
    diagnosis: float


class Plan(Shape):
    """`plan`: what a study will take."""

    seconds: float
    usd: float | None
    """None where a price is unknown."""
    rows: dict[str, int]
    """By split."""
    arms: list[PlannedArm]
    after: PlannedAfter
    reach: list[str]
    """What differences the rows can show, in words."""


class Expected(Shape):
    """Shares."""

    value: float
    low: float
    high: float


class ProposedArm(Shape):
    """A further arm and what it is expected to bring on dev."""

    entry: str | dict[str, Any]
    """As the study file has it."""
    arm: str
    start: str
    """The arm that it changes."""
    why: str
    gain: Expected
    """Its dev score less that of `start`."""
    seconds: float | None
    """None where nothing like it ran."""
    usd: float


class Next(Shape):
    """`next`: further arms for a study."""

    study: str
    written: bool
    """Whether they are in the study file now."""
    arms: list[ProposedArm]


class JudgedArm(Shape):
    """An arm's figures; scores and differences are shares."""

    arm: str
    score: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    verdict: str
    best: bool
    dev: float | None
    lenient: float | None
    cut: float | None
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds: float | None
    training_seconds: float | None
    usd: float | None
    seeds: int
    failure: str
    reason: str
    more: str
    """What would settle it."""


class AnsweredNotWorse(Shape):
    """A question of the study whether one arm is not worse than another."""

    arm: str
    than: str
    margin: float
    answer: str
    difference: float | None
    low: float | None
    high: float | None
    says: str


class ForeseenArm(Shape):
    """What a further arm was expected to bring on dev, and what came; gains are shares."""

    arm: str
    start: str
    """The arm that it changes."""
    why: str
    gain: Expected
    came: float | None
    """None where one of the two has no score."""
    within: bool
    """Whether that lies in the interval."""
    seconds: float | None
    """Expected; None where nothing like it ran."""
    took: float | None
    """None where it did not run."""


class Foresight(Shape):
    """How good the predictions were, of the arms that ran."""

    tested: int
    within: int
    """Gains within their interval."""
    error: float
    """Mean distance of what came from what was expected."""
    bias: float
    """Mean of what came less what was expected."""


class ArticleSays(Shape):
    """A line of the article on fine-tuning, in this study."""

    line: str
    answer: Literal["confirmed", "refuted", "open"]
    evidence: str
    """The comparison."""


class Verdict(Shape):
    """`run`, `report`: the answer in words, and each arm's figures and verdict."""

    folder: str
    model: str
    metric: str
    baseline: str
    best: str | None
    """None where no arm finished."""
    headline: str
    details: list[str]
    warning: str
    n_test: int
    openings: int
    """How often test was opened."""
    not_worse: list[AnsweredNotWorse]
    predicted: list[ForeseenArm]
    """Arms that `next` or `run --auto` proposed."""
    foresight: Foresight | None
    """None where none of them ran."""
    auto: str
    """Why the rounds of `run --auto` ended; empty where there were none."""
    article: list[ArticleSays]
    """The lines that the study has arms for."""
    report: str
    arms: list[JudgedArm]


class Compare(Shape):
    """`compare`: the second arm less the first, paired."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    rows: int
    groups: int


class Gate(Shape):
    """`gate --json FILE`: whether a run is let pass."""

    passed: bool
    reason: str
    new: str
    old: str
    margin: float
    rows: int
    missing: int
    unanswered: int
    difference: float | None
    interval: list[float] | None
    """Low and high, of 90%."""
    note: str


class Init(Shape):
    """`init`: the study file that was written."""

    study: str
    metric: str


class Status(Shape):
    """The tool `status` of the server: how a run stands."""

    folder: str
    state: Literal["running", "finished", "failed", "stopped", "unknown"]
    decided: list[str]
    """Arms."""
    says: str


class Error(Shape):
    """A tool of the server that cannot."""

    cause: str
    place: str
    remedy: str
