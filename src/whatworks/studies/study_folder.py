"""The folder of a study that ran to its end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from whatworks.analysis.figures import ArmInfo, StudyInfo
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.result_rows import Results, Row
from whatworks.base.errors import InputError
from whatworks.data.task import Task


@dataclasses.dataclass(frozen=True)
class Finished:
    """A study that ran to its end, read from its folder."""

    study: StudyInfo
    arms: tuple[ArmInfo, ...]
    task: Task
    results: Results

    def rows(self, *, back: int = 0) -> list[Row]:
        """The rows of its arms; ``back`` as for ``Results.rows``."""
        names = {arm.name for arm in self.arms}
        return [row for row in self.results.rows(back=back) if row.arm in names]


def read_finished(folder: Path) -> Finished:
    """The study in a folder of results.

    Raises:
        InputError: If the folder holds no finished study.
    """
    try:
        record = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        task = Task.model_validate_json((folder / "task.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "no finished study here",
            place=str(folder),
            remedy="run it to the end first: whatworks run STUDY.yaml --out " + str(folder),
        ) from error
    arms = tuple(_from_record(arm) for arm in record["arms"])
    return Finished(StudyInfo(**record["study"]), arms, task, Results(folder / "results.jsonl"))


def _from_record(arm: dict[str, Any]) -> ArmInfo:
    fields = dict(arm)
    forgotten = fields.pop("forgetting", None)
    info = ArmInfo(**fields)
    return dataclasses.replace(info, forgetting=Forgetting(**forgotten)) if forgotten else info


def read_arm_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What a folder's summary says of each arm, by its name; nothing where there is none."""
    try:
        record = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {arm["name"]: arm for arm in record["arms"]}
