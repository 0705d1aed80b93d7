"""The command that serves a model or a finished study's arm."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app
from whatworks.base.errors import InputError
from whatworks.base.paths import find_cache_folder
from whatworks.base.phrasing import join_names
from whatworks.models.endpoint.api_keys import hold_general_key


@app.command()
def serve(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="A model as in a study file, the folder of a finished study or an export; several "
            "of them in one server, arms as RUN/ARM, each also with a name: NAME=TARGET."
        ),
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
    cors: Annotated[
        list[str] | None,
        typer.Option(help="Origin of a page whose scripts may ask: https://app.example.com."),
    ] = None,
    tuning: Annotated[
        bool,
        typer.Option(help="Let clients have models trained: /v1/files, /v1/fine_tuning/jobs."),
    ] = False,
    tuning_folder: Annotated[
        Path | None,
        typer.Option(help="Where files and jobs are kept; below the folder of caches by default."),
    ] = None,
) -> None:
    """Serve a model, or an arm with its prompt, demonstrations and retrieval, as OpenAI does."""
    try:
        from whatworks.app.serve.gate import Access, Gate, open_to_pages
        from whatworks.app.serve.server import ModelServer
    except ModuleNotFoundError as error:
        raise InputError(
            f"serving needs the package {error.name}", remedy="pip install 'whatworks[serve]'"
        ) from error
    from whatworks.app.listen import listen
    from whatworks.app.serve.served import open_named, open_served

    if api_key is not None and not api_key.strip():
        raise InputError("the key is empty", remedy="give one, or leave --api-key out")
    for origin in cors or ():
        if not re.fullmatch(r"https?://[^/?#@\s*]+", origin):
            raise InputError(
                f"{origin!r} is no origin of a page",
                place="--cors",
                remedy="write https://HOST, with a port where there is one, without a path",
            )
    check_free(host, port)
    if api_key is not None:
        hold_general_key("the clients of this server")  # a served endpoint does not get it
    if len(targets) > 1 and (arm or name):
        raise InputError("--arm and --name are for one model", remedy="write NAME=RUN/ARM")
    if arm or name:
        served = [open_served(targets[0], arm, name)]
    else:
        served = [open_named(target) for target in targets]
    names = join_names([repr(one.name) for one in served])
    print(f"serving {names} at http://{host}:{port}/v1", file=sys.stderr, flush=True)
    if api_key is None and host not in ("127.0.0.1", "localhost", "::1"):
        print("! whoever reaches it may ask: set WHATWORKS_API_KEY", file=sys.stderr, flush=True)
    access = Access(host, tuple(allowed_host or ()), api_key and api_key.strip(), tuple(cors or ()))
    folder = (tuning_folder or find_cache_folder() / "tuning") if tuning or tuning_folder else None
    if folder is not None:
        print(f"files and tuning jobs are kept in {folder}", file=sys.stderr, flush=True)
    server = ModelServer(*served, tuning=folder).app()
    gate = Gate(server, access, uploads=folder is not None)
    listen(open_to_pages(gate, access), host, port)


def check_free(host: str, port: int) -> None:
    """Refuse a port that another process has.

    Raises:
        InputError: Naming it.
    """
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
