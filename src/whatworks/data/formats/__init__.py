"""The formats that rows are recognised as, most specific first.

Other packages register theirs by an entry point of the group ``whatworks.formats``; they come
first.
"""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.plugins import load_plugins, refuse_plugin
from whatworks.data.formats.base import Columns, Content, Format, RowProblem
from whatworks.data.formats.bfcl import BFCL
from whatworks.data.formats.chat import (
    ALPACA,
    MT_BENCH,
    OPENAI,
    PROMPT_COMPLETION,
    SHAREGPT,
    ULTRACHAT,
)
from whatworks.data.formats.choices import CHOICES
from whatworks.data.formats.generic import GENERIC
from whatworks.data.formats.known import ENTITIES, OWN, PASSAGES, SELFAWARE, SQL, VIGGO, VIGGO_JSON
from whatworks.data.formats.preference import (
    KTO,
    OPENAI_PREFERENCE,
    SHAREGPT_PREFERENCE,
    TRL_PREFERENCE,
)
from whatworks.data.formats.public import BEIR, DROP, HOTPOT, SQUAD
from whatworks.data.formats.tagged import TAGGED
from whatworks.data.formats.tau_bench import TAU_BENCH
from whatworks.data.raw_row import Fields

__all__ = ["FORMATS", "SAMPLE", "Columns", "Content", "Format", "RowProblem", "choose"]

FORMATS: tuple[Format, ...] = (
    OWN,
    OPENAI_PREFERENCE,
    SHAREGPT_PREFERENCE,
    TRL_PREFERENCE,
    KTO,
    OPENAI,
    SHAREGPT,
    ALPACA,
    PROMPT_COMPLETION,
    MT_BENCH,
    ULTRACHAT,
    BFCL,
    TAU_BENCH,
    DROP,
    TAGGED,
    BEIR,
    SQUAD,
    HOTPOT,
    VIGGO,
    VIGGO_JSON,
    SQL,
    ENTITIES,
    SELFAWARE,
    CHOICES,
    PASSAGES,
    GENERIC,
)


SAMPLE = 100
"""Rows from which a format is recognised."""


GROUP = "whatworks.formats"


def list_formats() -> tuple[Format, ...]:
    """Every format in the order in which rows are held against them.

    Raises:
        InputError: If another package registers what is none.
    """
    others = load_plugins(GROUP, frozenset(form.name for form in FORMATS))
    for name, form in others.items():
        if not isinstance(form, Format) or form.name != name:
            raise refuse_plugin(name, GROUP, "no format of that name")
    return (*others.values(), *FORMATS)


def choose(rows: Sequence[Fields], name: str | None, columns: Columns) -> Format:
    """The format of a file, by name or by its first rows, adjusted to all that are given.

    A format is recognised when at least half of the first ``SAMPLE`` rows look like it; the first
    in the list wins.

    Raises:
        InputError: If the name is unknown, or the columns leave open what is what.
    """
    own_columns = "input" in columns or "target" in columns
    if name is not None:
        known = {form.name: form for form in list_formats()}
        if name not in known:
            raise InputError(f"unknown format {name!r}", remedy=suggest_nearest(name, known))
        if own_columns and name != GENERIC.name:
            raise InputError(
                f"the format {name} has input and target columns of its own",
                remedy="leave out `format`, or `input` and `target` of `columns`",
            )
        return known[name].adjust(rows, columns)
    if own_columns:
        return GENERIC.adjust(rows, columns)
    recognised = next(
        (form for form in list_formats() if form.recognise(rows[:SAMPLE]) >= 0.5), GENERIC
    )
    return recognised.adjust(rows, columns)
