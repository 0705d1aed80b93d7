"""The room that a model's context leaves for requests and their answers."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.base.errors import ArmFailure
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.local.loaded_model import Active, Resident
from whatworks.models.local.request import RequestRow


def make_rows(
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    keys: Sequence[str],
    resident: Resident,
    active: Active,
) -> list[RequestRow]:
    """Requests with the room that the model has for their answers.

    Raises:
        ArmFailure: If a prompt leaves none.
    """
    room = measure_room(resident, active)

    names = list(keys) or [str(at) for at in range(len(prompts))]
    rows: list[RequestRow] = []
    for at, (ids, key) in enumerate(zip(prompts, names, strict=True)):
        check_length(len(ids) + 1, room, f"prompt {at} and an answer")
        limit = decoding.max_tokens if room is None else min(decoding.max_tokens, room - len(ids))
        rows.append(RequestRow(at, list(ids), limit, key))
    return rows


def measure_room(resident: Resident, active: Active) -> int | None:
    """Tokens that prompt and answer may take together; None where the model does not say."""
    limit = models.read_context_length(resident.config)
    return None if limit is None else limit - active.virtual


def check_length(length: int, room: int | None, what: str) -> None:
    """Refuse what is longer than the room there is.

    Raises:
        ArmFailure: If it is.
    """
    if room is not None and length > room:
        raise ArmFailure(
            f"{what} take {length} tokens, the model's context has {room}",
            remedy="show fewer or shorter demonstrations and passages, or take a model with a "
            "longer context",
        )
