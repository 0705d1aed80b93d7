"""Chat: one turn, in its role, with what was said before."""

from __future__ import annotations

import pytest

from whatworks.base.errors import InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec, Role
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

CHAT = load(MetricSpec(name="chat"))


def talk(*turns: str, target: str, **meta: object) -> Example:
    roles: tuple[Role, Role] = ("user", "assistant")
    messages = tuple(Message(role=roles[i % 2], content=turn) for i, turn in enumerate(turns))
    return Example(id="e", messages=messages, target=target, meta=meta)


TOWN = talk(
    "Hello, I am Dora Berran.",
    "Hello, Dora.",
    "I live in Branport. My order is W557.",
    "Branport is a nice town.",
    "Where do I live?",
    target="You live in Branport.",
)


@pytest.mark.parametrize(
    ("text", "lenient", "says"),
    [
        ("You live in Branport.", 1, ""),
        ("In Branport!", 1, ""),
        ("You live in Branport", 0.75, "last sentence"),
        ("You live in Halstead.", 0.75, "does not use 'Branport'"),
        ("You live in Branport.\nUser: And now?", 0.75, "speaks for another"),
        ("You live in Branport.<|end|>", 0.5, "speaks for another"),
        ("Branport is a nice town.", 0.75, "earlier turn"),
        ("You live in Branport. " * 9, 0.75, "too long"),
        ("", 0, "says nothing"),
    ],
)
def test_answers_by_hand(text: str, lenient: float, says: str):
    score = CHAT(TOWN, text)
    assert score.value == float(not says)
    assert score.kind == ("wrong" if says else "correct")
    assert score.forgiving == pytest.approx(lenient)
    assert says in score.feedback


def test_an_answer_that_was_cut_off_did_not_end_its_turn():
    assert CHAT(TOWN, "You live in Branport.", ended=False).parts["ends"] == 0.0
    assert CHAT(TOWN, "You live in Branport.").parts["ends"] == 1.0


def test_how_a_generation_finished_reaches_the_metric(tmp_path):
    class Cut(FakeEngine):
        def generate(self, *args, **named):
            made = super().generate(*args, **named)
            return [Generation(g.text, g.prompt_tokens, 1, 0.0, "length") for g in made]

    kinds = []
    for engine in (FakeEngine(lambda _: TOWN.target), Cut(lambda _: TOWN.target)):
        examiner = Examiner(engine, CHAT, Store(tmp_path / type(engine).__name__))
        candidate = Candidate(
            prompt=Prompt(), weights=Weights(base="fake"), decoding=Decoding(max_tokens=9)
        )
        [answer] = examiner.ask(candidate, [TOWN])
        kinds.append(answer.score.kind)
    assert kinds == ["correct", "wrong"]


@pytest.mark.parametrize(
    ("example", "used"),
    [
        (TOWN, True),
        (talk("I live in Branport.", "I see.", "Is Branport nice?", target="Branport is."), False),
        (talk("Hi.", "Hello.", "Who are you?", target="I am Vicuna."), False),
        (talk("It costs 40.", "I see.", "How much?", target="It costs 40."), True),
        # A word that stands at the beginning of sentences only is no name.
        (talk("Yes. Good.", "I see.", "Is it?", target="Yes it is."), False),
        (talk("Hi.", "Hello.", "Again?", target="Once more.", uses=["hello"]), True),
    ],
)
def test_what_has_to_be_used_is_found(example: Example, used: bool):
    assert ("uses" in CHAT(example, "x.").parts) == used


def test_what_cannot_be_scored_against():
    with pytest.raises(InputError, match="no target"):
        CHAT(talk("Hi.", target=" "), "x")
    with pytest.raises(InputError, match="not a list of texts"):
        CHAT(talk("Hi.", target="x", uses="y"), "x")


def test_the_length_that_fits_can_be_set():
    example = talk("Tell me.", target="word " * 40 + "end.")
    for words, fits in ((5, False), (13, True), (120, True), (140, False)):
        assert CHAT(example, "word " * words + ".").parts["length"] == float(fits), words
    strict = load(MetricSpec(name="chat", options={"length": 1.0}))
    assert strict(example, "word " * 60 + ".").parts["length"] == 0.0
