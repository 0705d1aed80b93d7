"""What tokens cost: the shipped table, and the user's own entries over it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from whatworks.base.errors import InputError
from whatworks.base.frozen import Frozen
from whatworks.base.validation import explain
from whatworks.base.yaml_file import read_yaml

SHIPPED = Path(__file__).with_name("prices.yaml")
VARIABLE = "WHATWORKS_PRICES"
"""Environment variable naming a file of the user's prices."""

_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


class Price(Frozen):
    """US dollars per million tokens.

    Attributes:
        input: Of the prompt.
        output: Of the answer.
    """

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars for so many tokens read and written."""
        return (self.input * prompt_tokens + self.output * completion_tokens) / 1e6


FREE = Price(input=0.0, output=0.0)
"""The price of a model on this machine."""


def find_price(url: str, model: str, own: Mapping[str, Any] | None = None) -> Price | None:
    """The price of a model at an address, None when no table names it.

    ``own`` goes before the file named by ``WHATWORKS_PRICES``, and that before the shipped table.
    In each, ``url#model`` goes before ``model``, and that before the model without its date.

    Raises:
        InputError: If a table cannot be read, or an entry is no price.
    """
    tables = [_check_prices(own or {}, "prices")]
    if os.environ.get(VARIABLE):
        tables.append(read_prices(Path(os.environ[VARIABLE]).expanduser()))
    tables.append(read_prices(SHIPPED))
    for table in tables:
        for name in (f"{url}#{model}", model, _DATE.sub("", model)):
            if name in table:
                return table[name]
    return None


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
    remedy = "write `model: {input: 1, output: 2}`, US dollars per million tokens"
    if not isinstance(table, Mapping):
        raise InputError("the prices are not a table", place=place, remedy=remedy)
    prices: dict[str, Price] = {}
    for name, entry in table.items():
        try:
            prices[str(name)] = Price.model_validate(entry)
        except ValidationError as error:
            raise explain(
                error, noun="part", of=f"the price of {str(name)!r}", place=place, remedy=remedy
            ) from error
    return prices
