"""Word, PowerPoint and Excel files to text, their structure as Markdown has it.

Read by mammoth, python-pptx and openpyxl themselves: markitdown, which wraps them, needs pandas and
onnxruntime, and writes whole numbers as ``12.0`` and empty cells as ``NaN`` (docs/data.md).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, get_first_line
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.data.html_page import read_page

OFFICE_ENDINGS = (".docx", ".pptx", ".xlsx")
LONGEST = 120.0
"""Seconds that one file may take."""
UNPACKED = 512 << 20
"""Bytes of a file's parts once they are unpacked; large workbooks have a tenth of it."""

_GROUP = 6
"""What python-pptx calls a shape of shapes (``MSO_SHAPE_TYPE.GROUP``)."""


def read_office(path: Path) -> tuple[str, str]:
    """Text and title of a .docx, .pptx or .xlsx file.

    Headings, lists and tables stay what they are; slides are sections with their notes; a sheet is
    a section with a line for each row, each value with the name of its column. Values of formulas
    are those that were saved; pictures are left out. The title is the first heading.

    Raises:
        InputError: If the package that reads it is not installed, or the file is damaged, locked
            by a password, too large once unpacked, or takes too long.
    """
    place, ending = str(path), path.suffix.lower()
    _check_parts(path)
    read = {".docx": _read_word, ".pptx": _read_slides, ".xlsx": _read_workbook}[ending]
    try:
        text = call_within(LONGEST, read, path)
    except ImportError as error:
        name = "python-pptx" if error.name == "pptx" else error.name
        raise InputError(
            f"reading {ending} needs {name}, which is not installed",
            place=place,
            remedy="pip install 'whatworks[documents]', or convert it to .txt",
        ) from error
    except OutOfTime:
        raise InputError(
            f"it takes more than {LONGEST:g} s to read", place=place, remedy="split it"
        ) from None
    except InputError:
        raise
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise _make_damage_error(path, error) from error
    headings = (line.lstrip("#").strip() for line in text.split("\n") if line.startswith("#"))
    return text, next(headings, "")


def _check_parts(path: Path) -> None:
    """Refuse what is no packed file, and what unpacks to far more than it is."""
    try:
        with zipfile.ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _make_damage_error(path, error) from error
    if size > UNPACKED:
        raise InputError(
            f"its parts take more than {UNPACKED >> 20} MiB", place=str(path), remedy="split it"
        )


def _make_damage_error(path: Path, error: Exception) -> InputError:
    return InputError(
        f"cannot be read as {path.suffix.lower()}: {get_first_line(error)}",
        place=str(path),
        remedy="open it, take its password off if it has one, and save it again",
    )


def _read_word(path: Path) -> str:
    import mammoth

    with path.open("rb") as file:
        page: str = mammoth.convert_to_html(file, convert_image=_leave_out).value
    return read_page(page, str(path))[0]


def _leave_out(image: Any) -> list[Any]:
    del image
    return []


def _read_slides(path: Path) -> str:
    from pptx import Presentation

    sections: list[str] = []
    slides: Any = Presentation(str(path)).slides
    for number, slide in enumerate(slides, 1):
        title = slide.shapes.title
        name = title.text_frame.text.strip() if title is not None else ""
        lines = [f"## {' '.join(name.split()) or f'Slide {number}'}"]
        for shape in _list_shapes(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                lines += _read_shape(shape)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            lines += [f"Notes: {notes}"] if notes else []
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _list_shapes(shapes: Any) -> Iterator[Any]:
    pending = list(shapes)[::-1]
    while pending:
        shape = pending.pop()
        if shape.shape_type == _GROUP:
            pending.extend(list(shape.shapes)[::-1])
        else:
            yield shape


def _read_shape(shape: Any) -> list[str]:
    if shape.has_text_frame:
        texts = [paragraph.text.strip() for paragraph in shape.text_frame.paragraphs]
        return [f"- {text}" for text in texts if text]
    if getattr(shape, "has_table", False):
        rows = [[cell.text.strip() for cell in row.cells] for row in shape.table.rows]
        return _name_values(rows)
    return []


def _read_workbook(path: Path) -> str:
    from openpyxl import load_workbook

    # Read row by row; the sheet's own word on its size may be false.
    workbook: Any = load_workbook(path, read_only=True, data_only=True)
    sections: list[str] = []
    try:
        for sheet in workbook.worksheets:
            sheet.reset_dimensions()
            rows = ([_format_value(value) for value in row] for row in sheet.values)
            lines = _name_values([row for row in rows if any(row)])
            if lines:
                sections.append("\n".join([f"## {sheet.title}", *lines]))
    finally:
        workbook.close()
    return "\n\n".join(sections)


def _format_value(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and not any((value.hour, value.minute, value.second)):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else " ".join(str(value).split())


def _name_values(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row: its values, each with its column's name where a first row names them."""
    if not rows:
        return []
    header, *others = rows
    named = len(others) > 0 and all(header) and len(set(header)) == len(header) > 1
    if not named or any(len(row) > len(header) for row in others):
        return [" | ".join(filter(None, row)) for row in rows]
    return [
        " | ".join(f"{name}: {value}" for name, value in zip(header, row, strict=False) if value)
        for row in others
    ]
