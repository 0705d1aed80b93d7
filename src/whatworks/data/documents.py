"""Documents for retrieval: a folder or file of text, Markdown, HTML, PDF, Office files or JSONL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.data import file_text as text
from whatworks.data.formats.base import as_text, find_value
from whatworks.data.html_page import read_page
from whatworks.data.office_files import OFFICE_ENDINGS, read_office
from whatworks.data.pdf_text import read_pdf
from whatworks.data.raw_rows import JSON_ENDINGS, TABLE_ENDINGS, TEXT_ENDINGS, read_rows
from whatworks.data.task import Document

LARGEST = 32 << 20
"""Bytes of one document's file; books have one or two million."""

_HTML_ENDINGS = (".html", ".htm")
_ROWS_ENDINGS = (*JSON_ENDINGS, *TABLE_ENDINGS, ".parquet")
_LISTED = 20
"""Most pages that a note names by their numbers."""
_TEXT_COLUMNS = ("text", "contents", "content", "body", "passage", "paragraph", "document")


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents, and ``notes`` on what of their files has no text, a line each."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...] = ()


def read_documents(path: Path) -> tuple[Document, ...]:
    """The documents of ``read_with_notes`` alone."""
    return read_with_notes(path).documents


def read_with_notes(path: Path) -> Documents:
    """The documents in a folder (with its subfolders) or in one file.

    A text, Markdown, HTML, PDF, .docx, .pptx or .xlsx file is one document; its id is its path in
    the folder without the ending, its title the first heading, or that of the HTML page or the PDF.
    A row of a JSONL, JSON, CSV or Parquet file is one document: columns ``text`` (or a like name),
    perhaps ``id`` and ``title``. Files and folders whose names begin with a dot are passed over.
    The pages of a PDF that have no text (scanned ones) are named in the notes.

    Raises:
        InputError: If nothing is there, a file is of a kind that cannot be read or has no text, is
            too large or takes too long, a PDF is damaged, encrypted, or holds pictures of text
            only, a row has no text, or two documents have the same id.
    """
    path = Path(path)
    notes: list[str] = []
    documents = tuple(_read_all(path, notes))
    if not documents:
        raise InputError(
            "the documents folder is empty" if path.is_dir() else "no documents in the file",
            place=str(path),
            remedy="put .txt, .md, .html, .pdf or .jsonl files there",
        )
    ids: set[str] = set()
    for document in documents:
        if document.id in ids:
            raise InputError(
                f"two documents have the id {document.id!r}",
                place=str(path),
                remedy="give every document an id or a file name of its own",
            )
        ids.add(document.id)
    return Documents(documents, tuple(notes))


def _read_all(path: Path, notes: list[str]) -> Iterator[Document]:
    if not path.is_dir():
        yield from _read_file(path, text.get_stem(path), notes)
        return
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield from _read_file(file, (inside.parent / text.get_stem(file)).as_posix(), notes)


def _read_file(path: Path, name: str, notes: list[str]) -> Iterator[Document]:
    ending = text.get_suffix(path)
    if ending in _ROWS_ENDINGS:
        yield from _read_from_rows(path)
        return
    if path.exists() and path.stat().st_size > LARGEST:
        raise InputError(
            f"a document of more than {LARGEST >> 20} MiB",
            place=str(path),
            remedy="split it, or move it out of the folder",
        )
    if ending in _HTML_ENDINGS:
        yield _make_document(name, *read_page(text.read_text(path), str(path)), path)
    elif ending in OFFICE_ENDINGS:
        yield _make_document(name, *read_office(path), path)
    elif ending == ".pdf" or text.read_head(path).startswith(b"%PDF-"):
        pdf = read_pdf(path)
        if pdf.silent:
            numbers = ", ".join(map(str, pdf.silent[:_LISTED]))
            more = ", ..." if len(pdf.silent) > _LISTED else ""
            notes.append(
                f"{path.name}: no text on {len(pdf.silent)} of {pdf.pages} pages "
                f"({numbers}{more}), blank or scanned: run text recognition (OCR) over them"
            )
        yield _make_document(name, pdf.text, pdf.title, path)
    elif ending in TEXT_ENDINGS or not ending:
        body = text.read_text(path)
        heading = body.lstrip().split("\n", 1)[0]
        title = heading.lstrip("#").strip() if heading.startswith("#") else ""
        yield _make_document(name, body, title, path)
    else:
        raise InputError(
            f"documents of the kind {ending} cannot be read",
            place=str(path),
            remedy="convert it to .txt, .md, .html, .pdf or .docx, or move it out of the folder",
        )


def _make_document(name: str, body: str, title: str, path: Path) -> Document:
    if not body.strip():
        raise InputError(
            "there is no text in the document", place=str(path), remedy="fill or remove it"
        )
    return Document(id=name, text=body.strip(), title=title)


def _read_from_rows(path: Path) -> Iterator[Document]:
    for row in read_rows(path):
        body = find_value(row.fields, *_TEXT_COLUMNS)
        if body is None or not as_text(body).strip():
            raise InputError(
                f"no text; columns: {', '.join(row.fields)}",
                place=row.place,
                remedy=f"the text of a document stands in a column {' or '.join(_TEXT_COLUMNS)}",
            )
        name = find_value(row.fields, "id", "_id", "doc_id", "docid")
        title = find_value(row.fields, "title", "name", "subject")
        yield Document(
            id=row.name if name is None else as_text(name),
            text=as_text(body).strip(),
            title="" if title is None else as_text(title),
        )
