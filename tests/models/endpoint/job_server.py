"""A stand-in for a provider's files, batches and fine-tuning jobs, as OpenAI's pages say.

https://platform.openai.com/docs/api-reference/files, .../batch and .../fine-tuning: what each
address takes and returns; a job needs some looks until it has ended.
"""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from endpoint_server import Handler, Server


def read_upload(kind: str, body: bytes) -> tuple[str, bytes]:
    """The purpose and the file of an upload."""
    whole = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
    parts: dict[str, bytes] = {}
    for part in BytesParser(policy=HTTP).parsebytes(whole).iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts[str(name)] = content
    return parts["purpose"].decode(), parts["file"]


class JobServer(Server):
    """Answers completions as ``Server`` does; also has files and jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = JobHandler
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.begun: list[dict[str, Any]] = []
        self.looks = 0
        self.looks_until_done = 2
        self.fails = ""
        self.left_out: set[str] = set()


class JobHandler(Handler):
    @property
    def provider(self) -> JobServer:
        assert isinstance(self.server, JobServer)
        return self.server

    def send(self, status: int, content: Any) -> None:
        self.reply(status, json.dumps(content).encode())

    def do_POST(self) -> None:
        provider, path = self.provider, self.path.removeprefix("/v1")
        if path not in ("/files", "/batches", "/fine_tuning/jobs"):
            super().do_POST()  # completions, or nothing there
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/files":
            purpose, content = read_upload(self.headers["Content-Type"], body)
            name = f"file-{purpose}-{len(provider.files)}"
            provider.files[name] = content
            self.send(200, {"id": name, "object": "file", "purpose": purpose})
            return
        asked = json.loads(body)
        provider.begun.append(asked)
        name = f"job-{len(provider.jobs)}"
        provider.jobs[name] = {"id": name, "status": "validating", **asked}
        self.send(200, provider.jobs[name])

    def do_GET(self) -> None:
        provider, path = self.provider, self.path.removeprefix("/v1").partition("?")[0]
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "files":
            self.reply(200, provider.files[rest.removesuffix("/content")])
        elif kind == "batches":
            self.send(200, self.look_at_batch(rest))
        elif kind == "fine_tuning":
            name, _, part = rest.removeprefix("jobs/").partition("/")
            self.send(200, self.list_part(name, part) if part else self.look_at_tuning(name))
        else:
            super().do_GET()

    def is_done(self) -> bool:
        self.provider.looks += 1
        return self.provider.looks > self.provider.looks_until_done

    def look_at_batch(self, name: str) -> dict[str, Any]:
        provider = self.provider
        job = provider.jobs[name]
        counts = {"total": 0, "completed": 0, "failed": 0}
        if not self.is_done():
            return {**job, "status": "in_progress", "request_counts": counts}
        if provider.fails:
            return {**job, "status": "failed", "errors": {"data": [{"message": provider.fails}]}}
        lines: list[str] = []
        for line in provider.files[job["input_file_id"]].splitlines():
            asked = json.loads(line)
            prompt = asked["body"]["messages"][-1]["content"]
            if prompt in provider.left_out:
                continue
            message = {"role": "assistant", "content": prompt.split()[-1]}
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            reply = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
            response = {"status_code": 200, "body": reply}
            lines.append(json.dumps({"custom_id": asked["custom_id"], "response": response}))
        provider.files["file-out"] = "\n".join(reversed(lines)).encode()  # in no order
        return {**job, "status": "completed", "output_file_id": "file-out"}

    def look_at_tuning(self, name: str) -> dict[str, Any]:
        job = self.provider.jobs[name]
        if not self.is_done():
            return {**job, "status": "running", "fine_tuned_model": None}
        if self.provider.fails:
            return {**job, "status": "failed", "error": {"message": self.provider.fails}}
        return {**job, "status": "succeeded", "fine_tuned_model": "ft:tiny-chat:me::x",
                "trained_tokens": 1000}  # fmt: skip

    def list_part(self, name: str, part: str) -> dict[str, Any]:
        if part == "checkpoints":
            data = [
                {"id": f"ckpt-{step}", "step_number": step,
                 "fine_tuned_model_checkpoint": f"ft:tiny-chat:me::x:ckpt-step-{step}"}
                for step in (4, 2)
            ]  # fmt: skip
        else:
            data = [
                {
                    "id": f"ev-{step}",
                    "type": "metrics",
                    "data": {"step": step, "train_loss": 1 / step},
                }
                for step in (6, 5, 4, 3, 2, 1)
            ]
        return {"object": "list", "data": data, "has_more": False}
