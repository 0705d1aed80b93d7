"""A stand-in of the Hugging Face Hub's API, as far as pushing a model needs it.

The calls are those of the client 2.x: make a repository, ask what kind each file is, take
large ones by git-LFS's protocol, and a commit as lines of JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Repository:
    """A repository: whether it is private, and its files."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])


class HubServer(ThreadingHTTPServer):
    """Takes pushes of whoever has the token. Files of these names are large ones."""

    daemon_threads = True

    def __init__(self, token: str, large: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token, self.large = token, large
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer  # pyright: ignore[reportIncompatibleVariableOverride]  # the one it is made by

    def log_message(self, format: str, *args: object) -> None: ...

    def _answer(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def do_GET(self) -> None:
        repository = self.server.repositories.get(self.path.removeprefix("/api/models/"))
        if repository is None:
            self._answer({"error": "no such repository"}, 404)
        else:
            name = self.path.removeprefix("/api/models/")
            self._answer({"id": name, "private": repository.private, "siblings": [], "tags": []})

    def do_PUT(self) -> None:
        content = self._read()
        oid = self.path.removeprefix("/lfs/")
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.objects[oid] = content
        self._answer({})

    def do_POST(self) -> None:
        body = self._read()
        if self.path == "/api/validate-yaml":  # which the Hub answers to anybody
            self._answer({"errors": [], "warnings": []})
        elif self.headers.get("authorization") != f"Bearer {self.server.token}":
            said = f"Invalid credentials: {self.headers.get('authorization')}"
            self._answer({"error": said}, 401)
        elif self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            kinds = [self._name_kind(one["path"]) for one in json.loads(body)["files"]]
            self._answer({"files": kinds})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._answer({"transfer": "basic", "objects": self._list_uploads(json.loads(body))})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._answer({"error": f"no {self.path} here"}, 404)

    def _create(self, asked: dict[str, Any]) -> None:
        name, private = f"{asked['organization']}/{asked['name']}", self._is_private(asked)
        url = {"url": f"{self.server.url}/{name}"}
        if name in self.server.repositories:
            self._answer({"error": "You already created this model repo", **url}, 409)
        else:
            self.server.repositories[name] = Repository(private)
            self._answer(url)

    @staticmethod
    def _is_private(asked: dict[str, Any]) -> bool:
        return asked.get("visibility") == "private" or bool(asked.get("private"))

    def _name_kind(self, path: str) -> dict[str, Any]:
        mode = "lfs" if path in self.server.large else "regular"
        return {"path": path, "uploadMode": mode, "shouldIgnore": False}

    def _list_uploads(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ]

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = self.server.repositories[name].files
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        url = f"{self.server.url}/{name}/commit/{'0' * 40}"
        self._answer({"success": True, "commitUrl": url, "commitOid": "0" * 40})
