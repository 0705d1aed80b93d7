"""Weights and chat templates from strangers: no code is run, and nothing hangs."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data.task import Message
from whatworks.models import chat_templates, files

ASK = [Message(role="user", content="Where does Alma Reed live?")]
LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
STOPPED = {
    "a loop without end": (LOOP, "more than 1 s"),
    "a loop without end in an answer only": (
        "{% if messages|length > 1 %}" + LOOP + "{% endif %}{{ messages[0]['content'] }}",
        "more than 1 s",
    ),
    "megabytes": ("{% for a in range(99999) %}{{ 'word ' * 9 }}{% endfor %}", "characters"),
    "megabytes at once": ("{{ 'word' * 9999999 }}", "characters"),
    "a text of terabytes": ("{{ messages[0]['role'] * 10 ** 13 }}", "MemoryError"),
    "a doubling": (
        "{% set n = namespace(t='x') %}{% for a in range(26) %}{% set n.t = n.t ~ n.t %}"
        "{% endfor %}{{ n.t }}",
        "characters",
    ),
    "a sum of a number and a text": ("{{ 9 + '' }}", "TypeError"),
    "a division by nothing": ("{{ 1 / 0 }}", "ZeroDivision"),
    "a filter of what it cannot filter": ("{{ messages | int | list }}", "TypeError"),
    "a macro that calls itself": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "Recursion"),
}


@pytest.fixture
def tokenizer(tiny_model: Path) -> Any:
    return copy.copy(files.load_tokenizer(tiny_model))


@pytest.mark.parametrize("name", STOPPED)
@pytest.mark.parametrize("aside", [False, True], ids=["main thread", "other thread"])
def test_a_template_is_stopped_with_the_reason(tokenizer: Any, name: str, aside: bool) -> None:
    tokenizer.chat_template, reason = STOPPED[name]
    errors: list[InputError] = []

    def render() -> None:
        with pytest.raises(InputError) as caught:
            chat_templates.find_ending(tokenizer)
        errors.append(caught.value)

    began = time.monotonic()
    if aside:
        thread = threading.Thread(target=render)
        thread.start()
        thread.join()
    else:
        render()
    assert time.monotonic() - began < 2.0
    assert reason in str(errors[0]) and "choose a template" in str(errors[0])


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ messages.append('x') }}",
    ],
)
def test_a_template_reaches_nothing(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template
    with pytest.raises(InputError, match="chat template"):
        chat_templates.encode_prompt(tokenizer, ASK)


def test_a_long_prompt_is_no_attack(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    long = "word " * 300_000
    text = tokenizer.decode(
        chat_templates.encode_prompt(tokenizer, [Message(role="user", content=long)])
    )
    assert text == long


class _Attack:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self._mark,)


@pytest.fixture
def pickled(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model with its weights as a pickle."""
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(tiny_model, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def test_a_pickle_is_loaded_as_tensors_and_said(pickled: Path, tiny_model: Path) -> None:
    import torch

    two = [
        files.load_model(one, dtype=torch.float32, device="cpu") for one in (pickled, tiny_model)
    ]
    one, other = (model.state_dict() for model in two)
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    assert "pytorch_model.bin" in files.describe_origin(str(pickled))
    assert files.describe_origin(str(tiny_model)) == ""
    assert files.describe_origin("http://127.0.0.1:1/v1#m") == files.describe_origin("fake:") == ""


def test_code_in_a_pickle_is_not_run(pickled: Path, tmp_path: Path) -> None:
    import torch

    mark = tmp_path / "ran"
    attack = {"model.embed_tokens.weight": _Attack(mark)}
    for write in (torch.save, lambda value, file: Path(file).write_bytes(pickle.dumps(value))):
        write(attack, pickled / "pytorch_model.bin")
        with pytest.raises(InputError, match="cannot be loaded"):
            files.load_model(pickled, dtype=torch.float32, device="cpu")
        assert not mark.exists()
    pickle.loads(pickle.dumps(attack))
    assert mark.exists(), "the attack works where code is allowed"


def test_safetensors_come_first(pickled: Path, tiny_model: Path, tmp_path: Path) -> None:
    import torch

    torch.save({"x": _Attack(tmp_path / "ran")}, pickled / "pytorch_model.bin")
    shutil.copy(tiny_model / "model.safetensors", pickled)
    files.load_model(pickled, dtype=torch.float32, device="cpu")
    assert files.describe_origin(str(pickled)) == "" and not (tmp_path / "ran").exists()


def test_code_in_a_models_folder_is_not_run_nor_asked_about(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder, mark = tmp_path / "coded", tmp_path / "ran"
    shutil.copytree(tiny_model, folder)
    (folder / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass Config: ...\nModel = Config")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "own"
    config["auto_map"] = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    code = (
        "import sys, torch; from pathlib import Path; from whatworks.models import files\n"
        "try: files.load_model(Path(sys.argv[1]), dtype=torch.float32, device='cpu')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], input="y\ny\ny\n",
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    assert "InputError" in run.stdout and "[y/N]" not in run.stdout + run.stderr
    assert not mark.exists()


def test_a_trainer_that_renders_by_itself_has_the_same_prompts_and_limits(tokenizer: Any) -> None:
    from whatworks.models.template_limits import SECONDS

    asked = chat_templates.render_for_trainer(tokenizer)
    turns = [[m.model_dump() for m in ASK]]
    tokenizer.chat_template = chat_templates.use(tokenizer, "chatml").chat_template
    rendered = asked.apply_chat_template(
        conversation=turns, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    assert rendered["input_ids"] == [chat_templates.encode_prompt(tokenizer, ASK)]
    tokenizer.chat_template = LOOP
    began = time.monotonic()
    with pytest.raises(InputError, match="more than 1 s"):
        asked.apply_chat_template(conversation=turns, add_generation_prompt=True)
    assert time.monotonic() - began < SECONDS + 2


def test_no_module_renders_a_template_elsewhere() -> None:
    source = Path(chat_templates.__file__).parents[2]
    calls = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "apply_chat_template" in line
    }
    assert calls == {
        "whatworks/models/template_limits.py",  # within its limits
        "whatworks/models/chat_templates.py",  # put in its place for a trainer
        "whatworks/app/export/model_card.py",  # what the card tells its reader to do
        # Copied into exports: it runs without this package, on the template of its own folder.
        "whatworks/app/export/asking/local_model.py",
    }


def test_half_a_character_is_asked_about_as_a_question_mark(tokenizer: Any) -> None:
    """No reader lets one through; a model's own answer, shown to it again, may hold one."""
    from whatworks.models.endpoint.replies import read_reply

    tokenizer = chat_templates.use(tokenizer, "chatml")
    odd, plain = ([Message(role="user", content=text)] for text in ("a\udfff", "a?"))
    assert chat_templates.encode_training(
        tokenizer, odd, "\ud800"
    ) == chat_templates.encode_training(tokenizer, plain, "?")
    reply = read_reply(b'{"choices": [{"message": {"content": "a\\ud800"}}]}')
    assert reply.text == "a?"


def test_a_pattern_nested_without_end_is_refused() -> None:
    from whatworks.models.constraint import make_constraint

    with pytest.raises(InputError, match="no regular expression"):
        make_constraint("regex", "(?:" * 5000)


def test_reasoning_that_closes_without_end_is_taken_off() -> None:
    from whatworks.models.reasoning import split

    began = time.monotonic()
    parts = split("<think>a</think>" + "a</think>" * 5000 + "b")
    assert parts.answer == "b" and parts.reasoning.startswith("a\n\na")
    assert time.monotonic() - began < 2.0
