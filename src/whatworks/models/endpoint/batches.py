"""Many requests as one batch, for half the price at most providers.

The protocol is OpenAI's (https://developers.openai.com/api/docs/guides/batch): a file of requests
is uploaded, a batch begun, and its answers read from another file within 24 hours. A batch that
was begun is kept, so that a run which was killed meets it again instead of paying twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Event
from typing import Any

from whatworks.base.store import Store
from whatworks.models.endpoint import jobs
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.replies import ServerReply, Unusable, read_reply
from whatworks.models.endpoint.trouble import Trouble

KIND = "batches"
"""Below the cache folder: batches that were begun, by their requests."""
MOST = 50_000
"""Requests of one batch."""
WINDOW = "24h"

_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")


def ask_in_batch(
    connection: Connection,
    store: Store,
    call: str,
    bodies: Mapping[str, Mapping[str, Any]],
    stop: Event,
) -> dict[str, ServerReply]:
    """The answers to requests that are sent as one batch, those that came.

    Args:
        connection: To the server; what it waits for is told of.
        store: Where a batch that was begun is kept.
        call: Names what is asked; a batch that was begun for it is met again.
        bodies: The requests as they are sent, by the key of each.
        stop: Ends the waiting; the batch goes on at the server.

    Raises:
        Trouble: If the server has no batches, or does not take this one.
        Stopped: If ``stop`` was set before it ended.
    """
    name = store.read(KIND, call)
    if not name:
        name = _begin(connection, bodies, stop)
        store.write(KIND, call, name)
    shown = ""

    def look(batch: Mapping[str, Any]) -> None:
        nonlocal shown
        counts: Any = batch.get("request_counts") or {}
        state = f"{batch.get('status')}, {counts.get('completed', 0)} of {len(bodies)} answered"
        if state != shown:
            shown = state
            connection.traffic.tell(f"batch {name}: {state}")

    batch = jobs.wait_for(connection, f"batches/{name}", _UNDER_WAY, stop, look)
    output = batch.get("output_file_id")
    if batch.get("status") != "completed":
        store.write(KIND, call, "")  # another one is begun the next time
        if not output:
            raise Trouble(
                f"the batch {name} ended as {batch.get('status')}{_describe(batch)}",
                "see it at the provider, or leave `batch` out of the study file",
                prompt=False,
            )
    lines = jobs.download(connection, str(output), stop) if output else []
    return {
        str(line.get("custom_id")): reply
        for line in lines
        if line.get("custom_id") in bodies and (reply := _read(line)) is not None
    }


def _begin(connection: Connection, bodies: Mapping[str, Mapping[str, Any]], stop: Event) -> str:
    path = "/v1/chat/completions"
    lines = [
        json.dumps({"custom_id": key, "method": "POST", "url": path, "body": body}) + "\n"
        for key, body in bodies.items()
    ]
    try:
        file = jobs.upload(connection, "requests.jsonl", "".join(lines).encode(), "batch", stop)
        asked = {"input_file_id": file, "endpoint": path, "completion_window": WINDOW}
        return jobs.begin(connection, "batches", asked, stop)
    except Trouble as trouble:
        if trouble.status not in (404, 405, 501):
            raise
        raise Trouble(
            f"the server has no batches ({trouble.cause})",
            "leave `batch` out of the study file",
            prompt=False,
        ) from None


def _read(line: Mapping[str, Any]) -> ServerReply | None:
    """The answer in a line of a batch's output; None where it is none."""
    response: Any = line.get("response") or {}
    if response.get("status_code") != 200:
        return None
    try:
        return read_reply(json.dumps(response.get("body")).encode())
    except Unusable:
        return None


def _describe(batch: Mapping[str, Any]) -> str:
    errors: Any = (batch.get("errors") or {}).get("data") or []
    words = [str(one.get("message")) for one in errors if isinstance(one, Mapping)]
    return f": {words[0][:200]}" if words else ""
