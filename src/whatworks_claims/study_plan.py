"""A claim's study: an ordinary task with arms, written as an ordinary study folder.

What a claim runs is what its user could run: data files, a ``study.yaml`` beside them, and
``whatworks run`` on it. Nothing is scored or decided on another path.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whatworks.base.frozen import hash_content
from whatworks.base.store import write_atomic
from whatworks.data.task import Task
from whatworks.studies.study_file import Arm, StudyFile, read_arms
from whatworks_claims.desk import Desk
from whatworks_claims.kinds import ArmEntry, DataKind


@dataclass(frozen=True)
class ClaimStudy:
    """One study.

    Attributes:
        task: Frozen data; its splits are given, never cut anew.
        arms: As in a study file; the first is the baseline.
        seeds: How often an arm that depends on the seed runs.
        decoding: As in a study file.
        scored: Answers whose probability is measured for every test example and candidate.
        more: Further keys of the study file.
    """

    task: Task
    arms: tuple[ArmEntry, ...]
    seeds: int = 3
    decoding: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scored: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def key(self) -> str:
        """Content hash."""
        body = [self.task.key, self.arms, self.seeds, dict(self.decoding), dict(self.more)]
        return hash_content(body)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arms."""
        return tuple(arm.name for arm in self.parsed)

    @property
    def parsed(self) -> list[Arm]:
        """The arms as a study runs them."""
        section = {"train": "-", "metric": "exact"}
        return read_arms(StudyFile.model_validate({"task": section, "arms": list(self.arms)}))

    def write(self, folder: Path, model: str) -> Path:
        """Write data and study file; returns the path of ``study.yaml``.

        Raises:
            StorageError: If the folder cannot be written.
        """
        import yaml

        for part in ("train", "dev", "test"):
            _write_rows(folder / f"{part}.jsonl", getattr(self.task.splits, part))
        section: dict[str, Any] = {
            **{part: f"{part}.jsonl" for part in ("train", "dev", "test")},
            "format": "whatworks",
            "metric": {"name": self.task.metric.name, **self.task.metric.options},
            "instructions": self.task.instructions,
        }
        if self.task.documents:
            _write_rows(folder / "documents.jsonl", self.task.documents)
            section["documents"] = "documents.jsonl"
        if self.task.preferences:
            pairs = [
                {"prompt": p.example.text, "chosen": p.chosen, "rejected": p.rejected}
                for p in self.task.preferences
            ]
            lines = (json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
            write_atomic(folder / "pairs.jsonl", "".join(lines))
            section["preferences"] = "pairs.jsonl"
        study: dict[str, Any] = {
            "name": self.task.name,
            "task": section,
            "model": model,
            "arms": list(self.arms),
            "seeds": self.seeds,
            "retention": "none",
            "diagnose": False,  # no claim reads why arms fail
            "score": self.task.metric.score,
            "baseline": self.names[0],
        }
        if self.decoding:
            study["decoding"] = dict(self.decoding)
        text = yaml.safe_dump({**study, **self.more}, sort_keys=False, allow_unicode=True)
        write_atomic(folder / "study.yaml", text)
        return folder / "study.yaml"


@dataclass(frozen=True)
class Step:
    """How a study is made: from generated or real data, perhaps from what others found.

    Attributes:
        name: Under which claims ask for it.
        make: Builds the study. None where there is no data of the kind asked for.
        after: Studies that must be finished before.
        data: The only kind of data that it is made of; either when None.
    """

    name: str
    make: Callable[[Desk], ClaimStudy | None]
    after: tuple[str, ...] = ()
    data: DataKind | None = None


def _write_rows(path: Path, rows: Sequence[Any]) -> None:
    lines = (json.dumps(row.model_dump(mode="json"), ensure_ascii=False) for row in rows)
    write_atomic(path, "".join(line + "\n" for line in lines))
