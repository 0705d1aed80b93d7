"""Which key goes to which address, and to no other.

A provider's key (``providers.PROVIDERS``) goes to its own hosts. Any other server has the key that
is named after it (``WHATWORKS_API_KEY_`` and its host), else ``WHATWORKS_API_KEY``, which one
address alone gets while the program runs: the second one is asked without a key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from threading import Lock
from urllib.parse import urlsplit

from whatworks.base.errors import InputError
from whatworks.models.providers import find_provider

GENERAL = "WHATWORKS_API_KEY"
"""Variable with the key of a server that no provider of the list runs."""

_HOLDERS: dict[str, str] = {}
"""Who has the general key: one address."""
_LOCK = Lock()


class ApiKey:
    """A key; it never shows itself.

    Args:
        source: The variable that it came from; empty for none.
        wanted: The variable that a key for this address belongs into.
        value: The key.

    Raises:
        InputError: If it holds what no key has.
    """

    def __init__(self, source: str, wanted: str, value: str) -> None:
        self.source, self.wanted, self._value = source, wanted, value.strip()
        if not re.fullmatch(r"[!-~]*", self._value):
            raise InputError(
                "the API key holds spaces or other characters that no key has",
                place=source,
                remedy="copy it again, without quotes and line breaks",
            )

    @property
    def headers(self) -> dict[str, str]:
        """The header that carries the key, none without one."""
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def hide(self, text: str) -> str:
        """The text without the key, should a server repeat it.

        Placeholders such as ``EMPTY``, which local servers take, are no secrets and may be words
        of an answer.
        """
        return text.replace(self._value, "***") if len(self._value) >= 8 else text

    def hide_bytes(self, payload: bytes) -> bytes:
        """``hide``, before anything is read from what a server sent."""
        if len(self._value) < 8:
            return payload
        return payload.replace(self._value.encode("ascii"), b"***")


def find_key(url: str) -> ApiKey:
    """The key of the environment for an address, perhaps none.

    Raises:
        InputError: If it cannot be one.
    """
    provider = find_provider(url)
    names = list_variables(url)
    wanted = provider.keys[0] if provider else GENERAL
    for name in names if provider else names[:-1]:
        if value := os.environ.get(name, "").strip():
            return ApiKey(name, wanted, value)
    if provider is None and (value := os.environ.get(GENERAL, "").strip()):
        place = urlsplit(url).netloc
        if hold_general_key(place) == place:
            return ApiKey(GENERAL, wanted, value)
        wanted = names[0]
    return ApiKey("", wanted, "")


def list_variables(url: str) -> tuple[str, ...]:
    """The variables that may hold the key of an address, in the order in which they are read."""
    provider = find_provider(url)
    return (*_name_own(url), *(provider.keys if provider else (GENERAL,)))


def hold_general_key(place: str) -> str:
    """Have the general key go to this place alone; the place that has it, this or an earlier."""
    with _LOCK:
        return _HOLDERS.setdefault(GENERAL, place)


def _name_own(url: str) -> Iterator[str]:
    """Variables that name an address themselves: with its port, and without."""
    parts = urlsplit(url)
    for place in dict.fromkeys((parts.netloc, parts.hostname or "")):
        yield f"{GENERAL}_{re.sub(r'[^A-Z0-9]+', '_', place.upper()).strip('_')}"
