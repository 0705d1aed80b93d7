"""Rows to token ids, as the engine will see them at generation time, ends of turn included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.models import chat_templates as templates
from whatworks.models.template_rendering import write_calls
from whatworks.training.rows import (
    LabelledRow,
    PairRow,
    PromptRow,
    RenderedRow,
    TaughtRow,
    TrainingRow,
)


@dataclass(frozen=True)
class Tokens:
    """Rows as the columns that a trainer reads.

    Attributes:
        columns: Of (prompt, target): ``input_ids`` and ``labels``, -100 where nothing is learned.
            Of pairs: ``prompt_ids``, ``chosen_ids``, ``rejected_ids``. Of labelled answers:
            ``prompt_ids``, ``completion_ids``, ``label``. Of prompts alone: ``prompt_ids``,
            with what a teacher is shown ``shown_ids``.
        lengths: Tokens of each row, those of its longest answer counted.
        rows: The rows that were kept.
        dropped: How many were not.
    """

    columns: dict[str, list[Any]]
    lengths: list[int]
    rows: list[RenderedRow]
    dropped: int


def tokenise(
    rows: Sequence[RenderedRow], tokenizer: Any, limit: int | None, room: int = 0
) -> Tokens:
    """The rows that fit, whole.

    Args:
        rows: Rows of one type.
        tokenizer: One that ``templates.use`` returned.
        limit: Most tokens of prompt and answer together.
        room: Tokens that must stay free, for rows that the model answers itself.

    Raises:
        ArmFailure: If no row fits.
    """
    encoded = [_encode(row, tokenizer) for row in rows]
    lengths = [length for _, length in encoded]
    fits = [i for i, n in enumerate(lengths) if limit is None or n + room <= limit]
    if not fits:
        raise ArmFailure(
            f"all {len(rows)} rows are too long: the shortest has {min(lengths)} tokens, "
            f"{(limit or 0) - room} fit",
            remedy="shorten the inputs, show fewer demonstrations or passages, or use a model "
            "with a longer context",
        )
    columns = {name: [encoded[i][0][name] for i in fits] for name in encoded[0][0]}
    return Tokens(
        columns, [lengths[i] for i in fits], [rows[i] for i in fits], len(rows) - len(fits)
    )


def _encode(row: RenderedRow, tokenizer: Any) -> tuple[dict[str, Any], int]:
    """One row's columns, and its length."""
    if not row.messages and isinstance(row, TrainingRow):
        ids = templates.encode_text(tokenizer, row.target)
        return {"input_ids": ids, "labels": list(ids)}, len(ids)
    prompt = templates.encode_prompt(tokenizer, row.messages)

    def answer(text: str) -> list[int]:
        written = write_calls(tokenizer, row.messages, text)
        return templates.encode_completion(tokenizer, written)

    match row:
        case TrainingRow():
            target = answer(row.target)
            ids = prompt + target
            return {"input_ids": ids, "labels": [-100] * len(prompt) + target}, len(ids)
        case PairRow():
            sides = {"chosen_ids": answer(row.chosen), "rejected_ids": answer(row.rejected)}
            return {"prompt_ids": prompt, **sides}, len(prompt) + max(map(len, sides.values()))
        case LabelledRow():
            completion = answer(row.answer)
            columns = {"prompt_ids": prompt, "completion_ids": completion, "label": row.good}
            return columns, len(prompt) + len(completion)
        case TaughtRow():
            shown = templates.encode_prompt(tokenizer, row.shown)
            return {"prompt_ids": prompt, "shown_ids": shown}, max(len(prompt), len(shown))
        case PromptRow():
            return {"prompt_ids": prompt}, len(prompt)
        case _:
            raise TypeError(f"no trainer reads {type(row).__name__}")
