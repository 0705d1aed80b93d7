"""Several models in one server: adapters over one base, each answering as it does alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whatworks.app.serve.models import Models
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served, open_named, open_served
from whatworks.app.serve.server import ModelServer
from whatworks.base.errors import InputError
from whatworks.data.task import Message
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine

ASKED = [f"Where does {name} live?" for name in ("Alma Reed", "Ida Holm", "Otto Berg")]


def make_adapter(folder: Path, seed: int) -> Path:
    """An adapter of the embedded model that changes what it says."""
    import torch
    from peft import LoraConfig, get_peft_model

    model = models.load_model(models.resolve("lab"), dtype=torch.float32, device="cpu")
    tuned: Any = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.05)
    tuned.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[Served]:
    plain = open_served("lab", name="lab")
    others = [
        replace(
            plain,
            name=f"tuned-{seed}",
            engine=LocalEngine(),
            files=replace(plain.files, adapter=make_adapter(tmp_path_factory.mktemp("a"), seed)),
        )
        for seed in (1, 2)
    ]
    return [plain, *others]


@pytest.fixture(scope="module")
def http(served: list[Served]) -> Iterator[TestClient]:
    with TestClient(ModelServer(*served).app()) as client:
        yield client


def ask(http: TestClient, model: str, text: str, tokens: int = 12) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}],
            "temperature": 0, "max_tokens": tokens}  # fmt: skip
    reply = http.post("/v1/chat/completions", json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["model"] == model
    return reply.json()["choices"][0]["message"]["content"]


def test_each_answers_as_it_does_alone_whoever_is_asked_beside(
    http: TestClient, served: list[Served]
) -> None:
    alone: dict[tuple[str, str], str] = {}
    engine = LocalEngine()
    for one in served:
        prompts = [[Message(role="user", content=text)] for text in ASKED]
        decoding = Decoding(max_tokens=12, stop=one.candidate.decoding.stop)
        for text, got in zip(ASKED, engine.generate(one.files, prompts, decoding), strict=True):
            alone[one.name, text] = got.text
    engine.close()
    assert len({alone[one.name, ASKED[0]] for one in served}) == 3  # or nothing would be shown
    wanted = list(alone) * 4
    with ThreadPoolExecutor(12) as pool:
        got = list(pool.map(lambda which: ask(http, *which), wanted))
    assert [alone[which] for which in wanted] == got


def test_they_share_the_base(served: list[Served]) -> None:
    held = Models(served)
    assert len({id(one.engine) for one in held.all}) == 1


def test_names(http: TestClient) -> None:
    listed = [card["id"] for card in http.get("/v1/models").json()["data"]]
    assert listed == ["lab", "tuned-1", "tuned-2"]
    assert http.get("/v1/models/tuned-2").json()["id"] == "tuned-2"
    missing = http.post(
        "/v1/chat/completions",
        json={"model": "tuned-3", "messages": [{"role": "user", "content": "x"}]},
    )
    assert missing.status_code == 404 and "tuned-2" in missing.json()["error"]["message"]
    text = {"model": "tuned-1", "prompt": "Alma", "max_tokens": 2, "temperature": 0}
    assert http.post("/v1/completions", json=text).json()["model"] == "tuned-1"
    assert http.post("/tokenize", json={"model": "tuned-1", "prompt": "Alma"}).json()["tokens"]


def test_two_of_one_name_are_refused(served: list[Served]) -> None:
    with pytest.raises(InputError, match="two models are called 'lab'"):
        Models([served[0], replace(served[1], name="lab")])
    with pytest.raises(RequestRefusal):
        Models(served[:1]).find("other")


def test_a_name_before_the_target() -> None:
    one = open_named("small=lab")
    assert (one.name, one.files) == ("small", ModelFiles(base="lab"))
    assert open_named("lab").name == "lab"
