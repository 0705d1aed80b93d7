"""Units of measure: their names and signs, and what one is in another of its kind.

Factors are exact by definition: those of the SI (BIPM, The International System of Units, 9th
edition) and of the international yard and pound (agreement of 1959). What is not listed keeps its
name and is the same unit only where the name is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of some kind: so many of the kind's own, from a zero of its own on."""

    kind: str
    factor: Decimal
    zero: Decimal = Decimal(0)


_PREFIXES = {
    **{"n": ("nano", "1e-9"), "µ": ("micro", "1e-6"), "m": ("milli", "1e-3")},
    **{"c": ("centi", "0.01"), "d": ("deci", "0.1"), "k": ("kilo", "1e3")},
    **{"M": ("mega", "1e6"), "G": ("giga", "1e9"), "T": ("tera", "1e12")},
}
# Kind: its own unit's sign, names, and the prefixes in use.
_METRIC = {
    "length": ("m", ("metre", "meter", "mètre", "metro"), "nµmcdk"),
    "mass": ("g", ("gram", "gramm", "gramme", "gramo"), "µmk"),
    "volume": ("l", ("litre", "liter", "litro"), "µmcd"),
    "power": ("W", ("watt",), "mkMG"),
    "energy": ("J", ("joule",), "kMG"),
    "voltage": ("V", ("volt",), "mk"),
    "frequency": ("Hz", ("hertz",), "kMGT"),
    "data": ("B", ("byte",), "kMGT"),
}
_OTHERS = (
    ("length", "1609.344", ("mi", "mile", "meile")),
    ("length", "0.9144", ("yd", "yard")),
    ("length", "0.3048", ("ft", "foot", "feet", "fuß")),
    ("length", "0.0254", ("inch", "inche", "zoll")),
    ("mass", "1e6", ("t", "tonne", "metric ton")),
    ("mass", "453.59237", ("lb", "lbs", "pound-mass")),
    ("mass", "28.349523125", ("oz", "ounce")),
    ("time", "1e-3", ("ms", "millisecond", "millisekunde", "milliseconde")),
    ("time", "1", ("s", "sec", "second", "sekunde", "sekunden", "seconde", "segundo")),
    ("time", "60", ("min", "minute", "minuten", "minuto")),
    ("time", "3600", ("h", "hr", "hour", "stunde", "stunden", "heure", "hora")),
    ("time", "86400", ("d", "day", "tag", "tage", "jour", "día")),
    ("time", "604800", ("week", "woche", "wochen", "semaine", "semana")),
    ("area", "1e4", ("ha", "hectare", "hektar")),
    ("area", "1", ("m²", "m2", "sqm", "square metre", "square meter", "quadratmeter")),
    ("area", "1e6", ("km²", "km2", "square kilometre", "square kilometer", "quadratkilometer")),
    ("speed", "3.6", ("m/s", "metres per second", "meters per second")),
    ("speed", "1", ("km/h", "kmh", "kph", "kilometres per hour", "kilometers per hour")),
    ("speed", "1.609344", ("mph", "miles per hour")),
    ("energy", "3.6e6", ("kwh", "kilowatt hour", "kilowattstunde", "kilowattstunden")),
)
_CELSIUS = ("°c", "celsius", "degrees celsius", "degree celsius", "grad celsius", "degrés celsius")
_FAHRENHEIT = ("°f", "fahrenheit", "degrees fahrenheit", "degree fahrenheit", "grad fahrenheit")
_KELVIN = ("kelvin",)


def find_unit(name: str) -> Unit | None:
    """The unit of a name or sign, its case as written where that tells (``mW``, ``MW``)."""
    units = _list_units()
    folded = name.casefold()
    return units.get(name) or units.get(folded) or units.get(folded.removesuffix("s"))


def convert(amount: Decimal, unit: Unit, to: Unit) -> Decimal | None:
    """An amount in another unit; None where they measure different things."""
    if unit.kind != to.kind:
        return None
    return ((amount - unit.zero) * unit.factor) / to.factor + to.zero


@lru_cache(maxsize=1)
def _list_units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for name, unit in _iterate():
        units.setdefault(name, unit)
    return units


def _iterate() -> Iterator[tuple[str, Unit]]:
    for kind, (sign, names, prefixes) in _METRIC.items():
        yield sign, Unit(kind, Decimal(1))
        yield from ((name, Unit(kind, Decimal(1))) for name in names)
        for prefix in prefixes:
            long, factor = _PREFIXES[prefix]
            unit = Unit(kind, Decimal(factor))
            yield f"{prefix}{sign}", unit
            yield from ((f"{long}{name}", unit) for name in names)
    yield "kilo", Unit("mass", Decimal(1000))
    for kind, factor, names in _OTHERS:
        yield from ((name, Unit(kind, Decimal(factor))) for name in names)
    # Degrees Celsius are the kind's own: (F - 32) * 5/9, K - 273.15.
    yield from ((name, Unit("temperature", Decimal(9))) for name in _CELSIUS)
    yield from ((name, Unit("temperature", Decimal(5), Decimal(32))) for name in _FAHRENHEIT)
    yield from ((name, Unit("temperature", Decimal(9), Decimal("273.15"))) for name in _KELVIN)
    # Signs come in small letters, too, where nothing else has them.
    for kind, (sign, _, prefixes) in _METRIC.items():
        for prefix in ("", *prefixes):
            factor = Decimal(_PREFIXES[prefix][1]) if prefix else Decimal(1)
            yield f"{prefix}{sign}".casefold(), Unit(kind, factor)
