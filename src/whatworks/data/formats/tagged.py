"""Words with a tag each: CoNLL 2003, WNUT, Universal Dependencies as tables of lists.

Tags of entities (``B-PER``, ``I-PER``, ``O``; Ramshaw and Marcus 1995, with a beginning for each)
are asked for as a JSON list of what is marked, ``[{"text": "Bo Lind", "label": "PER"}]``: nobody
wants a tag for each word from a language model. Other tags are a list of one for each word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from whatworks.data.formats.base import Columns, Content, Format, RowProblem, as_text
from whatworks.data.raw_row import Fields

_WORDS = ("tokens", "words")
_TAGS = ("ner_tags", "ner", "tags", "labels", "upos", "pos_tags", "chunk_tags")
_MARK = re.compile(r"([BIESLU])[-_](.+)")
_OUTSIDE = "O"


def _find_lists(fields: Fields) -> tuple[str, str] | None:
    """The columns of words and of tags, the first ones of one length."""
    for words in _WORDS:
        for tags in _TAGS:
            one, other = fields.get(words), fields.get(tags)
            if (
                isinstance(one, list)
                and isinstance(other, list)
                and len(cast("list[Any]", one)) == len(cast("list[Any]", other)) > 0
            ):
                return words, tags
    return None


def _read(fields: Fields) -> Content:
    lists = _find_lists(fields)
    if lists is None:
        raise RowProblem("no 'tokens' with as many tags")
    words = [as_text(one) for one in cast("list[Any]", fields[lists[0]])]
    tags = [as_text(one) for one in cast("list[Any]", fields[lists[1]])]
    if all(tag == _OUTSIDE or _MARK.fullmatch(tag) for tag in tags):
        target: Any = _list_entities(words, tags)
    else:
        target = tags
    return Content(inputs={"text": " ".join(words)}, target=json.dumps(target, ensure_ascii=False))


def _list_entities(words: Sequence[str], tags: Sequence[str]) -> list[dict[str, str]]:
    """The runs of words that tags mark; one that goes on without a beginning begins."""
    entities: list[tuple[list[str], str]] = []
    inside = ""
    for word, tag in zip(words, tags, strict=True):
        mark = _MARK.fullmatch(tag)
        label = mark[2] if mark else ""
        if mark and (mark[1] in "BSU" or label != inside):
            entities.append(([word], label))
        elif mark:
            entities[-1][0].append(word)
        inside = "" if mark is None or mark[1] in "ESLU" else label
    return [{"text": " ".join(run), "label": label} for run, label in entities]


def _fit(form: Format, rows: Sequence[Fields], columns: Columns) -> Format:
    """The format with the columns that are there; it says where tags are numbers without names."""
    del columns
    lists = next((one for row in rows if (one := _find_lists(row))), ("tokens", "ner_tags"))
    shown = {"input": lists[:1], "target": lists[1:]}
    tags = [row.get(lists[1]) for row in rows]
    listed = (cast("list[Any]", one) for one in tags if isinstance(one, list))
    numbers = any(isinstance(tag, int) for one in listed for tag in one)
    notes = ("tags are numbers without names: put the dataset's README.md beside the file",)
    return replace(form, columns=shown, notes=notes if numbers else ())


TAGGED = Format(
    "tagged",
    "tokens: [word, ...], ner_tags (or tags): one for each word",
    {"input": _WORDS, "target": _TAGS},
    lambda fields: _find_lists(fields) is not None,
    _read,
    fit=_fit,
)
