"""A finished study for programs and notebooks: tables, verdicts, answers, exports."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from whatworks.analysis.comparison import Comparison
from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.analysis.slices import Slices
from whatworks.analysis.two_runs import compare_runs
from whatworks.analysis.verdict import Verdict
from whatworks.app.export.export import Checking, Exported, export
from whatworks.app.library.plot import Plot
from whatworks.app.next_step import Limit, run_rounds
from whatworks.app.run_arms import open_run, require_same_score
from whatworks.app.run_study import report_study, run_study, summarise_study
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.phrasing import format_interval, format_percent, format_points
from whatworks.base.progress import Watcher
from whatworks.data.task import Example, Message
from whatworks.studies.study_folder import StudyFolder

if TYPE_CHECKING:
    import pandas as pd

    from whatworks.app.serve.served import Served

Chart = Literal["differences", "kinds", "curve"]


@dataclass(frozen=True)
class Result:
    """A study that has run.

    Attributes:
        folder: Where it lies; ``report.html`` among it.
        summary: All figures, as the report shows them.
    """

    folder: Path
    summary: Summary
    _served: dict[str, Served] = field(default_factory=dict[str, "Served"], repr=False)

    @property
    def best(self) -> str:
        """The arm that the study recommends; "" where no arm finished."""
        return self.summary.recommendation.winner or ""

    @property
    def report(self) -> Path:
        """The page."""
        return StudyFolder(self.folder).report

    @property
    def records(self) -> list[dict[str, Any]]:
        """A mapping for each arm: scores and differences as shares, cost of a request."""
        return [_describe_arm(arm, self.best) for arm in self.summary.arms]

    @property
    def table(self) -> pd.DataFrame:
        """``records`` as a data frame, the arms as its index."""
        return _load_pandas().DataFrame.from_records(self.records, index="arm")

    @property
    def answers(self) -> pd.DataFrame:
        """One row for each arm, seed and test row: the answer, its scores, tokens, seconds."""
        rows = StudyFolder(self.folder).read_finished().rows()
        return _load_pandas().DataFrame.from_records([asdict(row) for row in rows])

    def verdict(self, arm: str = "") -> Verdict:
        """What test says of an arm, of the best one by default.

        Raises:
            InputError: If there is no such arm.
        """
        return self._find(arm or self.best).verdict

    def compare(self, first: str, second: str, other: Result | None = None) -> Comparison:
        """What ``second`` gains over ``first`` on the same test rows, paired.

        Args:
            first: An arm.
            second: Another one.
            other: The result that ``second`` is an arm of; this one by default.

        Raises:
            InputError: If there is no such arm, it has no answers, or the two are scored in
                different ways.
        """
        theirs = other or self
        for result, arm in ((self, first), (theirs, second)):
            if result._find(arm).score is None:
                raise InputError(f"arm {arm!r} has no answers", place=str(result.folder))
        runs = [open_run(f"{self.folder}/{first}"), open_run(f"{theirs.folder}/{second}")]
        require_same_score(*runs)
        pair = (runs[0].collect(first), runs[1].collect(second))
        return compare_runs({second: pair})[second]

    def slices(self, *by: str) -> Slices:
        """Every arm for parts of the test rows, corrected for all comparisons together.

        Args:
            by: Columns of the rows' ``meta``, or ``length``; those of the study file by default.
        """
        judged = summarise_study(StudyFolder(self.folder), by).slices
        return judged or Slices((), ("no column is named",))

    def ask(self, request: str | Mapping[str, str] | Sequence[Message], arm: str = "") -> str:
        """A new request, answered by an arm with its prompt, passages and weights.

        The model stays loaded until ``close``.

        Args:
            request: A text, the input fields by name, or a conversation.
            arm: By default the best one.

        Raises:
            InputError: If there is no such arm, or its model cannot be run.
        """
        from whatworks.methods.bench.pick_answer import generate
        from whatworks.metrics.citations import make_answer_reader

        served = self._open(arm or self.best)
        match request:
            case str():
                example = served.example([Message(role="user", content=request)], "asked")
            case Mapping():
                example = Example(id="asked", inputs=dict(request))
            case _:
                example = served.example(request, "asked")
        (answer,) = generate(
            served.engine,
            served.files,
            [served.render(example)],
            served.candidate.decoding,
            examples=[example],
            metric=served.metric,
            read=make_answer_reader(served.candidate.prompt),
        )
        return answer.text

    def export(
        self, out: str | Path, arm: str = "", *, merge: bool = False, to: str = "",
        check: bool = True,
    ) -> Exported:  # fmt: skip
        """Write an arm, by default the best, as files that need nothing of this package.

        Args:
            out: A new folder.
            arm: The arm.
            merge: Merge an adapter into its model.
            to: ``gguf`` or ``gguf:KIND``; by default the files of transformers and PEFT.
            check: Ask the recorded requests again through what was written.

        Raises:
            InputError: As ``whatworks export`` says it.
        """
        checking = Checking() if check else Checking(margin=None)
        return export(self.folder, arm or None, Path(out), merge=merge, to=to, checking=checking)

    def plot(self, chart: Chart = "differences") -> Plot:
        """A chart of the report: ``differences`` to the baseline, ``kinds`` of answers, ``curve``.

        Raises:
            InputError: If the study has nothing to draw there.
        """
        from whatworks.app.report import charts

        summary, study = self.summary, self.summary.study
        scored = [arm for arm in summary.arms if arm.score is not None]
        match chart:
            case "kinds":
                drawn = charts.draw_kinds(scored) if scored else ""
            case "curve":
                drawn = charts.draw_rows_curve(summary.curve) if summary.curve else ""
            case _:
                drawn = charts.draw_forest(summary.arms, study.baseline, study.min_effect)
        if not drawn:
            raise InputError(f"this study has no chart {chart!r}", place=str(self.folder))
        return Plot(str(drawn), f"{study.name}: {chart}")

    def close(self) -> None:
        """Free the models that ``ask`` loaded."""
        while self._served:
            self._served.popitem()[1].engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __str__(self) -> str:
        """The answer in words, and a line for each arm."""
        answer = self.summary.recommendation
        arms = [f"  {' '.join(_describe_line(arm))}" for arm in self.summary.arms]
        return "\n".join([answer.headline, *answer.details, *arms])

    def _repr_html_(self) -> str:
        answer, escape = self.summary.recommendation, html.escape
        cells = "".join(
            "<tr>" + "".join(f"<td>{escape(one)}</td>" for one in _describe_line(arm)) + "</tr>"
            for arm in self.summary.arms
        )
        head = "".join(
            f"<th>{escape(name)}</th>" for name in ("arm", "score", "difference", "verdict")
        )
        lines = "".join(f"<p>{escape(line)}</p>" for line in answer.details)
        return (
            f"<div><p><strong>{escape(answer.headline)}</strong></p>{lines}"
            f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table></div>"
        )

    def _find(self, name: str) -> ArmSummary:
        if arm := self.summary.arm(name):
            return arm
        names = [arm.name for arm in self.summary.arms]
        raise InputError(
            f"no arm {name!r} in this study",
            place=str(self.folder),
            remedy=suggest_nearest(name, names),
        )

    def _open(self, arm: str) -> Served:
        from whatworks.app.serve.served import open_served

        if arm not in self._served:
            self._served[arm] = open_served(str(self.folder), arm)
        return self._served[arm]


def run(
    study: str | Path,
    *,
    model: str | None = None,
    only: Sequence[str] = (),
    out: str | Path | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
    auto: bool | Limit = False,
) -> Result:
    """Run a study file, such as ``study`` writes; again, it goes on where it was stopped.

    Args:
        study: The file, or a folder that holds ``study.yaml``.
        model: Instead of the study's model.
        only: Names of the arms to run; all by default.
        out: Folder of the results; ``runs/NAME-MODEL`` by default.
        jobs: Parts of the study made at once, in as many processes.
        watcher: Shows progress; bars by default.
        auto: Add the arms that dev speaks for, round after round, as ``run --auto`` does; a
            ``whatworks.app.next_step.Limit`` says what that may take.

    Raises:
        InputError: If the study, its data or the model cannot be used.
    """
    folder = None if out is None else Path(out)
    path = Path(study)
    if not auto:
        done = run_study(path, model=model, only=only, out=folder, jobs=jobs, watcher=watcher)
    elif only:
        raise InputError("auto looks at all arms, only at some", remedy="leave one of the two out")
    else:
        limit = auto if isinstance(auto, Limit) else Limit()
        done = run_rounds(path, limit, model=model, out=folder, jobs=jobs, watcher=watcher)
    summary, page = done
    return Result(page.parent, summary)


def open_result(folder: str | Path) -> Result:
    """The result of a study that has run.

    Raises:
        InputError: If the folder holds none.
    """
    summary, page = report_study(Path(folder))
    return Result(page.parent, summary)


def _describe_arm(arm: ArmSummary, best: str) -> dict[str, Any]:
    score, difference = arm.score, arm.difference
    return {
        "arm": arm.name,
        "score": score.value if score else None,
        "low": score.low if score else None,
        "high": score.high if score else None,
        "difference": difference.difference if difference else None,
        "difference_low": difference.low if difference else None,
        "difference_high": difference.high if difference else None,
        "verdict": arm.verdict.label,
        "best": arm.name == best,
        "dev": arm.info.dev_score,
        "lenient": arm.lenient,
        "cut": arm.cut,
        "prompt_tokens": arm.prompt_tokens,
        "completion_tokens": arm.completion_tokens,
        "seconds": arm.seconds,
        "training_seconds": arm.info.training_seconds,
        "usd": arm.info.usd,
        "seeds": arm.seeds,
        "failure": "; ".join(failure.in_words for failure in arm.failures),
    }


def _describe_line(arm: ArmSummary) -> tuple[str, str, str, str]:
    score, difference = arm.score, arm.difference
    return (
        arm.name,
        f"{format_percent(score.value)} {format_interval(score.low, score.high, signed=False)}"
        if score
        else "",
        f"{format_points(difference.difference)} {format_interval(difference.low, difference.high)}"
        if difference
        else "",
        arm.verdict.label,
    )


def _load_pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise InputError(
            "tables are data frames, and pandas is not installed",
            remedy="pip install pandas, or take `records`, a list of mappings",
        ) from error
    return pandas
