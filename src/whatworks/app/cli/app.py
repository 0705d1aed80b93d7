"""The command line application and what its commands share."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

app = typer.Typer(
    name="whatworks",
    help="Measure what makes a language model do your task, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
INTERRUPTED = 130
AGAIN_SECONDS = 0.05
"""Until a Ctrl-C that was swallowed comes again: what swallowed it is over then."""
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead (docs/json.md).")
]


@contextmanager
def catch_interrupt() -> Generator[None]:
    """Ctrl-C says that nothing is lost.

    One that a library swallows is raised again: pydantic's serialiser, which is not Python, drops
    what is raised while it calls Python, and a study spends much time there.
    """
    before = sys.unraisablehook

    def raise_again(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()
        else:
            before(dropped)

    sys.unraisablehook = raise_again
    try:
        yield
    except KeyboardInterrupt:
        print("\nwhatworks: stopped; the same command again goes on from here", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        sys.unraisablehook = before


def _print_version(wanted: bool) -> None:
    if wanted:
        from whatworks.version import __version__

        print(f"whatworks {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Measure what makes a language model do your task, and why."""
