"""What one server has: models and arms by name, adapters over one base sharing its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.base.errors import InputError
from whatworks.models.local.engine import LocalEngine


class Models:
    """The served models; the first one is that of requests that name none.

    Args:
        served: At least one.

    Raises:
        InputError: If two have the same name.
    """

    def __init__(self, served: Sequence[Served]) -> None:
        self._lock = Lock()
        self._by_name: dict[str, Served] = {}
        for one in served:
            if one.name in self._by_name:
                raise InputError(
                    f"two models are called {one.name!r}", remedy="give one of them --name"
                )
            self.add(one)

    @property
    def first(self) -> Served:
        """The one that stands first."""
        return self.all[0]

    @property
    def all(self) -> list[Served]:
        """All of them, in the order in which they came."""
        with self._lock:
            return list(self._by_name.values())

    def add(self, served: Served) -> Served:
        """Serve one more; the engine of another model on the same base runs it, if there is one."""
        twin = next((one.local for one in self.all if _shares_base(one, served)), None)
        if twin is not None and twin is not served.engine:
            served.engine.close()
            served = replace(served, engine=twin)
        with self._lock:
            self._by_name[served.name] = served
        return served

    def get(self, name: str) -> Served | None:
        """The model of this name, if there is one."""
        with self._lock:
            return self._by_name.get(name)

    def find(self, name: str) -> Served:
        """The model of this name.

        Raises:
            RequestRefusal: 404 if there is none.
        """
        if (served := self.get(name)) is not None:
            return served
        names = [one.name for one in self.all]
        shown = " and ".join(repr(one) for one in names[:5]) + (" ..." if len(names) > 5 else "")
        raise RequestRefusal(
            f"The model {name!r} does not exist; this server has {shown}",
            status=404,
            code="model_not_found",
            param="model",
        )

    def close(self) -> None:
        """Free all of them."""
        for engine in {id(one.engine): one.engine for one in self.all}.values():
            engine.close()


def _shares_base(one: Served, other: Served) -> bool:
    """Whether both run on the same weights, but for adapters that stand on them."""
    both_local = isinstance(one.engine, LocalEngine) and isinstance(other.engine, LocalEngine)
    return both_local and one.files.base == other.files.base
