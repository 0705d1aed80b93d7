"""Edits of a prompt that its error patterns suggest. Pure, and without a model.

Each edit is one of: state the format, list the labels, give the schema, add a constraint, add a
counter-example, reorder, shorten. What they say about the wanted answers is read off the training
rows. A counter-example is a demonstration, so that the renderer keeps it out of its own prompt.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whatworks.analysis.mistakes import Mistake, Pattern, PatternName
from whatworks.data.meaning_representation import MalformedMR
from whatworks.data.meaning_representation import parse as parse_mr
from whatworks.data.near_duplicates import is_same_source
from whatworks.data.task import Example
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.retrieval import get_index

MOST_LABELS = 100
MOST_SHAPES = 8

FORMATS = {
    "json": "Answer with one JSON object and nothing else.",
    "category": "Answer with one label and nothing else.",
    "mr": "Answer with one line of the form act(slot[value], slot[value]) and nothing else.",
    "sql": "Answer with one SQL query and nothing else.",
    "numeric": "Answer with one number and nothing else.",
}
FORMAT = "Give only the answer and nothing else."


@dataclass(frozen=True)
class Edit:
    """A changed prompt, and what was changed."""

    name: str
    prompt: Prompt


@dataclass(frozen=True)
class Editor:
    """Proposes edits for one task.

    Attributes:
        metric: Name of the metric.
        train: Rows from which formats, labels and counter-examples are taken.
        examples: Most counter-examples in a prompt.
    """

    metric: str
    train: tuple[Example, ...]
    examples: int = 2

    def edits(
        self, prompt: Prompt, patterns: Sequence[Pattern], *, most: int, rng: random.Random
    ) -> list[Edit]:
        """At most ``most`` different edits of ``prompt``, those for frequent patterns first."""
        by_prompt: dict[str, Edit] = {}
        for edit in self._all(prompt, patterns, rng):
            if edit.prompt.key != prompt.key:
                by_prompt.setdefault(edit.prompt.key, edit)
            if len(by_prompt) == most:
                break
        return list(by_prompt.values())

    def _all(
        self, prompt: Prompt, patterns: Sequence[Pattern], rng: random.Random
    ) -> Iterator[Edit]:
        """Edits in turn: a counter-example and a sentence for each pattern, then the general."""
        present = {line.casefold() for line in _split_lines(prompt)}
        for pattern in patterns:
            wrong = rng.choice(pattern.mistakes)
            if demos := self._with_example(prompt, wrong):
                yield Edit(f"counter-example for {pattern.name}", prompt.replace(demos=demos))
            for kind, line in self._advice(pattern):
                if line and line.casefold() not in present:
                    yield Edit(f"{kind} for {pattern.name}", _add_line(prompt, line))
        for kind, line in (
            ("state the format", self._format()),
            ("list the labels", self._labels()),
            ("give the schema", self._schema()),
            ("add a constraint", self._length()),
        ):
            if line and line.casefold() not in present:
                yield Edit(kind, _add_line(prompt, line))
        lines = _split_lines(prompt)
        if len(lines) > 1:
            yield Edit("reorder", _replace_lines(prompt, [lines[-1], *lines[:-1]]))
            for i in range(len(lines)):
                yield Edit("shorten", _replace_lines(prompt, lines[:i] + lines[i + 1 :]))

    def _advice(self, pattern: Pattern) -> Iterator[tuple[str, str]]:
        """Kinds of edit with the sentence to add, for one pattern."""
        details = [detail for detail, _ in pattern.details]
        field = _read_field(details[0]) if details else ""
        constraint: dict[PatternName, str] = {
            "refused": "Always give an answer, your best guess if need be.",
            "wrong style": "Write the answer exactly as it is wanted: same case, no full stop.",
            "passage misread": "Copy the answer word for word from the passages.",
            "passage not found": "Use the passages where they help, and your knowledge otherwise.",
            "fact not known": "Give the most likely answer.",
            "missing field": f"Never leave out {field}.",
            "field not wanted": f"Give no {field} when it is not asked for.",
            "wrong value": f"Copy {field} word for word from the input.",
            "wrong order": "Keep the fields in the given order.",
        }
        if pattern.name in ("malformed", "empty", "extra text around the answer", "too long"):
            yield "state the format", self._format()
        if pattern.name in ("label not in the list", "label confused", "malformed", "wrong answer"):
            yield "list the labels", self._labels()
        if pattern.name in ("malformed", "missing field", "field not wanted", "wrong order"):
            yield "give the schema", self._schema()
        if pattern.name in ("too long", "extra text around the answer"):
            yield "add a constraint", self._length()
        if pattern.name == "wrong language" and details:
            yield "add a constraint", f"Answer in {details[0].rpartition(' instead of ')[2]}."
        if pattern.name in constraint and (field or "field" not in pattern.name):
            yield "add a constraint", constraint[pattern.name]

    def _format(self) -> str:
        return FORMATS.get(self.metric, FORMAT)

    def _labels(self) -> str:
        labels = sorted({row.target.strip() for row in self.train})
        if self.metric != "category" or len(labels) > MOST_LABELS:
            return ""
        return f"The labels are: {', '.join(labels)}."

    def _schema(self) -> str:
        """The shapes that the training targets have, most frequent first."""
        shapes = Counter(shape for row in self.train if (shape := self._shape(row.target)))
        return f"Write one of: {' or '.join(s for s, _ in shapes.most_common(MOST_SHAPES))}." * (
            bool(shapes)
        )

    def _shape(self, target: str) -> str:
        try:
            if self.metric == "json":
                value = json.loads(target)
                keys = value if isinstance(value, dict) else {}
                return json.dumps(dict.fromkeys(keys, "...")) if keys else ""
            if self.metric == "mr":
                read = parse_mr(target)
                return f"{read.act}({', '.join(f'{slot.name}[...]' for slot in read.slots)})"
        except (ValueError, MalformedMR):
            pass
        return ""

    def _length(self) -> str:
        """A limit that nearly all training targets keep."""
        words = sorted(len(row.target.split()) for row in self.train)
        if self.metric in ("json", "mr", "sql", "category") or not words:
            return ""
        most = words[int(0.95 * (len(words) - 1))]
        return f"Answer in at most {most} word{'s' * (most != 1)}."

    def _with_example(self, prompt: Prompt, wrong: Mistake) -> Demos | None:
        """The demonstrations with one more: the training row that is nearest to a mistake.

        For a confused label it is the nearest row that has the wanted one.
        """
        demos = prompt.demos
        if demos is not None and demos.select != "fixed":
            return None
        shown = demos.pool[: demos.k] if demos else ()
        if len(shown) >= self.examples:
            return None

        texts = tuple(row.text for row in self.train)
        label = wrong.example.target if wrong.name == "label confused" else None

        def allows(i: int) -> bool:
            row = self.train[i]
            return not (
                (label is not None and row.target != label)
                or is_same_source(row, wrong.example)
                or any(is_same_source(row, other) for other in shown)
            )

        hits = get_index(texts, "vector", "lexical").search(wrong.example.text, 1, allowed=allows)
        if not hits:
            return None
        pool = (*shown, self.train[hits[0].position])
        return Demos(pool=pool, k=len(pool))


def _read_field(detail: str) -> str:
    return detail.partition(",")[0].removeprefix("$.")


def _split_lines(prompt: Prompt) -> list[str]:
    return [line for line in prompt.instructions.split("\n") if line.strip()]


def _add_line(prompt: Prompt, line: str) -> Prompt:
    return _replace_lines(prompt, [*_split_lines(prompt), line]) if line else prompt


def _replace_lines(prompt: Prompt, lines: Sequence[str]) -> Prompt:
    return prompt.replace(instructions="\n".join(lines))
