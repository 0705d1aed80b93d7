"""How many tokens an answer may take where the study does not say."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Examiner
from whatworks.models.engine import Engine, ModelFiles
from whatworks.models.metering import Meter
from whatworks.prompts.candidate import Candidate

SENTENCE = 64
"""Tokens that an answer may take at least, where the model may answer in a sentence: two or three
times an English sentence of 15 to 20 words."""
MARKS = "<tool_call>\n\n</tool_call>"
"""What a template may put around calls."""
REASONING = 1024
"""Tokens more where the model reasons; at most half of its context."""
FIRST = 4
"""Answers of dev that show whether it does."""


def measure_room(engine: Engine, model: ModelFiles, train: Sequence[Example]) -> int:
    """Room for the longest train target, a quarter more, and the end of the turn.

    For a sentence at least, and for reasoning, as the engine knows the model; never more than half
    of its context for what the targets do not ask for.
    """
    targets = [row.target + MARKS if row.meta.get("tools") else row.target for row in train]
    longest = max(engine.count_tokens(model, targets), default=0)
    room, habits = longest + longest // 4 + 4, engine.habits(model)
    if habits.sentences:
        room = max(room, min(SENTENCE, _halve_context(engine, model)))
    return room + (choose_reasoning_room(engine, model) if habits.reasons else 0)


def choose_reasoning_room(engine: Engine, model: ModelFiles) -> int:
    """Tokens for reasoning beside those for the answer."""
    return min(REASONING, _halve_context(engine, model))


def shows_reasoning(
    examiner: Examiner, start: Candidate, dev: Sequence[Example], meter: Meter
) -> bool:
    """Whether the model reasons in its first answers of dev, where its template does not say.

    An arm that fails says so itself: here a failure shows nothing.
    """
    if examiner.engine.habits(examiner.files(start.weights)).reasons is not None:
        return False
    try:
        answers = examiner.ask(start, dev[:FIRST], meter=meter)
    except ArmFailure:
        return False
    return any(answer.generation.reasoning for answer in answers)


def _halve_context(engine: Engine, model: ModelFiles) -> int:
    context = engine.context_length(model)
    return REASONING if context is None else context // 2
