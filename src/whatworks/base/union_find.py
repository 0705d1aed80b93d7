"""Things that belong together because something connects them: union-find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T", int, str)


class Joining(Generic[T]):
    """Sets that grow together; the smallest member stands for its set."""

    def __init__(self) -> None:
        self._parent: dict[T, T] = {}

    def root(self, item: T) -> T:
        """The smallest member of the item's set: the item itself, if nothing was joined to it."""
        while (above := self._parent.setdefault(item, item)) != item:
            self._parent[item] = self._parent[above]
            item = above
        return item

    def join(self, items: Iterable[T]) -> None:
        """Make one set of the sets of these items."""
        roots = sorted({self.root(item) for item in items})
        for other in roots[1:]:
            self._parent[other] = roots[0]

    def groups(self) -> tuple[tuple[T, ...], ...]:
        """The sets with more than one member, each sorted, in order of their smallest."""
        members: dict[T, list[T]] = {}
        for item in sorted(self._parent):
            members.setdefault(self.root(item), []).append(item)
        return tuple(tuple(group) for group in members.values() if len(group) > 1)
