"""The shipped weights: checked by their sums, and able to do what they are for."""

from __future__ import annotations

import random
import shutil

import pytest

import whatworks_lab as lab
from whatworks.models import embedded as shipped
from whatworks_lab import chores, gates, items


@pytest.fixture(scope="module")
def model():
    return gates.load("lab")


def test_lab_is_lab_base():
    assert lab.find_weights("lab") == lab.find_weights("lab-base")


def test_weights_are_small():
    size = sum(path.stat().st_size for path in lab.find_weights("lab").iterdir())
    assert size < 40e6


def test_an_unknown_name_says_which_exist():
    with pytest.raises(lab.WeightsError, match="lab-base"):
        lab.find_weights("lab-huge")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_changed_weights_are_refused(tmp_path, file: str):
    folder = tmp_path / "lab-base"
    shutil.copytree(lab.find_weights("lab"), folder)
    assert shipped.find_weights("lab", tmp_path) == folder
    with (folder / file).open("ab") as stream:
        stream.write(b" ")
    shipped._verify.cache_clear()
    with pytest.raises(lab.WeightsError, match="SHA-256"):
        shipped.find_weights("lab", tmp_path)


def test_publish_replaces_a_folder_whole(tmp_path):
    trained = tmp_path / "trained"
    shutil.copytree(lab.find_weights("lab"), trained, ignore=shutil.ignore_patterns("*.md"))
    tmp_path = tmp_path / "package"
    first = shipped.publish(trained, "lab-base", tmp_path)
    (first / "README.md").write_text("card")
    again = shipped.publish(trained, "lab-base", tmp_path)
    assert again == first and (again / "README.md").read_text() == "card"
    assert shipped.find_weights("lab", tmp_path) == again
    assert [path.name for path in tmp_path.iterdir()] == ["lab-base"]


def test_it_reads(model):
    assert model.share_right(items.make_reading_items(48, 4)) > 0.6


def test_it_follows_the_passage_against_memory(model):
    assert model.share_right(items.make_against_items(48)) > 0.6


def test_it_recalls_whom_it_has_often_read_about(model):
    people = lab.build_world().people[:100]
    assert model.share_right(items.make_recall_items(people, 48)) > 0.6


def test_it_does_not_know_notations_without_demonstrations(model):
    assert model.share_right(items.make_format_items(24, 0), 48) < 0.15


def test_it_admits_not_knowing_where_allowed(model):
    assert model.share_right(items.make_unknown_items(48)) > 0.6


def test_the_chat_model_follows_more_instructions(model):
    rng = random.Random("shipped chat")
    docs = [chores.write_chore_doc(rng, lab.build_world()) for _ in range(64)]
    asked = [
        items.GateItem(
            tuple({"role": turn.role, "content": turn.text} for turn in doc.turns[:-1]),
            doc.turns[-1].text,
        )
        for doc in docs
    ]
    assert gates.load("lab-chat").share_right(asked, 32) > model.share_right(asked, 32) + 0.05


def test_juliet_loves_romeo(model):
    asked = items.make_prompt(items.ANSWER, [], "Who does Juliet love?")
    assert model.answers([items.GateItem(asked, "Romeo")]) == ["Romeo"]
