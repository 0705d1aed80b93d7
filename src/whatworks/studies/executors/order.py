"""What another process needs to open the same study."""

from __future__ import annotations

from pathlib import Path

from whatworks.base.frozen import Frozen
from whatworks.studies.open_study import Opened, open_study


class Order(Frozen):
    """A study as it was asked for; the fields are the arguments of ``open_study``."""

    path: Path
    model: str | None = None
    only: tuple[str, ...] = ()
    out: Path

    def open(self) -> Opened:
        """The study, opened.

        Raises:
            InputError: If it cannot be used here.
        """
        return open_study(self.path, model=self.model, only=self.only, out=self.out)
