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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatworks.candidate import Candidate, Decoding, Weights
from whatworks.card import card
from whatworks.engines import ModelFiles
from whatworks.errors import InputError, nearest
from whatworks.examiner import model_files
from whatworks.lab.shipped import NAMES
from whatworks.main_job import Finished, read_finished
from whatworks.prompt import outline, render
from whatworks.results import Row
from whatworks.store import Store, disk_errors, write_atomic

EXAMPLES = 20
"""Test requests to check an export with."""


@dataclass(frozen=True)
class Chosen:
    """An arm of a finished study, with the seed that is exported.

    Attributes:
        study: The study.
        arm: Name of the arm.
        seed: The seed whose candidate did best on dev.
        candidate: What the arm became.
        files: Where its weights lie; None for a model that is served elsewhere.
        rows: Its test rows.
    """

    study: Finished
    arm: str
    seed: int
    candidate: Candidate
    files: ModelFiles | None
    rows: tuple[Row, ...]


def export(run: Path, arm: str | None, out: Path, *, merge: bool = False) -> Chosen:
    """Write an arm of a finished study into a folder of its own, all or nothing.

    Args:
        run: Folder of the study.
        arm: Name of the arm; the winner by default.
        out: The new folder.
        merge: Merge an adapter into its model.

    Raises:
        InputError: If there is no such finished arm, ``out`` exists, or it cannot be merged.
        StorageError: If the disk is full.
    """
    chosen = choose(run, arm)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("the folder is not empty", place=str(out), remedy="name a new one: --out")
    draft = out.with_name(out.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with disk_errors(draft):
            draft.mkdir(parents=True)
            layout = write_weights(chosen.candidate, chosen.files, draft, merge=merge)
            _write_prompt(chosen, draft)
            write_atomic(draft / "README.md", card(chosen, layout))
            if out.exists():
                out.rmdir()
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return chosen


def choose(run: Path, arm: str | None) -> Chosen:
    """The candidate of an arm, of the seed that did best on dev.

    Raises:
        InputError: If the study did not finish, or the arm is unknown or failed.
    """
    study = read_finished(run)
    name = arm or study.study.winner
    known = [one.name for one in study.arms]
    if name not in known:
        raise InputError(
            f"no arm {name!r} in this study", place=str(run), remedy=nearest(name, known)
        )
    rows = [row for row in study.rows() if row.arm == name]
    scored = [row for row in rows if row.status == "scored"]
    if not scored:
        cause = rows[0].failure if rows else "it was not run"
        raise InputError(
            f"arm {name!r} has no result: {cause}",
            place=str(run),
            remedy="run the study again, or export another arm",
        )
    seed = _best_seed(run, name, sorted({row.seed for row in scored}))
    mine = tuple(row for row in scored if row.seed == seed)
    store = Store(run / "store")
    stored = store.read("candidates", mine[0].candidate)
    if stored is None:
        raise InputError(
            f"what arm {name!r} became is no longer in the store",
            place=str(store.root),
            remedy="run the study again: it is made anew",
        )
    candidate = Candidate.model_validate(stored)
    return Chosen(study, name, seed, candidate, _files(candidate.weights, store), mine)


def _best_seed(run: Path, arm: str, seeds: Sequence[int]) -> int:
    """The seed with the highest dev score, the first among equals or where none is on record."""
    try:
        decisions = json.loads((run / "decisions.json").read_text("utf-8"))["runs"]
    except (OSError, ValueError, KeyError):
        return seeds[0]
    scores = {d["seed"]: d["dev_score"] or 0.0 for d in decisions if d["arm"] == arm}
    return max(seeds, key=lambda seed: (scores.get(seed, -1.0), -seed))


def _files(weights: Weights, store: Store) -> ModelFiles | None:
    if weights.base.startswith(("http://", "https://", "fake")):
        return None
    return model_files(weights, store)


def write_weights(
    candidate: Candidate, files: ModelFiles | None, out: Path, *, merge: bool
) -> dict[str, str]:
    """Write what was trained; the parts written, by what they are, and ``base``: where it is.

    Raises:
        InputError: If a soft prompt is to be merged, or there is nothing to merge.
    """
    if files is None:
        return {"base": candidate.weights.base}
    from whatworks.engines.models import resolve

    kinds = [stage.kind for stage in candidate.weights.stages]
    if merge and (not kinds or kinds[-1] != "lora"):
        why = {"soft-prompt": "a soft prompt is no change of weights", "full": "it is one model"}
        cause = why[kinds[-1]] if kinds else "the arm trained nothing"
        raise InputError(f"nothing can be merged: {cause}", remedy="leave --merge out")
    if files.adapter is not None and not merge:
        elsewhere = candidate.weights.base not in NAMES and "full" not in kinds
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
        _merged(files).save_pretrained(str(out / "model"))
    else:
        shutil.copytree(resolve(files.base), out / "model")
    _write_tokenizer(candidate, files, out / "model")
    return {"model": "model", "base": candidate.weights.base}


def _merged(files: ModelFiles) -> Any:
    """The adapter merged into its model, in the number format that the engine answers in."""
    import torch
    from peft import PeftModel

    from whatworks.engines import models

    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    dtype = torch.bfloat16 if half else torch.float32
    base = models.load_model(models.resolve(files.base), dtype=dtype, device="cpu")
    with models.quiet():
        adapted: Any = PeftModel.from_pretrained(base, str(files.adapter))
        return adapted.merge_and_unload()


def _write_tokenizer(candidate: Candidate, files: ModelFiles, folder: Path) -> None:
    """The tokenizer with the arm's chat template, and its decoding as a generation config.

    The template makes the prompts of the study by itself, wherever it is rendered.
    """
    from whatworks.engines import models, templates

    base = models.resolve(files.base)
    tokenizer = templates.settled(templates.use(models.load_tokenizer(base), files.template))
    if files.template != "auto" or candidate.weights.base in NAMES:
        # Not the template that its kind of model is known for.
        tokenizer.response_template = templates.response(tokenizer)
    tokenizer.save_pretrained(str(folder))
    generation_config(candidate.decoding, base, tokenizer).save_pretrained(str(folder))


def generation_config(decoding: Decoding, base: Path, tokenizer: Any) -> Any:
    """Decoding in the words of ``transformers.GenerationConfig``, with every way to end."""
    from transformers import GenerationConfig

    from whatworks.engines import models, templates

    ending = templates.ending(tokenizer)
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
    asked = [e for e in chosen.study.task.splits.test if e.id in answers][:EXAMPLES]
    lines = [
        {
            "id": example.id,
            "messages": [
                message.model_dump() for message in render(prompt, example, exclude=[example])
            ],
            "answer": answers[example.id],
        }
        for example in asked
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_atomic(out / "examples.jsonl", text)
