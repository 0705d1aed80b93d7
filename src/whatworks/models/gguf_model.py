"""GGUF files as models: dequantised once into a folder as ``save_pretrained`` writes it.

From then on such a model is like any other: tuned, merged, exported. What was quantised is gone;
the folder's record says which file and which quantisation types it came from, and the report says
it too. Folders are kept below ``find_cache_folder()`` under the SHA-256 of their file; a process
that was killed half-way leaves nothing that another one would take for a model.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections import Counter
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.frozen import Frozen
from whatworks.base.lock import hold_lock
from whatworks.base.paths import CACHE, find_cache_folder
from whatworks.base.store import explain_disk_errors
from whatworks.models.embedded import compute_sha256
from whatworks.models.quiet import silence_loading

RECORD = "dequantised.json"
LOCK_SECONDS = 3600.0
"""How long to wait for another process that writes the same model."""
LARGE = 10**9
"""Parameters above which the folder holds ``bfloat16``: its rounding, 2^-9, is small beside that of
any quantisation, and ``float32`` would take twice the disk."""

_PASSING = ("transformers_version", "quantization_config", "_model_name_or_path")
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


class Dequantised(Frozen):
    """Where a folder of weights comes from.

    Attributes:
        file: Name of the GGUF file.
        sha256: Of that file.
        types: Its tensors by quantisation type.
        dtype: Number type of the folder's weights.
        files: SHA-256, size in bytes and time of change (nanoseconds) of each file of the folder.
    """

    file: str
    sha256: str
    types: dict[str, int]
    dtype: str
    files: dict[str, tuple[str, int, int]]

    def __str__(self) -> str:
        """In a sentence of the report."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.types.items())
        return f"{self.file}, dequantised to {self.dtype} (tensors: {kinds})"


def dequantise(file: Path, *, expected: str = "") -> Path:
    """The folder of a GGUF file's model, made now unless an earlier process made it.

    Args:
        file: The GGUF file.
        expected: Its SHA-256 sum, where it is known.

    Raises:
        InputError: If the file is damaged, one of several, or of a kind that cannot be read; if
            the folder kept of it was changed.
        StorageError: If the disk is full.
    """
    stat = file.stat()
    return _dequantise(
        file.resolve(), stat.st_size, stat.st_mtime_ns, expected, find_cache_folder()
    )


@lru_cache(maxsize=8)
def _dequantise(file: Path, size: int, changed: int, expected: str, root: Path) -> Path:
    del size, changed  # part of the key: another content under the same name is another model

    if _SHARD.search(file.name):
        raise InputError(
            "one of several parts of a GGUF model",
            place=str(file),
            remedy="join them first: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf",
        )
    actual = compute_sha256(file)
    if expected and actual != expected:
        raise InputError(
            f"SHA-256 is {actual}, expected {expected}: the file is damaged or was changed",
            place=str(file),
            remedy="install the package again",
        )
    folder = root / "gguf" / actual[:16]
    with explain_disk_errors(folder, f"choose another folder: export {CACHE}=FOLDER"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Not `.lock`: earlier versions left an empty file of that name, which nobody holds.
        with hold_lock(folder.with_suffix(".held"), "this model's cache", seconds=LOCK_SECONDS):
            if not folder.is_dir():
                draft = folder.with_suffix(".unfinished")
                shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
                try:
                    _write(file, actual, draft)
                    draft.rename(folder)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
    _verify(folder)
    return folder


def describe(folder: Path) -> Dequantised | None:
    """What a folder was dequantised from; None for any other model folder."""
    record = folder / RECORD
    return Dequantised.model_validate_json(record.read_text("utf-8")) if record.is_file() else None


def _write(file: Path, sum_: str, draft: Path) -> None:
    model, tokenizer, types = _load(file)
    with silence_loading():
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    # With the version in it, the same weights would be another model after an upgrade.
    for name in ("config.json", "generation_config.json"):
        path = draft / name
        if path.is_file():
            fields: dict[str, Any] = json.loads(path.read_text("utf-8"))
            lasting = {key: value for key, value in fields.items() if key not in _PASSING}
            path.write_text(json.dumps(lasting, indent=2) + "\n", "utf-8")
    files = {
        path.name: (compute_sha256(path), *_read_stamp(path)) for path in sorted(draft.iterdir())
    }
    record = Dequantised(
        file=file.name,
        sha256=sum_,
        types=types,
        dtype=str(model.dtype).removeprefix("torch."),
        files=files,
    )
    (draft / RECORD).write_text(record.model_dump_json(indent=1), "utf-8")


def _load(file: Path) -> tuple[Any, Any, dict[str, int]]:
    """Model, tokenizer and the number of tensors by type."""
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        tensors = GGUFReader(file).tensors
        types = Counter(str(tensor.tensor_type.name) for tensor in tensors)
        small = sum(int(tensor.n_elements) for tensor in tensors) < LARGE
        # The reader's own progress bar asks nobody whether it may show itself.
        with silence_loading(), contextlib.redirect_stderr(io.StringIO()):
            tokenizer: Any = AutoTokenizer.from_pretrained(
                file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False
            )
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                file.parent,
                gguf_file=file.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.float32 if small else torch.bfloat16,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises whatever its bytes lead the readers to
        raise _make_read_error(file, get_first_line(error)) from error
    model, info = loaded
    lacking = sorted(map(str, info.get("missing_keys", ())))
    if lacking:  # transformers would go on with random numbers in their place
        raise _make_read_error(
            file, f"it lacks {len(lacking)} parameters, the first is {lacking[0]}"
        )
    odd = [name for name, value in model.named_parameters() if not bool(value.isfinite().all())]
    if odd:
        raise _make_read_error(file, f"{odd[0]} holds numbers that are not finite")
    model.config.quantization_config = None
    return model, tokenizer, dict(types.most_common())


def _make_read_error(file: Path, why: str) -> InputError:
    return InputError(
        f"the GGUF file cannot be used: {why}",
        place=str(file),
        remedy="get it again if it is damaged; else give the model as save_pretrained writes it",
    )


@cache
def _verify(folder: Path) -> None:
    """Compare each file with its record; only those that were touched since are read whole."""
    record = describe(folder)
    files = {} if record is None else record.files
    for name, (expected, *stamp) in files.items():
        path = folder / name
        if path.is_file() and list(_read_stamp(path)) == stamp:
            continue
        if not path.is_file() or compute_sha256(path) != expected:
            raise InputError(
                "the dequantised model is damaged or was changed",
                place=str(path),
                remedy=f"delete the folder {folder}; it is made again from the GGUF file",
            )


def _read_stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
