"""PDF documents: their text and title; damaged, encrypted and empty ones say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatworks.base.errors import InputError
from whatworks.data import read_documents

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
