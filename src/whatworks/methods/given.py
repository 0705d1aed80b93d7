"""given: answers that another system gave, such as the one in use today."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from whatworks.analysis.missing_answers import describe_missing
from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.file_digest import compute_digest
from whatworks.base.file_ref import FileRef, Named
from whatworks.base.frozen import hash_content
from whatworks.base.paths import resolve_path
from whatworks.methods.bench.bench import Bench
from whatworks.methods.given_rows import FileColumns, read_predictions
from whatworks.methods.method import Method
from whatworks.prompts.answerers import Predictions
from whatworks.prompts.candidate import Candidate


class Given(Method):
    """Score answers that are there already: no model is asked, and nothing is trained.

    A row without an answer counts as wrong.

    Attributes:
        predictions: The file, or the folder of files, with the answers: any that rows are read
            from.
        order_of: The data file whose rows the answers follow, one each, in its order; needed where
            the answers bear no ids.
        column: The column of the answers; found by its name by default.
        id_column: The column of the rows' ids; found by its name by default.
        usd: US dollars that the system takes for a request, where that is known.
    """

    name: ClassVar[str] = "given"
    owns: ClassVar[frozenset[str]] = frozenset({"answerer"})
    answers_from: ClassVar[frozenset[str] | None] = frozenset()

    predictions: Named
    order_of: Named = ""
    column: str = ""
    id_column: str = ""
    usd: float | None = Field(default=None, ge=0)

    def locate(self, root: Path) -> Given:
        """The method with its files located."""
        order = _locate(root, str(self.order_of)) if self.order_of else ""
        return self.replace(predictions=_locate(root, str(self.predictions)), order_of=order)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the answers in the place of its model.

        Raises:
            ArmFailure: If the files cannot be read as answers.
        """
        try:
            answers = read_predictions(
                Path(str(self.predictions)),
                FileColumns(self.column, self.id_column),
                order=Path(str(self.order_of)) if self.order_of else None,
            )
        except InputError as error:
            raise ArmFailure(error.cause, place=error.place, remedy=error.remedy) from error
        answerer = Predictions(answers=answers, usd=self.usd)
        bench.note("answers", len(answers))
        if lacking := [row.id for row in bench.dev if answerer.find(row.id) is None]:
            bench.note("dev", describe_missing(lacking, len(bench.dev)))
        return start.replace(answerer=answerer)


def _locate(root: Path, name: str) -> FileRef:
    path = resolve_path(root, name).absolute()
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not path.exists() or not files:
        raise InputError("there are no predictions", place=str(path), remedy="check the path")
    try:
        digests = [[str(file.relative_to(path)), compute_digest(file)] for file in files]
    except OSError as error:
        raise InputError(
            f"it cannot be read: {error.strerror}", place=str(path), remedy="make it readable"
        ) from error
    return FileRef(path=str(path), digest=hash_content(digests))
