"""The task as pure data: examples, splits, metric name, documents.

A ``Task`` says what is to be done and how it is scored; it holds no behaviour. Reading files is
``whatworks.data``; scoring is ``whatworks.metrics.registry``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from whatworks.base.errors import InputError
from whatworks.base.file_ref import FileRef, locate
from whatworks.base.frozen import Frozen, hash_content, is_for_key

Role = Literal["system", "user", "assistant", "tool"]


class Message(Frozen):
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        content: What is said; calls of functions are JSON text (``data.tools``).
        tools: Of a system message that shows functions as its last line: these, as JSON text.
    """

    role: Role
    content: str
    tools: str = Field(default="", exclude_if=lambda tools: not tools)


class Example(Frozen):
    """One item of a task.

    Attributes:
        id: Unique within the task.
        inputs: Named input fields; a single field is shown without its name.
        messages: A conversation instead of ``inputs``; the target answers its last turn.
        target: The wanted answer.
        group: Source entity or document. Items of one group never stand in two splits and never
            demonstrate one another.
        evidence: Ids of the documents that hold the answer, when known.
        meta: Anything a metric needs beside the target (aliases, a database, constraints).
    """

    id: str
    inputs: Mapping[str, str] = Field(default_factory=dict[str, str])
    messages: tuple[Message, ...] = ()
    target: str = ""
    group: str | None = None
    evidence: tuple[str, ...] = ()
    meta: Mapping[str, Any] = Field(default_factory=dict[str, Any])

    @property
    def request(self) -> Example:
        """What a server has of it: inputs or messages, and nothing that tells of the answer."""
        return Example(id=self.id, inputs=self.inputs, messages=self.messages)

    @property
    def bare(self) -> bool:
        """Whether there is no input at all: the target is plain text, to be learned as it is."""
        return not self.inputs and not self.messages

    @cached_property
    def text(self) -> str:
        """The input as the model reads it, without instructions, passages or demonstrations."""
        if self.messages:
            return "\n".join(m.content for m in self.messages if m.role != "system")
        if len(self.inputs) == 1:
            return next(iter(self.inputs.values()))
        return "\n".join(f"{name}: {value}" for name, value in self.inputs.items())


class Document(Frozen):
    """A text that retrieval may draw on."""

    id: str
    text: str
    title: str = ""

    @cached_property
    def passage(self) -> str:
        """The text as it is searched and shown: with its title, unless it names it itself."""
        if not self.title or self.title.casefold() in self.text.casefold():
            return self.text
        return f"{self.title}: {self.text}"


class Pair(Frozen):
    """A preference: for the same input, one answer is better than the other."""

    example: Example
    chosen: str
    rejected: str


class Splits(Frozen):
    """Train for fitting, dev for every decision, test opened once."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]

    def counts(self) -> dict[str, int]:
        """Number of examples per split."""
        return {"train": len(self.train), "dev": len(self.dev), "test": len(self.test)}


Counted = Literal["strict", "lenient"]
"""Which score counts: form and content both, or content alone."""


class MetricSpec(Frozen):
    """A metric by name with its options, e.g. ``json`` with a schema.

    ``score`` says which of its two scores decides: on dev, in training and in the verdict.
    ``files`` are the files and folders whose absolute paths stand among the options, as they were
    when the options were read. ``package`` is the other package that registers the metric, with its
    version: another one may score otherwise.
    """

    name: str
    score: Counted = "strict"
    options: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    files: tuple[FileRef, ...] = Field(
        default=(), validate_default=True, exclude_if=lambda files: not files
    )
    package: str = Field(default="", exclude_if=lambda package: not package)

    @field_validator("files")
    @classmethod
    def _locate(cls, files: tuple[FileRef, ...], info: ValidationInfo) -> tuple[FileRef, ...]:
        known = {file.path: file for file in files}
        options = info.data.get("options", {}).values()
        names = [str(value) for value in options if isinstance(value, str | Path)]
        located = [known.get(name) or locate(name) for name in dict.fromkeys(names)]
        return tuple(file for file in located if isinstance(file, FileRef))

    @model_serializer(mode="wrap")
    def _write(
        self, write: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if is_for_key(info):
            contents = {file.path: file.content for file in self.files}
            options = written["options"].items()
            written["options"] = {
                name: contents.get(value, value) if isinstance(value, str) else value
                for name, value in options
            }
            written.pop("files", None)
        return written

    @classmethod
    def read(cls, value: str | Mapping[str, Any]) -> MetricSpec:
        """A metric as files write it.

        ``NAME``, ``{name: NAME, option: ...}``, ``{NAME: {option: ...}}``, and for a function of
        the user's own ``{python: FILE.py:FUNCTION}``.

        Raises:
            InputError: If there is no name, or no function in a text.
        """
        if isinstance(value, str):
            return cls(name=value)
        options = dict(value)
        name = options.pop("name", None)
        if name is None and len(options) == 1:
            name, inner = next(iter(options.items()))
            options = _parse_function(inner) if isinstance(inner, str) else dict(inner or {})
        if not isinstance(name, str):
            raise InputError(
                "the metric has no name", remedy="write `metric: json` or `metric: {json: {...}}`"
            )
        return cls(name=name, options=options)


def _parse_function(text: str) -> dict[str, str]:
    """``my_metric.py:score`` as options; the content of the file is what counts in a key."""
    file, mark, function = text.rpartition(":")
    if not mark or not file.endswith(".py") or not function.isidentifier():
        raise InputError(
            f"{text!r} names no function of a Python file",
            place="metric",
            remedy="write `metric: {python: my_metric.py:score}`",
        )
    return {"file": file, "function": function}


class Task(Frozen):
    """Instructions, frozen splits, a metric and, perhaps, documents and preference pairs.

    ``aside`` are rows that no arm sees: what a metric such as ``style`` learns its measure from.
    ``documents_fault`` says why there are no documents although the study names some. ``notes``
    say what reading left out or guessed, a line each.
    """

    name: str
    splits: Splits
    metric: MetricSpec
    instructions: str = ""
    documents: tuple[Document, ...] = ()
    documents_fault: str = ""
    preferences: tuple[Pair, ...] = ()
    aside: tuple[Example, ...] = ()
    notes: tuple[str, ...] = ()


def hash_examples(examples: Iterable[Example]) -> str:
    """Content hash of a sequence of examples, order included."""
    return hash_content([example.key for example in examples])


def format_transcript(messages: Sequence[Message]) -> str:
    """Messages as readable text, for reports and errors."""
    return "\n".join(f"<{m.role}> {m.content}" for m in messages)
