"""A finished arm as files that need nothing of this package: weights, prompt, decoding, card.

========================= =====================================================================
``adapter/``              the PEFT adapter with its tokenizer, when the arm trained one
``base/``                 the model below the adapter, where it is not to be had elsewhere
``model/``                instead of both: one Hugging Face model, when merged or fully tuned
``prompt.txt``            what stands around an input, to read
``prompt.json``           the same with all demonstrations, passages and how they are chosen
``decoding.json``         how answers were drawn; ``generation_config.json`` beside the weights
                          says it in Hugging Face's words
``examples.jsonl``        test requests as the model saw them, and what it answered: to check with
``README.md``             the model card: how to load it, and what was measured
========================= =====================================================================
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from whatworks.app.export.chosen_arm import Chosen, choose
from whatworks.app.export.model_card import write_card
from whatworks.base.errors import InputError
from whatworks.base.store import explain_disk_errors, write_atomic
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.files import resolve
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import outline, render
from whatworks.studies.study_folder import StudyFolder

EXAMPLES = 20
"""Test requests to check an export with."""


def export(run: Path, arm: str | None, out: Path, *, merge: bool = False) -> Chosen:
    """Write an arm of a finished study into a folder of its own, all or nothing.

    Args:
        run: Folder of the study.
        arm: Name of the arm; the winner by default.
        out: The new folder.
        merge: Merge an adapter into its model.

    Raises:
        InputError: If there is no such finished arm, a run holds the study, ``out`` exists, or it
            cannot be merged.
        StorageError: If the disk is full.
    """
    with StudyFolder(run).settle():
        return _export(choose(run, arm), out, merge=merge)


def _export(chosen: Chosen, out: Path, *, merge: bool) -> Chosen:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("the folder is not empty", place=str(out), remedy="name a new one: --out")
    draft = out.with_name(out.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with explain_disk_errors(draft):
            draft.mkdir(parents=True)
            layout = write_weights(chosen.candidate, chosen.files, draft, merge=merge)
            _write_prompt(chosen, draft)
            write_atomic(draft / "README.md", write_card(chosen, layout))
            if out.exists():
                out.rmdir()
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return chosen


def write_weights(
    candidate: Candidate, files: ModelFiles | None, out: Path, *, merge: bool
) -> dict[str, str]:
    """Write what was trained; the parts written, by what they are, and ``base``: where it is.

    Raises:
        InputError: If a soft prompt is to be merged, or there is nothing to merge.
    """
    if files is None:
        return {"base": candidate.weights.base}

    kinds = [stage.kind for stage in candidate.weights.stages]
    if merge and (not kinds or kinds[-1] != "lora"):
        why = {"soft-prompt": "a soft prompt is no change of weights", "full": "it is one model"}
        cause = why[kinds[-1]] if kinds else "the arm trained nothing"
        raise InputError(f"nothing can be merged: {cause}", remedy="leave --merge out")
    if files.adapter is not None and not merge:
        elsewhere = models.loads_by_name(candidate.weights.base) and "full" not in kinds
        base = candidate.weights.base if elsewhere else "base"
        if not elsewhere:
            shutil.copytree(resolve(files.base), out / "base")
        shutil.copytree(files.adapter, out / "adapter")
        path = out / "adapter" / "adapter_config.json"
        config = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps({**config, "base_model_name_or_path": base}, indent=2))
        _write_tokenizer(candidate, files, out / "adapter")
        return {"adapter": "adapter", "base": base}
    if not kinds:
        return {"base": candidate.weights.base}
    if files.adapter is not None:
        _merge_adapter(files).save_pretrained(str(out / "model"))
    else:
        shutil.copytree(resolve(files.base), out / "model")
    _write_tokenizer(candidate, files, out / "model")
    return {"model": "model", "base": candidate.weights.base}


def _merge_adapter(files: ModelFiles) -> Any:
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


def make_generation_config(decoding: Decoding, base: Path, tokenizer: Any) -> Any:
    """Decoding in the words of ``transformers.GenerationConfig``, with every way to end."""
    from transformers import GenerationConfig

    ending = templates.find_ending(tokenizer)
    config = models.load_config(base)
    ends = config.eos_token_id
    own = set(ends if isinstance(ends, list) else [] if ends is None else [ends])
    stops = [*decoding.stop, *ending.stop_texts]
    sampled = decoding.temperature > 0
    return GenerationConfig(
        max_new_tokens=decoding.max_tokens,
        do_sample=sampled,
        eos_token_id=sorted(own | ending.stop_ids) or None,
        pad_token_id=tokenizer.pad_token_id,
        **({"stop_strings": stops} if stops else {}),
        **({"temperature": decoding.temperature, "top_p": decoding.top_p} if sampled else {}),
    )


def _write_prompt(chosen: Chosen, out: Path) -> None:
    prompt = chosen.candidate.prompt
    write_atomic(out / "prompt.txt", outline(prompt))
    write_atomic(out / "prompt.json", prompt.model_dump_json(indent=1, exclude_none=True))
    write_atomic(out / "decoding.json", chosen.candidate.decoding.model_dump_json(indent=1))
    answers = {row.example: row.output for row in chosen.rows}
    sample = [e for e in chosen.study.task.splits.test if e.id in answers][:EXAMPLES]
    lines = [
        {
            "id": example.id,
            "messages": [
                message.model_dump()
                for message in render(prompt, example, exclude=[example]).messages
            ],
            "answer": answers[example.id],
        }
        for example in sample
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_atomic(out / "examples.jsonl", text)
