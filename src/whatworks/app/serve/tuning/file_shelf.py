"""Uploaded files, below one folder: the bytes, and a card with what a client is told of them.

Names come from clients and stand on the card alone; on the disk a file has its id.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.base.store import write_atomic

PURPOSE = "fine-tune"


class FileShelf:
    """The files of one folder.

    Args:
        folder: Where they lie; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: bytes) -> dict[str, Any]:
        """Keep a file; its card."""
        identity = f"file-{secrets.token_hex(12)}"
        card = {
            "id": identity,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": PURPOSE,
            "status": "processed",
        }
        self._folder.joinpath(identity).write_bytes(content)
        # Last: a file without a card is not there.
        write_atomic(self._path(identity), json.dumps(card))
        return card

    def all(self) -> list[dict[str, Any]]:
        """The cards, newest first."""
        cards = [json.loads(path.read_text("utf-8")) for path in self._folder.glob("file-*.json")]
        return sorted(cards, key=lambda card: (card["created_at"], card["id"]), reverse=True)

    def find(self, name: str, param: str | None = None) -> dict[str, Any]:
        """The card of a file.

        Raises:
            RequestRefusal: 404 where there is none of that id.
        """
        path = self._path(name)
        if not re.fullmatch(r"file-[0-9a-f]{24}", name) or not path.exists():
            raise RequestRefusal(f"No such File object: {name}", status=404, param=param)
        return json.loads(path.read_text("utf-8"))

    def read(self, name: str, param: str | None = None) -> bytes:
        """The bytes of a file.

        Raises:
            RequestRefusal: 404 where there is none of that id.
        """
        return self._folder.joinpath(self.find(name, param)["id"]).read_bytes()

    def remove(self, name: str) -> dict[str, Any]:
        """Delete a file; what a client is told.

        Raises:
            RequestRefusal: 404 where there is none of that id.
        """
        card = self.find(name)
        self._path(name).unlink()
        self._folder.joinpath(card["id"]).unlink(missing_ok=True)
        return {"id": name, "object": "file", "deleted": True}

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def read_upload(kind: str, body: bytes) -> tuple[str, bytes]:
    """Name and bytes of the file in an upload (``multipart/form-data``).

    Args:
        kind: The request's content type.
        body: The request's body.

    Raises:
        RequestRefusal: If it is none, holds no file, or one for another purpose.
    """
    if not kind.lower().startswith("multipart/form-data"):
        raise RequestRefusal("a file comes as multipart/form-data", param="file")
    # The standard library's parser of messages: the same format (RFC 7578, RFC 2046).
    whole = b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + body
    name, content, purpose = "", None, ""
    for part in BytesParser(policy=HTTP).parsebytes(whole).iter_parts():
        payload: Any = part.get_payload(decode=True)
        field = part.get_param("name", header="content-disposition")
        if field == "file":
            name, content = part.get_filename() or "file", payload
        elif field == "purpose":
            purpose = payload.decode("utf-8", "replace").strip()
    if content is None:
        raise RequestRefusal("no `file` in the upload", param="file")
    if purpose != PURPOSE:
        raise RequestRefusal(
            f"files are for {PURPOSE!r} here, not for {purpose!r}", param="purpose"
        )
    return name, content
