"""`whatworks init`: a study file for the files that somebody has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app


@app.command()
def init(
    files: Annotated[
        list[Path], typer.Argument(help="Rows; and documents, pairs, dev and test files if any")
    ],
    out: Annotated[Path, typer.Option(help="The study file to write.")] = Path("study.yaml"),
    model: Annotated[str, typer.Option(help="The model that the study is about.")] = "lab",
) -> None:
    """Write a study file: the task guessed from the files, each guess explained in a comment."""
    from whatworks.app.cli.data import absent
    from whatworks.base.store import write_atomic
    from whatworks.metrics.registry import of, refused
    from whatworks.studies.first_study_file import guess_metric, sort_files, study_text
    from whatworks.studies.study_file import read_arms, read_study
    from whatworks.studies.study_task import read_task

    absent(out)
    found = sort_files(files)
    guess = guess_metric(found)
    text = study_text(found, guess, out.parent, model)
    # What is written must run: the draft is read as a study before it gets its name.
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    write_atomic(draft, text)
    try:
        study = read_study(draft)
        arms = read_arms(study)
        task = read_task(study, draft.parent)
        broken = refused(of(task), (*task.splits.dev, *task.splits.test))
        os.link(draft, out)  # fails where a file has come to be meanwhile
    finally:
        draft.unlink(missing_ok=True)
    for line in found.said:
        print(line)
    counts = ", ".join(f"{count} {part}" for part, count in task.splits.counts().items())
    print(f"metric: {guess.metric.name}; {counts}; arms: {', '.join(arm.name for arm in arms)}")
    if broken:
        print(f"{len(broken)} rows cannot be scored: `whatworks check {out} --fix` leaves them out")
    print(f"written: {out}; next: whatworks check {out}, whatworks plan {out}, whatworks run {out}")
