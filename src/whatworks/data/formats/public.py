"""Shapes of public question sets: SQuAD, HotpotQA and BEIR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from whatworks.base.frozen import hash_content
from whatworks.data.formats.base import (
    UNANSWERABLE,
    Absent,
    Content,
    Format,
    RowProblem,
    as_text,
    find_text,
    find_value,
    list_items,
    make_document,
    parse_answers,
    require_text,
)
from whatworks.data.raw_row import Fields
from whatworks.data.task import Document


def _read_squad(fields: Fields) -> Content:
    """A question to a paragraph (Rajpurkar et al. 2016, 2018); without answers it has none."""
    target, known = parse_answers(find_value(fields, "answers") or [])
    answerable = bool(target) and not fields.get("is_impossible")
    return Content(
        inputs={
            "context": require_text(fields, "context"),
            "question": require_text(fields, "question"),
        },
        target=target if answerable else "",
        group=find_text(fields, "title") or None,
        meta={"aliases": list(known)} if answerable else {"answerable": False},
        notes=() if answerable else (UNANSWERABLE,),
    )


def _is_squad(fields: Fields) -> bool:
    value: Any = fields.get("answers")
    spans = (isinstance(value, dict) and "text" in value) or (
        isinstance(value, list)
        and all(isinstance(one, dict) and "text" in one for one in cast("list[Any]", value))
    )
    return spans and "question" in fields and "context" in fields


def _read_hops(fields: Fields) -> Content:
    """A question to several paragraphs, of which some hold the answer: HotpotQA, 2Wiki, MuSiQue."""
    target, known = parse_answers(find_value(fields, "answer") or [])
    if not target:
        raise Absent("no 'answer'")
    documents = list(_read_paragraphs(fields))
    supports = _read_support_titles(fields)
    more = list_items(fields.get("answer_aliases"))
    return Content(
        inputs={"question": require_text(fields, "question")},
        target=target,
        meta={"aliases": [*dict.fromkeys((target, *known, *map(as_text, more)))]},
        documents=tuple(document for document, _ in documents),
        evidence=tuple(d.id for d, support in documents if support or d.title in supports),
    )


def _read_paragraphs(fields: Fields) -> Iterable[tuple[Document, bool]]:
    """The paragraphs of a row, each with whether the row itself marks it as evidence."""
    value: Any = find_value(fields, "context", "paragraphs")
    if isinstance(value, dict):
        columns = cast("dict[str, Any]", value)
        both = zip(
            list_items(columns.get("title")), list_items(columns.get("sentences")), strict=False
        )
        value = [list(pair) for pair in both]
    for item in list_items(value):
        if isinstance(item, dict):
            paragraph = cast("dict[str, Any]", item)
            content = paragraph.get("paragraph_text") or paragraph.get("text")
            title, marked = paragraph.get("title"), bool(paragraph.get("is_supporting"))
        elif isinstance(item, list | tuple) and len(cast("list[Any]", item)) == 2:
            (title, content), marked = cast("list[Any]", item), False
        else:
            raise RowProblem("a paragraph without title and text")
        lines = list(map(as_text, list_items(content)))
        body = "".join(lines) if lines else as_text(content or "")
        if body.strip():
            yield make_document(body.strip(), as_text(title or "")), marked


def _read_support_titles(fields: Fields) -> set[str]:
    """Titles of the paragraphs that hold the answer."""
    facts: Any = fields.get("supporting_facts") or []
    if isinstance(facts, dict):
        return set(map(as_text, list_items(cast("dict[str, Any]", facts).get("title"))))
    return {as_text(fact[0]) for item in list_items(facts) if (fact := list_items(item))}


def _is_hops(fields: Fields) -> bool:
    value: Any = find_value(fields, "context", "paragraphs")
    listed = isinstance(value, list) and all(
        isinstance(one, list) or (isinstance(one, dict) and "is_supporting" in one)
        for one in cast("list[Any]", value)
    )
    columns = isinstance(value, dict) and "sentences" in value
    return bool(value) and (listed or columns) and {"question", "answer"} <= fields.keys()


def _read_beir(fields: Fields) -> Content:
    """A query with its relevant documents (Thakur et al. 2021), which stand in the corpus.

    BEIR judges documents and holds no answers: asked for is the title of a relevant document, or
    its text where there are no titles.
    """
    value: Any = fields.get("relevant")
    mappings = [one for one in list_items(value) if isinstance(one, Mapping)]
    relevant = cast("list[Mapping[str, Any]]", mappings)
    if not relevant:
        raise RowProblem("no 'relevant' documents")
    names = [find_text(one, "title") or find_text(one, "text") for one in relevant]
    return Content(
        inputs={"query": require_text(fields, "query")},
        target=names[0],
        meta={"aliases": [*dict.fromkeys(names)]},
        evidence=tuple(as_text(one.get("_id")) for one in relevant),
    )


def _has(*names: str) -> Callable[[Fields], bool]:
    return lambda fields: all(isinstance(fields.get(name), list) for name in names)


def _read_drop(fields: Fields) -> Content:
    """A question that reckons over a passage (Dua et al. 2019); several spans are one answer."""
    value: Any = fields.get("answers_spans")
    spans = list_items(value.get("spans")) if isinstance(value, dict) else []
    texts = [as_text(span) for span in spans]
    if not texts:
        raise Absent("no 'answers_spans'")
    passage = require_text(fields, "passage")
    return Content(
        inputs={"passage": passage, "question": require_text(fields, "question")},
        target=", ".join(texts),
        group=find_text(fields, "section_id") or hash_content(passage),
    )


def _is_drop(fields: Fields) -> bool:
    value: Any = fields.get("answers_spans")
    return isinstance(value, dict) and isinstance(value.get("spans"), list)


DROP = Format(
    "drop",
    "passage, question, answers_spans: {spans: [...]}, perhaps section_id",
    {
        "input": ("passage", "question"),
        "target": ("answers_spans",),
        "group": ("section_id",),
    },
    _is_drop,
    _read_drop,
)
SQUAD = Format(
    "squad",
    "context, question, answers: {text: [...]}, perhaps title and is_impossible",
    {
        "input": ("context", "question"),
        "target": ("answers", "is_impossible", "plausible_answers"),
        "group": ("title",),
    },
    _is_squad,
    _read_squad,
)
HOTPOT = Format(
    "hotpotqa",
    "question, answer, context: [[title, [sentence, ...]], ...], supporting_facts",
    {
        "input": ("question",),
        "target": ("answer", "answer_aliases"),
        "document": ("context", "paragraphs"),
        "support": ("supporting_facts",),
    },
    _is_hops,
    _read_hops,
)
BEIR = Format(
    "beir",
    "a folder of corpus.jsonl, queries.jsonl and qrels/*.tsv",
    {"input": ("query",), "target": ("relevant",)},
    _has("relevant"),
    _read_beir,
)
