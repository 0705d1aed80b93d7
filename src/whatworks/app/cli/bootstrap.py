"""The command that begins without labels: questions, answers and evidence from documents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt

if TYPE_CHECKING:
    from whatworks.models.helper import HelperModel
    from whatworks.studies.bootstrap.folder import BootstrapFolder, Counts, Source


@app.command()
def bootstrap(
    documents: Annotated[Path, typer.Argument(help="A file or folder of documents.")],
    out: Annotated[Path, typer.Option(help="Folder for the rows.")] = Path("bootstrap"),
    model: Annotated[
        str, typer.Option(help="Writes and answers, unless a helper does: lab, an id, a folder.")
    ] = "lab",
    helper: Annotated[
        str | None, typer.Option(help="Another model that does: https://host/v1#name, an id.")
    ] = None,
    questions: Annotated[int, typer.Option(help="Asked for about each passage.", min=1)] = 3,
    size: Annotated[int, typer.Option(help="Words of a passage.", min=20)] = 120,
    passages: Annotated[
        int | None, typer.Option(help="Most passages asked about; all by default.", min=1)
    ] = None,
    dev: Annotated[int | None, typer.Option(help="Wanted dev rows.", min=1)] = None,
    test: Annotated[int | None, typer.Option(help="Wanted rows to review.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice and of the split.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Write questions with answers and evidence from documents; a person reviews those for test.

    A question stays when it is answered with its passage and not without it, and no other asks the
    same. Rows of one document stand in one split. Nothing is test before a person has kept it.
    """
    from whatworks.base.lock import hold_folder
    from whatworks.base.paths import resolve_model
    from whatworks.data import read_with_notes
    from whatworks.models.helper import HelperModel
    from whatworks.models.open_engine import open_engine
    from whatworks.studies.bootstrap.folder import BootstrapFolder, Source

    read = read_with_notes(documents)
    name = helper or model
    author = HelperModel(*open_engine(resolve_model(name, Path())))
    source = Source(
        documents=read.documents,
        model=author.key,
        questions=questions,
        size=size,
        passages=passages,
        dev=dev,
        test=test,
        seed=seed,
    )
    folder = BootstrapFolder(out)
    with catch_interrupt(), hold_folder(out):
        try:
            counts = folder.read_counts(source) or _write(folder, source, author, name)
        finally:
            author.engine.close()
    for note in read.notes:
        print(note, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        from whatworks.app.programs.command_records import describe_bootstrap
        from whatworks.app.programs.records import print_record

        print_record(describe_bootstrap(counts, folder))
        return
    _say(counts, folder)


def _write(folder: BootstrapFolder, source: Source, model: HelperModel, name: str) -> Counts:
    """Ask, sift and write, with a bar for each kind of request."""
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.errors import InputError
    from whatworks.base.store import Store
    from whatworks.models.helper import Helper
    from whatworks.models.metering import Meter
    from whatworks.models.open_engine import runs_here
    from whatworks.studies.bootstrap.author import Author, choose_passages, write_rows

    folder.require_own()
    asked = choose_passages(source.documents, source.size, source.passages, source.seed)
    helper = Helper(model, Store(folder.store), Meter())
    with RichWatcher() as watcher:
        written = write_rows(
            Author(helper, runs_here(model.weights.base)), asked, source.questions, watcher
        )
    if not written.rows:
        listed = "; ".join(f"{n} {why}" for why, n in written.left_out.items())
        raise InputError(
            f"none of the {written.asked} questions that {name} wrote about {written.passages} "
            f"passages is of use{': ' if listed else ''}{listed}",
            place=str(folder.path),
            remedy="name a stronger model with --helper",
        )
    return folder.write_rows(source, written)


def _say(counts: Counts, folder: BootstrapFolder) -> None:
    """What was kept, what was not and why, and what to do next."""
    kept = sum(counts.rows.values())
    print(f"{counts.asked} questions about {counts.passages} passages, {kept} kept")
    for reason, count in counts.left_out.items():
        print(f"  {count} left out: {reason}")
    listed = ", ".join(f"{count} {name}" for name, count in counts.rows.items())
    print(f"written, split by document: {listed} in {folder.path}")
    print(f"next: whatworks label {folder.path} --as NAME: what you keep becomes test.jsonl")
