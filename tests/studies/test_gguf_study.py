"""A GGUF file as a study's model: tuned, reported and exported like any other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from gguf import GGMLQuantizationType

from whatworks.app.export.export import export
from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.models import files as models

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from gguf_files import write_gguf


@pytest.mark.slow
def test_a_gguf_file_is_tuned_and_exported(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2}
    tokenizer = models.load_tokenizer(tiny_model)
    LlamaForCausalLM(
        LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **shape, **heads)
    ).save_pretrained(source)
    tokenizer.save_pretrained(source)
    write_gguf(source, tmp_path / "tiny.gguf", kind=GGMLQuantizationType.Q8_0)
    rows = [{"input": f"colour {i}", "target": f"blue {i % 2}"} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = {
        "task": {"train": "rows.jsonl", "metric": "exact", "split": {"dev": 4, "test": 4}},
        "model": "tiny.gguf",
        "seeds": 1,
        "arms": ["zero-shot", {"sft": {"epochs": 1}}],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    summary, report = run_study(tmp_path / "study.yaml", out=tmp_path / "out", watcher=Silent())
    arm = summary.arm("sft")
    assert arm is not None and arm.score is not None
    said = "tiny.gguf, dequantised to float32 (tensors: Q8_0 15, F32 5)"
    assert said in report.read_text("utf-8")
    export(tmp_path / "out", "sft", tmp_path / "adapter")
    assert said in (tmp_path / "adapter" / "README.md").read_text("utf-8")
    adapter = json.loads((tmp_path / "adapter/adapter/adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "base"
    export(tmp_path / "out", "sft", tmp_path / "merged", merge=True)
    for folder in (tmp_path / "adapter/base", tmp_path / "merged/model"):
        assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() > 10_000
