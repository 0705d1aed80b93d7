"""The weights of an exported arm, for transformers 4 and 5 and PEFT."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from whatworks.app.export.older_loaders import write_older_words
from whatworks.base.errors import InputError
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.files import resolve
from whatworks.prompts.candidate import Candidate

_OURS = shutil.ignore_patterns("sha256.json", "dequantised.json", "README.md")
"""What this package keeps beside weights; it speaks of files that are changed here."""


def write_weights(
    candidate: Candidate,
    files: ModelFiles | None,
    out: Path,
    *,
    merge: bool,
    whole: bool = False,
) -> dict[str, str]:
    """Write the weights of an arm, as far as they are not to be had elsewhere.

    Args:
        candidate: The arm.
        files: Where its weights lie; None for a model that is run elsewhere.
        out: Folder of the export.
        merge: Merge an adapter into its model.
        whole: Write one model in any case, merged if need be.

    Returns:
        The parts, by what they are: ``adapter``, ``model`` or ``tokenizer`` (which holds template
        and decoding, too), and ``base``, where the model below them is.

    Raises:
        InputError: If a soft prompt is to be merged, or there is nothing to merge.
    """
    if files is None:
        return {"base": candidate.weights.base}
    kinds = [stage.kind for stage in candidate.weights.stages]
    if whole and kinds and kinds[-1] == "soft-prompt":
        raise InputError(
            "a soft prompt is no part of a model", remedy="export it without --to gguf"
        )
    if merge and (not kinds or kinds[-1] != "lora"):
        why = {"soft-prompt": "a soft prompt is no change of weights", "full": "it is one model"}
        cause = why[kinds[-1]] if kinds else "the arm trained nothing"
        raise InputError(f"nothing can be merged: {cause}", remedy="leave --merge out")
    by_name = models.loads_by_name(candidate.weights.base)
    if files.adapter is not None and not (merge or whole):
        elsewhere = by_name and "full" not in kinds
        base = candidate.weights.base if elsewhere else "base"
        if not elsewhere:
            _copy_model(files.base, out / "base")
        shutil.copytree(files.adapter, out / "adapter")
        path = out / "adapter" / "adapter_config.json"
        config = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**config, "base_model_name_or_path": base}, indent=2))
        _write_tokenizer(candidate, files, out / "adapter")
        return {"adapter": "adapter", "base": base}
    if not kinds and by_name and not whole:
        (out / "tokenizer").mkdir()
        _write_tokenizer(candidate, files, out / "tokenizer")
        return {"tokenizer": "tokenizer", "base": candidate.weights.base}
    if files.adapter is not None:
        with models.silence_loading():
            merge_adapter(files).save_pretrained(str(out / "model"))
    else:
        _copy_model(files.base, out / "model")
    _write_tokenizer(candidate, files, out / "model")
    return {"model": "model", "base": candidate.weights.base}


def _copy_model(base: str, out: Path) -> None:
    shutil.copytree(resolve(base), out, ignore=_OURS)
    write_older_words(out)


def merge_adapter(files: ModelFiles) -> Any:
    """The adapter merged into its model, in the number format that the engine answers in."""
    import torch
    from peft import PeftModel

    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    dtype = torch.bfloat16 if half else torch.float32
    base = models.load_model(models.resolve(files.base), dtype=dtype, device="cpu")
    with models.silence_loading():
        adapted: Any = PeftModel.from_pretrained(base, str(files.adapter))
        return adapted.merge_and_unload()


def _write_tokenizer(candidate: Candidate, files: ModelFiles, folder: Path) -> None:
    """The tokenizer with the arm's chat template, and its decoding as a generation config.

    The template makes the prompts of the study by itself, wherever it is rendered.
    """
    base = models.resolve(files.base)
    tokenizer = templates.settle_template(
        templates.use(models.load_tokenizer(base), files.template)
    )
    if files.template != "auto" or not models.loads_by_name(candidate.weights.base):
        # Not the template that its kind of model is known for.
        tokenizer.response_template = templates.describe_response(tokenizer)
    tokenizer.save_pretrained(str(folder))
    make_generation_config(candidate.decoding, base, tokenizer).save_pretrained(str(folder))
    write_older_words(folder)


def make_generation_config(decoding: Decoding, base: Path, tokenizer: Any) -> Any:
    """Decoding in the words of ``transformers.GenerationConfig``, with every way to end."""
    from transformers import GenerationConfig

    ending = templates.find_ending(tokenizer)
    own: set[int] = set()
    for ends in (models.load_config(base).eos_token_id, _read_own_ends(base)):
        own.update(ends if isinstance(ends, list) else [] if ends is None else [ends])
    # A form ends where it is complete.
    stops = [] if decoding.constraint else [*decoding.stop, *ending.stop_texts]
    sampled = decoding.temperature > 0
    drawn = {"temperature": decoding.temperature, "top_p": decoding.top_p, "top_k": 0}
    return GenerationConfig(
        max_new_tokens=decoding.max_tokens,
        do_sample=sampled,
        eos_token_id=sorted(own | ending.stop_ids) or None,
        pad_token_id=tokenizer.pad_token_id,
        **({"stop_strings": stops} if stops else {}),
        **(drawn if sampled else {}),
    )


def _read_own_ends(base: Path) -> Any:
    path = base / "generation_config.json"
    return json.loads(path.read_text("utf-8")).get("eos_token_id") if path.is_file() else None
