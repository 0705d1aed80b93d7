"""Documents into passages, along their structure.

Every chunk is a slice of its document, so tables, lists and code keep their lines. Chunks end at a
paragraph where one ends in their second half, at a sentence otherwise, and inside a sentence only
when that sentence alone is longer than a chunk. A heading is never the last thing in a chunk that
could have left it to the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whatworks.base.errors import InputError
from whatworks.data.task import Document
from whatworks.prompts.retrieval.words import SIGN

SIZE = 120
"""Words per chunk: about 160 tokens of English, within what small encoders read (256)."""

_PIECE = re.compile(rf"{SIGN}|(?:(?!{SIGN})\S){{1,100}}")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"#{1,6} .*")
# Linear in the text: runs are taken whole (``++``), and only from where they begin.
_SENTENCE_END = re.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+\s++(?=[^a-z])"  # not before a small letter: "approx. 3 m"
    r"|[。！？]++[」』”）]*+\s*+"
    r"|(?<!\s)[^\S\n]*+\n\s*+(?=[-*•|#]|\d++[.)]\s)"  # list items, table rows, headings
)
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|etc|cf|al|No|Nos|Fig|Eq|Vol|pp?|ca|approx|Inc|Ltd"
    r"|e\.g|i\.e)|\b[A-Z])\.\s+$"
)


@dataclass(frozen=True)
class _Sentence:
    """A slice of a document that is kept whole."""

    start: int
    end: int
    words: int
    closes_paragraph: bool
    heading: bool = False


def chunk(
    documents: Sequence[Document], *, size: int = SIZE, overlap: int = 0
) -> tuple[Document, ...]:
    """Passages of about ``size`` words, with ids ``doc#n`` (from 0) and their document's title.

    Args:
        documents: The documents, each cut by itself; one without text gives no chunk.
        size: Most words in a chunk. Signs of scripts without spaces count as words.
        overlap: Whole sentences with at most this many words are repeated at the start of the
            next chunk of the same document.

    Raises:
        InputError: If ``size`` is below 1, or ``overlap`` is not in ``[0, size)``.
    """
    if size < 1 or not 0 <= overlap < size:
        raise InputError(
            f"chunks of {size} words with an overlap of {overlap} cannot be cut",
            remedy="give a size of at least 1 and an overlap below the size",
        )
    return tuple(
        Document(
            id=f"{document.id}#{n}",
            text=document.text[first.start : last.end],
            title=document.title,
        )
        for document in documents
        for n, (first, last) in enumerate(
            _pack(_split_sentences(document.text, size), size, overlap)
        )
    )


def _pack(
    sentences: list[_Sentence], size: int, overlap: int
) -> Iterator[tuple[_Sentence, _Sentence]]:
    """First and last sentence of each chunk."""
    start, fresh = 0, 0  # sentences[start:fresh] are repeated from the chunk before
    while fresh < len(sentences):
        while start < fresh and _count_words(sentences[start : fresh + 1]) > size:
            start += 1
        end, total = fresh + 1, _count_words(sentences[start : fresh + 1])
        while end < len(sentences) and total + sentences[end].words <= size:
            total += sentences[end].words
            end += 1
        if end < len(sentences):
            end = _choose_cut(sentences, start, fresh, end, total)
        yield sentences[start], sentences[end - 1]
        start = fresh = end
        repeated = 0
        while start > 0 and repeated + sentences[start - 1].words <= overlap:
            start -= 1
            repeated += sentences[start].words


def _choose_cut(sentences: list[_Sentence], start: int, fresh: int, end: int, total: int) -> int:
    """Back from ``end`` to the end of a paragraph in the second half, and off a heading."""
    cut, size = end, total
    while cut > fresh + 1 and not sentences[cut - 1].closes_paragraph and 2 * size > total:
        cut -= 1
        size -= sentences[cut].words
    cut = cut if sentences[cut - 1].closes_paragraph and 2 * size > total else end
    while cut > fresh + 1 and sentences[cut - 1].heading:
        cut -= 1
    return cut


def _split_sentences(text: str, size: int) -> list[_Sentence]:
    """The sentences of a text in order; one longer than ``size`` words comes in several parts."""
    sentences: list[_Sentence] = []
    for start, end in _split_spans(text, 0, len(text), _BLANK_LINE):
        pieces = [
            list(_PIECE.finditer(text, first, last))
            for first, last in _split_spans(text, start, end, _SENTENCE_END)
        ]
        parts = [whole[i : i + size] for whole in pieces for i in range(0, len(whole), size)]
        heading = bool(_HEADING.fullmatch(text[start:end].strip()))
        for i, part in enumerate(parts, start=1):
            span = part[0].start(), part[-1].end()
            sentences.append(_Sentence(*span, len(part), i == len(parts), heading))
    return sentences


def _split_spans(
    text: str, start: int, end: int, mark: re.Pattern[str]
) -> Iterator[tuple[int, int]]:
    """The spans that ``mark`` ends, each with its mark."""
    for match in mark.finditer(text, start, end):
        close = match.end()
        if close < end and not _ABBREVIATED.search(text, max(start, close - 12), close):
            yield start, close
            start = close
    yield start, end


def _count_words(sentences: Sequence[_Sentence]) -> int:
    return sum(sentence.words for sentence in sentences)
