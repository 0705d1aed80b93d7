"""Word, PowerPoint and Excel files, each written by the usual library for them."""

from __future__ import annotations

import sys
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data import office_files, read_documents


@pytest.fixture
def word(tmp_path: Path) -> Path:
    docx = pytest.importorskip("docx")
    pytest.importorskip("mammoth")
    document: Any = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.add_heading("Leave policy", 1)
    line = document.add_paragraph("Every employee has ")
    line.add_run("27 days").bold = True
    line.add_run(" of leave.")
    document.add_heading("Carrying over", 2)
    for text in ("At most 5 days.", "They lapse on 31 March."):
        document.add_paragraph(text, style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for at, text in enumerate(("Grade", "Days", "Senior", "30")):
        table.cell(at // 2, at % 2).text = text
    path = tmp_path / "policy.docx"
    document.save(str(path))
    return path


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    pptx = pytest.importorskip("pptx")
    deck: Any = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Quarter 3"
    first.placeholders[1].text = "Revenue rose by 12%\nChurn fell to 3%"
    first.notes_slide.notes_text_frame.text = "Thank the team."
    second = deck.slides.add_slide(deck.slide_layouts[6])  # a blank one, with a group of shapes
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 100, 100).text_frame.text = "Within a group"
    table = second.shapes.add_table(3, 2, 0, 0, 3_000_000, 800_000).table
    for at, text in enumerate(("Plan", "Price", "Basic", "9 EUR", "Team", "29 EUR")):
        table.cell(at // 2, at % 2).text = text
    path = tmp_path / "deck.pptx"
    deck.save(str(path))
    return path


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book: Any = openpyxl.Workbook()
    parts = book.active
    parts.title = "Parts"
    for row in (
        ("part", "stock", "since"),
        ("lamp", 12.0, datetime(2024, 3, 1)),
        ("bolt", None, 0.5),
    ):
        parts.append(row)
    book.create_sheet("Empty")
    book.create_sheet("Notes")["B2"] = "Order in lots of 10."
    path = tmp_path / "stock.xlsx"
    book.save(path)
    return path


def test_a_word_file_keeps_its_headings_lists_and_tables(word: Path) -> None:
    (document,) = read_documents(word.parent)
    assert (document.id, document.title) == ("policy", "Leave policy")
    lines = [line for line in document.text.splitlines() if line.strip()]
    assert lines[:5] == [
        "# Leave policy",
        "Every employee has 27 days of leave.",
        "## Carrying over",
        "- At most 5 days.",
        "- They lapse on 31 March.",
    ]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[5:]]
    assert rows == [["Grade", "Days"], ["Senior", "30"]]


def test_slides_are_sections_with_their_notes(slides: Path) -> None:
    (document,) = read_documents(slides)
    assert document.title == "Quarter 3"
    assert document.text == (
        "## Quarter 3\n- Revenue rose by 12%\n- Churn fell to 3%\nNotes: Thank the team.\n\n"
        "## Slide 2\n- Within a group\nPlan: Basic | Price: 9 EUR\nPlan: Team | Price: 29 EUR"
    )


def test_a_row_of_a_sheet_says_what_its_values_are(workbook: Path) -> None:
    (document,) = read_documents(workbook)
    assert document.text == (
        "## Parts\npart: lamp | stock: 12 | since: 2024-03-01\npart: bolt | since: 0.5\n\n"
        "## Notes\nOrder in lots of 10."
    )


def test_a_sheet_that_lies_about_its_size_is_read_row_by_row(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as parts:
        texts = {name: parts.read(name) for name in parts.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<dimension ref="A1:C3"' in texts[sheet]
    texts[sheet] = texts[sheet].replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"')
    with zipfile.ZipFile(workbook, "w") as parts:
        for name, content in texts.items():
            parts.writestr(name, content)
    (document,) = read_documents(workbook)
    assert "part: lamp | stock: 12" in document.text and len(document.text) < 200


@pytest.mark.parametrize("ending", office_files.OFFICE_ENDINGS)
def test_what_is_damaged_or_locked_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{ending}"
    for content in (b"", b"no zip", b"\xd0\xcf\x11\xe0" + b"\0" * 600):  # the last: an old kind
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"cannot be read as {ending}") as caught:
            read_documents(path)
        assert caught.value.place == str(path) and "password" in caught.value.remedy
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("word/document.xml", "<w:document/>")
    with pytest.raises(InputError) as caught:
        read_documents(path)
    assert caught.value.remedy


def test_a_file_that_unpacks_to_far_more_than_it_is_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(office_files, "UNPACKED", 1 << 20)
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("word/document.xml", " " * (2 << 20))
    with pytest.raises(InputError, match="take more than 1 MiB"):
        read_documents(path)


BOMB = "<!DOCTYPE a [" + '<!ENTITY e0 "lol">' + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)
) + "]>"  # fmt: skip


def test_entities_that_grow_without_end_are_refused(word: Path) -> None:
    with zipfile.ZipFile(word) as parts:
        texts = {name: parts.read(name) for name in parts.namelist()}
    body = texts["word/document.xml"].decode()
    body = body.replace("?>", f"?>{BOMB}", 1).replace("They lapse", "&e9; lapse")
    with zipfile.ZipFile(word, "w") as parts:
        for name, content in {**texts, "word/document.xml": body.encode()}.items():
            parts.writestr(name, content)
    with pytest.raises(InputError, match="cannot be read as"):
        read_documents(word)


@pytest.mark.parametrize(
    ("ending", "module", "name"),
    [(".docx", "mammoth", "mammoth"), (".pptx", "pptx", "python-pptx"),
     (".xlsx", "openpyxl", "openpyxl")],
)  # fmt: skip
def test_a_package_that_is_not_there_is_named(
    ending: str, module: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / f"file{ending}"
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("any", "")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"reading {ending} needs {name}") as caught:
        read_documents(path)
    assert "whatworks[documents]" in caught.value.remedy


def test_one_that_takes_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def read(path: Path) -> str:
        while path:
            pass
        return ""

    monkeypatch.setattr(office_files, "LONGEST", 0.2)
    monkeypatch.setattr(office_files, "_read_word", read)
    path = tmp_path / "slow.docx"
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("any", "")
    with pytest.raises(InputError, match="it takes more than"):
        read_documents(path)
