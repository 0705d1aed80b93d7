"""A saved arm is used without this package: it loads in plain libraries and answers the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.cli import main
from whatworks.app.export.export import Checking, export
from whatworks.app.export.model_card import write_snippet
from whatworks.app.export.weight_files import write_weights
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

STUDY = """
name: colours
task:
  train: rows.jsonl
  metric: exact
  instructions: Name the colour.
  split: {dev: 8, test: 12}
model: lab
seeds: 1
arms:
- zero-shot
- {few-shot: {k: 2}}
- {knn: {k: 2, embedder: lexical}}
- {sft: {epochs: 2, learning_rate: 5e-3, rank: 4}}
- {arm: few-shot+sft, name: full, few-shot: {k: 1}, sft: {kind: full, epochs: 1}}
- {arm: rag, rag: {search: lexical}}
- {soft-prompt: {epochs: 1, tokens: 4}}
"""
ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "whatworks":
            raise ImportError("whatworks is not here")

sys.meta_path.insert(0, Refuse())
try:
    import whatworks
    raise SystemExit("whatworks should not be importable")
except ImportError:
    pass
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    names = ["red", "blue", "green", "black"]
    rows = [
        {"input": f"thing {i} of lane {i * 31 % 57}", "target": names[i % 4]} for i in range(60)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "study.yaml").write_text(STUDY)
    run_study(folder / "study.yaml", out=folder / "out", watcher=Silent())
    return folder / "out"


UNASKED = Checking(margin=None)


def results(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]


def loading(folder: Path) -> str:
    """The Python of the model card, as it stands there."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    return code


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize(
    ("arm", "merge"), [("sft", False), ("sft", True), ("full", False), ("soft-prompt", False)]
)
def test_the_card_loads_it_without_this_package_and_it_answers_the_same(
    run: Path, tmp_path: Path, arm: str, merge: bool
) -> None:
    out = tmp_path / "export"
    export(run, arm, out, merge=merge, checking=UNASKED)
    done = subprocess.run(
        [sys.executable, "-c", ALONE + loading(out)],
        cwd=out,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert all(line.startswith("True") for line in lines), lines
    said = {line.split(" ", 1)[1] for line in lines}
    if arm == "soft-prompt":  # four tokens in one epoch change answers, they teach no colours
        untouched = {
            row["example"]: row["output"] for row in results(run) if row["arm"] == "zero-shot"
        }
        mine = {row["example"]: row["output"] for row in results(run) if row["arm"] == arm}
        assert mine.keys() == untouched.keys() and mine != untouched
    else:
        assert said <= {"red", "blue", "green", "black"}
    assert str(run) not in (out / "README.md").read_text()


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: "
        "{% if enable_thinking is defined and enable_thinking is false %}<think></think>"
        "{% endif %}{% endif %}",
        "{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}model: {% endif %}",
    ],
    ids=["like Qwen3's", "like Gemma's"],
)
def test_the_card_asks_as_the_study_did_under_the_models_own_template(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    template: str,
) -> None:
    base, out = tmp_path / "base", tmp_path / "export"
    shutil.copytree(tiny_model, base)
    (base / "chat_template.jinja").write_text(template)
    messages = [Message(role="system", content="Name it."), Message(role="user", content="sky")]
    decoding, files = Decoding(max_tokens=8), ModelFiles(str(base))
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    (answer,) = engine.generate(files, [messages], decoding)
    stage = Stage(kind="full", method="sft", artifact="a")
    weights = Weights(base=str(base), stages=(stage,))
    candidate = Candidate(prompt=Prompt(), weights=weights, decoding=decoding)
    layout = write_weights(candidate, files, out, merge=False)
    row = {"messages": [m.model_dump() for m in messages], "answer": answer.text}
    (out / "examples.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.chdir(out)
    exec(write_snippet(layout), {})
    assert capsys.readouterr().out.startswith("True")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_merged_and_unmerged_give_the_same_greedy_answers(run: Path, tmp_path: Path) -> None:
    export(run, "sft", tmp_path / "apart", checking=UNASKED)
    export(run, "sft", tmp_path / "merged", merge=True, checking=UNASKED)
    lines = (tmp_path / "apart" / "examples.jsonl").read_text().splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    prompts = [[Message(**message) for message in row["messages"]] for row in rows]
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    decoding = json.loads((tmp_path / "apart" / "decoding.json").read_text())
    answers = [
        [answer.text for answer in engine.generate(files, prompts, Decoding(**decoding))]
        for files in (
            ModelFiles(str(tmp_path / "apart" / "base"), tmp_path / "apart" / "adapter"),
            ModelFiles(str(tmp_path / "merged" / "model")),
        )
    ]
    assert answers[0] == answers[1] == [row["answer"] for row in rows]
    told = json.loads((tmp_path / "merged" / "model" / "tokenizer_config.json").read_text())
    assert told["response_template"]["fields"]["content"]["close"] == ["<|end|>"]


@pytest.mark.slow
def test_prompt_and_figures_travel_too(run: Path, tmp_path: Path) -> None:
    export(run, "few-shot", tmp_path / "few", checking=UNASKED)
    prompt = json.loads((tmp_path / "few" / "prompt.json").read_text())
    assert prompt["instructions"] == "Name the colour."
    assert len(prompt["demos"]["pool"]) == 2
    text = (tmp_path / "few" / "prompt.txt").read_text()
    assert text.startswith("<system> Name the colour.") and text.count("<assistant>") == 2
    card = (tmp_path / "few" / "README.md").read_text()
    assert "exact on 12 test examples" in card and "95% interval" in card
    assert "No weights were trained" in card
    export(run, "knn", tmp_path / "knn", checking=UNASKED)
    demos = json.loads((tmp_path / "knn" / "prompt.json").read_text())["demos"]
    assert (demos["select"], demos["embedder"], len(demos["pool"])) == ("nearest", "lexical", 40)


@pytest.mark.slow
def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for arm, merge, cause in (
        ("stf", False, "no arm 'stf'"),
        ("rag", False, "no documents"),
        ("few-shot", True, "trained nothing"),
        ("full", True, "it is one model"),
    ):
        with pytest.raises(InputError, match=cause):
            export(run, arm, out, merge=merge)
        assert list(tmp_path.iterdir()) == []
    out.mkdir()
    (out / "mine.txt").write_text("")
    command = ["whatworks", "export", str(run), "sft", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
