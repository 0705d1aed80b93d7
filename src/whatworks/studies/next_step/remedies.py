"""What further arms could mend what a diagnosis found, and what is known of them. Dev alone.

Each remedy changes the chain of a diagnosed arm: passages before it, other passages, a form behind
it. What it is expected to bring is reckoned from what was measured: which wrong answers it reaches,
how many like them came right when they were given it, and how many are read when it does not stand
alone (``analysis.next_step.gain``). Retrieval is tried on dev without asking the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.diagnosis.causes import RowDiagnosis
from whatworks.analysis.next_step.gain import Measured, Share
from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.phrasing import format_percent
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer
from whatworks.methods.knn import Knn
from whatworks.methods.rag import Rag
from whatworks.metrics.normalise import normalise
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import render_each
from whatworks.studies.next_step.arm_entry import ArmEntry
from whatworks.studies.shown_passages import find_evidence, read_passages
from whatworks.studies.study import Study

FEW = 3
"""Fewer wrong answers of a kind are no reason for an arm."""
ENOUGH = 0.9
"""One passage is shown where it holds the answer this often, as a share of what several do."""
UNREAD = (Share("unknown", 0.5),)
"""How often a passage is read beside others, where that was not measured: anything."""
MISSED = "passage not found"


@dataclass(frozen=True)
class Diagnosed:
    """An arm that was diagnosed.

    Attributes:
        entry: The arm as the study file has it.
        candidate: What it became.
        dev: Its answers on dev.
        diagnosis: Why the wrong ones are wrong.
        forms: Methods that could mend the form of its answers, the most direct first.
    """

    entry: ArmEntry
    candidate: Candidate
    dev: Sequence[Answer]
    diagnosis: ArmDiagnosis
    forms: Sequence[str] = ()

    @property
    def wrong(self) -> Mapping[str, RowDiagnosis]:
        """Row to why its answer is wrong."""
        return {row.row: row for row in self.diagnosis.rows}


@dataclass(frozen=True)
class Remedy:
    """A changed arm, what speaks for it, and what is known of it.

    Attributes:
        steps: Its methods.
        settings: What stands over the settings that the arm has, by method.
        why: What was measured, and what the change does about it.
        known: What its gain is reckoned from.
        other: What stands over the arm's keys that are about no step.
    """

    steps: tuple[str, ...]
    why: str
    known: Measured
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    other: Mapping[str, Any] = field(default_factory=dict[str, Any])


def list_remedies(study: Study, arm: Diagnosed) -> Iterator[Remedy]:
    """The remedies for what a diagnosis found, as far as they fit the study."""
    if arm.candidate.prompt.context is None:
        yield from _bring_passages(study, arm)
    else:
        yield from _retrieve_otherwise(study, arm)
        yield from _show_the_first_alone(arm)
    yield from _mend_form(arm)
    yield from _show_neighbours(study, arm)
    yield from _give_room(arm)


# -- passages -----------------------------------------------------------------------------------


def _bring_passages(study: Study, arm: Diagnosed) -> Iterator[Remedy]:
    """Facts are lacking, and there are documents: retrieve them."""
    mended = _list_mended(arm, "with_facts")
    if not study.task.documents or not mended:
        return
    alone, several = (_find(study, arm, rag) for rag in (Rag(k=1), Rag()))
    # One passage is what was measured; beside others it may not be read.
    one = len(alone) >= ENOUGH * len(several)
    reached = [row for row in arm.wrong.values() if row.row in (alone if one else several)]
    if len(reached) < FEW:
        return
    share = format_percent(len(reached) / len(arm.wrong), 0)
    shown = "one passage" if one else f"{Rag().k} passages"
    yield Remedy(
        ("rag", *arm.entry.steps),
        f"{_count_mended(mended)} wrong answers that were given the facts came right, and the "
        f"answer stands in the {shown} that retrieval shows for {share} of all that are wrong",
        Measured(_lack(reached), mended, read=() if one else UNREAD),
        {"rag": {"k": 1}} if one else {},
    )


def _retrieve_otherwise(study: Study, arm: Diagnosed) -> Iterator[Remedy]:
    """No passage held the answer: the search that finds most of them."""
    missed = [row for row in arm.wrong.values() if row.cause == MISSED]
    mended = _list_mended(arm, "with_facts")
    own = arm.entry.settings.get("rag", {})
    if "rag" not in arm.entry.steps or len(missed) < FEW or not mended:
        return
    shown = _find_shown(arm.candidate, arm.dev)
    best: tuple[int, dict[str, Any], set[str]] = (0, {}, set())
    for change in _list_searches(Rag.model_validate(own)):
        found = _find(study, arm, Rag.model_validate({**own, **change}))
        gained = sum(row.row in found for row in missed) - len(shown - found)
        if gained > best[0]:
            best = (gained, change, found)
    gained, change, found = best
    if gained < FEW:
        return
    words = ", ".join(f"{name}: {value}" for name, value in change.items())
    reached = [row for row in missed if row.row in found]
    yield Remedy(
        arm.entry.steps,
        f"no passage held the answer to {len(missed)} of {len(arm.wrong)} wrong ones; {words} "
        f"finds it for {len(reached)} of them",
        Measured(
            _lack(reached),
            mended,
            read=[_right(answer) for answer in arm.dev if answer.example.id in shown],
            at_risk=[_right(a) for a in arm.dev if a.example.id in shown - found],
            broken=[_lost(answer) for answer in arm.dev if answer.example.id not in shown],
        ),
        {"rag": change},
    )


def _list_searches(own: Rag) -> Iterator[dict[str, Any]]:
    """Other ways to retrieve: more passages, another search, other sizes, in this order."""
    yield {"k": 2 * own.k}
    for search in ("hybrid", "lexical", "vector"):
        if search != own.search:
            yield {"search": search}
    for size in (max(20, own.size // 2), 2 * own.size):
        yield {"size": size}
        yield {"size": size, "k": 2 * own.k}


def _show_the_first_alone(arm: Diagnosed) -> Iterator[Remedy]:
    """Others mislead it: where the first passage holds the answer, show it alone."""
    context = arm.candidate.prompt.context
    misled = [row for row in arm.wrong.values() if row.cause == "misled by another passage"]
    mended = [one for one in _list_mended(arm, "with_facts", misled)]
    if context is None or context.k < 2 or "rag" not in arm.entry.steps or len(misled) < FEW:
        return
    first = _find_shown(arm.candidate.with_prompt(context=context.replace(k=1)), arm.dev)
    reached = [row for row in misled if row.row in first]
    if len(reached) < FEW or not mended:
        return
    lost = _find_shown(arm.candidate, arm.dev) - first
    yield Remedy(
        arm.entry.steps,
        f"other passages mislead it in {len(misled)} of {len(arm.wrong)} wrong answers; for "
        f"{len(reached)} of them the first passage holds the answer, and stands alone then",
        Measured(
            _lack(reached),
            mended,
            at_risk=[_right(answer) for answer in arm.dev if answer.example.id in lost],
            broken=[_lost(a) for a in arm.dev if a.example.id not in first | lost]
            or [Share("all", 1.0)],
        ),
        {"rag": {"k": 1}},
    )


def _find(study: Study, arm: Diagnosed, rag: Rag) -> set[str]:
    """Dev rows for which retrieval shows the answer; no model is asked."""
    try:
        with arm_failures():
            bare = arm.candidate.with_prompt(context=None)
            return _find_shown(rag.adapt(bare, _open_bench(study, arm)), arm.dev)
    except ArmFailure:
        return set()


def _open_bench(study: Study, arm: Diagnosed) -> Bench:
    """A bench of its own to try on what is shown."""
    return Bench(
        study.examiner_of(arm.entry.name),
        train=study.task.splits.train,
        dev=study.task.splits.dev,
        documents=study.task.documents,
        documents_fault=study.task.documents_fault,
    )


def _find_shown(candidate: Candidate, answers: Sequence[Answer]) -> set[str]:
    passages = read_passages(candidate, answers)
    return {a.example.id for a in answers if find_evidence(a.example, passages[a.example.id])}


# -- form ---------------------------------------------------------------------------------------


def _mend_form(arm: Diagnosed) -> Iterator[Remedy]:
    """The content is there, or comes when the form is given: a form behind it."""
    mended = _list_mended(arm, "with_form")
    came = sum(share.value for share in mended)
    if came < FEW:
        return
    for method in arm.forms:
        if method in arm.entry.steps:
            continue
        yield Remedy(
            (*arm.entry.steps, method),
            f"{_count_mended(mended)} wrong answers came right with the form given (constraint and "
            f"examples); {method} gives it to every answer",
            Measured(_lack(list(arm.wrong.values())), mended),
        )


# -- labels and room ----------------------------------------------------------------------------


def _show_neighbours(study: Study, arm: Diagnosed) -> Iterator[Remedy]:
    """Labels are confused: show the nearest train rows, where most of them have the right one.

    How often a label that stands in the prompt is said was measured by telling it.
    """
    confused = [row for row in arm.wrong.values() if row.cause == "label confused"]
    said = _list_mended(arm, "with_facts")
    if arm.candidate.prompt.demos is not None or len(confused) < FEW or not said:
        return
    right = _find_labelled(study, arm)
    reached = [row for row in confused if row.row in right]
    misled = [a for a in arm.dev if a.score.counted > 0 and a.example.id not in right]
    if len(reached) < FEW:
        return
    yield Remedy(
        ("knn", *arm.entry.steps),
        f"labels are confused in {len(confused)} of {len(arm.wrong)} wrong answers; most of the "
        f"nearest train rows have the right one for {len(reached)} of them, another one for "
        f"{len(misled)} answers that are right",
        Measured(_lack(reached), said, (), [_right(one) for one in misled], said),
    )


def _find_labelled(study: Study, arm: Diagnosed) -> set[str]:
    """Dev rows for which most of the nearest train rows have the right label."""
    try:
        with arm_failures():
            candidate = Knn().adapt(arm.candidate, _open_bench(study, arm))
            requests = render_each(candidate.prompt, [one.example for one in arm.dev])
    except ArmFailure:
        return set()
    right: set[str] = set()
    for one in requests:
        labels = Counter(normalise(shown.target) for shown in one.demonstrations)
        wanted = normalise(one.example.target)
        if labels[wanted] and labels[wanted] == max(labels.values()):
            right.add(one.example.id)
    return right


def _give_room(arm: Diagnosed) -> Iterator[Remedy]:
    """Answers were cut: twice the room, expected to serve them as it does those that ended."""
    cut = [row for row in arm.wrong.values() if row.finish == "length"]
    ended = [answer for answer in arm.dev if answer.generation.finish == "stop"]
    if len(cut) < FEW or not ended:
        return
    tokens = 2 * arm.candidate.decoding.max_tokens
    scores = [_right(answer) for answer in ended]
    yield Remedy(
        arm.entry.steps or ("zero-shot",),
        f"{len(cut)} of {len(arm.dev)} answers were cut; of those that ended by themselves "
        f"{sum(one.value for one in scores):g} of {len(ended)} are right; {tokens} tokens",
        Measured(_lack(cut), scores),
        other={"decoding": {**(arm.entry.other.get("decoding") or {}), "max_tokens": tokens}},
    )


# -- figures ------------------------------------------------------------------------------------


def _list_mended(
    arm: Diagnosed, given: str, rows: Sequence[RowDiagnosis] | None = None
) -> list[Share]:
    """Of the wrong answers that were given something: the share of what they lacked that came."""
    shares: list[Share] = []
    for row in arm.wrong.values() if rows is None else rows:
        after = row.with_form if given == "with_form" else row.with_facts
        if after is not None and row.score < 1:
            came = (after - row.score) / (1 - row.score)
            shares.append(Share(row.group or row.row, max(0.0, came)))
    return shares


def _count_mended(mended: Sequence[Share]) -> str:
    return f"{sum(share.value >= 1.0 for share in mended)} of {len(mended)}"


def _lack(rows: Sequence[RowDiagnosis]) -> list[Share]:
    return [Share(row.group or row.row, 1.0 - row.score) for row in rows]


def _right(answer: Answer) -> Share:
    return Share(answer.example.group or answer.example.id, answer.score.counted)


def _lost(answer: Answer) -> Share:
    return Share(answer.example.group or answer.example.id, 1.0 - answer.score.counted)
