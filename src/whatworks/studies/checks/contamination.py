"""Whether the model knows the test rows already: contamination detection via context (CoDeC).

Zawalski et al. 2025, "Detecting Data Contamination in LLMs via In-Context Learning"
(arXiv:2510.27055, section 3): tokens are rated with and without another row of the same data
before them. Rated here are those of the answer to the request, as a chat model learns them. A model
that has not seen such data gains; one that has learned it loses. The figure is the share of rows
that lose.

The untouched model reads test here, before the study runs. Nothing is generated or scored, no arm
is asked, and one share comes out, no row by name: no decision between arms can follow from it.
The row that stands before comes from train.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from whatworks.analysis.comparison import estimate_mean
from whatworks.base.errors import ArmFailure
from whatworks.data.near_duplicates import is_same_source
from whatworks.data.task import Example, Message, Task
from whatworks.models.engine import Engine, ModelFiles
from whatworks.models.weights import Weights
from whatworks.studies.checks.finding import CheckFinding

CHECK = "test known to the model"
MOST = 100
"""Test rows that are read, of a reproducible draw: two passes each."""
FEWEST = 20


def check_contamination(task: Task, engine: Engine, weights: Weights) -> CheckFinding:
    """The share of test rows that become less likely after a row of train, with its interval.

    A doubt where the whole 95% interval is above one half.

    Raises:
        BudgetExceeded: If the engine's limit in money is passed.
    """
    model = ModelFiles(base=weights.base, template=weights.template)
    pairs = _pair_rows(task, engine, model)
    if len(pairs) < FEWEST:
        return CheckFinding(
            CHECK, "fine", f"not measured: {len(pairs)} test rows fit, {FEWEST} are needed"
        )
    first = [[_ask(row)] for row, _ in pairs]
    after = [
        [_ask(other), Message(role="assistant", content=other.target), _ask(row)]
        for row, other in pairs
    ]
    texts = [row.target for row, _ in pairs]
    try:
        alone, informed = (engine.logprobs(model, asked, texts) for asked in (first, after))
    except ArmFailure as error:
        return CheckFinding(CHECK, "fine", f"not measured: {error.cause}")
    lost = {
        (0, row.id): float(_average(b) < _average(a))
        for (row, _), a, b in zip(pairs, alone, informed, strict=True)
    }
    groups = {row.id: row.group or row.id for row, _ in pairs}
    share = estimate_mean(lost, groups)
    says = (
        f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}] of {len(lost)} test rows become "
        "less likely after another row of these data"
    )
    if share.low <= 0.5:
        return CheckFinding(
            CHECK, "fine", f"{says}: no sign that the model has learned them, which is no proof"
        )
    return CheckFinding(
        CHECK,
        "doubt",
        f"{says}: a sign that the model has learned such data",
        remedy="scores on test may be too high for every arm of this model; take test rows that "
        "are newer than the model",
    )


def _pair_rows(task: Task, engine: Engine, model: ModelFiles) -> list[tuple[Example, Example]]:
    """Test rows, each with a row of train that is none of its own source, where both fit."""
    rng = random.Random("contamination")
    rows = rng.sample(task.splits.test, min(MOST, len(task.splits.test)))
    train: Sequence[Example] = task.splits.train
    pairs: list[tuple[Example, Example]] = []
    for row in rows:
        tried = rng.sample(train, min(5, len(train)))
        other = next((one for one in tried if not is_same_source(one, row)), None)
        if other is not None and row.target.strip():
            pairs.append((row, other))
    context = engine.context_length(model)
    if context is None:
        return pairs
    # A template's own marks take some tokens beside the texts.
    lengths = engine.count_tokens(model, [f"{_write(a)}\n{_write(b)}" for a, b in pairs])
    return [pair for pair, n in zip(pairs, lengths, strict=True) if n + 64 <= context]


def _ask(row: Example) -> Message:
    return Message(role="user", content=row.text)


def _write(row: Example) -> str:
    """A row as its data have it: input, then target."""
    return f"{row.text}\n{row.target}"


def _average(logprobs: Sequence[float]) -> float:
    """By token, without the end of the turn."""
    own = logprobs[:-1]
    return sum(own) / len(own) if own else 0.0
