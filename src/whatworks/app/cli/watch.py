"""The command that shows a study while it runs, and the page beside ``whatworks run``."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import app

if TYPE_CHECKING:
    from whatworks.app.watch.server import WatchServer

PORT = 8322


@app.command()
def watch(
    run: Annotated[Path, typer.Argument(help="Folder of a study that runs, or has run.")],
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = PORT,
) -> None:
    """Show a study on a local page while it runs: bars, scores, losses, cost, answers."""
    from whatworks.app.cli.serve import check_free
    from whatworks.app.listen import listen
    from whatworks.base.errors import InputError

    server = _open(run)
    if not server.folder.has_begun:
        raise InputError(
            "no study here", place=str(run), remedy="name the folder that `whatworks run` writes"
        )
    check_free("127.0.0.1", port)
    print(f"watch at {server.address(port)}  (Ctrl-C ends)", flush=True)
    listen(server.app(), "127.0.0.1", port, on_exit=server.leave)


@contextmanager
def show_while(run: Path) -> Generator[None]:
    """The page of a run beside it, at a port of its own, until the block ends."""
    from whatworks.app.listen import listen_aside

    server = _open(run)
    with listen_aside(server.app(), "127.0.0.1", 0, on_exit=server.leave) as port:
        print(f"watch at {server.address(port)}", file=sys.stderr, flush=True)
        yield


def _open(run: Path) -> WatchServer:
    from whatworks.base.errors import InputError
    from whatworks.studies.study_folder import StudyFolder

    try:
        from whatworks.app.watch.server import WatchServer
    except ModuleNotFoundError as error:
        raise InputError(
            f"watching needs the package {error.name}", remedy="pip install 'whatworks[serve]'"
        ) from error
    return WatchServer(StudyFolder(run))
