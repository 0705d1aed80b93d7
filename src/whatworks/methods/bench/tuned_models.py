"""The models that a provider trained, by what a stage of a lineage calls them."""

from __future__ import annotations

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.store import Store

KIND = "tuned"
"""In a study's store."""


def keep_tuned(store: Store, artifact: str, model: str) -> None:
    """Remember address and name of a model."""
    store.write(KIND, hash_content(artifact), model)


def find_tuned(store: Store, artifact: str) -> str:
    """Address and name of a model that a provider trained.

    Raises:
        ArmFailure: If it is not known here.
    """
    name = store.read(KIND, hash_content(artifact))
    if not name:
        raise ArmFailure(
            "the model that the provider trained is not known here",
            place=artifact,
            remedy="run the study again in its folder",
        )
    return str(name)
