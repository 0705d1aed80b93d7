"""Where studies are made: the model, the size and kind of data, and what earlier studies found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from whatworks.data.task import Example
from whatworks.models.engine import Engine, ModelFiles
from whatworks_claims.english.source import EnglishSource
from whatworks_claims.kinds import DataKind
from whatworks_claims.lab_source import LabSource
from whatworks_claims.outcome import Outcome
from whatworks_claims.public_source import PublicSource
from whatworks_claims.source import Source

Known = Callable[[Sequence[Example]], Mapping[str, str]]


@dataclass(frozen=True)
class Desk:
    """What a study may be made from.

    Attributes:
        data: Kind of material: ``generated``, ``real`` or ``english``.
        quick: Smaller data and fewer arms.
        finished: Studies that are done, by name.
        known: SliCK classes of facts on this model: example id to class.
        engine: Counts tokens, so that studies fit the model.
        model: The untouched model's files.
        digest: Content hash of these.
    """

    engine: Engine
    model: ModelFiles
    known: Known
    digest: str = ""
    data: DataKind = "generated"
    quick: bool = False
    finished: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])

    def n(self, full: int, quick: int) -> int:
        """A size: the full one, or the quick one."""
        return quick if self.quick else full

    @property
    def source(self) -> Source:
        """The material of the kind asked for."""
        if self.data == "real":
            return PublicSource(self.quick)
        return EnglishSource(self.quick) if self.data == "english" else LabSource(self.quick)
