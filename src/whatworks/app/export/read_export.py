"""An export, read back to be served."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from whatworks.base.errors import InputError
from whatworks.data.task import MetricSpec
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.prompts.prompt import Prompt

RECORD = "export.json"


@dataclass(frozen=True)
class ReadExport:
    """What an export holds.

    Attributes:
        arm: Name of the arm.
        prompt: Stands around a request.
        decoding: How answers are drawn.
        files: The weights.
        metric: What answers mean, for arms that draw several.
    """

    arm: str
    prompt: Prompt
    decoding: Decoding
    files: ModelFiles
    metric: MetricSpec


def is_export(folder: Path) -> bool:
    """Whether a folder is one that ``whatworks export`` wrote."""
    return (folder / RECORD).is_file() and (folder / "prompt.json").is_file()


def read_export(folder: Path) -> ReadExport:
    """The arm in a folder.

    Raises:
        InputError: If a file of it is missing or cannot be read.
    """
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        layout, weights = record["layout"], record["weights"]
        template = weights["template"]
        base = layout["base"]
        if "gguf" in layout:  # the file holds tokenizer and template
            base, template = str(folder / layout["gguf"]), "auto"
        elif "model" in layout:  # its tokenizer holds the template
            base, template = str(folder / layout["model"]), "auto"
        elif base == "base":
            base = str(folder / "base")
        adapter = folder / layout["adapter"] if "adapter" in layout else None
        return ReadExport(
            arm=record["arm"],
            prompt=Prompt.model_validate_json((folder / "prompt.json").read_text("utf-8")),
            decoding=Decoding.model_validate_json((folder / "decoding.json").read_text("utf-8")),
            files=ModelFiles(base=base, adapter=adapter, template=template),
            metric=MetricSpec.model_validate(record["metric"]),
        )
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise InputError(
            f"this export cannot be read: {error}",
            place=str(folder),
            remedy="export the arm again: whatworks export RUN ARM --out DIR",
        ) from error
