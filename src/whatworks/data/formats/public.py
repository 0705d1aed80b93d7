"""Shapes of public question sets: SQuAD, HotpotQA, BEIR and the Function Calling Leaderboard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from whatworks.data.formats.base import (
    UNANSWERABLE,
    Absent,
    Content,
    Format,
    LeftOut,
    RowProblem,
    answers,
    as_text,
    document,
    first,
    items_of,
    needed,
    text_in,
)
from whatworks.data.formats.turns import turns
from whatworks.data.raw_row import Fields
from whatworks.data.task import Document


def _squad(fields: Fields) -> Content:
    """A question to a paragraph (Rajpurkar et al. 2016, 2018); without answers it has none."""
    target, known = answers(first(fields, "answers") or [])
    answerable = bool(target) and not fields.get("is_impossible")
    return Content(
        inputs={"context": needed(fields, "context"), "question": needed(fields, "question")},
        target=target if answerable else "",
        group=text_in(fields, "title") or None,
        meta={"aliases": list(known)} if answerable else {"answerable": False},
        notes=() if answerable else (UNANSWERABLE,),
    )


def _is_squad(fields: Fields) -> bool:
    given: Any = fields.get("answers")
    spans = (isinstance(given, dict) and "text" in given) or (
        isinstance(given, list)
        and all(isinstance(one, dict) and "text" in one for one in cast("list[Any]", given))
    )
    return spans and "question" in fields and "context" in fields


def _hops(fields: Fields) -> Content:
    """A question to several paragraphs, of which some hold the answer: HotpotQA, 2Wiki, MuSiQue."""
    target, known = answers(first(fields, "answer") or [])
    if not target:
        raise Absent("no 'answer'")
    documents = list(_paragraphs(fields))
    supports = _supports(fields)
    more = items_of(fields.get("answer_aliases"))
    return Content(
        inputs={"question": needed(fields, "question")},
        target=target,
        meta={"aliases": [*dict.fromkeys((target, *known, *map(as_text, more)))]},
        documents=tuple(document for document, _ in documents),
        evidence=tuple(d.id for d, support in documents if support or d.title in supports),
    )


def _paragraphs(fields: Fields) -> Iterable[tuple[Document, bool]]:
    """The paragraphs of a row, each with whether the row itself marks it as evidence."""
    given: Any = first(fields, "context", "paragraphs")
    if isinstance(given, dict):
        held = cast("dict[str, Any]", given)
        both = zip(items_of(held.get("title")), items_of(held.get("sentences")), strict=False)
        given = [list(pair) for pair in both]
    for item in items_of(given):
        if isinstance(item, dict):
            paragraph = cast("dict[str, Any]", item)
            said = paragraph.get("paragraph_text") or paragraph.get("text")
            title, marked = paragraph.get("title"), bool(paragraph.get("is_supporting"))
        elif isinstance(item, list | tuple) and len(cast("list[Any]", item)) == 2:
            (title, said), marked = cast("list[Any]", item), False
        else:
            raise RowProblem("a paragraph without title and text")
        lines = list(map(as_text, items_of(said)))
        body = "".join(lines) if lines else as_text(said or "")
        if body.strip():
            yield document(body.strip(), as_text(title or "")), marked


def _supports(fields: Fields) -> set[str]:
    """Titles of the paragraphs that hold the answer."""
    given: Any = fields.get("supporting_facts") or []
    if isinstance(given, dict):
        return set(map(as_text, items_of(cast("dict[str, Any]", given).get("title"))))
    return {as_text(fact[0]) for item in items_of(given) if (fact := items_of(item))}


def _is_hops(fields: Fields) -> bool:
    given: Any = first(fields, "context", "paragraphs")
    listed = isinstance(given, list) and all(
        isinstance(one, list) or (isinstance(one, dict) and "is_supporting" in one)
        for one in cast("list[Any]", given)
    )
    columns = isinstance(given, dict) and "sentences" in given
    return bool(given) and (listed or columns) and {"question", "answer"} <= fields.keys()


def _beir(fields: Fields) -> Content:
    """A query with its relevant documents (Thakur et al. 2021), which stand in the corpus.

    BEIR judges documents and holds no answers: asked for is the title of a relevant document, or
    its text where there are no titles.
    """
    given: Any = fields.get("relevant")
    held = [one for one in items_of(given) if isinstance(one, Mapping)]
    relevant = cast("list[Mapping[str, Any]]", held)
    if not relevant:
        raise RowProblem("no 'relevant' documents")
    said = [text_in(one, "title") or text_in(one, "text") for one in relevant]
    return Content(
        inputs={"query": needed(fields, "query")},
        target=said[0],
        meta={"aliases": [*dict.fromkeys(said)]},
        evidence=tuple(as_text(one.get("_id")) for one in relevant),
    )


def _bfcl(fields: Fields) -> Content:
    """A question with functions, and the calls that are right (Patil et al. 2024).

    ``meta["accepted"]`` has every value that each argument may have.
    """
    asked: Any = fields.get("question")
    if not isinstance(asked, list) or not asked:
        raise RowProblem("no 'question' of turns")
    given = cast("list[Any]", asked)
    if len(given) > 1 and all(isinstance(one, list) for one in given):
        raise LeftOut("they ask over several turns, each with calls of its own")
    before = turns(given[0] if isinstance(given[0], list) else given)
    accepted: Any = fields.get("ground_truth")
    if not isinstance(accepted, list):
        raise Absent("no 'ground_truth': put the file of answers into `possible_answer` beside it")
    calls = [_call(one) for one in cast("list[Any]", accepted)]
    return Content(
        messages=before,
        target=json.dumps(calls, ensure_ascii=False),
        meta={"tools": fields.get("function"), "accepted": accepted},
    )


def _call(accepted: Any) -> dict[str, Any]:
    """One call, each argument with the first value that is right; "" means: may be left out."""
    if not isinstance(accepted, dict) or len(cast("dict[str, Any]", accepted)) != 1:
        raise RowProblem("a right call that is not {name: {argument: [values]}}")
    ((name, given),) = cast("dict[str, Any]", accepted).items()
    if not isinstance(given, dict):
        raise RowProblem("a right call that is not {name: {argument: [values]}}")
    arguments = {
        argument: values[0] if isinstance(values, list) and values else values
        for argument, values in cast("dict[str, Any]", given).items()
    }
    return {"name": name, "arguments": {k: v for k, v in arguments.items() if v != ""}}


def _has(*names: str) -> Callable[[Fields], bool]:
    return lambda fields: all(isinstance(fields.get(name), list) for name in names)


SQUAD = Format(
    "squad",
    "context, question, answers: {text: [...]}, perhaps title and is_impossible",
    {
        "input": ("context", "question"),
        "target": ("answers", "is_impossible", "plausible_answers"),
        "group": ("title",),
    },
    _is_squad,
    _squad,
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
    _hops,
)
BEIR = Format(
    "beir",
    "a folder of corpus.jsonl, queries.jsonl and qrels/*.tsv",
    {"input": ("query",), "target": ("relevant",)},
    _has("relevant"),
    _beir,
)
BFCL = Format(
    "bfcl",
    "question: [[{role, content}]], function, ground_truth from possible_answer/",
    {"input": ("question",), "tools": ("function",), "target": ("ground_truth",)},
    _has("question", "function"),
    _bfcl,
)
