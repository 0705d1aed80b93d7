"""An arm as a study file writes it, taken apart and put together with other steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.studies.arm_entries import gather_own
from whatworks.studies.rounds import Entry

OTHER = ("rows", "trials", "model", "decoding")
"""Keys of an arm that are about no step."""


@dataclass(frozen=True)
class ArmEntry:
    """An arm of a study file.

    Attributes:
        name: The arm.
        steps: Its methods.
        settings: Method to its settings.
        other: What is about no step.
    """

    name: str
    steps: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    other: Mapping[str, Any]

    def change(
        self,
        steps: Sequence[str],
        settings: Mapping[str, Mapping[str, Any]],
        suffix: str = "",
    ) -> ArmEntry:
        """The arm with other steps, and with settings over its own, under the name of its chain.

        Args:
            steps: All its methods.
            settings: What stands over its own settings, by method.
            suffix: What its name has behind the chain, where another arm may have that name.
        """
        own = {step: {**self.settings.get(step, {}), **settings.get(step, {})} for step in steps}
        name = "+".join(steps) + suffix
        return ArmEntry(name, tuple(steps), own, self.other)

    def write(self) -> Entry:
        """The entry, as short as it can be."""
        chain = "+".join(self.steps)
        settings = {step: dict(own) for step, own in self.settings.items() if own}
        if not settings and not self.other and self.name == chain:
            return chain
        named = {} if self.name == chain else {"name": self.name}
        return {"arm": chain, **named, **self.other, **settings}


def read_entry(entry: Entry) -> ArmEntry:
    """An arm of a study file that was read without error."""
    if isinstance(entry, str):
        return ArmEntry(entry, _split(entry), {}, {})
    fields = dict(entry)
    if "arm" not in fields:
        [(chain, settings)] = fields.items()
        nested = settings if "+" in chain else {chain: settings}
        return ArmEntry(chain, _split(chain), _read_settings(nested), {})
    chain = str(fields.pop("arm"))
    name = str(fields.pop("name", chain))
    other = {key: fields.pop(key) for key in OTHER if key in fields}
    return ArmEntry(name, _split(chain), _read_settings(gather_own(chain, fields)), other)


def _split(chain: str) -> tuple[str, ...]:
    """The steps; a bare zero-shot changes nothing, so it is none."""
    return tuple(step for step in chain.split("+") if step != "zero-shot")


def _read_settings(nested: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {str(name): dict(own or {}) for name, own in (nested or {}).items()}
