"""What an MCP server offers: studies written, checked, planned, run and judged, under limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, cast

from whatworks.app.programs.background_runs import BackgroundRuns
from whatworks.app.programs.records import (
    Record,
    describe_check,
    describe_comparison,
    describe_error,
    describe_init,
    describe_plan,
    describe_verdict,
)
from whatworks.base.errors import InputError, WhatworksError
from whatworks.base.progress import Silent
from whatworks.studies.study_folder import StudyFolder


@dataclass(frozen=True)
class Limits:
    """What a client may spend.

    Attributes:
        usd: US dollars that a study may take by its plan.
        seconds: Likewise, and the most wall time of a run.
    """

    usd: float
    seconds: float


class Tools:
    """The tools, over the files below one folder. None gives a row of the data back.

    Args:
        root: Folder that paths are relative to; others are refused.
        limits: What may be spent.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root.resolve()
        self._limits = limits
        self._runs = BackgroundRuns(limits.seconds)

    def list_tools(self) -> list[Callable[..., Record]]:
        """The functions, each with its docstring for the client."""
        ways = (self.init, self.check, self.plan, self.run, self.status, self.verdict, self.compare)
        return [_tell_errors(cast("Callable[..., Record]", way)) for way in ways]

    def close(self) -> None:
        """Stop the runs that are at work."""
        self._runs.close()

    def init(self, files: list[str], out: str = "study.yaml", model: str = "lab") -> Record:
        """Write a study file for data files; columns, metric, arms are guessed."""
        from whatworks.base.store import write_atomic
        from whatworks.studies.first_files import sort_files
        from whatworks.studies.first_metric import guess_metric
        from whatworks.studies.first_study_file import render_study

        path = self._locate(out)
        if path.exists():
            raise InputError("there is a file already", place=out, remedy="name another: out")
        inputs = sort_files([self._locate(file) for file in files], {}, None)
        guess = guess_metric(inputs, "")
        write_atomic(path, render_study(inputs, guess, path.parent, model, ""))
        return describe_init(out, guess.metric.name)

    def check(self, study: str) -> Record:
        """Say what would spoil a study's result, before it runs."""
        from whatworks.studies.checks.check_task import check_task
        from whatworks.studies.open_study import open_study

        opened = open_study(self._locate(study), checked=False)
        try:
            return describe_check(
                check_task(
                    opened.task, opened.engine, opened.weights, opened.decoding,
                    opened.file.min_effect,
                ),
                opened.task,
            )  # fmt: skip
        finally:
            opened.close()

    def plan(self, study: str, out: str) -> Record:
        """Say what each arm will take in tokens, time and money. `out`: the folder of results."""
        from whatworks.studies.open_study import open_study
        from whatworks.studies.plan import make_plan
        from whatworks.studies.retention import read_prompts

        opened = open_study(self._locate(study), out=self._locate(out))
        try:
            prompts = read_prompts(opened.file.retention, opened.path.parent)
            with StudyFolder(opened.out).hold():
                plan = make_plan(opened.study(), Silent(), prompts, opened.file.diagnose)
                return describe_plan(plan)
        finally:
            opened.close()

    def run(self, study: str, out: str) -> Record:
        """Plan a study, refuse it where it passes the limits, else start it; ask its status."""
        path, folder = self._locate(study), self._locate(out)
        self._require_limits(self.plan(study, out))
        self._runs.start(path, folder)
        return self._runs.describe(folder)

    def status(self, out: str) -> Record:
        """Say how far a run is."""
        return self._runs.describe(self._locate(out))

    def verdict(self, out: str) -> Record:
        """Say which arm to take and why, with every arm's figures, of a finished run."""
        return describe_verdict(self._locate(out))

    def compare(self, out: str, first: str, second: str, other: str = "") -> Record:
        """Say what arm `second` (of run `other`, if named) gains over arm `first`, paired."""
        folder = self._locate(out)
        return describe_comparison((folder, first), (self._locate(other or out), second))

    def _locate(self, name: str) -> Path:
        path = (self._root / name).resolve()
        if not path.is_relative_to(self._root):
            raise InputError(
                f"{name!r} lies outside of the server's folder",
                remedy="name a path below the folder of `whatworks mcp --root`",
            )
        return path

    def _require_limits(self, plan: Record) -> None:
        usd, seconds, most = plan["usd"], plan["seconds"], self._limits
        if usd is None:
            raise InputError("a price is unknown", remedy="give it under `prices:` in the study")
        for name, wanted, limit in (("usd", usd, most.usd), ("seconds", seconds, most.seconds)):
            if wanted > limit:
                raise InputError(
                    f"the study would take {wanted:.4g} {name}, and {limit:g} are allowed",
                    remedy="fewer arms, seeds or rows; or a server with other limits",
                )


def _tell_errors(way: Callable[..., Record]) -> Callable[..., Record]:
    """An error of ours is a record."""

    @wraps(way)
    def call(*args: Any, **kwargs: Any) -> Record:
        try:
            return way(*args, **kwargs)
        except WhatworksError as error:
            return describe_error(error)

    return call


def make_server(tools: Tools) -> Any:
    """An MCP server with these tools, of the official SDK.

    Raises:
        InputError: If the SDK is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError(
            "needs the package mcp", place="whatworks mcp", remedy="pip install 'whatworks[mcp]'"
        ) from error
    server: Any = MCPServer("whatworks")
    for way in tools.list_tools():
        server.tool()(way)
    return server
