"""Whether an export answers as the study recorded: its own ``ask.py`` is asked again.

It runs in a process of its own, isolated from this one (``python -I``), and imports nothing of this
package.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from whatworks.analysis.result_rows import ResultRow
from whatworks.app.export.chosen_arm import Chosen
from whatworks.base.errors import InputError, make_storage_error
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Example
from whatworks.metrics.citations import score_grounding
from whatworks.metrics.registry import load_task_metric
from whatworks.metrics.score import Score
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

MARGIN = 0.02
"""Most that the score may be worse by, as a share."""

_VERSIONS = """
import sys
from importlib.metadata import distributions
found = {each.metadata["Name"]: each.version for each in distributions()}
names = [n for n in ("torch", "transformers", "peft", "llguidance", "xllamacpp") if n in found]
print(", ".join(["Python " + sys.version.split()[0], *(n + " " + found[n] for n in names)]))
"""

MARK = "NOT_AS_MEASURED.txt"
"""Lies in an export that answers worse than the study says."""


class Parity(BaseModel):
    """The result of asking the exported arm again.

    Attributes:
        rows: Requests that were asked.
        same: Answers that are the recorded ones, up to blanks at their ends.
        prompts: Requests whose messages ``ask.py`` wrote as the study did.
        recorded: Mean score in the study.
        again: Mean score now.
        margin: Most that it may be worse by.
        seconds: Wall time.
        versions: Python and libraries that asked.
        error: Why it could not be asked.
    """

    rows: int = 0
    same: int = 0
    prompts: int = 0
    recorded: float = 0.0
    again: float = 0.0
    margin: float = MARGIN
    seconds: float = 0.0
    versions: str = ""
    error: str = ""

    @property
    def holds(self) -> bool:
        """Whether the export is as good as measured."""
        return not self.error and self.recorded - self.again <= self.margin + 1e-9

    def __str__(self) -> str:
        """In a sentence of the card."""
        if self.error:
            return f"asking again failed: {self.error}"
        return (
            f"{self.same} of {self.rows} recorded answers were given again; score "
            f"{100 * self.again:.1f}% where the study has {100 * self.recorded:.1f}% "
            f"(at most {100 * self.margin:g} points worse is let pass)"
        )


def list_requests(chosen: Chosen, most: int | None = None) -> list[tuple[Example, ResultRow]]:
    """The test rows that were asked in the study, with what came of them."""
    recorded = {row.example: row for row in chosen.rows if row.finish != "overflow"}
    rows = [one for one in chosen.study.task.splits.test if one.id in recorded]
    return [(one, recorded[one.id]) for one in rows][:most]


def describe_request(prompt: Prompt, example: Example) -> dict[str, Any]:
    """A recorded request: what a client sends (``request``), and what the model saw of it.

    Where the study left something out for this row (a demonstration that repeats it), a client's
    request alone would be rendered otherwise; there only ``messages`` stands.
    """
    seen = render(prompt, example, exclude=[example]).messages
    sent = render(Prompt(), example, exclude=()).messages
    asked = render(prompt, Example(id=example.id, messages=sent), exclude=()).messages
    request = {"request": [m.model_dump() for m in sent]} if asked == seen else {}
    return {"id": example.id, **request, "messages": [m.model_dump() for m in seen]}


def check_parity(
    chosen: Chosen,
    folder: Path,
    watcher: Watcher,
    *,
    margin: float = MARGIN,
    most: int | None = None,
    python: str = sys.executable,
) -> Parity:
    """Ask the recorded requests again through what was written.

    Args:
        chosen: The arm.
        folder: Its export.
        watcher: Shows a bar with the time left.
        margin: Most that the score may be worse by, as a share.
        most: Most requests to ask; by default all of them.
        python: The interpreter that runs ``ask.py``.

    Raises:
        InputError: If ``ask.py`` was killed from outside, which says nothing of the export.
        StorageError: If the disk is full or fails.
    """
    asked = list_requests(chosen, most)
    requests = [describe_request(chosen.candidate.prompt, example) for example, _ in asked]
    began = time.monotonic()
    work = folder / ".check"
    work.mkdir()
    try:
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in requests)
        (work / "requests.jsonl").write_text(text, "utf-8")
        phase = Phase(watcher, "asking again", "", len(requests))
        error = _run(python, folder, work, phase)
        answers = _read(work / "answers.jsonl")
    finally:
        for path in work.iterdir():
            path.unlink()
        work.rmdir()
    if storage := make_storage_error(RuntimeError(error), str(folder)):
        raise storage  # the disk failed, not the export: it is written again another time
    if error or len(answers) != len(requests):
        watcher.done(phase.bar, "failed")
        return Parity(margin=margin, error=error or "answers are missing")
    scores = [
        (_get_value(chosen, row), _rescore(chosen, example, row, answer["answer"]))
        for (example, row), answer in zip(asked, answers, strict=True)
    ]
    same = [
        _is_same(row, answer["answer"]) for (_, row), answer in zip(asked, answers, strict=True)
    ]
    written = zip(requests, answers, strict=True)
    count = max(1, len(scores))
    parity = Parity(
        rows=len(scores),
        same=sum(same),
        prompts=sum(request["messages"] == answer["messages"] for request, answer in written),
        recorded=sum(was for was, _ in scores) / count,
        again=sum(now for _, now in scores) / count,
        margin=margin,
        seconds=time.monotonic() - began,
        versions=list_versions(python),
    )
    watcher.done(phase.bar, str(parity))
    return parity


def list_versions(python: str) -> str:
    """What an interpreter runs ``ask.py`` with."""
    done = subprocess.run(
        [python, "-I", "-c", _VERSIONS], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _run(python: str, folder: Path, work: Path, phase: Phase) -> str:
    """Ask all requests; why it failed, or nothing.

    Raises:
        InputError: If it was killed.
    """
    command = [python, "-I", "-B", str(folder / "ask.py"), "--rows",
               str(work / "requests.jsonl"), "--out", str(work / "answers.jsonl")]  # fmt: skip
    with (work / "said.txt").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                phase.to(_count_lines(work / "answers.jsonl"))
        finally:
            if process.poll() is None:  # interrupted
                process.kill()
                process.wait()
    phase.to(_count_lines(work / "answers.jsonl"))
    if process.returncode == 0:
        return ""
    if process.returncode < 0:
        raise InputError(
            f"asking the export again was ended by signal {-process.returncode}",
            place=str(folder),
            remedy="export again, with more free memory where that was short; or --no-check",
        )
    lines = (work / "said.txt").read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"ask.py ended with {process.returncode}"


def _count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def _is_same(row: ResultRow, answer: str) -> bool:
    return row.output.strip() == answer.strip()


def _get_value(chosen: Chosen, row: ResultRow) -> float:
    return row.lenient if chosen.study.task.metric.score == "lenient" else row.value


def _rescore(chosen: Chosen, example: Example, row: ResultRow, answer: str) -> float:
    """The score of an answer; the recorded one has its score."""
    if _is_same(row, answer):
        return _get_value(chosen, row)
    metric = load_task_metric(chosen.study.task)

    def judge(text: str) -> Score:
        return metric(example, text)

    request = render(chosen.candidate.prompt, example, exclude=[example])
    return score_grounding(request, answer, judge).counted


def write_rows(rows: Sequence[tuple[Example, ResultRow]], prompt: Prompt) -> str:
    """The lines of ``examples.jsonl``."""
    lines = [{**describe_request(prompt, one), "answer": row.output} for one, row in rows]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
