"""The command that serves a model or a finished study's arm."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whatworks.app.cli.app import app
from whatworks.base.errors import InputError


@app.command()
def serve(
    target: Annotated[
        str, typer.Argument(help="A model as in a study file, or the folder of a finished study.")
    ],
    arm: Annotated[
        str | None, typer.Option(help="Arm of the study; the winner by default.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 8000,
    name: Annotated[
        str | None, typer.Option(help="What clients call it; model or arm by default.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="WHATWORKS_API_KEY",
            help="Key that clients must send; better in the environment, where no process list "
            "shows it.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="Further name that clients call the server by, as behind a proxy."),
    ] = None,
) -> None:
    """Serve a model, or an arm with its prompt, demonstrations and retrieval, as OpenAI does."""
    try:
        from whatworks.app.serve.gate import Access
        from whatworks.app.serve.server import run
    except ModuleNotFoundError as error:
        raise InputError(
            f"serving needs the package {error.name}", remedy="pip install 'whatworks[serve]'"
        ) from error
    from whatworks.app.serve.served import open_served

    if api_key is not None and not api_key.strip():
        raise InputError("the key is empty", remedy="give one, or leave --api-key out")
    _check_free(host, port)
    served = open_served(target, arm, name)
    print(f"serving {served.name!r} at http://{host}:{port}/v1", file=sys.stderr, flush=True)
    if api_key is None and host not in ("127.0.0.1", "localhost", "::1"):
        print("! whoever reaches it may ask: set WHATWORKS_API_KEY", file=sys.stderr, flush=True)
    run(served, Access(host, tuple(allowed_host or ()), api_key and api_key.strip()), port)


def _check_free(host: str, port: int) -> None:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"cannot listen at {host}:{port}: {error.strerror}",
                remedy="choose another port: --port 8001",
            ) from error
