"""Every kind of export loads in the newest transformers 4 and answers as it does here.

The other environment is that of ``conftest.python4``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.export.ask_files import write_ask_files
from whatworks.app.export.older_loaders import TRIED, add_rope
from whatworks.app.export.weight_files import write_weights
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine
from whatworks.models.weights import Stage, StageKind, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

TEXTS = ["Where does Alma Reed live?", "sky", "I lost my card and need a new one", "0 1 2 3 4"]
TEMPLATE = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_rotary_embeddings_are_said_in_both_words() -> None:
    llama = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}
    assert add_rope({"rope_parameters": llama}) == {
        "rope_parameters": llama,
        "rope_theta": 5e5,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
    }
    layers = {
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    gemma = add_rope({"text_config": {"rope_parameters": layers}})["text_config"]
    assert (gemma["rope_theta"], gemma["rope_local_base_freq"]) == (1e6, 1e4)
    assert gemma["rope_scaling"] is None
    part = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}
    assert add_rope({"rope_parameters": part})["partial_rotary_factor"] == 0.25
    assert add_rope({"vocab_size": 3}) == {"vocab_size": 3}


@pytest.fixture(scope="module")
def turned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a rotary base that is not what version 4 falls back to."""
    folder = tmp_path_factory.mktemp("turned") / "base"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 20.0}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="module")
def adapter(turned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    shape = LoraConfig(r=4, init_lora_weights=False, target_modules=["q_proj", "v_proj"])
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(turned), shape)
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    model.save_pretrained(str(folder))
    return folder


def ask(python: Path, folder: Path) -> tuple[list[str], str]:
    """Answers of an export there, and the libraries that gave them."""
    rows = "".join(json.dumps({"request": text}) + "\n" for text in TEXTS)
    (folder / "rows.jsonl").write_text(rows)
    done = subprocess.run(
        [str(python), "-I", str(folder / "ask.py"), "--rows", str(folder / "rows.jsonl")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = subprocess.run(
        [str(python), "-c", "import transformers, peft;"
         "print(transformers.__version__, peft.__version__)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line)["answer"] for line in done.stdout.splitlines()], told.stdout.strip()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
@pytest.mark.parametrize("kind", ["adapter", "merged", "full"])
def test_it_answers_the_same_in_transformers_4(
    python4: Path, turned: Path, adapter: Path, tmp_path: Path, kind: str
) -> None:
    decoding = Decoding(max_tokens=12)
    lora = kind != "full"
    stage_kind: StageKind = "lora" if lora else "full"
    stage = Stage(kind=stage_kind, method="sft", artifact="a")
    weights = Weights(base="smollm2", stages=(stage,))  # any that is not found by its name
    candidate = Candidate(prompt=Prompt(), weights=weights, decoding=decoding)
    files = ModelFiles(str(turned), adapter if lora else None)
    layout = write_weights(candidate, files, tmp_path, merge=kind == "merged")
    write_ask_files(candidate, layout, tmp_path)
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    prompts = [[Message(role="user", content=text)] for text in TEXTS]
    wanted = [answer.text for answer in engine.generate(files, prompts, decoding)]
    assert ask(Path(sys.executable), tmp_path)[0] == wanted
    answers, versions = ask(python4, tmp_path)
    assert answers == wanted
    assert versions.startswith("4.")
    for name in versions.split():
        assert name in TRIED, f"the card says {TRIED}; tried was {versions}"
    # Else it would not matter what the files say.
    config = next(path for path in tmp_path.glob("*/config.json"))
    said = json.loads(config.read_text())
    assert (said["rope_theta"], said["rope_scaling"]) == (20.0, None)
    plain = {name: said[name] for name in said if name not in ("rope_theta", "rope_scaling")}
    config.write_text(json.dumps(plain))
    assert ask(python4, tmp_path)[0] != wanted
