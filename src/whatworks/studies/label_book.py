"""What people said of a study's answers, and the files that other parts read of it.

In the folder ``labels`` of a run:

======================= =========================================================================
``verdicts.jsonl``      a line per verdict, append-only: everything else is made from it
``preferences.jsonl``   pairs for `task: {preferences: ...}`, read by `dpo` and `rlhf`
``judged.jsonl``        answers with what a person said, for `{judge: {labels: ...}}`
``rows.jsonl``          rows with the targets that people wrote, to be used as any rows are
======================= =========================================================================
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from whatworks.analysis.human_verdicts import HumanVerdict, Said
from whatworks.base.frozen import hash_content
from whatworks.base.lock import hold_lock
from whatworks.base.store import Journal, explain_disk_errors, write_atomic
from whatworks.data.task import Example
from whatworks.data.write import write

FOLDER = "labels"


@dataclass(frozen=True)
class Question:
    """A row on which two arms' answers differ.

    Attributes:
        example: The row.
        answers: Those of the first and of the second arm.
    """

    example: Example
    answers: tuple[str, str]

    def is_turned(self, person: str) -> bool:
        """Whether a person sees the second arm's answer first: as a coin would have it.

        The same person always sees a row in the same order.
        """
        return int(hash_content(["order", person, self.example.key]), 16) % 2 == 1

    def translate(self, person: str, shown: Said) -> Said:
        """What a person said of the answers as shown, of the arms."""
        if shown in ("same", "neither") or not self.is_turned(person):
            return shown
        return "second" if shown == "first" else "first"


@dataclass(frozen=True)
class Entry:
    """A line of ``verdicts.jsonl``: a verdict with what was judged, so that it stands alone."""

    person: str
    arms: tuple[str, str]
    said: Said
    target: str
    answers: tuple[str, str]
    turned: bool
    example: Example
    at: float

    @property
    def verdict(self) -> HumanVerdict:
        """What the statistics need of it."""
        group = self.example.group or self.example.id
        return HumanVerdict(self.person, self.example.id, group, self.said, self.target)


class LabelBook:
    """The verdicts on two arms of a run, kept in its folder.

    Args:
        run: Folder of the study.
        arms: The two arms, in the order in which verdicts name them.
    """

    def __init__(self, run: Path, arms: tuple[str, str]) -> None:
        self.path = run / FOLDER
        self.arms = arms
        self._journal = Journal(self.path / "verdicts.jsonl")

    def entries(self) -> list[Entry]:
        """All verdicts on any two arms, oldest first; of a person and a row the latest counts."""
        return TypeAdapter(list[Entry]).validate_python(list(self._journal.read()))

    def verdicts(self) -> list[HumanVerdict]:
        """The verdicts on these two arms, whichever was named first."""
        judged: list[HumanVerdict] = []
        swapped: dict[Said, Said] = {"first": "second", "second": "first"}
        for entry in self.entries():
            one = entry.verdict
            if entry.arms == self.arms[::-1]:
                one = HumanVerdict(
                    one.person, one.row, one.group, swapped.get(one.said, one.said), one.target
                )
            elif entry.arms != self.arms:
                continue
            judged.append(one)
        return judged

    def add(self, question: Question, person: str, shown: Said, target: str = "") -> None:
        """Keep a verdict, and make the other files anew.

        Args:
            question: What was asked.
            person: Who answered.
            shown: What they said of the answers as shown to them.
            target: What the answer should be, where they wrote it.

        Raises:
            StorageError: If it cannot be written.
        """
        entry = Entry(
            person,
            self.arms,
            question.translate(person, shown),
            target,
            question.answers,
            question.is_turned(person),
            question.example,
            time.time(),
        )
        record = {**asdict(entry), "example": question.example.model_dump(mode="json")}
        with explain_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with hold_lock(self.path / "labels.lock", "these labels", seconds=10):  # people at once
            self._journal.append([record])
            self._write_files()

    def _write_files(self) -> None:
        latest = {(e.person, e.example.id, e.arms): e for e in self.entries()}
        entries = [*latest.values()]
        _write_lines(self.path / "preferences.jsonl", [p for e in entries for p in make_pairs(e)])
        judged = [one for entry in entries if (one := make_judged(entry)) is not None]
        rows = {e.example.id: e.example.replace(target=e.target) for e in entries if e.target}
        for name, examples in (("judged.jsonl", judged), ("rows.jsonl", [*rows.values()])):
            if examples:
                write(examples, self.path / name)


def make_pairs(entry: Entry) -> list[dict[str, Any]]:
    """The preference pairs in a verdict, in TRL's shape.

    A preferred answer is above the other; a target that a person wrote is above every answer that
    they did not prefer.
    """
    better = {"first": 0, "second": 1}.get(entry.said)
    pairs: list[tuple[str, str]] = []
    if better is not None:
        pairs.append((entry.answers[better], entry.answers[1 - better]))
    if entry.target and entry.said in ("first", "second", "neither"):
        worse = [a for at, a in enumerate(entry.answers) if at != better]
        pairs += [(entry.target, answer) for answer in worse if answer.strip() != entry.target]
    example = entry.example
    messages: list[Mapping[str, str]] = [m.model_dump(mode="json") for m in example.messages]
    prompt = messages or [{"role": "user", "content": example.text}]
    rest = {} if example.group is None else {"group": example.group}
    return [
        {
            "id": f"{example.id}/{entry.person}/{n}",
            "prompt": prompt,
            "chosen": good,
            "rejected": bad,
        }
        | rest
        for n, (good, bad) in enumerate(dict.fromkeys(pairs))
        if good.strip() and bad.strip()
    ]


def make_judged(entry: Entry) -> Example | None:
    """A verdict as a judge is asked: is the answer shown first as good as the other, its target?

    None where neither is of use, or one of them is empty.
    """
    shown = (1, 0) if entry.turned else (0, 1)
    answer, target = (entry.answers[at] for at in shown)
    if entry.said == "neither" or not answer.strip() or not target.strip():
        return None
    worse = entry.said == ("first", "second")[shown[1]]
    example = entry.example
    meta = {**example.meta, "answer": answer, "human": 0.0 if worse else 1.0}
    return example.replace(id=f"{example.id}/{entry.person}", target=target, meta=meta)


def _write_lines(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    if records:
        write_atomic(path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))
