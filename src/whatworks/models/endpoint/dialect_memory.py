"""In which dialect a server is asked for forms: as it was before, else by a probe."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.store import Store
from whatworks.models.constraint import Constraint
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.dialects import DIALECTS, Dialect
from whatworks.models.endpoint.probe import Ask, find_dialect, read_owner
from whatworks.models.endpoint.trouble import Trouble

KIND = "dialects"
"""Below the cache folder: what probes found, one file for each kind of form."""


class DialectMemory:
    """What was found out of one model at one server.

    Args:
        connection: To the server.
        store: Where findings are kept; None keeps them as long as this object.
        model: The model's name there.
    """

    def __init__(self, connection: Connection, store: Store | None, model: str) -> None:
        self._connection, self._store, self._model = connection, store, model
        self._found: dict[str, str] = {}

    def choose(self, form: Constraint, body: Mapping[str, Any], ask: Ask) -> Dialect:
        """How the server is asked for forms of this kind.

        Args:
            form: What is asked for.
            body: A request, for all but its messages and its form.
            ask: Sends a trial.

        Raises:
            ArmFailure: If it keeps to no dialect, or does not answer.
        """
        kept = self._found.get(form.kind)
        if kept is None and self._store is not None:
            kept = self._store.read(KIND, self._name(form))
        if kept:
            return DIALECTS[kept]
        server = f"{self._connection.url}#{self._model}"
        try:
            dialect = find_dialect(form, self._find_owner(), body, ask, server)
        except Trouble as trouble:
            raise ArmFailure(trouble.cause, remedy=trouble.remedy) from None
        self.keep(form, dialect)
        return dialect

    def keep(self, form: Constraint, dialect: Dialect | None) -> None:
        """Remember a finding, or that it no longer holds."""
        name = dialect.name if dialect else ""
        self._found[form.kind] = name
        if self._store is not None:
            self._store.write(KIND, self._name(form), name)

    def _find_owner(self) -> str:
        """The server's program, as far as its list of models says."""
        at = f"{self._connection.url}/models"
        try:
            return self._connection.call(
                "GET", at, Event(), read=lambda payload: read_owner(payload, self._model)
            )
        except Trouble as trouble:
            if not trouble.status:
                raise
            return ""

    def _name(self, form: Constraint) -> str:
        return hash_content([self._connection.url, self._model, form.kind])
