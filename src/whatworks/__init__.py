"""Measure what makes a language model do your task, and why.

The public names are those of ``__all__``. Each is imported when it is first used, so that
``import whatworks`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from whatworks.version import __version__

if TYPE_CHECKING:
    from whatworks.analysis.figures import Summary
    from whatworks.app.library.result import Result, open_result, run
    from whatworks.app.library.written_study import study
    from whatworks.app.run_study import report_study, run_study
    from whatworks.base.errors import ArmFailure, InputError, WhatworksError
    from whatworks.data.task import Document, Example, Message, Task
    from whatworks.methods.method import Chain, Method
    from whatworks.methods.own_method import method
    from whatworks.metrics.own_metric import metric
    from whatworks.metrics.score import Metric, Score
    from whatworks.models.decoding import Decoding
    from whatworks.models.engine import Engine, Generation
    from whatworks.models.weights import Weights
    from whatworks.prompts.candidate import Candidate
    from whatworks.prompts.prompt import Prompt

__all__ = [
    "ArmFailure",
    "Candidate",
    "Chain",
    "Decoding",
    "Document",
    "Engine",
    "Example",
    "Generation",
    "InputError",
    "Message",
    "Method",
    "Metric",
    "Prompt",
    "Result",
    "Score",
    "Summary",
    "Task",
    "Weights",
    "WhatworksError",
    "__version__",
    "method",
    "metric",
    "open_result",
    "report_study",
    "run",
    "run_study",
    "study",
]

_HOMES = {
    "whatworks.analysis.figures": ("Summary",),
    "whatworks.app.library.result": ("Result", "open_result", "run"),
    "whatworks.app.library.written_study": ("study",),
    "whatworks.app.run_study": ("report_study", "run_study"),
    "whatworks.base.errors": ("ArmFailure", "InputError", "WhatworksError"),
    "whatworks.data.task": ("Document", "Example", "Message", "Task"),
    "whatworks.methods.method": ("Chain", "Method"),
    "whatworks.methods.own_method": ("method",),
    "whatworks.metrics.own_metric": ("metric",),
    "whatworks.metrics.score": ("Metric", "Score"),
    "whatworks.models.decoding": ("Decoding",),
    "whatworks.models.engine": ("Engine", "Generation"),
    "whatworks.models.weights": ("Weights",),
    "whatworks.prompts.candidate": ("Candidate",),
    "whatworks.prompts.prompt": ("Prompt",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
