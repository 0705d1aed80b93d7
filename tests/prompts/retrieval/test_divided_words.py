"""Words that narrow columns of a PDF divide: search finds each in both of its forms."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data import read_documents
from whatworks.data.task import Document, Example
from whatworks.metrics.normalise import is_contained
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import is_evidence, render
from whatworks.prompts.retrieval.chunking import chunk
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.hashed import HashedWords
from whatworks.prompts.retrieval.index import get_index
from whatworks.prompts.retrieval.recall import measure_recall
from whatworks.prompts.retrieval.words import list_forms, split_words

pypdf = pytest.importorskip("pypdf")
pytest.importorskip("bm25s")

FIRST = ("corvan", "maldi", "pertus", "solani", "tervo", "undari", "velmo", "wistan")
SECOND = ("dole", "gram", "nette", "rium", "stane", "tique")
PAIRS = [(a, b) for a in FIRST for b in SECOND]

# How a word stands in the PDF (its two halves) and how the row asks for it and wants it.
WAYS: dict[str, tuple[Callable[[str, str], tuple[str, str]], Callable[[str, str], str]]] = {
    "joined": (lambda a, b: (a, b), lambda a, b: a + b),
    "with its hyphen": (lambda a, b: (a, b), lambda a, b: f"{a}-{b}"),
    "a capital within": (lambda a, b: (a.title(), b.title()), lambda a, b: (a + b).title()),
    "a capital, hyphened": (lambda a, b: (a.title(), b.title()), lambda a, b: f"{a}-{b}"),
    "a number within": (lambda a, b: (a, f"{len(b)}{b}"), lambda a, b: f"{a}{len(b)}{b}"),
    "three parts": (lambda a, b: (f"{a}-ola", b), lambda a, b: f"{a}ola{b}"),
    "accents": (lambda a, b: (f"{a}é", f"ü{b}"), lambda a, b: f"{a}éü{b}"),
}


def write_columns(path: Path, pages: list[list[list[str]]]) -> None:
    """Pages of narrow columns of lines, drawn column by column."""
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font["/Encoding"] = "/WinAnsiEncoding"
    held = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    for columns in pages:
        page = writer.add_blank_page(400, 300)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(held)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        shown = "".join(
            f"BT /F1 9 Tf {20 + 120 * at} 280 Td "
            + " ".join(f"({line}) Tj 0 -12 Td" for line in lines)
            + " ET "
            for at, lines in enumerate(columns)
        )
        drawn = DecodedStreamObject()
        drawn.set_data(shown.encode("cp1252"))
        page[NameObject("/Contents")] = writer._add_object(drawn)
    with path.open("wb") as file:
        writer.write(file)


def write_case(folder: Path, way: str) -> list[Example]:
    """A PDF a word, divided within a column, at its end or at a page's end; a row for each."""
    halves, form = WAYS[way]
    rows: list[Example] = []
    for n, (a, b) in enumerate(PAIRS):
        first, second = halves(a, b)
        before, after = (
            ["The mill has a", f"wheel of {first}-"],
            [f"{second} that the", "miller turns."],
        )
        plain = ["It stands by the", "river and grinds", "rye for the town."]
        pages = (
            [[[*before, *after], plain]],
            [[[*plain, *before], [*after, *plain]]],
            [[plain, before], [after, plain]],
        )[n % 3]
        write_columns(folder / f"mill-{n}.pdf", pages)
        asked = form(a, b)
        question = {"question": f"What turns the {asked}?"}
        rows.append(Example(id=f"r{n}", inputs=question, target=asked, evidence=(f"mill-{n}",)))
    return rows


