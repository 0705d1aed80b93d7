"""Patterns of users are matched against answers in linear time, with the classes of Unicode."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.models.constraint import make_constraint
from whatworks.models.local.grammar import is_allowed

SLOW: dict[str, tuple[str, str]] = {
    r"^(a+)+$": ("a", "b"),
    r"(a|aa)+": ("a", "b"),
    r"(a|a)*": ("a", "!"),
    r"(.*a){12}": ("a", "\n"),
    r"^(\w+\s?)*$": ("mill", "!"),
    r"([a-z]+)*[a-z]{1,2000}": ("a", "!"),
}


@pytest.mark.parametrize("pattern", SLOW)
def test_a_pattern_of_exponential_time_does_not_hang(pattern: str) -> None:
    unit, wrong = SLOW[pattern]
    form = make_constraint("regex", pattern)
    begin = time.monotonic()
    assert is_allowed(form, unit * 60)
    assert not is_allowed(form, f"{unit * 60}{wrong}{'!' if wrong.isspace() else ''}")
    assert time.monotonic() - begin < 5


@given(
    st.sampled_from(
        [r"\w+", r"\d{2,4}", r"[\w-]+", r"[^\d]*", r"\W+", r"[]\d]+", r"[a[]\d", r"a\sb", r"\S*"]
    ),
    st.text("aéßД3٣_- []\u00a0b", max_size=6).map(str.strip),
)
def test_patterns_mean_what_they_mean_in_python(pattern: str, text: str) -> None:
    same = re.fullmatch(pattern, text) is not None
    assert is_allowed(make_constraint("regex", pattern), text) is same


@pytest.mark.parametrize("pattern", [r"(?=a)a", r"(?!a)b", r"(?<=a)b", r"(?<!a)b", r"(a)\1"])
def test_what_cannot_be_matched_in_linear_time_says_so(pattern: str) -> None:
    with pytest.raises(InputError, match="cannot be compiled"):
        is_allowed(make_constraint("regex", pattern), "ab")
