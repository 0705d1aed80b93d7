"""Style: the classifier, the language models, the content, and where their text comes from."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.character_model import END, START, CharacterModel
from whatworks.metrics.names_and_numbers import find_entities
from whatworks.metrics.registry import load, load_task_metric
from whatworks.metrics.style import Measure, cut
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

CASES = 1_000
JOBS = ("baker", "miller", "welder", "poet", "nurse")
TOWNS = ("Branport", "Halstead", "Meldoham", "Pasford")
PLAIN = [
    f"{n} works as a {job} in {town}." for n in ("Ada", "Otto") for job in JOBS for town in TOWNS
]
GRAND = [
    f"Hear, good people: in {town} {n} doth labour as a {job}."
    for n in ("Vera", "Karl")
    for job in JOBS
    for town in TOWNS
]  # fmt: skip
OPTIONS = {"wanted": GRAND, "others": PLAIN, "embedder": "lexical"}
STYLE = load(MetricSpec(name="style", options=OPTIONS))
ROW = Example(
    id="e",
    inputs={"text": "Dora Berran works as a tailor in Sorwick."},
    target="Hear, good people: in Sorwick Dora Berran doth labour as a tailor.",
)


def test_style_and_content_are_both_needed():
    target = STYLE(ROW, ROW.target)
    assert target.kind == "correct" and target.parts["entities"] == 1.0
    plain = STYLE(ROW, ROW.text)
    assert plain.value == 0.0 and plain.forgiving > 0.0
    assert "does not sound" in plain.feedback
    other = STYLE(ROW, "Hear, good people: in Pasford Otto Lind doth labour as a poet.")
    assert other.parts["style"] == 1.0 and other.parts["entities"] == 0.0
    near = STYLE(ROW, "Hear, good people: Dora Berran doth labour in Sorwick as a poet.")
    assert near.parts["entities"] == 1.0
    assert 0.0 < other.value < near.value < 1.0
    assert "leaves out 'Sorwick'" in other.feedback
    assert target.parts["gap"] > 0 > plain.parts["gap"]


def test_what_the_content_is_measured_by():
    blank = ROW.replace(target="")
    with pytest.raises(InputError, match="no target"):
        STYLE(blank, "x")
    alone = load(MetricSpec(name="style", options={**OPTIONS, "content": "none"}))
    assert alone(blank, GRAND[0]).value == 1.0 and alone(blank, PLAIN[0]).value == 0.0
    by_input = load(MetricSpec(name="style", options={**OPTIONS, "content": "input"}))
    score = by_input(blank, ROW.target)
    assert score.parts["entities"] == 1.0 and 0.3 < score.parts["similarity"] < 1.0


def test_the_classifier_is_measured_on_text_that_it_has_not_seen():
    assert Measure(cut(GRAND), cut(PLAIN)).accuracy == 1.0
    rng = random.Random(0)
    mixed = rng.sample([*GRAND, *PLAIN], len(GRAND) + len(PLAIN))
    coin = Measure(cut(mixed[::2]), cut(mixed[1::2])).accuracy
    assert 0.15 < coin < 0.85
    figures = STYLE.summary([ROW], [STYLE(ROW, ROW.target)])
    assert figures["classifier_accuracy"] == 1.0 and figures["gap"] > 0


def test_too_little_text_is_said():
    few = load(MetricSpec(name="style", options={"wanted": ["a"], "others": PLAIN}))
    with pytest.raises(InputError, match="1 pieces of text in the style 'wanted' are too few"):
        few(ROW, "x")


def test_reference_text_is_cut_into_pieces_of_like_length():
    pieces = cut(["word " * 70, "short one", " "])
    assert [len(piece.split()) for piece in pieces] == [30, 30, 10, 2]
    assert cut(pieces) == pieces
    many = cut(["a"] * 10_000)
    assert len(many) <= 3_000 and cut(many) == many


def test_a_study_sets_rows_aside_or_names_files_beside_it(tmp_path: Path):
    pairs = zip(PLAIN, GRAND, strict=True)
    rows = "".join(json.dumps({"input": p, "target": g}) + "\n" for p, g in pairs)
    (tmp_path / "rows.jsonl").write_text(rows)
    (tmp_path / "others.txt").write_text("\n\n".join(f"{p} {p}" * 12 for p in PLAIN))
    study = {
        "task": {
            "train": "rows.jsonl",
            "metric": "style",
            "split": {"dev": 4, "test": 4, "aside": 25},
        },
        "arms": ["zero-shot"],
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    task = read_task(read_study(path), tmp_path)
    assert [len(task.splits.train), len(task.aside)] == [7, 25]
    seen = {e.id for part in (task.splits.train, task.splits.dev, task.splits.test) for e in part}
    assert not seen & {e.id for e in task.aside}
    assert load_task_metric(task)(task.splits.test[0], task.splits.test[0].target).value == 1.0
    study["task"]["metric"] = {"style": {"others": "others.txt"}}
    path.write_text(yaml.safe_dump(study))
    task = read_task(read_study(path), tmp_path)
    assert task.metric.options["others"] == str(tmp_path / "others.txt")
    assert load_task_metric(task)(task.splits.test[0], task.splits.test[0].target).value == 1.0


@pytest.mark.parametrize(
    ("text", "beside", "found"),
    [
        ("Dora Berran lives in Branport.", "", ["Berran", "Branport"]),
        ("Dora lives here.", "I met Dora.", ["Dora"]),
        ("The order W557 costs 40.", "", ["W557", "40"]),
        ("Hear! The lamp.", "", []),
    ],
)
def test_entities_by_hand(text: str, beside: str, found: list[str]):
    assert find_entities(text, beside) == found


# -- the language model ----------------------------------------------------------------------------


def naive(texts: list[str], order: int, character: str, context: str) -> float:
    """Interpolated Kneser-Ney as the papers define it, counted anew from lists of n-grams."""
    grams = [
        padded[end - order + 1 : end + 1]
        for padded in (START * (order - 1) + text + END for text in texts)
        for end in range(order - 1, len(padded))
    ]
    vocabulary = {END, *"".join(texts)}
    levels = [Counter(grams)]
    for _ in range(order - 1):
        # Continuation counts: in how many different longer n-grams each n-gram is the end.
        levels.append(Counter(gram[1:] for gram in levels[-1]))
    history = (START * (order - 1) + context)[len(context) :]

    def level(n: int) -> float:
        if n == 0:
            return 1 / (len(vocabulary) + 1)
        counts = levels[order - n]
        once, twice = (sum(c == k for c in counts.values()) for k in (1, 2))
        discount = min(0.95, max(0.05, once / (once + 2 * twice) if once else 0.0))
        ending = history[len(history) - n + 1 :]
        total = sum(c for gram, c in counts.items() if gram[:-1] == ending)
        if not total:
            return level(n - 1)
        kinds = sum(gram[:-1] == ending for gram in counts)
        own = max(counts[ending + character] - discount, 0) / total
        return own + discount * kinds / total * level(n - 1)

    return level(order)


def test_probabilities_agree_with_the_definition():
    rng = random.Random(5)
    for _ in range(CASES // 10):
        texts = [
            "".join(rng.choices("abc ", k=rng.randint(1, 9))) for _ in range(rng.randint(1, 6))
        ]
        order = rng.randint(1, 4)
        model = CharacterModel(texts, order)
        for _ in range(10):
            context = "".join(rng.choices("abcd ", k=rng.randrange(5)))
            character = rng.choice(["a", "b", "c", " ", END, "z"])
            wanted = naive(texts, order, character, context)
            assert model.probability(character, context) == pytest.approx(wanted), (texts, context)


def test_probabilities_add_up_to_one_and_bits_are_their_logarithm():
    model = CharacterModel(PLAIN)
    for context in ("", "Ada ", "zzz", "works as a "):
        total = sum(model.probability(c, context) for c in model.characters)
        assert total + model.probability("\0", context) == pytest.approx(1.0)
    text, bits = "Ada", 0.0
    for i, character in enumerate([*text, END]):
        bits -= math.log2(model.probability(character, text[:i]))
    assert model.bits(text) == pytest.approx(bits / 4)
    assert model.bits("Ada works as a poet in Pasford.") < 1 < model.bits("Qxy zzk!")
