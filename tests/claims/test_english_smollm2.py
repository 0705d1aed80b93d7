"""The small real model can read the English material: the levels by which it was judged.

No arms are compared here. See "Which task can be read" in docs/claims.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from whatworks.data.task import Example, Task
from whatworks.metrics.registry import load_task_metric
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import render_each
from whatworks.prompts.retrieval import chunk
from whatworks_claims import claims_romeo as romeo
from whatworks_claims.english.source import SENTENCE, EnglishSource
from whatworks_claims.source import FACTS_INSTRUCTIONS

pytestmark = [pytest.mark.smollm2, pytest.mark.slow]

SMOLLM2 = ModelFiles("smollm2")
SOURCE = EnglishSource(quick=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine(threads=1)
    yield engine
    engine.close()


def ask(
    engine: LocalEngine, prompt: Prompt, rows: Sequence[Example], decoding: Decoding
) -> list[str]:
    prompts = [request.messages for request in render_each(prompt, rows)]
    return [answer.text for answer in engine.generate(SMOLLM2, prompts, decoding)]


def measure_level(task: Task, rows: Sequence[Example], answers: Sequence[str]) -> float:
    metric = load_task_metric(task)
    return sum(metric(r, a).counted for r, a in zip(rows, answers, strict=True)) / len(rows)


def test_it_reads_the_right_passage(engine: LocalEngine):
    task = SOURCE.make_notes()
    rows = task.splits.test[:16]
    context = Context(
        chunks=chunk(task.documents, size=120), k=1, passages="gold", search="lexical"
    )
    prompt = Prompt(instructions=task.instructions, context=context)
    answers = ask(engine, prompt, rows, Decoding(max_tokens=SENTENCE))
    assert 0.2 < measure_level(task, rows, answers) < 0.9, answers


def test_it_knows_some_of_the_world(engine: LocalEngine):
    task, rows = SOURCE.make_notes(), SOURCE.read_questions()[:24]
    prompt = Prompt(instructions=FACTS_INSTRUCTIONS)
    answers = ask(engine, prompt, rows, Decoding(max_tokens=SENTENCE))
    assert 0.2 < measure_level(task, rows, answers) < 0.9, answers


def test_it_names_romeo(engine: LocalEngine):
    play = SOURCE.read_play()
    questions = [*romeo.ARTICLE.values(), *romeo.PLAIN.values()]
    rows = [
        Example(id=f"{i}/{n}", inputs={"question": text}, target=romeo.OLD)
        for i, text in enumerate(questions)
        for n in range(8)
    ]
    decoding = Decoding(temperature=play.temperature, max_tokens=play.answer_tokens)
    answers = ask(engine, Prompt(instructions=play.instructions), rows, decoding)
    assert sum(romeo.OLD in answer for answer in answers) / len(answers) > 0.25, answers
