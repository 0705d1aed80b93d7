"""Documents that made parsers and the chunker hang: read, or refused by name, in seconds."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data import documents as reader
from whatworks.data import pdf_text, read_documents
from whatworks.data.html_page import read_page
from whatworks.data.task import Document
from whatworks.prompts.retrieval.chunking import chunk

MANY = 100_000


@contextmanager
def within(seconds: float) -> Generator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < seconds


@pytest.mark.parametrize(
    "part",
    [
        "\n", " \n", ".", "...\n", "a\n", "\n ", "\n\n ", ".\"", "。", "!?", "\n1", "1", " ", ". ",
        "\n" + " " * 99, "A. ", "- ", "\n-", "#", "e.g. ", ")", ".)", "\t", "\r\n", "\u00a0\n",
    ],
)  # fmt: skip
def test_chunks_of_one_sign_without_end(part: str) -> None:
    text = "a" + part * (MANY // len(part)) + "b"
    with within(3.0):
        chunks = chunk([Document(id="d", text=text)])
    assert "".join(c.text for c in chunks).replace(" ", "").startswith("a")
    assert chunks[-1].text.endswith("b")


@given(text=st.text(alphabet=".!?\"') \n\t-#*1aA。」…", max_size=60))
def test_chunks_keep_every_sign(text: str) -> None:
    whole = "".join(c.text for c in chunk([Document(id="d", text=text)], size=3))
    assert "".join(whole.split()) == "".join(text.split())


@pytest.mark.parametrize(
    "part",
    ["<!--", "<a ", "<a b", "<!", "</", "&", "<?", "<![CDATA[", "<a b='", "<div>", "<table><tr>",
     "<li>", "<b>", "</p>", "&#", "<script>", "<title>", "<svg>", "<p", "\0", "<template>"],
)  # fmt: skip
def test_pages_of_one_tag_without_end(tmp_path: Path, part: str) -> None:
    path = tmp_path / "page.html"
    path.write_text("<p>The text.</p>" + part * (MANY // len(part)), encoding="utf-8")
    with within(5.0):
        try:
            text = read_documents(path)[0].text
        except InputError as error:
            assert "binary" in str(error) and part == "\0"
        else:
            assert text.startswith("The text.")


def test_what_stands_deep_inside_is_kept() -> None:
    text, title = read_page("<title>A</title>" + "<div>" * 5000 + "deep" + "</div>" * 5000, "")
    assert (text.strip(), title) == ("deep", "A")


@given(page=st.text(alphabet="<>/!-abphrtdul=\"'& \n;#", max_size=80))
def test_any_page_has_a_text(page: str) -> None:
    text, title = read_page(page, "")
    assert "\n\n\n" not in text and isinstance(title, str)


def test_what_is_too_large_is_named(tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_text("So it is.")
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(reader.LARGEST + 1)
    with pytest.raises(InputError, match="more than 32 MiB") as caught:
        read_documents(tmp_path)
    assert caught.value.place == str(large) and caught.value.remedy
    large.write_text("and so on")
    assert len(read_documents(tmp_path)) == 2


def test_a_pdf_that_takes_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(3):
        writer.add_blank_page(100, 100)
    path = tmp_path / "slow.pdf"
    writer.write(path)
    monkeypatch.setattr(pdf_text, "LONGEST", 0.0)
    with pytest.raises(InputError, match="took more than 0 seconds") as caught:
        read_documents(path)
    assert caught.value.place == str(path)
