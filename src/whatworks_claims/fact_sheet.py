"""Fact tasks: facts told as statements, questions or documents, and asked in five ways.

The five ways are those of the knowledge-editing literature (Yao et al. 2023, "Editing Large
Language Models", section 2; Berglund et al. 2024, "The Reversal Curse"). Each test row says which
it is in ``meta["aspect"]``, and the ``facts`` metric reports a figure for each:

- ``reliability``: the fact, in a wording that training may have used, with "Question:" before it
  (no test row may repeat a train row);
- ``generalisation``: in a wording that training never used;
- ``reversal``: the question turned round, asking for the subject;
- ``portability``: two facts combined (two hops);
- ``locality``: a neighbour's fact, which must not change.

Answers are generated freely and compared with the target and its aliases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.data.task import Document, Example, MetricSpec, Splits, Task

Told = Literal["repeat", "paraphrase", "questions", "both"]
ASPECTS = ("reliability", "generalisation", "reversal", "portability", "locality")


@dataclass(frozen=True)
class SheetFact:
    """One fact with the ways it is said and asked.

    Attributes:
        id: Unique in its sheet.
        subject: Whom or what it is about; also the group of its rows.
        object: The answer.
        statements: Sentences that state it, different in wording.
        questions: Questions for the object: the last is kept for test, the one before for dev.
        reverse: Questions for the subject.
        aliases: Other forms of the object.
    """

    id: str
    subject: str
    object: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    reverse: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """Facts to teach, and what else is asked.

    Attributes:
        facts: What is taught; each needs three question wordings.
        hops: Questions that combine two of them: (id, question, answer).
        neighbours: Facts that training does not touch, which the model should still know after.
    """

    facts: tuple[SheetFact, ...]
    hops: tuple[tuple[str, str, str], ...] = ()
    neighbours: tuple[SheetFact, ...] = ()

    def documents(self) -> tuple[Document, ...]:
        """One document for each subject: a statement of each of its facts."""
        lines: dict[str, list[str]] = {}
        for fact in self.facts:
            lines.setdefault(fact.subject, []).append(fact.statements[0])
        return tuple(Document(id=f"doc-{s}", text=" ".join(t)) for s, t in lines.items())

    def task(self, name: str, form: Told, *, copies: int = 6, instructions: str = "") -> Task:
        """A task that teaches the facts in one form and asks them in all five ways.

        Training rows number ``copies`` for each fact whatever the form, so that forms are compared
        at equal cost. A statement is a row without input: plain text.

        Args:
            name: Of the task.
            form: ``repeat`` says the first statement again and again, ``paraphrase`` says it in
                ``copies`` wordings, ``questions`` asks in the wordings that are not kept for dev
                and test, ``both`` is half paraphrases, half questions.
            copies: Training rows for each fact.
            instructions: For training and test alike.
        """
        train = tuple(row for fact in self.facts for row in _tell_fact(fact, form, copies))
        dev = tuple(_ask_fact(fact, -2, "dev", "generalisation") for fact in self.facts)
        test: list[Example] = []
        for fact in self.facts:
            test.append(_ask_again(fact))
            test.append(_ask_fact(fact, -1, "new", "generalisation"))
            test += [_reverse_fact(fact, question) for question in fact.reverse[:1]]
        subjects = {fact.object: fact.subject for fact in self.facts}
        for id_, question, answer in self.hops:
            test.append(
                Example(
                    id=id_,
                    inputs={"question": question},
                    target=answer,
                    group=subjects.get(answer, id_),
                    meta={"aspect": "portability"},
                )
            )
        near = [_ask_fact(fact, -1, "near", "locality") for fact in self.neighbours]
        test += [row.replace(evidence=()) for row in near]
        return Task(
            name=name,
            splits=Splits(train=train, dev=dev, test=tuple(test)),
            metric=MetricSpec(name="facts"),
            instructions=instructions,
            documents=self.documents(),
        )


def read_aspect(example: Example) -> str:
    """Which of the five ways a row asks in; "" when it does not say."""
    return str(example.meta.get("aspect", ""))


def _tell_fact(fact: SheetFact, form: Told, copies: int) -> Sequence[Example]:
    questions = [_ask_fact(fact, i % (len(fact.questions) - 2), f"q{i}", "") for i in range(copies)]
    if form == "questions":
        return questions
    if form == "repeat":
        return [_state_fact(fact, 0, i) for i in range(copies)]
    statements = [_state_fact(fact, i % len(fact.statements), i) for i in range(copies)]
    return (
        statements
        if form == "paraphrase"
        else [*statements[: copies // 2], *questions[: copies - copies // 2]]
    )


def _state_fact(fact: SheetFact, wording: int, number: int) -> Example:
    text = fact.statements[wording]
    return Example(id=f"{fact.id}/s{number}", inputs={"text": ""}, target=text, group=fact.subject)


def _ask_fact(fact: SheetFact, wording: int, name: str, way: str) -> Example:
    return Example(
        id=f"{fact.id}/{name}",
        inputs={"question": fact.questions[wording]},
        target=fact.object,
        group=fact.subject,
        evidence=(f"doc-{fact.subject}",),
        meta={
            **({"aspect": way} if way else {}),
            **({"aliases": list(fact.aliases)} if fact.aliases else {}),
        },
    )


def _ask_again(fact: SheetFact) -> Example:
    row = _ask_fact(fact, 0, "again", "reliability")
    return row.replace(inputs={"question": f"Question: {row.text}"})


def _reverse_fact(fact: SheetFact, question: str) -> Example:
    return Example(
        id=f"{fact.id}/reverse",
        inputs={"question": question},
        target=fact.subject,
        group=fact.subject,
        evidence=(f"doc-{fact.subject}",),
        meta={"aspect": "reversal"},
    )
