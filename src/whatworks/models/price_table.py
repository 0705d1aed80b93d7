"""The public table of prices, by the package ``genai-prices`` (https://github.com/pydantic/genai-prices).

Prices of long prompts, where a provider asks more for them, are not taken: the price of a prompt
is that of a short one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

PACKAGE = "genai-prices"

_CHECKED = re.compile(r"(?:verified|checked|as of)(?: on)? (20\d\d-\d\d-\d\d)")


def look_up(url: str, model: str, *, batch: bool = False) -> dict[str, float | None] | None:
    """Dollars per million tokens of a model at a provider's address, as ``prices.Price`` has them.

    None where the table does not say.

    Args:
        url: The address.
        model: The model's name there.
        batch: Whether the requests are sent in batches.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, entry = get_snapshot().find_provider_model(model, None, None, url)
    except LookupError:
        return None
    asked = entry.get_prices(datetime.now(tz=UTC), {"processing": "batch"} if batch else None)
    read, written, cached = (
        _take_base(getattr(asked, name, None))
        for name in ("input_mtok", "output_mtok", "cache_read_mtok")
    )
    if read is None or written is None:
        return None  # free of charge by subscription, or charged by something else
    return {"input": read, "output": written, "cached": cached}


def name_table() -> str:
    """The table with its version and the newest day on which one of its prices was checked."""
    from genai_prices.data_snapshot import get_snapshot

    today = datetime.now(tz=UTC).date().isoformat()
    comments = (
        model.price_comments or ""
        for provider in get_snapshot().providers
        for model in provider.models
    )
    checked = [day for text in comments for day in _CHECKED.findall(text) if day <= today]
    when = f", last checked {max(checked)}" if checked else ""
    return f"{PACKAGE} {version(PACKAGE)}{when}"


def _take_base(price: Any) -> float | None:
    """Dollars of the first tier."""
    base = getattr(price, "base", price)
    return None if base is None else float(base)
