"""From the name of a model to the engine that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whatworks.base.file_digest import compute_digest
from whatworks.base.plugins import load_plugins
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import Engine
from whatworks.models.fake import FakeEngine
from whatworks.models.files import resolve
from whatworks.models.local.engine import LocalEngine
from whatworks.models.prices import Price
from whatworks.models.providers import PROVIDERS, expand_name, is_address
from whatworks.models.weights import Weights

GROUP = "whatworks.engines"
"""Other packages register a function from a model's name to its engine, under the name's scheme:
``model: SCHEME:...``."""

_SCRIPTED = "fake"


def open_engine(
    model: str,
    *,
    template: str = "auto",
    prices: Mapping[str, Price] | None = None,
    batch: bool = False,
) -> tuple[Engine, Weights]:
    """The engine that runs ``model``, and the untouched weights to start from.

    Args:
        model: ``lab``, a Hugging Face id, a folder, ``https://host/v1#name``, a provider's short
            name (``openai:gpt-4o-mini``) or ``fake:SCRIPT.json``.
        template: Name of a chat template, or ``auto``.
        prices: Of served models, over those of the tables (``prices.find_price``).
        batch: Whether a served model is asked in batches.

    Raises:
        InputError: If there is no such model here.
    """
    if model.startswith(_SCRIPTED):
        fake = FakeEngine.from_name(model)
        return fake, Weights(base=model, digest=fake.identity, template=template)
    if is_address(model):
        model = expand_name(model)
        endpoint = EndpointEngine.from_name(model, prices=prices, batch=batch)
        return endpoint, Weights(base=model, digest=endpoint.identity, template=template)

    if opener := _find_plugin(model):
        other = opener(model)
        return other, Weights(base=model, digest=other.identity, template=template)

    folder = resolve(model)
    weights = Weights(base=model, digest=compute_digest(folder), template=template)

    return LocalEngine(), weights


def runs_here(model: str) -> bool:
    """Whether ``LocalEngine`` runs a model: its weights are files."""
    return not (model.startswith(_SCRIPTED) or is_address(model) or _find_plugin(model))


def is_served(model: str) -> bool:
    """Whether a server elsewhere runs a model."""
    return is_address(model)


def _find_plugin(model: str) -> Any:
    scheme = model.partition(":")[0]
    taken = ("fake", "http", "https", "hf", *(provider.name for provider in PROVIDERS))
    return load_plugins(GROUP, taken).get(scheme)
