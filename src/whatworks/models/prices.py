"""What a model's tokens cost: the user's own entries, else a public table.

The public table is that of the package ``genai-prices`` (MIT, data of 2,330 models of 47 providers
in the package itself; nothing is fetched): prices at the provider's own address, those of cached
tokens and of batches included. A new release of it brings new prices.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from whatworks.base.errors import InputError
from whatworks.base.frozen import Frozen
from whatworks.base.validation import explain
from whatworks.base.yaml_file import read_yaml
from whatworks.models.price_table import look_up, name_table
from whatworks.models.providers import is_here

VARIABLE = "WHATWORKS_PRICES"
"""Environment variable naming a file of the user's prices."""

_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
_REMEDY = "write `model: {input: 1, output: 2}`, US dollars per million tokens, or `{hour: 2.5}`"


def _is_none(value: object) -> bool:
    return value is None


class Price(Frozen):
    """US dollars: per million tokens, or per hour of a machine that is rented.

    Attributes:
        input: Of the prompt.
        output: Of the answer.
        cached: Of the part of a prompt that the server has in its cache; by default as ``input``.
        batch: Share of the price that is left in a batch: 0.5 is half of it.
        training: Of a million tokens that a provider trains on.
        hour: Of the machine, while it answers; the tokens then cost nothing more.
    """

    input: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    output: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False, exclude_if=_is_none)
    batch: float | None = Field(default=None, gt=0, le=1, exclude_if=_is_none)
    training: float | None = Field(default=None, ge=0, allow_inf_nan=False, exclude_if=_is_none)
    hour: float | None = Field(default=None, gt=0, allow_inf_nan=False, exclude_if=_is_none)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        named = self.model_fields_set
        if self.hour is None and not {"input", "output"} <= named:
            raise ValueError("both `input` and `output` are needed, or `hour`")
        return self

    def compute_cost(
        self,
        prompt_tokens: int,
        completion_tokens: int,
        *,
        cached: int = 0,
        seconds: float = 0.0,
    ) -> float:
        """US dollars for so many tokens read and written.

        Args:
            prompt_tokens: Tokens read, those of the cache included.
            completion_tokens: Tokens written.
            cached: Tokens read that the server had in its cache.
            seconds: Time that the requests took, side by side.
        """
        from_cache = self.input if self.cached is None else self.cached
        fresh = self.input * (prompt_tokens - cached) + from_cache * cached
        rent = (self.hour or 0.0) * seconds / 3600
        return (fresh + self.output * completion_tokens) / 1e6 + rent

    def in_batch(self) -> Price:
        """The price in a batch; the same where no share is known."""
        share = self.batch or 1.0
        cached = None if self.cached is None else self.cached * share
        return self.replace(
            input=self.input * share, output=self.output * share, cached=cached, batch=None
        )

    @property
    def words(self) -> str:
        """The price as it is read."""
        if self.hour:
            return f"${self.hour:g} an hour"
        cached = "" if self.cached is None else f" (${self.cached:g} from the cache)"
        return f"${self.input:g}{cached} in, ${self.output:g} out per million tokens"

    @property
    def per_token(self) -> tuple[float, float] | None:
        """Dollars per million tokens read and written; None where time is paid."""
        return None if self.hour else (self.input, self.output)


FREE = Price(input=0.0, output=0.0)
"""The price of a model on this machine."""


def find_price(
    url: str, model: str, own: Mapping[str, Any] | None = None, *, batch: bool = False
) -> Price | None:
    """The price of a model at an address, None when no table names it.

    ``own`` goes before the file named by ``WHATWORKS_PRICES``, and that before the public table. In
    each of the user's, ``url#model`` goes before ``model``, and that before the model without its
    date. The public table knows providers by their addresses. What is asked on this machine is
    free, unless the user says otherwise.

    Args:
        url: The address.
        model: The model's name there.
        own: Prices of the study file.
        batch: Whether the requests are sent in batches.

    Raises:
        InputError: If a table cannot be read, or an entry is no price.
    """
    if (mine := _find_own(url, model, own)) is not None:
        return mine.in_batch() if batch else mine
    if is_here(url):
        return FREE
    listed = look_up(url, model, batch=batch)
    return None if listed is None else Price.model_validate(listed)


def describe_source(url: str, model: str, own: Mapping[str, Any] | None = None) -> str:
    """Where the price of a model comes from; empty where it is free or unknown."""
    if _find_own(url, model, own) is not None:
        return "your own"
    priced = not is_here(url) and look_up(url, model) is not None
    return name_table() if priced else ""


def _find_own(url: str, model: str, own: Mapping[str, Any] | None) -> Price | None:
    tables = [_check_prices(own or {}, "prices")]
    if os.environ.get(VARIABLE):
        tables.append(read_prices(Path(os.environ[VARIABLE]).expanduser()))
    names = (f"{url}#{model}", model, _DATE.sub("", model))
    return next((table[name] for table in tables for name in names if name in table), None)


def read_prices(path: Path) -> dict[str, Price]:
    """Read a table: ``model: {input: 0.15, output: 0.6}``, US dollars per million tokens.

    Raises:
        InputError: If the file is missing, no YAML, or holds something else.
    """
    try:
        content = read_yaml(path, "file of prices")
    except InputError as error:
        raise InputError(
            f"the prices cannot be read: {error.cause}",
            place=error.place,
            remedy=f"{VARIABLE} names a YAML file with lines `model: {{input: 1, output: 2}}`",
        ) from error
    return _check_prices({} if content is None else content, str(path))


def _check_prices(table: Any, place: str) -> dict[str, Price]:
    if not isinstance(table, Mapping):
        raise InputError("the prices are not a table", place=place, remedy=_REMEDY)
    prices: dict[str, Price] = {}
    for name, entry in table.items():
        try:
            prices[str(name)] = Price.model_validate(entry)
        except ValidationError as error:
            raise explain(
                error,
                noun="part",
                subject=f"the price of {str(name)!r}",
                place=place,
                remedy=_REMEDY,
            ) from error
    return prices
