"""From examples to token ids: the same text as at generation time, the answer alone learned."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.render import render
from whatworks.training.rows import TrainingRow, make_training_rows
from whatworks.training.tokenise import tokenise


@cache
def tokenizer_of(folder: Path, template: str = "auto") -> Any:
    return templates.use(models.load_tokenizer(folder), template)


def test_rows_are_rendered_as_for_evaluation_and_never_help_themselves() -> None:
    pool = tuple(Example(id=str(i), inputs={"q": f"item {i}" * 3}, target=f"t{i}") for i in "1234")
    prompt = Prompt(instructions="Do.", demos=Demos(pool=pool, k=3))
    rows = make_training_rows(prompt, pool)
    for example, row in zip(pool, rows, strict=True):
        assert row.messages == render(prompt, example, exclude=[example]).messages
        assert row.target == example.target
        assert all(example.target not in message.content for message in row.messages)


def row_of(question: str, target: str) -> TrainingRow:
    return TrainingRow(id="x", messages=(Message(role="user", content=question),), target=target)


@given(
    question=st.text(min_size=1, max_size=20),
    target=st.text(max_size=20),
    template=st.sampled_from(["auto", "alpaca", "vicuna", "chatml", "plain"]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_prompt_is_as_generated_and_answer_is_learned_with_its_end(
    tiny_model: Path, question: str, target: str, template: str
) -> None:
    tokenizer = tokenizer_of(tiny_model, template)
    row = row_of(question, target)
    columns = tokenise([row], tokenizer, 512).columns
    ids, labels = columns["input_ids"][0], columns["labels"][0]
    prompt = templates.encode_prompt(tokenizer, row.messages)
    assert ids[: len(prompt)] == prompt
    assert labels == [-100] * len(prompt) + ids[len(prompt) :]
    assert labels[-1] in templates.find_ending(tokenizer).stop_ids
    answer = [label for label in labels if label != -100]
    assert templates.decode(tokenizer, answer) == target


def test_rows_that_do_not_fit_are_left_out_whole(tiny_model: Path) -> None:
    short, long = row_of("a?", "b"), row_of("a" * 600, "b")
    tokenizer = tokenizer_of(tiny_model)
    tokens = tokenise([short, long, short], tokenizer, 512)
    assert (len(tokens.columns["input_ids"]), tokens.dropped) == (2, 1)
    exact = len(tokens.columns["input_ids"][0])
    assert tokens.lengths == [exact, exact]
    assert tokenise([short], tokenizer, exact).dropped == 0
    with pytest.raises(ArmFailure, match="too long") as failure:
        tokenise([short, long], tokenizer, exact - 1)
    assert failure.value.remedy
    assert tokenise([long], tokenizer, None).dropped == 0
