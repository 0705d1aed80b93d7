"""One file for llama.cpp, with the arm's prompt in Ollama's words."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from whatworks.app.export.ask_files import write_ask_files
from whatworks.app.export.export import export
from whatworks.app.export.gguf_file import find_gguf_tools, write_gguf
from whatworks.app.export.modelfile import write_go_template, write_modelfile
from whatworks.app.export.weight_files import write_weights
from whatworks.base.errors import InputError
from whatworks.data.task import Example, Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos, Prompt

COLOURS = Constraint(kind="choices", choices=("red", "blue", "green", "black"))


def test_a_modelfile_says_prompt_template_and_decoding() -> None:
    tokenizer = templates.settle_template(models.load_tokenizer(models.resolve("lab")))
    shown = Example(id="a", inputs={"input": "grass"}, target="green")
    candidate = Candidate(
        prompt=Prompt(instructions="Name the colour.", demos=Demos(pool=(shown,), k=1)),
        weights=Weights(base="lab"),
        decoding=Decoding(max_tokens=9, stop=("\n",), constraint=COLOURS),
    )
    lines = write_modelfile(candidate, "model.gguf", tokenizer, 1024).split("\n")
    assert lines[0] == "FROM ./model.gguf"
    assert '{{ "<|user|>" }}{{ .Content }}' in "\n".join(lines)
    assert lines[lines.index("PARAMETER num_predict 9") + 1] == "PARAMETER num_ctx 1024"
    assert 'SYSTEM """Name the colour."""' in lines
    at = lines.index('MESSAGE user """grass"""')
    assert lines[at + 1] == 'MESSAGE assistant """green"""'
    assert any("fixed form" in line for line in lines)


def test_a_template_that_does_more_than_wrap_turns_is_left_out() -> None:
    tokenizer = templates.use(models.load_tokenizer(models.resolve("lab")), "chatml")
    assert '{{ "<|im_start|>assistant\\n" }}' in (write_go_template(tokenizer) or "")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ loop.index }} {{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}>{% endif %}"
    )
    assert write_go_template(tokenizer) is None


def test_what_is_missing_or_unknown_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no GGUF file of kind 'q9'"):
        find_gguf_tools("q9")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="converter, which is not installed"):
        find_gguf_tools("q8_0")
    with pytest.raises(InputError, match="nothing is exported to 'onnx'"):
        export(tmp_path, None, tmp_path / "out", to="onnx")
    tuned = Weights(base="lab", stages=(Stage(kind="soft-prompt", method="a", artifact="b"),))
    candidate = Candidate(prompt=Prompt(), weights=tuned)
    with pytest.raises(InputError, match="no part of a model"):
        write_weights(candidate, ModelFiles("lab"), tmp_path, merge=False, whole=True)


@pytest.fixture
def on_path(llama_cpp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{llama_cpp}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.slow
def test_a_tokenizer_without_a_counterpart_is_refused(on_path: None, tmp_path: Path) -> None:
    tools = find_gguf_tools("f16")
    candidate = Candidate(prompt=Prompt(), weights=Weights(base="lab"))
    write_weights(candidate, ModelFiles("lab"), tmp_path, merge=False, whole=True)
    with pytest.raises(InputError, match="no counterpart of this model's tokenizer"):
        write_gguf(tmp_path / "model", tmp_path / "lab.gguf", "f16", tools)


@pytest.mark.slow
@pytest.mark.smollm2
@pytest.mark.parametrize("constraint", [None, COLOURS], ids=["free", "held"])
def test_llama_cpp_answers_as_the_engine_does(
    on_path: None, tmp_path: Path, constraint: Constraint | None
) -> None:
    decoding = Decoding(max_tokens=12, constraint=constraint)
    prompt = Prompt(instructions="Answer with one word.")
    candidate = Candidate(prompt=prompt, weights=Weights(base="smollm2"), decoding=decoding)
    files = ModelFiles("smollm2")
    tools = find_gguf_tools("f32")
    layout = write_weights(candidate, files, tmp_path, merge=False, whole=True)
    write_gguf(tmp_path / "model", tmp_path / "model.gguf", "f32", tools)
    write_ask_files(candidate, {**layout, "gguf": "model.gguf"}, tmp_path)
    texts = ["What colour is grass?", "What colour is the clear sky?", "Coal is what colour?"]
    rows = "".join(json.dumps({"request": text}) + "\n" for text in texts)
    (tmp_path / "rows.jsonl").write_text(rows)
    done = subprocess.run(
        [tools.python, "-I", str(tmp_path / "ask.py"), "--rows", str(tmp_path / "rows.jsonl")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line)["answer"] for line in done.stdout.splitlines() if line]
    head = Message(role="system", content="Answer with one word.")
    asked = [[head, Message(role="user", content=text)] for text in texts]
    wanted = LocalEngine(dtype="float32", device="cpu").generate(files, asked, decoding)
    assert answers == [answer.text for answer in wanted]
    if constraint is not None:
        assert set(answers) <= set(constraint.choices)
