"""Instructions that can be verified: each kind by hand, and against naive code on random texts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.constraints import KINDS
from whatworks.metrics.registry import load

CASES = 1_000
INSTRUCTIONS = load(MetricSpec(name="instructions"))


def keeps(text: str, kind: str, **settings: Any) -> bool:
    example = Example(id="e", meta={"constraints": [{"kind": kind, **settings}]})
    return INSTRUCTIONS(example, text).value == 1.0


# kind, settings, texts that keep it, texts that do not
BY_HAND: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("words", {"at_most": 3}, ["one two-fold it's", "a"], ["one two three four"]),
    ("sentences", {"at_least": 2, "at_most": 2}, ["It is 3.5 m. Yes!", "Oh?! No"], ["One.", "..."]),
    ("paragraphs", {"at_least": 2}, ["a\n\nb", "a\n\n\n\nb"], ["a\nb"]),
    ("paragraphs", {"at_least": 2, "divider": "***"}, ["a***b"], ["a\n\nb", "a***"]),
    ("lines", {"at_most": 1}, ["a\n\n"], ["a\nb"]),
    ("characters", {"at_most": 3}, [" abc "], ["abcd"]),
    ("includes", {"words": ["red lamp", "Bo"]}, ["bo has a RED  lamp"], ["red lamps, bo"]),
    ("includes", {"words": ["x"], "at_least": 2, "at_most": 2}, ["x, X"], ["x", "x x x"]),
    ("excludes", {"words": ["lamp"]}, ["lamps"], ["a Lamp!"]),
    ("in_order", {"words": ["a", "b"]}, ["A then b"], ["b a", "a"]),
    ("letter", {"letter": "q", "at_most": 0}, ["none"], ["Q"]),
    ("choice", {"options": ["yes", "no", "no way"]}, ["Yes.", "no way"], ["yes or no", "perhaps"]),
    ("placeholders", {"at_least": 2}, ["[name] of [town]"], ["[name] of []"]),
    ("postscript", {}, ["Hi.\nP.S. more", "x\n p. s. y"], ["Hi", "Hi P.S. more", "Hi\nP.S."]),
    ("language", {"language": "de"}, ["Das ist ein kurzer Satz."], ["This is a short sentence."]),
    ("bullets", {"at_least": 2, "at_most": 2}, ["- a\n* b"], ["- a", "-a\n-b", "- a\n- b\n+ c"]),
    ("numbered", {"at_least": 2}, ["1. a\n2) b"], ["1 a\n2 b"]),
    ("highlights", {"at_least": 1}, ["so *much* of it", "**a b**"], ["a * b * c", "none", "**"]),
    ("title", {}, ["<<The Lamp>>\nIt"], ["<< >>", "<The Lamp>"]),
    ("sections", {"marker": "PART", "at_least": 2}, ["Part 1\na\nPart 2\nb"], ["Part\nPart 1"]),
    ("json", {}, ['{"a": 1}', "```json\n[1]\n```"], ["a: 1", "Sure: {}"]),
    ("quoted", {}, ['"all of it"', " “so” "], ['"half" of it', '""']),
    ("answers", {}, ["a ****** b"], ["a", "a****** a", "a******b******c"]),
    ("uppercase", {}, ["RED 5"], ["RED lamp", "5"]),
    ("lowercase", {}, ["red 5"], ["Red", "5"]),
    ("capital_words", {"at_least": 2}, ["A RED lamp"], ["A red lamp"]),
    ("without", {}, ["a b"], ["a, b"]),
    ("without", {"characters": "!?"}, ["a, b."], ["a?"]),
    ("starts", {"phrase": "Dear Bo"}, [" dear bo, x"], ["Hello, dear Bo"]),
    ("ends", {"phrase": "Any more?"}, ["x any more?", '"Any more?"'], ["More?"]),
    ("paragraph_starts", {"number": 2, "word": "Then"}, ["a\n\n*then* b"], ["Then", "a\n\nb then"]),
    ("repeats", {"phrase": "Say it."}, ["say it. I do."], ["I do.", "Say it."]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "kept", "broken"), BY_HAND)
def test_each_kind_by_hand(kind: str, settings: dict[str, Any], kept: list[str], broken: list[str]):
    for text in kept:
        assert keeps(text, kind, **settings), text
    for text in [*broken, "", " \n"]:
        assert not keeps(text, kind, **settings), text


def test_every_kind_is_tried_and_there_are_at_least_twenty():
    assert {kind for kind, *_ in BY_HAND} == set(KINDS)
    assert len(KINDS) >= 20


# -- against naive code ----------------------------------------------------------------------------

PIECES = ["lamp", "Lamp", "RED", "red", "a", "No", "yes", "3", "[x]", "*b*", ",", "."]
GAPS = [" ", " ", " ", "\n", "\n- ", "\n\n", "\n1. ", "! "]


def random_text(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) + rng.choice(GAPS) for _ in range(rng.randint(1, 14)))


def split_words(text: str) -> list[str]:
    """Words letter by letter; the random texts hold no apostrophes and no inner hyphens."""
    found = [""]
    for character in text:
        if character.isalnum():
            found[-1] += character
        elif found[-1]:
            found.append("")
    return [word for word in found if word]


def listed(text: str, marks: Callable[[str], bool]) -> int:
    heads = [line.split() for line in text.split("\n")]
    return sum(len(head) > 1 and marks(head[0]) for head in heads)


NAIVE: dict[str, Callable[[str], int]] = {
    "words": lambda t: len(split_words(t)),
    "lines": lambda t: sum(bool(line.strip()) for line in t.split("\n")),
    "characters": lambda t: len(t.strip()),
    "capital_words": lambda t: sum(w.upper() == w and w.lower() != w for w in split_words(t)),
    "bullets": lambda t: listed(t, lambda mark: mark in ("-", "*")),
    "numbered": lambda t: listed(t, lambda mark: mark == "1."),
    "placeholders": lambda t: t.count("[x]"),
    "highlights": lambda t: t.count("*b*"),
}


@pytest.mark.parametrize("kind", NAIVE)
def test_counts_agree_with_naive_code(kind: str):
    rng = random.Random(f"count {kind}")
    outcomes = {True: 0, False: 0}
    for _ in range(CASES):
        text, low = random_text(rng), rng.randrange(8)
        high = low + rng.randrange(8)
        same = low <= NAIVE[kind](text) <= high
        assert keeps(text, kind, at_least=low, at_most=high) == same, (text, low, high)
        outcomes[same] += 1
    assert min(outcomes.values()) > 20


def test_words_said_agree_with_naive_code():
    rng = random.Random("said")
    outcomes = {True: 0, False: 0}
    for _ in range(CASES):
        text, word = random_text(rng), rng.choice(["lamp", "red", "no", "yes", "b"])
        times = [w.lower() for w in split_words(text)].count(word)
        low = rng.randint(1, 2)
        assert keeps(text, "includes", words=[word], at_least=low) == (times >= low), (text, word)
        assert keeps(text, "excludes", words=[word]) == (times == 0), (text, word)
        signs = rng.choice([",", "!.", "*"])
        assert keeps(text, "without", characters=signs) == (not set(signs) & set(text))
        letter = text.lower().count(word[0])
        assert keeps(text, "letter", letter=word[0], at_least=low) == (letter >= low)
        outcomes[times >= low] += 1
    assert min(outcomes.values()) > 100


# -- the metric over them --------------------------------------------------------------------------

ASKED = [{"kind": "words", "at_most": 3}, {"kind": "lowercase"}, {"kind": "starts", "phrase": "a"}]


def test_strict_lenient_and_the_figures_of_ifeval():
    example = Example(id="e", meta={"constraints": ASKED})
    right, loose, half = (INSTRUCTIONS(example, t) for t in ("a b", "Sure:\na b", "a B c d"))
    assert (right.kind, right.value, right.forgiving) == ("correct", 1.0, 1.0)
    assert (loose.kind, loose.value, loose.forgiving) == ("wrong", 0.0, 1.0)
    assert (half.value, half.forgiving) == (0.0, 0.0)
    assert "4 words, wanted at most 3; is not in small letters" in half.feedback
    figures = INSTRUCTIONS.summary([example] * 3, [right, loose, half])
    assert figures == pytest.approx(
        {
            "prompt_strict": 1 / 3,
            "prompt_loose": 2 / 3,
            "instruction_strict": (3 + 1 + 1) / 9,
            "instruction_loose": (3 + 3 + 1) / 9,
        }
    )


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([], "no constraint to verify"),
        ("words", "not a list"),
        ([{"at_most": 3}], "has no kind"),
        ([{"kind": "word"}], "did you mean 'words'"),
        ([{"kind": "words", "most": 3}], "unknown setting 'most'"),
        ([{"kind": "words", "at_most": "few"}], "cannot be 'few'"),
        ([{"kind": "starts"}], "needs the setting 'phrase'"),
    ],
)
def test_constraints_that_cannot_be_verified_are_the_users_mistake(constraints: Any, says: str):
    with pytest.raises(InputError) as caught:
        INSTRUCTIONS(Example(id="row 7", meta={"constraints": constraints}), "x")
    assert says in str(caught.value) and "row 7" in str(caught.value)


def test_constraints_of_all_rows_and_those_that_a_target_shows():
    everyone = load(MetricSpec(name="instructions", options={"constraints": ASKED[:2]}))
    assert everyone(Example(id="e"), "a b c").value == 1.0
    assert everyone(Example(id="e"), "a b c d").value == 0.0
    shown = load(MetricSpec(name="instructions", options={"from_target": True}))
    target = "Here are some ways to be healthy every day and to sleep well at night:\n- eat\n- run"
    example = Example(id="e", target=target)
    assert shown(example, target).value == 1.0
    assert "bullet" in shown(example, "Eat well, run and sleep every day of the week.").feedback
    assert "language" in shown(example, "- Iss gut und\n- schlafe jede Nacht lange").feedback
    assert "words" in shown(example, f"{target}\n" + "- and so on\n" * 30).feedback
    json.dumps(dict(shown(example, target).parts))
