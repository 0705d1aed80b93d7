"""The methods, listed in one tuple; a new one is a file and an entry here.

Other packages register theirs by an entry point of the group ``whatworks.methods``; a study file
names those of the user's own by the file that defines them (``own_method``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.plugins import find_package, load_plugins, refuse_plugin
from whatworks.base.validation import explain
from whatworks.methods.augment import Augment
from whatworks.methods.best_of_n import BestOfN
from whatworks.methods.classifier import Classifier
from whatworks.methods.constrained import Constrained
from whatworks.methods.corpus import Corpus
from whatworks.methods.distill import Distill
from whatworks.methods.dpo import DPO
from whatworks.methods.few_shot import FewShot
from whatworks.methods.given import Given
from whatworks.methods.gkd import GKD
from whatworks.methods.knn import Knn
from whatworks.methods.known import KnownRows
from whatworks.methods.manual_prompt import ManualPrompt
from whatworks.methods.method import Chain, Method
from whatworks.methods.prompt_search import PromptSearch
from whatworks.methods.rag import Rag
from whatworks.methods.refusal import Refusal
from whatworks.methods.rl import RL
from whatworks.methods.rlhf import RLHF
from whatworks.methods.sdft import SDFT
from whatworks.methods.self_consistency import SelfConsistency
from whatworks.methods.settings_search import MOST_TRIALS, build_search
from whatworks.methods.sft import SFT
from whatworks.methods.soft_prompt import SoftPrompt
from whatworks.methods.tuned_retriever import TunedRetriever
from whatworks.methods.zero_shot import ZeroShot

METHODS: tuple[type[Method], ...] = (
    ZeroShot,
    ManualPrompt,
    PromptSearch,
    FewShot,
    Knn,
    TunedRetriever,
    Rag,
    Constrained,
    SelfConsistency,
    BestOfN,
    Augment,
    Corpus,
    Distill,
    Refusal,
    KnownRows,
    SFT,
    SDFT,
    GKD,
    SoftPrompt,
    DPO,
    RLHF,
    RL,
    Given,
    Classifier,
)

__all__ = ["METHODS", "Chain", "Method", "build_chain"]


GROUP = "whatworks.methods"


def list_methods() -> dict[str, type[Method]]:
    """Every method by its name, those of other packages included.

    Raises:
        InputError: If another package registers what is none.
    """
    own = {method.name: method for method in METHODS}
    for name, kind in load_plugins(GROUP, frozenset(own)).items():
        if not (isinstance(kind, type) and issubclass(kind, Method) and kind.name == name):
            raise refuse_plugin(name, GROUP, "no method of that name")
        own[name] = kind
    return own


def list_packages(method: Method) -> list[str]:
    """Where else a method and those it is made of come from: packages with their versions, files
    with their digests."""
    own = {kind.name for kind in METHODS}
    others = [step for step in (method, *method.flat) if step.name not in own]
    return sorted({one.defined_in or find_package(GROUP, one.name) for one in others} - {""})


def build_chain(
    spec: str,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    trials: int = MOST_TRIALS,
    own: Mapping[str, type[Method]] | None = None,
) -> Chain:
    """The chain written ``rag+sft``, with settings by method name.

    ``{"sft": {"search": {"rank": [8, 32]}}}`` tries settings, ``trials`` combinations at most.

    Args:
        spec: The names of the methods.
        settings: Those of each.
        trials: Most combinations of settings to try.
        own: Methods that only this study knows.

    Raises:
        InputError: If a method or one of its settings is unknown, or a value does not fit.
    """
    known = {**list_methods(), **(own or {})}
    parse = partial(_parse_chain, spec, known)
    return build_search(spec, parse, settings or {}, trials) or parse(settings or {})


def _parse_chain(
    spec: str, known: Mapping[str, type[Method]], settings: Mapping[str, Mapping[str, Any]]
) -> Chain:
    names = [name.strip() for name in spec.split("+")]
    for name in [*names, *settings]:
        if name not in known:
            raise InputError(
                f"unknown method {name!r}",
                place=f"arm {spec!r}",
                remedy=suggest_nearest(name, known),
            )
    unused = [name for name in settings if name not in names]
    if unused:
        raise InputError(
            f"settings for {unused[0]!r}, which is not in the chain",
            place=f"arm {spec!r}",
            remedy=f"add it to the chain, or put them under one of: {', '.join(names)}",
        )
    return Chain(
        steps=tuple(_build_method(known[name], settings.get(name, {}), spec) for name in names)
    )


def _build_method(kind: type[Method], settings: Mapping[str, Any], spec: str) -> Method:
    try:
        return kind(**settings)
    except ValidationError as error:
        remedy = f"settings of {kind.name}: {', '.join(sorted(kind.model_fields)) or 'none'}"
        raise explain(
            error, kind, noun="setting", subject=kind.name, place=f"arm {spec!r}", remedy=remedy
        ) from error
