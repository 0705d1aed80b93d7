"""A finished arm as files that need nothing of this package: weights, prompt, decoding, card.

========================= =====================================================================
``ask.py``                answers a request, with the folder ``asking/`` beside it
``ask.json``, ``index/``  what it puts around a request, and the pools that it searches
``adapter/``              the PEFT adapter with its tokenizer, when the arm trained one
``base/``                 the model below the adapter, where it is not to be had elsewhere
``model/``                instead of both: one Hugging Face model, when merged or fully tuned, or
                          untouched where it is not to be had elsewhere
``tokenizer/``            the tokenizer of an untouched model that is
``model-KIND.gguf``       instead of these: one file that llama.cpp runs, and Ollama's ``Modelfile``
``prompt.txt``            what stands around an input, to read
``prompt.json``           the same with all demonstrations, passages and how they are chosen
``decoding.json``         how answers were drawn; ``generation_config.json`` beside the weights
                          says it in Hugging Face's words
``examples.jsonl``        test requests as the model saw them, and what it answered: to check with
``export.json``           what ``whatworks serve`` needs to know beside these
``README.md``             the model card: how to load it, and what was measured
========================= =====================================================================
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whatworks.app.export.ask_files import write_ask_files
from whatworks.app.export.chosen_arm import Chosen, choose_model
from whatworks.app.export.gguf_file import PLAIN, GgufTools, find_gguf_tools, write_gguf
from whatworks.app.export.model_card import write_card
from whatworks.app.export.modelfile import write_modelfile
from whatworks.app.export.parity import (
    MARGIN,
    MARK,
    Parity,
    check_parity,
    list_requests,
    write_rows,
)
from whatworks.app.export.weight_files import write_weights
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent, Watcher
from whatworks.base.store import explain_disk_errors, sync_tree, write_atomic
from whatworks.metrics.registry import load_task_metric
from whatworks.models.files import load_config, load_tokenizer, read_context_length
from whatworks.models.open_engine import is_served
from whatworks.prompts.render import outline
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__

EXAMPLES = 20
"""Test requests to check an export with."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        chosen: The arm.
        parity: What came of asking again; None where that was left out.
    """

    chosen: Chosen
    parity: Parity | None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the export."""
        return self.parity is None or self.parity.holds


@dataclass(frozen=True)
class Checking:
    """How an export is asked again.

    Attributes:
        margin: Most that its score may be worse by, as a share; None asks nothing.
        most: Most requests; by default all that were recorded, of a served model ``EXAMPLES``.
    """

    margin: float | None = MARGIN
    most: int | None = None


def export(
    run: Path,
    arm: str | None,
    out: Path,
    *,
    merge: bool = False,
    to: str = "",
    checking: Checking | None = None,
    watcher: Watcher | None = None,
) -> Exported:
    """Write an arm of a finished study into a folder of its own, all or nothing.

    An export that answers worse than recorded is written and marked (``MARK``).

    Args:
        run: Folder of the study.
        arm: Name of the arm; the winner by default.
        out: The new folder.
        merge: Merge an adapter into its model.
        to: ``gguf`` or ``gguf:KIND`` for one file that llama.cpp runs; by default the files of
            transformers and PEFT.
        checking: How it is asked again.
        watcher: Shows how far that is.

    Raises:
        InputError: If there is no such finished arm, a run holds the study, ``out`` exists, or it
            cannot be merged.
        StorageError: If the disk is full or fails.
    """
    tools = _find_tools(to)
    with StudyFolder(run).settle():
        chosen = choose_model(run, arm)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            whole = (out / "export.json").is_file()  # written last, and renamed with the rest
            raise InputError(
                "an export is there already" if whole else "the folder is not empty",
                place=str(out),
                remedy="name a new one: --out",
            )
        draft = out.absolute().with_name(out.name + ".part")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            with explain_disk_errors(draft):
                draft.mkdir(parents=True)
                layout = write_weights(
                    chosen.candidate, chosen.files, draft, merge=merge, whole=tools is not None
                )
                if tools is not None:
                    layout = _convert(chosen, layout, draft, *tools)
                _write_prompt(chosen, draft)
                python = tools[1].python if tools else sys.executable
                parity = _ask_again(
                    chosen, layout, draft, checking or Checking(), watcher or Silent(), python
                )
                _write_record(chosen, layout, parity, draft)
                sync_tree(draft)
                if out.exists():
                    out.rmdir()
                draft.rename(out)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Exported(chosen, parity)


