"""What `ask.py` writes around a request is what the renderer writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whatworks.app.export.ask_files import write_ask_files
from whatworks.app.export.asking.arm import Arm
from whatworks.app.export.export import Checking, export
from whatworks.app.serve.served import open_served
from whatworks.base.errors import InputError
from whatworks.data.task import Document, Example, Message
from whatworks.models.decoding import Decoding
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Demos, Prompt
from whatworks.prompts.render import render
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.query_writing import QueryWriting

WORDS = ["lamp", "river", "stone", "cloud", "letter", "engine",
         "window", "garden", "market", "bridge", "winter", "copper"]  # fmt: skip
POOL = tuple(
    Example(id=f"p{i}", inputs={"input": f"{WORDS[i % 12]} {WORDS[i * 5 % 12]} {i % 9}"},
            target=f"t{i % 4}")
    for i in range(90)
)  # fmt: skip
CHUNKS = tuple(
    Document(id=f"d{i}#0", title="Log" if i % 2 else "",
             text=f"The {WORDS[i * 7 % 12]} near the {WORDS[i % 12]}, well-kept, row {i % 11}.")
    for i in range(1200)
)  # fmt: skip
REQUESTS = [
    [Message(role="user", content="a lamp by the river 3")],
    [Message(role="user", content="WINTER windows: wellkept?")],
    [Message(role="user", content="nothing of it")],
    [
        Message(role="system", content="Be brief."),
        Message(role="user", content="copper bridge"),
        Message(role="assistant", content="yes"),
        Message(role="user", content="and the market 7"),
    ],
]
DRAW = np.random.default_rng(4).standard_normal
MAP = tuple((DRAW(shape) / 8).astype(np.float32) for shape in ((3, 1024), (1024, 3)))
LEXICAL: dict[str, Any] = {"pool": POOL, "k": 5, "select": "nearest", "embedder": "lexical"}


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(instructions="Say it.", demos=Demos(pool=POOL, k=3)),
        Prompt(demos=Demos(**LEXICAL)),
        Prompt(demos=Demos(**LEXICAL, diversity=0.4, fixed=2)),
        Prompt(demos=Demos(**LEXICAL, balance=True)),
        Prompt(instructions="Say it.", context=Context(chunks=CHUNKS, k=4, search="lexical")),
        Prompt(context=Context(chunks=CHUNKS, k=4, search="lexical", rerank="mmr", cite=True)),
        Prompt(context=Context(chunks=CHUNKS, k=3, embedder="lexical", allow_unknown=True)),
        Prompt(context=Context(chunks=CHUNKS * 2, k=3, search="vector", embedder="lexical"),
               demos=Demos(pool=POOL, k=1)),
        Prompt(context=Context(chunks=CHUNKS, k=4, search="vector", embedder="lexical"),
               query_map=QueryMap.pack("lexical", MAP[0], MAP[1])),
    ],
    ids=["fixed", "nearest", "spread", "balanced", "words", "mmr", "hybrid", "vectors", "mapped"],
)  # fmt: skip
def test_it_writes_the_messages_that_the_renderer_writes(prompt: Prompt, tmp_path: Path) -> None:
    weights = Weights(base="http://localhost:1/v1#none")
    candidate = Candidate(prompt=prompt, weights=weights, decoding=Decoding())
    write_ask_files(candidate, {"base": weights.base}, tmp_path)
    arm = Arm(tmp_path)
    for messages in REQUESTS:
        wanted = render(prompt, Example(id="r", messages=tuple(messages)), exclude=()).messages
        written = arm.write_messages([m.model_dump() for m in messages])
        assert written == [m.model_dump() for m in wanted]
    plain = arm.write_messages("a lamp by the river 3")
    assert plain == arm.write_messages([REQUESTS[0][0].model_dump()])
    with pytest.raises(ValueError, match="nothing is asked"):
        arm.write_messages([{"role": "system", "content": "Be brief."}])


def test_what_travels_imports_nothing_of_the_package(tmp_path: Path) -> None:
    weights = Weights(base="http://localhost:1/v1#none")
    write_ask_files(Candidate(prompt=Prompt(), weights=weights), {"base": ""}, tmp_path)
    files = [tmp_path / "ask.py", *(tmp_path / "asking").glob("*.py")]
    assert len(files) == 16
    for file in files:
        named = re.findall(r"^\s*(?:from|import) (\w+)", file.read_text(), re.M)
        assert "whatworks" not in named, file


ALONE = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "whatworks":
            raise ImportError("whatworks is not here")

sys.meta_path.insert(0, Refuse())
sys.argv = [sys.argv[1], *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def ask_alone(folder: Path, *words: str) -> list[str]:
    """What `ask.py` prints in a process of its own, where this package is not to be had."""
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "ask.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


ARMS = ["zero-shot", "few-shot", "knn", "rag", "constrained", "sft", "rag+sft"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("arm", ARMS)
def test_it_answers_as_recorded_without_this_package(lanes: Path, tmp_path: Path, arm: str) -> None:
    out = tmp_path / "export"
    export(lanes, arm, out, checking=Checking(margin=None))
    rows = [json.loads(line) for line in (out / "examples.jsonl").read_text().splitlines()]
    assert len(rows) == 12 and all("request" in row for row in rows)
    lines = ask_alone(out, "--examples")
    assert lines == [f"True {row['answer']}" for row in rows]
    assert ask_alone(out, rows[3]["request"][0]["content"]) == [rows[3]["answer"]]
    served = open_served(str(out))
    for row in rows:
        example = served.example([Message(**m) for m in row["request"]], row["id"])
        prompt = served.render(example)
        assert [m.model_dump() for m in prompt] == row["messages"]
        answer = served.engine.generate(served.files, [prompt], served.candidate.decoding)[0]
        assert answer.text == row["answer"]
    served.engine.close()


def test_what_a_model_must_write_first_is_refused(tmp_path: Path) -> None:
    chunks = (Document(id="a#0", text="Ann lives in Bonn."),)
    query = QueryWriting(way="hyde", model="lab")
    prompt = Prompt(context=Context(chunks=chunks, k=1, search="lexical", query=query))
    candidate = Candidate(prompt=prompt, weights=Weights(base="http://localhost:1/v1#m"))
    with pytest.raises(InputError, match="cannot write queries"):
        write_ask_files(candidate, {"base": ""}, tmp_path)
