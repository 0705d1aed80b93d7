"""`whatworks init`: a study file for the files that somebody has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app

if TYPE_CHECKING:
    from whatworks.studies.first_columns import Ambiguous
    from whatworks.studies.first_files import Files

Columns = dict[str, str | list[str]]


@app.command()
def init(
    files: Annotated[
        list[Path], typer.Argument(help="Rows; and documents, pairs, dev and test files if any")
    ],
    out: Annotated[Path, typer.Option(help="The study file to write, or a folder for it.")] = Path(
        "study.yaml"
    ),
    model: Annotated[str, typer.Option(help="The model that the study is about.")] = "lab",
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", help="Column of what is asked; several times for several."),
    ] = None,
    target: Annotated[str, typer.Option(help="Column of the wanted answers.")] = "",
    group: Annotated[str, typer.Option(help="Column whose rows stay in one split.")] = "",
    documents: Annotated[
        Path | None, typer.Option(help="File or folder of documents to retrieve from.")
    ] = None,
    metric: Annotated[str, typer.Option(help="How answers are scored, by name.")] = "",
    instructions: Annotated[str, typer.Option(help="What the model is told to do.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a study file: the task guessed from the files, each guess explained in a comment."""
    from whatworks.app.cli.data import require_absent
    from whatworks.base.store import write_atomic
    from whatworks.metrics.registry import find_refused, load_task_metric
    from whatworks.studies.first_metric import guess_metric
    from whatworks.studies.first_study_file import SCHEMA, render_study
    from whatworks.studies.study_file import read_arms, read_study
    from whatworks.studies.study_schema import make_schema
    from whatworks.studies.study_task import read_task

    if out.suffix not in (".yaml", ".yml"):
        out /= "study.yaml"
    require_absent(out)
    named: Columns = {"input": input_} if input_ else {}
    named |= {role: name for role, name in (("target", target), ("group", group)) if name}
    inputs = _sort_inputs(files, named, documents)
    guess = guess_metric(inputs, metric)
    text = render_study(inputs, guess, out.parent, model, instructions)
    # What is written must run: the draft is read as a study before it gets its name.
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    write_atomic(draft, text)
    try:
        study = read_study(draft)
        arms = read_arms(study)
        task = read_task(study, draft.parent)
        broken = find_refused(load_task_metric(task), (*task.splits.dev, *task.splits.test))
        os.link(draft, out)  # fails where a file has come to be meanwhile
    finally:
        draft.unlink(missing_ok=True)
    write_atomic(out.parent / SCHEMA, json.dumps(make_schema(), indent=1, ensure_ascii=False))
    if as_json:
        from whatworks.app.programs.records import describe_init, print_record

        print_record(describe_init(str(out), guess.metric.name))
        return
    for line in inputs.lines:
        print(line)
    counts = ", ".join(f"{count} {part}" for part, count in task.splits.counts().items())
    print(f"metric: {guess.metric.name}; {counts}; arms: {', '.join(arm.name for arm in arms)}")
    if broken:
        print(f"{len(broken)} rows cannot be scored: `whatworks check {out} --fix` leaves them out")
    print(f"written: {out}; next: whatworks check {out}, whatworks plan {out}, whatworks run {out}")


def _sort_inputs(files: list[Path], named: Columns, documents: Path | None) -> Files:
    """Find out what the files are; in a terminal, ask about what is unclear."""
    from whatworks.base.errors import InputError
    from whatworks.studies.first_columns import Ambiguous
    from whatworks.studies.first_files import sort_files

    try:
        return sort_files(files, named, documents)
    except Ambiguous as unclear:
        if sys.stdin.isatty():
            return sort_files(files, {**named, **_ask_columns(unclear)}, documents)
        likely = unclear.proposal
        remedy = "name them: `--input COLUMN --target COLUMN`"
        if likely is not None:
            remedy = f"name them; the likeliest: `{likely.options}`, as in {likely.examples[0]}"
        raise InputError(
            f"which columns are input and target is not plain; columns: "
            f"{', '.join(unclear.columns[:20])}",
            place=str(unclear.path),
            remedy=remedy,
        ) from unclear


def _ask_columns(unclear: Ambiguous) -> Columns:
    """The columns that somebody names at the terminal, the likeliest proposed."""
    likely = unclear.proposal
    print(f"{unclear.path.name}: columns {', '.join(unclear.columns)}")
    for line in likely.examples if likely else ():
        print(f"  {line}")
    inputs = typer.prompt("input, several with commas between",
                          default=", ".join(likely.input) if likely else None)  # fmt: skip
    target = typer.prompt("target", default=likely.target if likely else None)
    names = [name.strip() for name in str(inputs).split(",") if name.strip()]
    return {"input": names[0] if len(names) == 1 else names, "target": str(target).strip()}
