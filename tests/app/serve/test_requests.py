"""Requests that the server refuses, saying which field is at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whatworks.app.serve.protocol import ChatRequest, ChatTurn, RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.app.serve.server import ModelServer
from whatworks.data.task import Document, MetricSpec
from whatworks.metrics.registry import load
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Prompt


def test_a_request_that_asks_nothing_of_an_arm_is_refused() -> None:
    passages = (Document(id="d#0", text="The sky is blue."),)
    told = Prompt(context=Context(chunks=passages, k=1, search="lexical"))
    for prompt, status in ((told, 400), (Prompt(), 200)):
        candidate = Candidate(prompt=prompt, weights=Weights(base="fake:"))
        engine, metric = FakeEngine(lambda _: "yes"), load(MetricSpec(name="exact"))
        served = Served("m", engine, ModelFiles("fake:"), candidate, metric)
        with TestClient(ModelServer(served).app()) as client:
            asked = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}]}
            got = client.post("/v1/chat/completions", json=asked)
        assert got.status_code == status
        assert status == 200 or got.json()["error"]["param"] == "messages"


def test_a_request_names_no_file_of_the_server(tmp_path: Path) -> None:
    grammar, schema = tmp_path / "form.lark", tmp_path / "schema.json"
    grammar.write_text('start: "secret"')
    schema.write_text('{"const": "secret"}')
    wrong: list[dict[str, Any]] = [
        {"grammar": str(grammar)}, {"json": str(schema)}, {"regex": None}, {"grammar": 3},
        {"choice": [None]}, {"choice": []}, {"regex": "a", "choice": ["b"]}, {"other": "x"},
    ]  # fmt: skip
    for form in wrong:
        asked = ChatRequest(model="m", messages=[ChatTurn(role="user")], structured_outputs=form)
        with pytest.raises(RequestRefusal):
            asked.constraint()
