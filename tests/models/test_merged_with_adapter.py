"""A folder with a whole model and an adapter is refused: the adapter would be put on twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from whatworks.base.errors import InputError
from whatworks.models.files import resolve

CONFIG = json.dumps({"peft_type": "LORA", "base_model_name_or_path": "x"})
BESIDE: dict[str, dict[str, str]] = {
    "both": {"adapter_config.json": CONFIG, "adapter_model.safetensors": ""},
    "config alone": {"adapter_config.json": CONFIG},
    "old weights": {"adapter_config.json": CONFIG, "adapter_model.bin": ""},
    "an empty config": {"adapter_config.json": "{}"},
    "a broken config": {"adapter_config.json": "{"},
}


@pytest.mark.parametrize("name", BESIDE)
def test_it_is_asked_which_is_meant(tmp_path: Path, tiny_model: Path, name: str) -> None:
    folder = tmp_path / "merged"
    shutil.copytree(tiny_model, folder)
    assert resolve(str(folder)) == folder
    for file, content in BESIDE[name].items():
        (folder / file).write_text(content)
    with pytest.raises(InputError, match="which of the two is meant") as caught:
        resolve(str(folder))
    assert "merge_and_unload" in caught.value.remedy and str(folder) in caught.value.place


def test_an_adapter_in_a_folder_below_is_no_matter(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter_config.json").write_text(CONFIG)
    assert resolve(str(folder)) == folder
