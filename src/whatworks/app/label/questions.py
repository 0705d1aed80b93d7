"""Which rows a person is asked about: those on which the two arms in question differ."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.figures import Summary
from whatworks.app.export.chosen_arm import Chosen, choose
from whatworks.app.run_study import summarise_study
from whatworks.app.serve.served import open_arm
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.frozen import hash_content
from whatworks.data.read import read
from whatworks.data.task import Example
from whatworks.methods.bench import pick_answer
from whatworks.metrics.citations import make_answer_reader
from whatworks.prompts.render import render_each
from whatworks.studies.label_book import Question
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__

CHUNK = 16
"""Rows asked and kept at a time: what a killed call repeats at most."""


@dataclass(frozen=True)
class Questions:
    """The questions to ask a person.

    Attributes:
        arms: The two arms.
        asked: The rows on which their answers differ, in the order in which they are shown.
        alike: Rows on which both say the same, which tell nothing.
    """

    arms: tuple[str, str]
    asked: tuple[Question, ...]
    alike: int


def collect_questions(
    run: Path, rows: Path | None = None, arms: Sequence[str] | None = None
) -> Questions:
    """The rows to show, those of a new group first, else in random order, the same every time.

    Args:
        run: Folder of a study that has run.
        rows: A file of rows without targets, which both arms are asked; by default the test rows,
            with the answers that the study has.
        arms: The two arms; by default the two best, or the best and the baseline.

    Raises:
        InputError: If there is no such study, arm or file, or the two never differ.
    """
    folder = StudyFolder(run)
    with folder.settle():
        pair = _choose_arms(summarise_study(folder), arms, run)
        sides = choose(run, pair[0]), choose(run, pair[1])
        if rows is None:
            examples = sides[0].study.task.splits.test
            texts = [{row.example: row.output for row in side.rows} for side in sides]
        else:
            examples = _read_rows(rows, sides[0].study.task.splits.test)
            texts = [_ask(folder, side, examples) for side in sides]
    both = [e for e in examples if all(e.id in own for own in texts)]
    questions = [Question(e, (texts[0][e.id], texts[1][e.id])) for e in both]
    differ = [q for q in questions if q.answers[0].strip() != q.answers[1].strip()]
    if not differ:
        raise InputError(
            f"{pair[0]} and {pair[1]} say the same on all {len(both)} rows",
            place=str(rows or run),
            remedy="give further rows with --rows, or other arms with --arms",
        )
    return Questions(pair, _order(differ), len(both) - len(differ))


def _read_rows(path: Path, like: Sequence[Example]) -> tuple[Example, ...]:
    """Rows without targets, whose inputs are called as those of the study are."""
    names = list(like[0].inputs) if like else []
    columns: dict[str, str | list[str]] | None = {"input": names} if names else None
    return read(path, columns=columns, missing="keep").examples


def _choose_arms(summary: Summary, arms: Sequence[str] | None, run: Path) -> tuple[str, str]:
    names = [arm.name for arm in summary.arms if arm.score is not None]
    if arms is not None:
        for name in arms:
            if name not in names:
                raise InputError(
                    f"no arm {name!r} with answers in this study",
                    place=str(run),
                    remedy=suggest_nearest(name, names),
                )
        if len(set(arms)) != 2:
            raise InputError(
                f"{len(set(arms))} arms are named", place="--arms", remedy="name two: --arms a,b"
            )
        return arms[0], arms[1]
    if summary.duel is not None:
        return summary.duel.first.name, summary.duel.second.name
    best = [summary.recommendation.winner, summary.study.baseline, *names]
    pair = [name for name in dict.fromkeys(best) if name in names]
    if len(pair) < 2:
        raise InputError("only one arm has answers", place=str(run), remedy="run another arm")
    return pair[0], pair[1]


def _order(questions: Sequence[Question]) -> tuple[Question, ...]:
    """One of each group first: further rows of a group tell little more."""
    shuffled = list(questions)
    random.Random("label").shuffle(shuffled)
    seen: set[str] = set()
    later: list[Question] = []
    first: list[Question] = []
    for question in shuffled:
        group = question.example.group or question.example.id
        (later if group in seen else first).append(question)
        seen.add(group)
    return (*first, *later)


def _ask(folder: StudyFolder, side: Chosen, examples: Sequence[Example]) -> dict[str, str]:
    """An arm's answers to new rows, kept in the study's store."""
    answers: dict[str, str] = {}
    served = None
    try:
        for at in range(0, len(examples), CHUNK):
            chunk = examples[at : at + CHUNK]
            key = hash_content([side.candidate.key, [e.key for e in chunk], __version__])
            texts: list[str] | None = folder.store.read("label-answers", key)
            if texts is None:
                served = served or open_arm(folder, side)
                candidate = served.candidate
                requests = render_each(candidate.prompt, chunk)
                drawn = pick_answer.generate(
                    served.engine,
                    served.files,
                    [request.messages for request in requests],
                    candidate.decoding,
                    examples=chunk,
                    metric=served.metric,
                    read=make_answer_reader(candidate.prompt),
                )
                texts = [one.text for one in drawn]
                folder.store.write("label-answers", key, texts)
            answers |= {e.id: text for e, text in zip(chunk, texts, strict=True)}
    finally:
        if served is not None:
            served.engine.close()
    return answers
