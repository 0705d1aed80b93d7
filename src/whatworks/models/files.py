"""From a model's name to a folder, a content hash, and loaded objects.

Nothing is downloaded unless the user asked for it with ``WHATWORKS_DOWNLOAD=1``. No code of a
model's folder is run: ``trust_remote_code`` is off (unsaid, transformers asks at the terminal),
and a pickle is read with ``weights_only``, safetensors first, as transformers does.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Generator
from functools import lru_cache
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.file_digest import TOKENIZER_FILES, WEIGHT_FILES, Identity, read_identity
from whatworks.base.memory import is_out_of_memory
from whatworks.base.paths import is_gguf
from whatworks.models.embedded import find_weights
from whatworks.models.gguf_model import dequantise, describe
from whatworks.models.quiet import silence_loading
from whatworks.models.smollm2 import SMOLLM2, find_smollm2

DOWNLOAD = "WHATWORKS_DOWNLOAD"
"""Environment variable that allows downloads from the Hugging Face hub."""


_HUB_PATTERNS = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.safetensors.index.*"]
_HUB = "hf:"
_FOLDER_REMEDY = (
    "a model folder holds config.json, weights (*.safetensors) and a tokenizer "
    "(tokenizer.json), as save_pretrained writes them"
)


def resolve(name: str) -> Path:
    """The folder of a model: an embedded one, a folder, a GGUF file, or a Hugging Face id.

    Args:
        name: ``lab``, ``lab-base``, ``lab-chat``; ``smollm2``; a path; an id such as
            ``org/model``, or ``hf:org/model#FILE.gguf``, looked up in the local hub cache and
            downloaded only where ``WHATWORKS_DOWNLOAD=1`` is set.

    Raises:
        InputError: If there is no such model here, or the folder or file does not hold one.
    """
    if is_shipped(name):
        folder = find_weights(name)
    elif name == SMOLLM2:
        folder = find_smollm2()
    elif name.startswith(_HUB):
        folder = dequantise(_find_gguf_on_hub(name))
    elif is_gguf(path := Path(name).expanduser()):
        folder = dequantise(path)
    elif path.exists():
        folder = path
    else:
        folder = _find_on_hub(name)
    _check(folder)
    return folder.resolve()


def is_shipped(name: str) -> bool:
    """Whether the package itself holds the model."""
    return name == "lab" or name.startswith("lab-")


def loads_by_name(name: str) -> bool:
    """Whether transformers finds the model by this name, without this package."""
    return not (
        is_shipped(name)
        or name == SMOLLM2
        or name.startswith(_HUB)
        or Path(name).suffix.lower() == ".gguf"
    )


def describe_origin(name: str) -> str:
    """What the weights of that model were dequantised from, or that they were a pickle; empty for
    models in safetensors, the package's own and those of a server."""
    if is_shipped(name):
        return ""
    if loads_by_name(name):
        try:
            file = find_weight_file(resolve(name))
        except InputError:  # a server's
            return ""
        if file is None or ".bin" not in file.name:
            return ""
        return f"loaded from {file.name}, a pickle (its tensors alone)"
    return str(describe(resolve(name)) or "")


def _find_on_hub(name: str) -> Path:
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"no model folder {name}", remedy="check the path")
    if name.lower().endswith(".gguf"):
        raise InputError(f"no GGUF file {name}", remedy="check the path")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(
            f"no model {name} without the packages of local models",
            remedy="pip install 'whatworks[local]'",
        ) from error
    return _find_or_download(
        name,
        f"huggingface-cli download {name}",
        lambda: snapshot_download(name, local_files_only=True),
        lambda: snapshot_download(name, allow_patterns=_HUB_PATTERNS),
    )


def _find_gguf_on_hub(name: str) -> Path:
    """The file that ``hf:owner/name#FILE.gguf`` names."""
    from huggingface_hub import hf_hub_download

    model, _, file = name.removeprefix(_HUB).partition("#")
    if model.count("/") != 1 or not file.lower().endswith(".gguf"):
        raise InputError(
            f"{name!r} names no GGUF file of a model", remedy="write hf:OWNER/MODEL#FILE.gguf"
        )
    return _find_or_download(
        name,
        f"huggingface-cli download {model} {file}",
        lambda: hf_hub_download(model, file, local_files_only=True),
        lambda: hf_hub_download(model, file),
    )


