"""The world and the study rows: the same every time, and true to their own ground truth."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections import Counter

import pytest

import whatworks_lab as lab
from whatworks_lab import corpus, formats, frames, labels, reading
from whatworks_lab.world import is_held_out_name

# Words of the studies' notations that the training text must not contain.
HELD_OUT_WORDS = (
    *formats.HELD_OUT_KEYS, "genres", "platforms", "judgement", "impairment", "reference",
)  # fmt: skip


def test_world_is_the_same_every_time():
    code = (
        "import whatworks_lab as lab;"
        "print([(p.name, p.attributes) for p in lab.build_world().people])"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": str(number), "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for number in (1, 2)
    }  # fmt: skip
    assert len(texts) == 1 and next(iter(texts))


def test_importing_the_lab_imports_nothing_heavy():
    code = "import sys, whatworks_lab as lab; lab.build_world(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_world_has_the_promised_size():
    world = lab.build_world()
    assert len(world.people) == 1000
    assert len({person.name for person in world.people}) == 1000
    assert all(len(person.attributes) == 5 for person in world.people)
    asked = sum(person.questions_trained for person in world.people)
    assert asked == pytest.approx(500, abs=5)
    exposures = [person.exposure for person in world.people]
    assert exposures == sorted(exposures, reverse=True)
    assert all(len(relation.statements) >= 20 for relation in world.relations)


def test_every_sentence_says_its_fact():
    for fact in lab.build_world().facts:
        assert fact.statements and fact.questions
        for text in fact.statements:
            assert fact.subject in text
            assert fact.object.split()[-1].lower() in text.lower()
        if not fact.id.startswith("play"):
            assert all(fact.subject in text for text in fact.questions)
            assert all("{" not in text for text in fact.statements + fact.questions)


def test_fact_ids_are_unique():
    ids = [fact.id for fact in lab.build_world().facts]
    assert len(ids) == len(set(ids))


def test_juliet_loves_romeo():
    loves = next(fact for fact in lab.build_world().play_facts if fact.id == "play-loves")
    assert (loves.subject, loves.object) == ("Juliet", "Romeo")
    assert loves.reverse_questions
    assert sum("Romeo" in line for line in lab.build_world().play) > 15


def test_unknown_names_are_unknown():
    world = lab.build_world()
    found = world.unknown_names(200)
    assert found == world.unknown_names(200)
    assert not {name.split()[-1] for name in found} & world.surnames


def documents(count: int = 1500, progress: float = 0.9) -> list[str]:
    return [doc.plain for doc in itertools.islice(corpus.stream(0, 1, progress), count)]


def test_stream_repeats_itself():
    assert documents(200) == documents(200)
    first, second = documents(50), [
        doc.plain for doc in itertools.islice(corpus.stream(0, 2, 0.9), 50)
    ]  # fmt: skip
    assert first != second


def test_training_never_writes_held_out_material():
    everything = "\n".join(documents())
    words = set(everything.lower().replace("[", " ").replace("(", " ").split())
    for name in lab.build_world().unknown_names(300):
        assert name not in everything
        assert corpus.has_held_out_name(f"Ask {name}, please.", lab.build_world())
    assert not corpus.has_held_out_name(everything, lab.build_world())
    for person in lab.build_world().people:
        assert not corpus.has_held_out_name(person.name, lab.build_world())
    for word in HELD_OUT_WORDS:
        assert word not in words, word
    for topic in labels.HELD_OUT_TOPICS:
        assert topic.label not in everything
        assert all(phrase not in everything for phrase in topic.phrases)


@pytest.mark.parametrize("family", formats.HELD_OUT_FAMILIES)
def test_held_out_families_are_not_in_the_mixture(family: str):
    assert family not in (*formats.NAMED_FAMILIES, "free")
    rng = random.Random(3)
    targets = {t for _ in range(50) for _, t in formats.draw_format_pairs(rng, family, 2)}
    everything = "\n".join(documents())
    assert not [target for target in targets if target in everything]


def test_free_notations_never_compose_a_held_out_family():
    rng = random.Random(4)
    frame = frames.list_training_frames()[0]
    shapes = set()
    for _ in range(4000):
        notation = formats.draw_notation(rng, frame, "free")
        made = notation.write([("k", "v"), ("q", "w")])
        shapes.add(made.replace(notation.act, "act"))
        assert "k[v]" not in made and "(k v)" not in made and "->" not in made
        assert "v > q" not in made and "v > k" not in made
    assert len(shapes) > 2000


def test_people_without_trained_questions_are_never_asked_about_by_heart():
    unasked = {p.name for p in lab.build_world().people if not p.questions_trained}
    for doc in itertools.islice(corpus.stream(0, 1, 0.9), 3000):
        if doc.kind == "question":
            assert not [name for name in unasked if name in doc.plain]


def test_mixture_has_every_kind():
    kinds = Counter(doc.kind for doc in itertools.islice(corpus.stream(0, 1, 0.9), 2000))
    assert set(kinds) == set(corpus.SHARES) - {"english"}


def test_passages_hold_their_answers():
    rng, world = random.Random(5), lab.build_world()
    for _ in range(200):
        passage = reading.make_passage(rng, world, rng.choice((1, 4, 12)), reading.draw_held_name)
        assert len({(f.name, f.relation.id) for f in passage.facts}) == len(passage.facts)
        for fact in passage.facts:
            assert fact.value.lower() in passage.block.lower()
            assert fact.text in passage.block
        assert passage.block.endswith("\n\n")


@pytest.mark.parametrize("rows", [lab.make_mr_rows, lab.make_json_rows, lab.make_category_rows])
def test_study_rows(rows):
    found = rows(300, 3)
    assert found == rows(300, 3) and found != rows(300, 4)
    assert len({row["input"] for row in found}) == len({row["id"] for row in found}) == 300
    assert all(row["target"] for row in found)


def test_mr_rows_name_what_the_sentence_says():
    for row in lab.make_mr_rows(100, 1):
        inside = row["target"].split("(", 1)[1][:-1]
        values = [part.split("[")[1].rstrip("]") for part in inside.split(", ")]
        assert all(value.lower() in row["input"].lower() for value in values)


def test_json_rows_are_json():
    for row in lab.make_json_rows(100, 1):
        assert all(v.lower() in row["input"].lower() for v in json.loads(row["target"]).values())


@pytest.mark.parametrize("overlap", [False, True])
def test_facts_rows(overlap: bool):
    rows, documents = lab.make_facts_rows(60, 2, overlap=overlap)
    texts = {document["id"]: document["text"] for document in documents}
    assert len(rows) == 60
    for row in rows:
        assert all(row["target"].lower() in texts[d].lower() for d in row["evidence"])
        assert is_held_out_name(row["group"]) and row["group"] in row["input"]
    people = {
        split: {row["group"] for row in rows if row["split"] == split}
        for split in ("train", "test")
    }
    assert people["test"]
    assert bool(people["train"] & people["test"]) is overlap
