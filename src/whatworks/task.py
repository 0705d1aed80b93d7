"""The task as pure data: examples, splits, metric name, documents.

A ``Task`` says what is to be done and how it is scored; it holds no behaviour. Reading files is
``whatworks.data``; scoring is ``whatworks.metrics``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, field_serializer

from whatworks.errors import InputError
from whatworks.identity import Frozen, content_key, content_of, for_key
from whatworks.joining import Joining

Role = Literal["system", "user", "assistant", "tool"]


class Message(Frozen):
    """One turn of a conversation."""

    role: Role
    content: str


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


class MetricSpec(Frozen):
    """A metric by name with its options, e.g. ``json`` with a schema."""

    name: str
    options: Mapping[str, Any] = Field(default_factory=dict[str, Any])

    @field_serializer("options", mode="wrap")
    def _by_content(
        self,
        options: Mapping[str, Any],
        write: SerializerFunctionWrapHandler,
        info: SerializationInfo,
    ) -> Any:
        written: dict[str, Any] = write(options)
        if not for_key(info):
            return written
        return {n: content_of(v) if isinstance(v, str) else v for n, v in written.items()}

    @classmethod
    def read(cls, value: str | Mapping[str, Any]) -> MetricSpec:
        """As files write it: ``NAME``, ``{name: NAME, option: ...}``, ``{NAME: {option: ...}}``.

        Raises:
            InputError: If there is no name.
        """
        if isinstance(value, str):
            return cls(name=value)
        options = dict(value)
        name = options.pop("name", None)
        if name is None and len(options) == 1:
            name, inner = next(iter(options.items()))
            options = dict(inner or {})
        if not isinstance(name, str):
            raise InputError(
                "the metric has no name", remedy="write `metric: json` or `metric: {json: {...}}`"
            )
        return cls(name=name, options=options)


class Task(Frozen):
    """Instructions, frozen splits, a metric and, perhaps, documents and preference pairs.

    ``aside`` are rows that no arm sees: what a metric such as ``style`` learns its measure from.
    ``documents_fault`` says why there are no documents although the study names some.
    """

    name: str
    splits: Splits
    metric: MetricSpec
    instructions: str = ""
    documents: tuple[Document, ...] = ()
    documents_fault: str = ""
    preferences: tuple[Pair, ...] = ()
    aside: tuple[Example, ...] = ()


def split(
    examples: Sequence[Example],
    *,
    dev: int | None = None,
    test: int | None = None,
    seed: int = 0,
    alike: Iterable[Sequence[int]] = (),
) -> Splits:
    """Split whole groups at random, reproducibly.

    Groups are dealt in a shuffled order until test, then dev, hold at least the number asked for;
    the rest is train. Examples without a group are groups of one.

    Args:
        examples: All examples, in any order; the outcome depends only on their ids and groups,
            and on which are alike.
        dev: Wanted dev size; a fifth of the examples, at most 200, by default.
        test: Wanted test size; the same default.
        seed: Seed of the shuffle.
        alike: Positions of examples that stay together, too: near-duplicates.

    Raises:
        InputError: If no example would be left for one of the splits.
    """
    total = len(examples)
    share = min(200, max(1, total // 5))
    want_test = share if test is None else test
    want_dev = share if dev is None else dev
    groups = [example.group or f"\0{example.id}" for example in examples]
    joined = Joining[str]()
    for positions in alike:
        joined.join(groups[position] for position in positions)
    members: dict[str, list[Example]] = {}
    for group, example in zip(groups, examples, strict=True):
        members.setdefault(joined.root(group), []).append(example)
    names = sorted(members)
    random.Random(seed).shuffle(names)
    parts: dict[str, list[Example]] = {"train": [], "dev": [], "test": []}
    for name in names:
        if len(parts["test"]) < want_test:
            part = "test"
        elif len(parts["dev"]) < want_dev:
            part = "dev"
        else:
            part = "train"
        parts[part].extend(members[name])
    empty = [name for name, rows in parts.items() if not rows and (name == "train" or total)]
    if empty:
        raise InputError(
            f"{total} examples in {len(names)} groups leave no {empty[0]} split",
            remedy="give more examples, smaller dev and test sizes, or files of their own",
        )
    return Splits(**{name: tuple(rows) for name, rows in parts.items()})


def check_examples(splits: Splits) -> None:
    """Refuse duplicate ids, and rows that stand in two splits.

    Raises:
        InputError: Naming how many rows are affected and the first one.
    """
    ids = Counter(e.id for part in (splits.train, splits.dev, splits.test) for e in part)
    twice = [name for name, count in ids.items() if count > 1]
    if twice:
        raise InputError(
            f"{len(twice)} duplicate ids, the first is {twice[0]!r}",
            remedy="give every row an id of its own, or leave the id column out",
        )
    seen = {_content(e): e.id for e in splits.train}
    for name, part in (("dev", splits.dev), ("test", splits.test)):
        shared = [(seen[_content(e)], e.id) for e in part if _content(e) in seen]
        if shared:
            raise InputError(
                f"train and {name} share {len(shared)} rows, the first is train "
                f"{shared[0][0]!r} = {name} {shared[0][1]!r}",
                remedy=f"remove them from one of the two, or set `split: {{on_overlap: drop}}` "
                f"to drop them from {name}",
            )


def drop_overlap(splits: Splits) -> Splits:
    """Dev without train's rows and groups, and test without those of train and dev.

    Raises:
        InputError: If nothing is left of dev or test.
    """

    def without(name: str, earlier: Sequence[Example]) -> tuple[Example, ...]:
        rows = {_content(example) for example in earlier}
        groups = {example.group for example in earlier} - {None}
        part: tuple[Example, ...] = getattr(splits, name)
        left = tuple(e for e in part if _content(e) not in rows and e.group not in groups)
        if part and not left:
            raise InputError(
                f"all {len(part)} rows of {name} stand in an earlier split, themselves or with "
                "others of their group",
                remedy=f"leave the file of {name} out, so that it is cut from train by group; "
                'or say that these are no groups: `columns: {group: ""}`',
            )
        return left

    dev = without("dev", splits.train)
    test = without("test", (*splits.train, *dev))
    return Splits(train=splits.train, dev=dev, test=test)


def examples_key(examples: Iterable[Example]) -> str:
    """Content hash of a sequence of examples, order included."""
    return content_key([example.key for example in examples])


def _content(example: Example) -> str:
    return content_key([example.text.strip(), example.target.strip()])