def _find_or_download(
    name: str, command: str, keep: Callable[[], str], download: Callable[[], str]
) -> Path:
    """What is in the local hub cache, else downloaded where the user allows it."""
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    absent = f"no model {name!r} here: not a folder, and not in the local Hugging Face cache"
    try:
        return Path(keep())
    except HFValidationError as error:
        raise InputError(
            absent, remedy="give `lab`, `smollm2`, a folder, a GGUF file, or an id like org/model"
        ) from error
    except LocalEntryNotFoundError as error:
        if not is_download_allowed():
            raise InputError(
                absent,
                remedy=f"set {DOWNLOAD}=1 to let it be downloaded, or run `{command}` first",
            ) from error
    try:
        return Path(download())
    except Exception as error:  # the hub client raises its own, the HTTP library's and OS errors
        raise InputError(
            f"could not download {name!r}: {get_first_line(error)}",
            remedy="check the id, the network and your access rights, or give a folder",
        ) from error


def _check(folder: Path) -> None:
    place = str(folder)

    def refuse(cause: str) -> InputError:
        return InputError(cause, place=place, remedy=_FOLDER_REMEDY)

    if not folder.is_dir():
        raise refuse("not a model folder but a file")
    config = folder / "config.json"
    if not config.is_file():
        if (folder / "adapter_config.json").is_file():
            raise InputError(
                "an adapter, not a model",
                place=place,
                remedy="give the folder of its base model",
            )
        raise refuse("not a model folder: it has no config.json")
    try:
        settings = json.loads(config.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(
            f"config.json cannot be read: {get_first_line(error)}",
            place=place,
            remedy="save the model again, or copy its config.json anew",
        ) from error
    if not isinstance(settings, dict) or "model_type" not in settings:
        raise refuse("config.json names no model_type")
    if (folder / "adapter_config.json").is_file():
        # transformers would put the adapter on top, though merged weights hold it already.
        raise InputError(
            "a whole model with an adapter_config.json beside it: which of the two is meant?",
            place=place,
            remedy="move adapter_config.json and adapter_model.* out if they are merged into the "
            "weights; else merge them first (`merge_and_unload`)",
        )
    if not any(next(folder.glob(pattern), None) for pattern in WEIGHT_FILES):
        raise refuse("not a complete model folder: it has no weights")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise refuse("not a complete model folder: it has no tokenizer")


def find_weight_file(folder: Path) -> Path | None:
    """The file of weights, or the index of several, that transformers loads from a folder."""
    names = ("model.safetensors", "pytorch_model.bin")
    ends = ("", ".index.json")
    return next(
        (file for name in names for end in ends if (file := folder / (name + end)).is_file()), None
    )


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder; shared, so change only copies of it.

    Raises:
        InputError: If its files cannot be used.
    """
    return _load_tokenizer(read_identity(folder))


@lru_cache(maxsize=8)
def _load_tokenizer(which: Identity) -> Any:
    from transformers import AutoTokenizer

    with silence_loading(), _convert_errors(which[0], "tokenizer"):
        tokenizer: Any = AutoTokenizer.from_pretrained(
            which[0], local_files_only=True, trust_remote_code=False
        )
    # Lengths are checked where they matter; the library's own warning would tear the bars apart.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def load_config(folder: Path) -> Any:
    """The configuration of the text part of the model in a folder.

    Raises:
        InputError: If it is of an unknown kind.
    """
    from transformers import AutoConfig

    with silence_loading(), _convert_errors(folder, "config"):
        return AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        ).get_text_config()


def load_model(folder: Path, *, dtype: Any, device: str) -> Any:
    """The causal language model in a folder, in evaluation mode.

    Raises:
        InputError: If it is not a causal language model, or its weights are broken or incomplete.
    """
    from transformers import AutoModelForCausalLM

    with silence_loading(), _convert_errors(folder, "model"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
        )
        model, info = loaded
    missing = sorted(str(key) for key in info.get("missing_keys", ()))
    if missing:  # transformers would go on with random numbers in their place
        raise InputError(
            f"the weights lack {len(missing)} parameters of {type(model).__name__}, "
            f"the first is {missing[0]}",
            place=str(folder),
            remedy="give a complete causal language model",
        )
    return model.to(device).eval()


def read_context_length(config: Any) -> int | None:
    """Most positions that a configuration allows, None when it does not say."""
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


def count_virtual_tokens(adapter: Path | None) -> int:
    """Positions that an adapter takes up in front of every prompt: those of a soft prompt."""
    config = adapter / "adapter_config.json" if adapter else None
    if config is None or not config.is_file():
        return 0
    return int(json.loads(config.read_text("utf-8")).get("num_virtual_tokens") or 0)


@contextlib.contextmanager
def _convert_errors(folder: Path, part: str) -> Generator[None]:
    try:
        yield
    except Exception as error:  # broken files raise whatever the reader of that format raises
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"the {part} cannot be loaded: {get_first_line(error)}",
            place=str(folder),
            remedy=_FOLDER_REMEDY,
        ) from error


def is_download_allowed() -> bool:
    """Whether the user allowed downloads from the Hugging Face hub."""
    return os.environ.get(DOWNLOAD) == "1"
