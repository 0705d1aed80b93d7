"""Files and long jobs at a server: uploaded, begun, waited for, read.

The addresses are OpenAI's (https://platform.openai.com/docs/api-reference/files), which other
providers have as well.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from threading import Event
from typing import Any

from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.replies import Unusable

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Seconds between two looks at a job: the first ones, and the later ones."""


def upload(connection: Connection, name: str, content: bytes, purpose: str, stop: Event) -> str:
    """Upload a file; its id at the server.

    Raises:
        Trouble: If the server does not take it.
        Stopped: If ``stop`` was set before it did.
    """
    mark = secrets.token_hex(16)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n',
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n",
    ]
    body = "".join(parts).encode() + content + f"\r\n--{mark}--\r\n".encode()
    kind = f"multipart/form-data; boundary={mark}"
    at = f"{connection.url}/files"
    reply = connection.call("POST", at, stop, read=read_object, content=body, kind=kind)
    return str(reply["id"])


def begin(connection: Connection, path: str, body: Mapping[str, Any], stop: Event) -> str:
    """Begin a job; its id at the server.

    Raises:
        Trouble: If the server does not take it.
        Stopped: If ``stop`` was set before it did.
    """
    at, content = f"{connection.url}/{path}", json.dumps(body).encode()
    return str(connection.call("POST", at, stop, read=read_object, content=content)["id"])


def wait_for(
    connection: Connection,
    path: str,
    under_way: Collection[str],
    stop: Event,
    look: Callable[[Mapping[str, Any]], object],
) -> Mapping[str, Any]:
    """A job once it has ended, well or not.

    Args:
        connection: To the server.
        path: The job's address below that of the server.
        under_way: What ``status`` says until then.
        stop: Ends the waiting; the job goes on.
        look: Shown the job each time.

    Raises:
        Trouble: If the server no longer answers.
        Stopped: If ``stop`` was set before it ended.
    """
    pause = FIRST_PAUSE
    while True:
        job = connection.call("GET", f"{connection.url}/{path}", stop, read=read_object)
        look(job)
        if job.get("status") not in under_way:
            return job
        connection.pause(stop, pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def download(connection: Connection, name: str, stop: Event) -> list[Mapping[str, Any]]:
    """The lines of a JSONL file at the server, those that can be read."""
    at = f"{connection.url}/files/{name}/content"
    lines: list[Mapping[str, Any]] = []
    for line in connection.call("GET", at, stop, read=bytes).splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, Mapping):
            lines.append(record)
    return lines


def list_entries(connection: Connection, path: str, stop: Event) -> list[Mapping[str, Any]]:
    """All entries of a list that comes in pages (``has_more``, ``after``)."""
    entries: list[Mapping[str, Any]] = []
    after = ""
    while True:
        at = f"{connection.url}/{path}?limit=100{f'&after={after}' if after else ''}"
        page = connection.call("GET", at, stop, read=read_object)
        listed: Any = page.get("data")
        entries += [one for one in listed if isinstance(one, Mapping)] if listed else []
        last = str(entries[-1].get("id", "")) if entries else ""
        if not page.get("has_more") or not last or last == after:
            return entries
        after = last


def read_object(payload: bytes) -> Mapping[str, Any]:
    """A JSON object.

    Raises:
        Unusable: If it is none.
    """
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, Mapping):
        raise Unusable(f"the server's answer is not whole JSON ({len(payload)} bytes)")
    return content
