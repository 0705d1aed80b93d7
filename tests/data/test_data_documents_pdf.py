"""PDF documents: their text and title; damaged, encrypted and empty ones say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data import read_documents, read_with_notes
from whatworks.data.pdf_text import join_divided

pypdf = pytest.importorskip("pypdf")


def write_pdf(path: Path, lines: list[str], *, password: str = "", title: str = "") -> None:
    """A page per line, drawn with the standard font."""
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for line in lines:
        page = writer.add_blank_page(300, 200)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 20 100 Td ({line}) Tj ET".encode() if line else b"")
        page[NameObject("/Contents")] = writer._add_object(drawn)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    with path.open("wb") as file:
        writer.write(file)


def test_text_and_title(tmp_path: Path) -> None:
    pages = ["Alma Reed lives in Porto.", "Bo Lund lives in Bergen."]
    write_pdf(tmp_path / "people.pdf", pages, title="People")
    (document,) = read_documents(tmp_path)
    assert document.id == "people" and document.title == "People"
    assert document.text == "\n\n".join(pages)


def test_what_cannot_be_read_names_the_file_and_a_remedy(tmp_path: Path) -> None:
    for name, said in (("broken", "cannot be read"), ("locked", "encrypted"), ("blank", "no text")):
        folder = tmp_path / name
        folder.mkdir()
        path = folder / f"{name}.pdf"
        if name == "broken":
            path.write_bytes(b"%PDF-1.7\nnothing more")
        elif name == "locked":
            write_pdf(path, ["A secret."], password="x")
        else:
            write_pdf(path, ["", ""])
        with pytest.raises(InputError, match=said) as caught:
            read_documents(folder)
        assert path.name in caught.value.place and caught.value.remedy


def write_lines(path: Path, pages: list[list[str]]) -> None:
    """Pages of several lines each, drawn from the top."""
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    held = DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()})
    for lines in pages:
        page = writer.add_blank_page(400, 300)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(held)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = DecodedStreamObject()
        shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
        drawn.set_data(f"BT /F1 12 Tf 20 280 Td {shown} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(drawn)
    with path.open("wb") as file:
        writer.write(file)


DIVIDED: dict[str, tuple[list[str], str]] = {
    "a word": (["The powerful capabili-", "ties of the mill."], "powerful capabilities of"),
    "of a known word": (["A shoemaker is a shoe-", "maker."], "a shoemaker."),
    "with its own hyphen": (["A well-known man, a well-", "known one."], "a well-known one."),
    "of two words": (["He is red or blue, red and blue: a red-", "blue one."], "a red-blue one."),
    "before a capital": (["They live in Bergen-", "Belsen now."], "Bergen-Belsen now."),
    "before a number": (["It was called covid-", "19 then."], "covid-19 then."),
    "a dash": (["They came home -", "and left."], "home -\nand left."),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_words_divided_at_the_end_of_a_line_are_whole(tmp_path: Path, name: str) -> None:
    lines, wanted = DIVIDED[name]
    write_lines(tmp_path / "a.pdf", [lines])
    (document,) = read_documents(tmp_path)
    assert wanted in document.text


def test_headers_and_footers_are_left_out(tmp_path: Path) -> None:
    pages = [["Handbook of mills", f"Mill {n} grinds rye.", f"Page {n}"] for n in range(1, 5)]
    write_lines(tmp_path / "a.pdf", pages)
    write_lines(tmp_path / "b.pdf", pages[:2])
    four, two = read_documents(tmp_path)
    assert four.text == "\n\n".join(f"Mill {n} grinds rye." for n in range(1, 5))
    assert two.text.count("Handbook of mills") == 2


@given(st.lists(st.text("abcde", min_size=2, max_size=9), min_size=1, max_size=8), st.data())
def test_a_division_within_a_word_is_undone(words: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(words) - 1))
    cut = data.draw(st.integers(1, len(words[at]) - 1))
    word = f"zz{words[at]}zz"
    said = [*words[:at], word, *words[at + 1 :]]
    halved = [*words[:at], f"{word[: cut + 2]}-\n{word[cut + 2 :]}", *words[at + 1 :]]
    assert join_divided(" ".join(halved)) == " ".join(said)


SOFT = {
    "in a line": ("the capa\u00adbilities", "the capabilities"),
    "at a line's end": ("the capa\u00ad\nbilities", "the capabilities"),
    "before a capital": ("the Mac\u00ad\nDonald", "the MacDonald"),
    "at a page's end": ("the capa-\n\nbilities", "the capabilities"),
    "in another script": ("это пере-\nвод книги", "это перевод книги"),
    "with accents": ("le ciné-\nésime", "le cinéésime"),
}


@pytest.mark.parametrize("name", SOFT)
def test_what_else_divides_words_is_undone(name: str) -> None:
    body, wanted = SOFT[name]
    assert join_divided(body) == wanted


SILENT = {
    "one of two": (["A mill.", ""], "1 of 2 pages (2)"),
    "the first": (["", "A mill."], "1 of 2 pages (1)"),
    "two of five": (["A.", "", "B.", "", "C."], "2 of 5 pages (2, 4)"),
    "all but one": (["", "", "A mill.", ""], "3 of 4 pages (1, 2, 4)"),
    "many": (["A mill.", *[""] * 22], f"22 of 23 pages ({', '.join(map(str, range(2, 22)))}, ...)"),
}


@pytest.mark.parametrize("name", SILENT)
def test_pages_without_text_are_named(tmp_path: Path, name: str) -> None:
    pages, said = SILENT[name]
    write_pdf(tmp_path / "scan.pdf", pages)
    found = read_with_notes(tmp_path)
    assert len(found.documents) == 1
    assert len(found.notes) == 1 and f"scan.pdf: no text on {said}" in found.notes[0]
    write_pdf(tmp_path / "scan.pdf", [page for page in pages if page])
    assert read_with_notes(tmp_path).notes == ()
