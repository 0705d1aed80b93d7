"""The folder of a bootstrap: what was written, and what people said of it.

=================== ==============================================================================
``bootstrap.json``  documents, model and settings that it was made from, and the counts
``train.jsonl``     rows to learn from; nobody has read them
``dev.jsonl``       rows to decide by; nobody has read them
``proposed.jsonl``  rows that are to become test, with the passage that holds the answer
``reviews.jsonl``   a line per verdict of a person, append-only
``test.jsonl``      the proposed rows that people kept, and no others; made anew after each verdict
``store``           every reply of the model
=================== ==============================================================================
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from whatworks.base.errors import InputError
from whatworks.base.frozen import Frozen
from whatworks.base.lock import hold_lock
from whatworks.base.store import Journal, explain_disk_errors, write_atomic
from whatworks.data.read import read
from whatworks.data.splitting import split
from whatworks.data.task import Document, Example, hash_examples
from whatworks.data.write import write
from whatworks.studies.bootstrap.author import Written

RECORD = "bootstrap.json"


class Source(Frozen):
    """What a bootstrap is made from.

    Attributes:
        documents: They themselves.
        model: Content key of the model that writes.
        questions: Asked for about each passage.
        size: Words of a passage.
        passages: Most passages asked about.
        dev: Wanted dev rows; a fifth, at most 200, by default.
        test: Wanted rows to review; the same default.
        seed: Of the choice of passages and of the split.
    """

    documents: tuple[Document, ...]
    model: str
    questions: int = 3
    size: int = 120
    passages: int | None = None
    dev: int | None = None
    test: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Counts:
    """What a bootstrap came to, as ``bootstrap.json`` keeps it."""

    passages: int
    asked: int
    left_out: Mapping[str, int]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Review:
    """A line of ``reviews.jsonl``: what a person said of a proposed row.

    Attributes:
        person: Who.
        row: Its id.
        key: Content key of the row that they saw.
        kept: Whether it may become test.
        target: The right answer, where they wrote another.
        at: When, in seconds since 1970.
    """

    person: str
    row: str
    key: str
    kept: bool
    target: str
    at: float


class BootstrapFolder:
    """The one owner of what a bootstrap writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path / "reviews.jsonl")

    @property
    def is_made(self) -> bool:
        """Whether rows were written here."""
        return (self.path / RECORD).is_file()

    @property
    def store(self) -> Path:
        """Folder of the model's replies."""
        return self.path / "store"

    @property
    def test(self) -> Path:
        """The file of the rows that people kept."""
        return self.path / "test.jsonl"

    def read_counts(self, source: Source | None = None) -> Counts | None:
        """What was written here; None where nothing is yet.

        Raises:
            InputError: If it is not the record of a bootstrap, or was made from something else.
        """
        path = self.path / RECORD
        if not self.is_made:
            return None
        try:
            record: dict[str, Any] = json.loads(path.read_text("utf-8"))
            counts = TypeAdapter(Counts).validate_python(record["counts"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "this is no record of a bootstrap",
                place=str(path),
                remedy="remove the file and run the command again: replies are kept",
            ) from error
        if source is not None and record.get("source") != source.key:
            raise InputError(
                "this folder was made from other documents, another model or other settings",
                place=str(self.path),
                remedy="name another folder with --out, or remove this one",
            )
        return counts

    def require_own(self) -> None:
        """Refuse a folder that holds other rows, before anything is asked.

        Raises:
            InputError: Naming a file of theirs.
        """
        if self.store.exists() or self.is_made:
            return
        for name in ("train.jsonl", "dev.jsonl", "proposed.jsonl", "test.jsonl"):
            if (self.path / name).exists():
                raise InputError(
                    f"this folder has a {name} of its own",
                    place=str(self.path),
                    remedy="name another folder with --out",
                )

    def write_rows(self, source: Source, written: Written) -> Counts:
        """Split rows by document and write them; none of them becomes test by that.

        Raises:
            InputError: If rows or documents are too few for three splits.
        """
        splits = split(written.rows, dev=source.dev, test=source.test, seed=source.seed)
        for name, part in (("train", splits.train), ("dev", splits.dev)):
            write([_strip(row) for row in part], self.path / f"{name}.jsonl")
        write(splits.test, self.path / "proposed.jsonl")
        sizes = {"train": len(splits.train), "dev": len(splits.dev), "proposed": len(splits.test)}
        counts = Counts(written.passages, written.asked, written.left_out, sizes)
        settings = source.model_dump(mode="json", exclude={"documents"})
        record = {
            "source": source.key,
            **settings,
            "documents": len(source.documents),
            "digest": hash_examples(written.rows),
            "counts": asdict(counts),
        }
        write_atomic(self.path / RECORD, json.dumps(record, indent=1) + "\n")  # last: it is done
        return counts

    def read_proposed(self) -> tuple[Example, ...]:
        """The rows that are to become test."""
        return read(self.path / "proposed.jsonl").examples

    def read_reviews(self) -> list[Review]:
        """The latest verdict of each person on each row as it stands now, oldest first."""
        keys = {row.id: row.key for row in self.read_proposed()}
        every = TypeAdapter(list[Review]).validate_python(list(self._journal.read()))
        latest = {(one.person, one.row): one for one in every if keys.get(one.row) == one.key}
        return [*latest.values()]

    def add_review(self, row: Example, person: str, kept: bool, target: str = "") -> None:
        """Keep what a person said of a proposed row, and make ``test.jsonl`` anew.

        Args:
            row: The row.
            person: Who said it.
            kept: Whether it may become test.
            target: The right answer, where it is another.

        Raises:
            StorageError: If it cannot be written.
        """
        review = Review(person, row.id, row.key, kept, target, time.time())
        with hold_lock(self.path / "reviews.lock", "these reviews", seconds=10):
            self._journal.append([asdict(review)])
            accepted = find_accepted(self.read_proposed(), self.read_reviews())
            if accepted:
                write(accepted, self.test)
            else:
                with explain_disk_errors(self.test):
                    self.test.unlink(missing_ok=True)


def find_accepted(proposed: Sequence[Example], reviews: Sequence[Review]) -> list[Example]:
    """The rows that somebody kept and nobody dropped, with the answer that was written last.

    ``meta["reviewed"]`` names who read them.
    """
    accepted: list[Example] = []
    for row in proposed:
        said = sorted((one for one in reviews if one.row == row.id), key=lambda one: one.at)
        if not said or not all(one.kept for one in said):
            continue
        target = next((one.target for one in reversed(said) if one.target), row.target)
        people = list(dict.fromkeys(one.person for one in said))
        accepted.append(_strip(row).replace(target=target, meta={"reviewed": people}))
    return accepted


def _strip(row: Example) -> Example:
    """A row without its passage."""
    return row.replace(meta={})