def _ask_again(
    chosen: Chosen,
    layout: Mapping[str, str],
    draft: Path,
    checking: Checking,
    watcher: Watcher,
    python: str,
) -> Parity | None:
    """Write ``ask.py`` and ask it, where the model can be asked from outside."""
    served = is_served(chosen.candidate.weights.base)
    if (chosen.files is None and not served) or chosen.candidate.prompt.oracle:
        return None
    write_ask_files(chosen.candidate, layout, draft)
    if "gguf" in layout:
        shutil.rmtree(draft / "model")  # it is in the file
    if checking.margin is None:
        return None
    most = checking.most or (EXAMPLES if served else None)
    return check_parity(chosen, draft, watcher, margin=checking.margin, most=most, python=python)


def _find_tools(to: str) -> tuple[str, GgufTools] | None:
    """The kind of file that is wanted, and what writes it; None for the usual files.

    Raises:
        InputError: If there is no such target, or a program for it is missing.
    """
    target, _, kind = to.partition(":")
    if not target:
        return None
    if target != "gguf":
        raise InputError(
            f"nothing is exported to {to!r}", remedy="write --to gguf, or --to gguf:q8_0"
        )
    kind = kind.lower() or PLAIN[0]
    return kind, find_gguf_tools(kind)


def _convert(
    chosen: Chosen, layout: Mapping[str, str], draft: Path, kind: str, tools: GgufTools
) -> dict[str, str]:
    """The model folder as a GGUF file, with what Ollama wants to know of it."""
    if "model" not in layout:
        raise InputError(
            f"{layout['base']} is run elsewhere: there are no weights to convert",
            remedy="export it without --to",
        )
    folder = draft / layout["model"]
    file = f"model-{kind}.gguf"
    write_gguf(folder, draft / file, kind, tools)
    tokenizer, context = load_tokenizer(folder), read_context_length(load_config(folder))
    write_atomic(draft / "Modelfile", write_modelfile(chosen.candidate, file, tokenizer, context))
    return {**layout, "gguf": file}


def _write_record(
    chosen: Chosen, layout: Mapping[str, str], parity: Parity | None, draft: Path
) -> None:
    record = {
        "whatworks": __version__,
        "arm": chosen.arm,
        "seed": chosen.seed,
        "layout": dict(layout),
        "weights": chosen.candidate.weights.model_dump(mode="json", exclude={"stages"}),
        "metric": load_task_metric(chosen.study.task).spec.model_dump(mode="json"),
        "parity": None if parity is None else parity.model_dump(mode="json"),
    }
    write_atomic(draft / "export.json", json.dumps(record, indent=1))
    write_atomic(draft / "README.md", write_card(chosen, layout, parity))
    if parity is not None and not parity.holds:
        write_atomic(draft / MARK, f"{parity}\n")


def _write_prompt(chosen: Chosen, out: Path) -> None:
    prompt = chosen.candidate.prompt
    write_atomic(out / "prompt.txt", outline(prompt))
    write_atomic(out / "prompt.json", prompt.model_dump_json(indent=1, exclude_none=True))
    write_atomic(out / "decoding.json", chosen.candidate.decoding.model_dump_json(indent=1))
    write_atomic(out / "examples.jsonl", write_rows(list_requests(chosen, EXAMPLES), prompt))
