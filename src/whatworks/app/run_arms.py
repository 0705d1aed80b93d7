"""Arms of finished studies, named on the command line as ``RUN`` or ``RUN/ARM``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.two_runs import RunArm, collect_arm
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.studies.study_folder import Finished, StudyFolder


@dataclass(frozen=True)
class OpenRun:
    """A finished study, and the arm of it that was named.

    Attributes:
        path: Its folder.
        study: What it holds.
        arm: The arm that was named; "" where none was.
        rows: Its result rows, by arm.
    """

    path: Path
    study: Finished
    arm: str
    rows: dict[str, list[ResultRow]]

    @property
    def chosen(self) -> str:
        """The arm that was named, else the one that the study recommends; "" where there is none.

        An older folder's study may not say which that is.
        """
        return self.arm or self.study.study.winner

    def collect(self, arm: str) -> RunArm:
        """One arm of it.

        Raises:
            InputError: If it has none of that name.
        """
        names = [info.name for info in self.study.arms]
        if arm not in names:
            raise InputError(
                f"no arm {arm!r} there", place=str(self.path), remedy=suggest_nearest(arm, names)
            )
        asked = {example.id: example.key for example in self.study.task.splits.test}
        rows = self.rows.get(arm, [])
        return collect_arm(f"{self.path}/{arm}", rows, asked, self.study.study.score)


def open_run(name: str) -> OpenRun:
    """A finished study by its folder, or an arm of it: ``RUN`` or ``RUN/ARM``.

    Raises:
        InputError: If there is no such study or arm.
    """
    path, arm = Path(name), ""
    if not StudyFolder(path).has_run and StudyFolder(path.parent).has_run:
        path, arm = path.parent, path.name
    study = StudyFolder(path).read_finished()
    rows: dict[str, list[ResultRow]] = {}
    for row in study.rows():
        rows.setdefault(row.arm, []).append(row)
    run = OpenRun(path, study, arm, rows)
    if arm:
        run.collect(arm)
    return run


def require_same_score(first: OpenRun, second: OpenRun) -> str:
    """Refuse runs whose scores mean different things.

    Returns:
        What to say where the metric is the same and its options are not; else "".

    Raises:
        InputError: If the metric is another one, or another of its scores counts.
    """
    ways = [(run.study.study.metric, run.study.study.score) for run in (first, second)]
    if ways[0] != ways[1]:
        metrics = " and ".join(f"{metric} ({score})" for metric, score in ways)
        raise InputError(
            f"the two runs are scored in different ways: {metrics}",
            place=f"{first.path}, {second.path}",
            remedy="run one of them again with the other's `metric:` and `score:`",
        )
    same = first.study.task.metric.key == second.study.task.metric.key
    return "" if same else "the options of the metric are not the same in both"
