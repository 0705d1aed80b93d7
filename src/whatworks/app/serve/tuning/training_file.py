"""A training file read: conversations or preferences, as OpenAI's fine-tuning takes them.

Formats: https://developers.openai.com/api/docs/guides/supervised-fine-tuning and
https://developers.openai.com/api/docs/guides/direct-preference-optimization.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatworks.app.serve.protocol import ChatTurn, RequestRefusal
from whatworks.base.validation import find_problem
from whatworks.data.task import Message
from whatworks.training.rows import PairRow, RenderedRow, TrainingRow

Method = Literal["supervised", "dpo"]

LEAST = 1
"""Rows of a training file."""


class FileProblem(Exception):
    """A line that cannot be trained on; the message says which and why."""


class _Turn(ChatTurn):
    weight: Literal[0, 1] = 1


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Conversation(_Line):
    messages: list[_Turn] = Field(min_length=2)


class _Input(_Line):
    messages: list[ChatTurn] = Field(min_length=1)


class _Preference(_Line):
    input: _Input
    preferred_output: list[ChatTurn] = Field(min_length=1, max_length=1)
    non_preferred_output: list[ChatTurn] = Field(min_length=1, max_length=1)


def read_training_file(content: bytes, method: Method) -> list[RenderedRow]:
    """The rows of a training file.

    Every answer of a conversation is a row, with what stands before it, but for those of weight 0.

    Args:
        content: The file, JSONL in UTF-8.
        method: What it is for.

    Raises:
        FileProblem: Naming the first line at fault, or that there is nothing in it.
    """
    read: Callable[[int, Any], Sequence[RenderedRow]] = (
        _read_conversation if method == "supervised" else _read_preference
    )
    rows: list[RenderedRow] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows += read(number, json.loads(line))
        except ValidationError as error:
            problem = find_problem(error)
            where = f"{problem.where}: " if problem.where else ""
            raise FileProblem(f"line {number}: {where}{problem.reason}") from error
        except RequestRefusal as refusal:
            raise FileProblem(f"line {number}: {refusal}") from refusal
        except (ValueError, RecursionError) as error:
            raise FileProblem(f"line {number} is no JSON in UTF-8") from error
    if len(rows) < LEAST:
        raise FileProblem("there is nothing to train on in the file")
    return rows


def _read_conversation(number: int, record: Any) -> Sequence[RenderedRow]:
    turns = _Conversation.model_validate(record).messages
    messages = [turn.message for turn in turns]
    rows = [
        TrainingRow(id=f"{number}.{at}", messages=tuple(messages[:at]), target=messages[at].content)
        for at, turn in enumerate(turns)
        if turn.role == "assistant" and turn.weight and at > 0
    ]
    if not rows:
        raise FileProblem(f"line {number} holds no answer of the assistant to learn")
    if not all(row.target for row in rows):
        raise FileProblem(f"line {number} holds an empty answer")
    return rows


def _read_preference(number: int, record: Any) -> Sequence[RenderedRow]:
    line = _Preference.model_validate(record)
    better, worse = (_get_answer(number, turns[0].message) for turns in
                     (line.preferred_output, line.non_preferred_output))  # fmt: skip
    if better == worse:
        raise FileProblem(f"line {number} prefers an answer to itself")
    prompt = tuple(turn.message for turn in line.input.messages)
    return [PairRow(id=str(number), messages=prompt, chosen=better, rejected=worse)]


def _get_answer(number: int, message: Message) -> str:
    if message.role != "assistant" or not message.content:
        raise FileProblem(f"line {number}: outputs are answers of the assistant")
    return message.content
