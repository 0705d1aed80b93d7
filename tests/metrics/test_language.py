"""The one detector of languages: sure of sentences, silent on names, numbers and code."""

from __future__ import annotations

import pytest

from whatworks.metrics.language import SURE, find_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("the house is in the street and it is not for you", "en"),
        ("das Haus ist nicht in der Straße und auch nicht im Wald", "de"),
        ("la maison est dans la rue et les enfants ne sont pas là", "fr"),
        ("el perro no se come la comida que le dan por la tarde", "es"),
        ("o gato não é da casa e os meninos se foram com ele", "pt"),
        ("Paris", ""), ("42", ""), ("red", ""), ("SELECT name FROM city", ""), ('{"a": 1}', ""),
        ("inform(name=Zizzi)", ""), ("ein Haus", ""), ("", ""), ("\ud800", ""),
    ],
)  # fmt: skip
def test_languages(text: str, code: str) -> None:
    assert find_language(text, sure=SURE) == code
