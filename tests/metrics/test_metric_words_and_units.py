"""Numbers in words and units of measure: written and read back; what a text denies or guesses."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.metrics.denial import is_alternative, is_denied
from whatworks.metrics.stated import is_stated
from whatworks.metrics.values import units
from whatworks.metrics.values.number import Number
from whatworks.metrics.values.number_words import find_spoken, list_numbers, read_count

COUNTS = {"en": 100, "de": 1000, "fr": 1000, "es": 1000}


@pytest.mark.parametrize(("language", "most"), COUNTS.items())
def test_every_number_has_words_of_its_own_and_is_read_back(language: str, most: int):
    words = list_numbers(language)
    assert set(words.values()) == set(range(most))
    for phrase, number in words.items():
        [found] = find_spoken(f"({phrase})", language)
        assert found.amount == number, phrase


@pytest.mark.parametrize(
    ("phrase", "number"),
    [
        ("two hundred and five", 205),
        ("a hundred", 100),
        ("three thousand", 3000),
        ("twelve thousand three hundred forty-five", 12345),
        ("nine hundred ninety-nine thousand nine hundred ninety-nine", 999999),
        ("one and a half", Decimal("1.5")),
    ],
)
def test_longer_numbers_in_english(phrase: str, number: int | Decimal):
    assert [found.amount for found in find_spoken(f"It was {phrase}.", "en")] == [number]


def test_several_numbers_in_words():
    found = find_spoken("twenty-one, not forty two", "en")
    assert [one.amount for one in found] == [21, 42]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("seven", ("count", 7)),
        ("7", ("count", 7)),
        ("7th", ("place", 7)),
        ("seventh", ("place", 7)),
        ("-7", None),
        ("7.5", None),
        ("seven apples", None),
    ],
)
def test_counts_and_places(text: str, count: tuple[str, int] | None):
    assert read_count(text) == count


KINDS = {
    "length": ["mm", "cm", "m", "km", "mi", "ft", "inch"],
    "mass": ["mg", "g", "kg", "lb", "oz"],
    "time": ["ms", "s", "min", "h", "d", "week"],
    "volume": ["ml", "cl", "l"],
    "temperature": ["°c", "°f", "kelvin"],
    "speed": ["m/s", "km/h", "mph"],
}


@given(st.data(), st.decimals(-1000, 1000, places=2))
def test_what_is_converted_comes_back_and_is_the_same(data: st.DataObject, amount: Decimal):
    names = data.draw(st.sampled_from(list(KINDS.values())))
    one, other = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    there, here = units.find_unit(one), units.find_unit(other)
    assert there and here
    converted = units.convert(amount, there, here)
    assert converted is not None
    assert Number(converted, other).is_close(Number(amount, one), Decimal(0))
    assert not Number(converted, other).is_close(Number(amount + 1, one), Decimal(0))


def test_other_kinds_are_not_converted():
    for (one, names), (_, others) in pairwise(KINDS.items()):
        here, there = units.find_unit(names[0]), units.find_unit(others[0])
        assert here and there, one
        assert units.convert(Decimal(1), here, there) is None


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("km", "kilometres", True),
        ("mW", "MW", False),
        ("kg", "kilograms", True),
        ("h", "hours", True),
        ("feet", "ft", True),
        ("°C", "degrees Celsius", True),
    ],
)
def test_names_of_units(name: str, other: str, same: bool):
    one, two = units.find_unit(name), units.find_unit(other)
    assert one and two
    assert (one == two) == same


@given(
    st.sampled_from(["Rome", "Bo Lind", "C++", "42 km", "Straße"]),
    st.sampled_from(
        ["not {}", "It isn't {}.", "anything but {}", "nicht {}", "{} is wrong", "never in {}"]
    ),
)
def test_what_is_denied_is_not_stated(name: str, frame: str):
    assert is_stated(name, f"It is {name}.")
    assert not is_stated(name, frame.format(name))
    at = frame.index("{}")
    assert is_denied(frame.format(name), at, at + len(name))


@pytest.mark.parametrize(
    "frame",
    [
        "not only {}",
        "none other than {}",
        "I'm not sure, but {}",
        "nothing but {}",
        "No, {}.",
        "{}?",
    ],
)
def test_what_only_sounds_like_a_denial(frame: str):
    assert is_stated("Rome", frame.format("Rome"))


def test_another_right_answer_beside_an_or_is_no_guess():
    assert is_stated("Istanbul", "Istanbul or Constantinople", ["Istanbul", "Constantinople"])
    assert not is_stated("Istanbul", "Istanbul or Ankara", ["Istanbul", "Constantinople"])
    assert not is_alternative("Rome or so", 0, 4)


@pytest.mark.parametrize(
    ("needle", "text", "stated"),
    [
        ("京都", "東京都です", False),
        ("京都", "京都です", True),
        ("北京", "答案是北京。", True),
        ("北京", "不是北京", False),
        ("서울", "서울입니다", True),
        ("서울", "서울이 아니다", False),
        ("サクラ", "サクラ", True),
    ],
)
def test_scripts_without_spaces(needle: str, text: str, stated: bool):
    assert is_stated(needle, text) == stated
