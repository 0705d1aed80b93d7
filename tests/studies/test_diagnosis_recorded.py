"""The demo's two families, form and facts: what models said when their errors were diagnosed.

The answers were recorded by ``benchmarks/diagnosis.py``; everything else (prompts, scores,
diagnosis) is made anew, and a prompt that was not recorded fails.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.frozen import hash_content
from whatworks.base.progress import Silent
from whatworks.data.task import Message, format_transcript
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles, Prompts
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.studies.diagnosis import diagnose_arm
from whatworks.studies.study import Study
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_task import read_task

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RECORDED = Path(__file__).parent / "recorded"


def open_recorded(name: str, model: str, out: Path) -> tuple[Study, FakeEngine]:
    """A study of the demo whose model says again what was recorded."""
    answers = json.loads((RECORDED / f"diagnosis_{model}.json").read_text("utf-8"))[name]

    def replay(messages: Sequence[Message]) -> str:
        return answers[hash_content([format_transcript(messages), constrained[0]])]

    constrained = [False]
    engine = FakeEngine(replay)
    generate = engine.generate

    def note(
        model: ModelFiles, prompts: Prompts, decoding: Decoding, **more: Any
    ) -> list[Generation]:
        constrained[0] = decoding.constraint is not None
        return generate(model, prompts, decoding, **more)

    engine.generate = note
    path = EXAMPLES / f"{name}.yaml"
    file = read_study(path)
    zero = [arm for arm in read_arms(file) if arm.name == "zero-shot"]
    study = Study(
        read_task(file, path.parent),
        zero,
        engine,
        Weights(base="fake:"),
        out,
        decoding=Decoding(max_tokens=200),
    )
    return study, engine


@pytest.mark.parametrize(
    ("name", "most", "lacks", "model"),
    [
        ("shop/forms", 21, "the form of the answers", "smollm2"),
        ("shop/handbook", 24, "the facts", "smollm2"),
        ("facts/study", 90, "the facts", "lab"),
    ],
)
def test_the_first_sentence_names_what_the_family_is_made_of(
    name: str, most: int, lacks: str, model: str, tmp_path: Path
):
    study, engine = open_recorded(name, model, tmp_path)
    run = study.run_whole(study.arms[0], 0, Silent())
    assert run.failure is None
    found = diagnose_arm(study, run, most, Silent())
    assert found.shares is not None
    gains = found.shares.form.value, found.shares.facts.value
    assert (gains[0] > gains[1]) == (name == "shop/forms")
    assert f"what zero-shot lacks is {lacks}" in found.headline.lower()
    test = [row.text for row in study.task.splits.test]
    asked = [m.content for messages in engine.seen for m in messages]
    assert not any(text in content for content in asked for text in test)
