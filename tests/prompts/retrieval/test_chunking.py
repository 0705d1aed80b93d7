"""Chunks: slices of their document, nothing lost, sentences whole."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data.task import Document
from whatworks.prompts.retrieval import chunk, measure_recall

prose = st.text(
    alphabet=st.sampled_from(list('ab .!?\n\t#-1AÉ。你好\u3000"…|')) | st.characters(codec="utf-8"),
    max_size=300,
)
sentences = st.lists(
    st.lists(st.sampled_from(["one", "two", "3.5", "Dr.", "e.g.", "four"]), min_size=1, max_size=9),
    min_size=1,
    max_size=12,
)


def texts(document: str, size: int, overlap: int = 0) -> list[str]:
    return [c.text for c in chunk([Document(id="d", text=document)], size=size, overlap=overlap)]


@settings(deadline=None, max_examples=60)
@given(prose, st.integers(1, 30))
def test_every_character_is_in_some_chunk_once_and_in_order(document: str, size: int) -> None:
    chunks = texts(document, size)
    assert "".join("".join(chunks).split()) == "".join(document.split())
    assert all(piece in document and piece.strip() == piece != "" for piece in chunks)


@settings(deadline=None, max_examples=40)
@given(sentences, st.integers(1, 30), st.booleans())
def test_every_word_is_there_in_order(lines: list[list[str]], size: int, blank: bool) -> None:
    document = ("\n\n" if blank else " ").join(f"Start {' '.join(line)} end." for line in lines)
    chunks = texts(document, size)
    assert " ".join(chunks).split() == document.split()
    assert all(len(piece.split()) <= size for piece in chunks)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=25), st.integers(2, 20), st.data())
def test_overlap_repeats_as_many_whole_sentences_as_fit(
    lengths: list[int], size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    lengths = [min(length, size) for length in lengths]
    written = [" ".join([f"S{i}"] * n) + "." for i, n in enumerate(lengths)]
    previous = -1  # the last sentence of the chunk before
    for piece in texts(" ".join(written), size, overlap):
        shown = [int(part.split()[0].strip("S.")) for part in piece.split(". ")]
        assert piece == " ".join(written[shown[0] : shown[-1] + 1])
        assert shown[0] <= previous + 1 <= shown[-1]
        repeated = sum(lengths[shown[0] : previous + 1])
        assert repeated <= overlap
        if shown[0] > 0:  # one sentence more would be too long a repetition, or a chunk too full
            more = lengths[shown[0] - 1]
            new = lengths[previous + 1]
            assert repeated + more > overlap or repeated + more + new > size
        previous = shown[-1]
    assert previous == len(lengths) - 1


def test_sentences_stay_whole_unless_longer_than_a_chunk() -> None:
    mixed = "One two three four. Dr. Who met J. Smith at 3.5 p.m. there! Was it so? Yes."
    assert texts(mixed, 9) == [
        "One two three four.",
        "Dr. Who met J. Smith at 3.5 p.m. there!",
        "Was it so? Yes.",
    ]
    assert texts("a b c d e f g. Then two.", 3) == ["a b c", "d e f", "g. Then two."]
    assert texts("今天很好。我们去公园。", 6) == ["今天很好。", "我们去公园。"]


def test_chunks_end_at_paragraphs_and_headings_lead() -> None:
    document = "A b c d. E f g h.\n\nI j k l. M n o p. Q r s t.\n\n# Title\n\nU v w x. Y z."
    assert texts(document, 12) == [
        "A b c d. E f g h.",
        "I j k l. M n o p. Q r s t.",
        "# Title\n\nU v w x. Y z.",
    ]


def test_a_list_is_cut_between_its_items() -> None:
    document = "Steps to take:\n- open the box\n- take the card\n- sign it"
    assert texts(document, 8) == ["Steps to take:\n- open the box", "- take the card\n- sign it"]


def test_overlap_starts_with_the_last_sentences_before() -> None:
    document = "A b c. D e. F g h. I j k."
    assert texts(document, 6, overlap=2) == ["A b c. D e.", "D e. F g h.", "I j k."]
    assert texts(document, 6, overlap=3)[1:] == ["D e. F g h.", "F g h. I j k."]


def test_ids_titles_and_empty_documents() -> None:
    made = chunk(
        [
            Document(id="a#x", text="One two. Three four.", title="T"),
            Document(id="none", text=" \n\n "),
            Document(id="b", text="Five."),
        ],
        size=2,
    )
    assert [(c.id, c.title, c.text) for c in made] == [
        ("a#x#0", "T", "One two."),
        ("a#x#1", "T", "Three four."),
        ("b#0", "", "Five."),
    ]
    assert chunk([]) == ()


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (5, 5), (5, -1)])
def test_impossible_sizes_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(InputError, match="cannot be cut"):
        chunk([Document(id="d", text="x")], size=size, overlap=overlap)


def test_recall_counts_chunks_for_their_document() -> None:
    assert measure_recall([["a#0", "b#3"]], [["a"]]) == 1
    assert measure_recall([["a#0", "a#1"]], [["a", "b"]]) == 0.5
    assert measure_recall([["a#0"], ["c"], ["x"]], [["a#0"], ["a"], []]) == 0.5
    assert measure_recall([["page#top#2"]], [["page#top"]]) == 1
    assert measure_recall([["page#top"]], [["page"]]) == 0
    assert measure_recall([["a"]], [["a", "a"]]) == 1
    assert math.isnan(measure_recall([["a"]], [[]]))
    with pytest.raises(ValueError, match="zip"):
        measure_recall([["a"]], [])