@pytest.mark.parametrize("way", WAYS)
def test_evidence_in_divided_words_is_found_for_all_rows(tmp_path: Path, way: str) -> None:
    rows = write_case(tmp_path, way)
    passages = chunk(read_documents(tmp_path))
    index = get_index(tuple(p.passage for p in passages), "lexical", "")
    best = [passages[index.search(row.text, 1)[0].position] for row in rows]
    assert measure_recall([[p.id] for p in best], [row.evidence for row in rows]) == 1.0
    assert all(is_evidence(p, row) for p, row in zip(best, rows, strict=True))
    assert all(is_contained(row.target, p.text) for p, row in zip(best, rows, strict=True))
    prompt = Prompt(context=Context(chunks=passages, k=1, search="lexical"))
    for row, passage in zip(rows, best, strict=True):
        assert passage.text in "".join(m.content for m in render(prompt, row, exclude=()).messages)


DIVIDED = (
    "capabili-\nties",
    "capabili- \n ties",
    "capabili\u2010\nties",
    "capabili\u00ad\nties",
    "capabili\u00adties",
    "CAPABILI-TIES",
)


@pytest.mark.parametrize("divided", DIVIDED)
def test_both_forms_of_a_word_are_searched(divided: str) -> None:
    pool = ("a mill by the river", f"the {divided} of it", "capa and ties")
    for query in ("capabilities", "capabili-ties", "Capabilities?"):
        assert get_index(pool, "lexical", "").search(query, 1)[0].position == 1
    assert get_index(("the capabilities", "a mill"), "lexical", "").search(divided, 1)


@pytest.mark.parametrize("divided", DIVIDED)
def test_hashed_vectors_have_both_forms_too(divided: str) -> None:
    pool = ("a mill by the river", f"the {divided} of it", "capa and ties", "a capable tiger")
    for query in ("capabilities", "capabili-ties", "Capabilities?"):
        assert get_index(pool, "vector", "lexical").search(query, 1)[0].position == 1
    [whole, parts] = Embedder("lexical", HashedWords()).embed(["capabilities", divided])
    assert float(whole @ parts) > 0.5


@pytest.mark.parametrize("way", WAYS)
def test_vectors_find_evidence_in_divided_words_for_all_rows(tmp_path: Path, way: str) -> None:
    rows = write_case(tmp_path, way)
    passages = chunk(read_documents(tmp_path))
    index = get_index(tuple(p.passage for p in passages), "vector", "lexical")
    best = [passages[index.search(row.text, 1)[0].position] for row in rows]
    assert measure_recall([[p.id] for p in best], [row.evidence for row in rows]) == 1.0


FORMS = {
    "a well-known man": ["wellknown"],
    "state-of-the-art": ["stateoftheart", "stateof", "ofthe", "theart"],
    "pages 10-20 of 2024-01-02": [],
    "home - and left": [],
    "covid-19": ["covid19"],
    "中well-known": ["wellknown"],
}


@pytest.mark.parametrize("text", FORMS)
def test_what_is_joined(text: str) -> None:
    assert list_forms(text) == [*split_words(text), *FORMS[text]]


@given(st.lists(st.text("abcdé", min_size=1, max_size=6), min_size=2, max_size=4))
def test_a_word_in_parts_shares_its_whole_form(parts: list[str]) -> None:
    assert "".join(parts) in list_forms("-".join(parts))
    assert "".join(parts) in list_forms("-\n".join(parts))


@pytest.mark.parametrize("text", ["a" * 200_000, "a-" * 100_000, "-" * 200_000, "a-\n" * 60_000,
                                  "a-" + " " * 200_000])  # fmt: skip
def test_forms_take_linear_time(text: str) -> None:
    begin = time.monotonic()
    list_forms(text)
    assert time.monotonic() - begin < 5


def test_a_document_of_text_is_searched_in_both_forms() -> None:
    documents = (
        Document(id="a", text="They use a water-\nwheel here."),
        Document(id="b", text="Rye."),
    )
    passages = chunk(documents)
    index = get_index(tuple(p.passage for p in passages), "lexical", "")
    assert passages[index.search("waterwheel", 1)[0].position].id == "a#0"
