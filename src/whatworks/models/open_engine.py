"""From the name of a model to the engine that runs it."""

from __future__ import annotations

from collections.abc import Mapping

from whatworks.base.file_digest import compute_digest
from whatworks.base.plugins import load_plugins
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import Engine
from whatworks.models.fake import FakeEngine
from whatworks.models.files import resolve
from whatworks.models.local.engine import LocalEngine
from whatworks.models.prices import Price
from whatworks.models.weights import Weights

GROUP = "whatworks.engines"
"""Other packages register a function from a model's name to its engine, under the name's scheme:
``model: SCHEME:...``."""


def open_engine(
    model: str, *, template: str = "auto", prices: Mapping[str, Price] | None = None
) -> tuple[Engine, Weights]:
    """The engine that runs ``model``, and the untouched weights to start from.

    Args:
        model: ``lab``, a Hugging Face id, a folder, ``https://host/v1#name`` or
            ``fake:SCRIPT.json``.
        template: Name of a chat template, or ``auto``.
        prices: Of served models, over those of the tables (``prices.find_price``).

    Raises:
        InputError: If there is no such model here.
    """
    if model.startswith("fake"):
        fake = FakeEngine.from_name(model)
        return fake, Weights(base=model, digest=fake.identity, template=template)
    if model.startswith(("http://", "https://")):
        endpoint = EndpointEngine.from_name(model, prices=prices)
        return endpoint, Weights(base=model, digest=endpoint.identity, template=template)

    scheme = model.partition(":")[0]
    if opener := load_plugins(GROUP, ("fake", "http", "https", "hf")).get(scheme):
        other = opener(model)
        return other, Weights(base=model, digest=other.identity, template=template)

    folder = resolve(model)
    weights = Weights(base=model, digest=compute_digest(folder), template=template)

    return LocalEngine(), weights
