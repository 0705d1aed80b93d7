"""The command with which people judge two arms' answers, and the one that says what they said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app

if TYPE_CHECKING:
    from whatworks.studies.label_book import LabelBook


@app.command()
def label(
    run: Annotated[
        Path, typer.Argument(help="Folder of a study that has run, or of `whatworks bootstrap`.")
    ],
    rows: Annotated[
        Path | None,
        typer.Option(help="File of rows without targets, which both arms are asked first."),
    ] = None,
    arms: Annotated[
        str | None,
        typer.Option(help="The two arms, separated by a comma; the two best by default."),
    ] = None,
    person: Annotated[str, typer.Option("--as", help="Who judges.")] = "someone",
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = 8321,
    show: Annotated[
        bool, typer.Option("--show", help="Say how it stands, and ask nobody.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a person which of two arms' answers is better, blind, where the two differ.

    Of a folder that `whatworks bootstrap` wrote: which of the proposed rows may become test.
    """
    from whatworks.base.errors import InputError
    from whatworks.studies.bootstrap.folder import BootstrapFolder

    try:
        from whatworks.app.label.server import HOST, LabelServer
    except ModuleNotFoundError as error:
        raise InputError(
            f"labelling needs the package {error.name}", remedy="pip install 'whatworks[serve]'"
        ) from error
    from whatworks.app.cli.serve import check_free
    from whatworks.app.label.questions import collect_questions
    from whatworks.app.listen import listen
    from whatworks.studies.label_book import LabelBook

    if not person.strip():
        raise InputError("the name is empty", place="--as", remedy="name who judges: --as anna")
    named = [name.strip() for name in arms.split(",")] if arms else None
    if not show:
        check_free(HOST, port)
    if BootstrapFolder(run).is_made:
        if rows is not None or named is not None:
            raise InputError(
                "this folder holds rows to review, and no arms",
                place=str(run),
                remedy="leave --rows and --arms out",
            )
        _review(run, person.strip(), None if show else port, as_json)
        return
    questions = collect_questions(run, rows, named)
    book = LabelBook(run, questions.arms)
    if not show:
        server = LabelServer(questions, book, person.strip())
        told = sys.stderr if as_json else sys.stdout
        alike = f"{len(questions.asked)} rows on which the two differ, {questions.alike} alike"
        print(alike, file=told)
        address = f"http://{HOST}:{port}/?token={server.token}"
        print(f"judge at {address}  (Ctrl-C ends)", file=told, flush=True)
        listen(server.app(), HOST, port)
    _say(book, as_json)


def _review(run: Path, person: str, port: int | None, as_json: bool) -> None:
    """Show the proposed rows to a person, where there is a port, and say how it stands."""
    from whatworks.app.label.review import ReviewServer, describe_reviews
    from whatworks.app.label.server import HOST
    from whatworks.app.listen import listen
    from whatworks.studies.bootstrap.folder import BootstrapFolder

    folder = BootstrapFolder(run)
    if port is not None:
        server = ReviewServer(folder, person)
        told = sys.stderr if as_json else sys.stdout
        print(f"{len(server.asked)} rows that are to become test, if you keep them", file=told)
        address = f"http://{HOST}:{port}/?token={server.token}"
        print(f"review at {address}  (Ctrl-C ends)", file=told, flush=True)
        listen(server.app(), HOST, port)
    if as_json:
        from whatworks.app.programs.command_records import describe_review
        from whatworks.app.programs.records import print_record

        print_record(describe_review(folder))
        return
    print(describe_reviews(folder))
    if folder.test.exists():
        files = " ".join(str(folder.path / f"{part}.jsonl") for part in ("train", "dev", "test"))
        print(f"written: {folder.test}")
        print(f"next: whatworks init {files} --documents DOCUMENTS --metric facts")


def _say(book: LabelBook, as_json: bool) -> None:
    """How the count stands, how far people agree, and what was written."""
    from whatworks.analysis.human_verdicts import measure_agreements, tally
    from whatworks.app.report.progress import clean

    verdicts = book.verdicts()
    written = [path for path in sorted(book.path.glob("*.jsonl")) if path.name != "verdicts.jsonl"]
    if as_json:
        from whatworks.app.programs.command_records import describe_labels
        from whatworks.app.programs.records import print_record

        print_record(describe_labels(book, written))
        return
    if not verdicts:
        print("nothing is judged yet")
        return
    print(clean(tally(verdicts).describe(*book.arms)))
    for agreement in measure_agreements(verdicts):
        print(clean(agreement.words))
    for path in written:
        print(f"written: {path}")
