"""Providers with a short name: ``openai:gpt-4o-mini`` for an address and its model.

Each has its address, the variable that holds its key, and the hosts that this key may go to. The
addresses are those of the providers' pages on the OpenAI protocol:

- https://platform.openai.com/docs/api-reference
- https://platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk
- https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
- https://openrouter.ai/docs/quickstart
- https://docs.ollama.com/api/openai-compatibility
- https://docs.vllm.ai/en/latest/serving/openai_compatible_server/
- https://ai.google.dev/gemini-api/docs/openai
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from whatworks.base.errors import InputError

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine."""


@dataclass(frozen=True)
class Provider:
    """Where a provider's models are asked.

    Attributes:
        name: What stands before the colon.
        address: Below which ``chat/completions`` lies; empty where only the user knows it.
        keys: Variables that hold its key, the first one that is set.
        hosts: Hosts that the key may go to, with those below them.
        moved: Variable that names another address, as the provider's own tools read it.
        path: What is put behind the address of ``moved`` where it has no path.
    """

    name: str
    address: str
    keys: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    moved: str = ""
    path: str = "/v1"

    def find_address(self) -> str:
        """The address, as the environment has it.

        Raises:
            InputError: If only the environment can say it, and does not.
        """
        named = os.environ.get(self.moved, "").strip() if self.moved else ""
        if not named and not self.address:
            raise InputError(
                f"where {self.name} lies is not known",
                place="model",
                remedy=f"export {self.moved}=https://NAME{self.hosts[0]}",
            )
        return _complete(named, self.path) if named else self.address

    def owns(self, url: str) -> bool:
        """Whether an address is this provider's, so that it may have the key.

        Hosts elsewhere get it by https alone.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        names = [one.lstrip(".") for one in self.hosts]
        if any(host == name or host.endswith(f".{name}") for name in names):
            return parts.scheme == "https"
        if not (self.moved and os.environ.get(self.moved, "").strip()):
            return bool(self.address) and _find_place(self.address) == _find_place(url)
        return _find_place(self.find_address()) == _find_place(url)


PROVIDERS = (
    Provider(
        "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), ("api.openai.com",),
        "OPENAI_BASE_URL",
    ),
    Provider(
        "anthropic", "https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",),
        ("api.anthropic.com",),
    ),
    Provider(
        "azure", "", ("AZURE_OPENAI_API_KEY",),
        (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
        "AZURE_OPENAI_ENDPOINT", "/openai/v1",
    ),
    Provider(
        "openrouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",), ("openrouter.ai",)
    ),
    Provider(
        "ollama", "http://localhost:11434/v1", ("OLLAMA_API_KEY",), ("ollama.com",), "OLLAMA_HOST"
    ),
    Provider("vllm", "http://localhost:8000/v1", ("VLLM_API_KEY",), (), "VLLM_BASE_URL"),
    Provider(
        "gemini", "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("generativelanguage.googleapis.com",),
    ),
)  # fmt: skip
"""Those with a short name."""


def expand_name(model: str) -> str:
    """``openai:gpt-4o-mini`` as ``https://api.openai.com/v1#gpt-4o-mini``; any other as it is.

    Raises:
        InputError: If no model follows the colon, or the provider's address is not known.
    """
    name, colon, rest = model.partition(":")
    provider = next((one for one in PROVIDERS if colon and one.name == name), None)
    if provider is None:
        return model
    if not rest.strip():
        raise InputError(
            f"{model!r} names no model", place="model", remedy=f"write {name}:NAME-OF-THE-MODEL"
        )
    return f"{provider.find_address()}#{rest.strip()}"


def is_address(model: str) -> bool:
    """Whether a model is asked at a server, by its address or a provider's short name."""
    name, colon, _ = model.partition(":")
    return model.startswith(("http://", "https://")) or (
        bool(colon) and any(one.name == name for one in PROVIDERS)
    )


def is_here(url: str) -> bool:
    """Whether an address is on this machine."""
    return (urlsplit(url).hostname or "") in LOCAL


def find_provider(url: str) -> Provider | None:
    """The provider whose key may go to an address."""
    return next((one for one in PROVIDERS if one.owns(url)), None)


def _complete(named: str, path: str) -> str:
    """An address as variables have it: perhaps without scheme and path, or that to listen at."""
    url = named if "://" in named else f"http://{named}"
    parts = urlsplit(url.rstrip("/"))
    place = parts.netloc.replace("0.0.0.0", "127.0.0.1")
    return f"{parts.scheme}://{place}{parts.path if parts.path.strip('/') else path}"


def _find_place(url: str) -> tuple[str, int | None]:
    """Host and port, those of this machine under one name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return ("localhost" if host in LOCAL else host, port)
