"""From a name to a model folder: every wrong name is a sentence with a remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from whatworks.base.errors import InputError
from whatworks.base.file_digest import compute_digest
from whatworks.models import files as models


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_a_folder_is_itself(folder: Path) -> None:
    assert models.resolve(str(folder)) == folder.resolve()


def test_the_embedded_model() -> None:
    assert (models.resolve("lab") / "config.json").is_file()


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_an_incomplete_folder(folder: Path, gone: str, said: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(InputError, match=said) as caught:
        models.resolve(str(folder))
    assert caught.value.place == str(folder)
    assert "save_pretrained" in caught.value.remedy


def test_a_file_is_not_a_folder(folder: Path) -> None:
    with pytest.raises(InputError, match="a file"):
        models.resolve(str(folder / "config.json"))


def test_an_adapter_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="an adapter") as caught:
        models.resolve(str(tmp_path))
    assert "base model" in caught.value.remedy


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_broken_config(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        models.resolve(str(folder))


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model folder"):
        models.resolve(str(tmp_path / "nowhere"))


def test_a_hub_id_that_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(models.DOWNLOAD, raising=False)
    with pytest.raises(InputError, match="not in the local Hugging Face cache") as caught:
        models.resolve("nobody-here/no-such-model")
    assert f"{models.DOWNLOAD}=1" in caught.value.remedy


def test_a_name_that_is_no_hub_id() -> None:
    with pytest.raises(InputError, match="not a folder") as caught:
        models.resolve("what a model!")
    assert "lab" in caught.value.remedy


def test_broken_weights_are_a_user_error(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(InputError, match="cannot be loaded") as caught:
        models.load_model(folder, dtype=torch.float32, device="cpu")
    assert caught.value.place == str(folder)


def test_weights_that_lack_a_parameter_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    lacking = next(name for name in weights if "up_proj" in name)
    del weights[lacking]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="lack 1 parameters"):
        models.load_model(folder, dtype=torch.float32, device="cpu")


def test_a_broken_tokenizer_is_a_user_error(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="tokenizer cannot be loaded"):
        models.load_tokenizer(folder)


def test_the_digest_is_of_the_content(folder: Path, tmp_path: Path) -> None:
    before = compute_digest(folder)
    assert compute_digest(Path(shutil.copytree(folder, tmp_path / "copy"))) == before
    (folder / "README.md").write_text("about the model")
    assert compute_digest(folder) == before


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_the_digest_changes_with_every_part(folder: Path, file: str) -> None:
    before = compute_digest(folder)
    path = folder / file
    if file == "model.safetensors":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"more": 1}))
    assert compute_digest(folder) != before
