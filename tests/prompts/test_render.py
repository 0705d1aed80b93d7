from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.near_duplicates import is_near_duplicate, is_same_source
from whatworks.data.task import Document, Example, Message
from whatworks.prompts.prompt import Context, Demos, Prompt
from whatworks.prompts.render import render, render_each


def example(name: str, text: str, target: str = "t", **more: object) -> Example:
    return Example.model_validate({"id": name, "inputs": {"text": text}, "target": target, **more})


POOL = tuple(
    example(f"p{i}", text, target=f"target{i}")
    for i, text in enumerate(
        ["I lost my card in town", "How do I top up by cheque", "My card was swallowed", "Exchange"]
    )
)


def roles(messages: tuple[Message, ...]) -> list[str]:
    return [m.role for m in messages]


def test_order_of_the_parts() -> None:
    prompt = Prompt(
        instructions="Label it.",
        demos=Demos(pool=POOL, k=2),
        context=Context(
            chunks=(
                Document(id="d#0", text="Cards are sent."),
                Document(id="e#0", text="Fees are due."),
            ),
            k=2,
            search="lexical",
        ),
    )
    row = example("q", "Are cards sent")
    messages = render(prompt, row, exclude=[row]).messages
    assert roles(messages) == ["system", "user", "assistant", "user", "assistant", "user"]
    assert messages[0].content == "Label it."
    assert messages[2].content == "target0"
    assert messages[-1].content == "[1] Cards are sent.\n[2] Fees are due.\n\nAre cards sent"


def test_empty_instructions_make_no_message() -> None:
    row = example("q", "hello")
    assert roles(render(Prompt(), row, exclude=[row]).messages) == ["user"]


def test_several_inputs_are_named_and_conversations_kept() -> None:
    row = Example(id="a", inputs={"question": "who", "table": "t"}, target="x")
    assert render(Prompt(), row, exclude=[]).messages[0].content == "question: who\ntable: t"
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello"),
        Message(role="user", content="Bye"),
    )
    chat = Example(id="b", messages=turns, target="x")
    got = render(Prompt(instructions="Chat."), chat, exclude=[]).messages
    assert roles(got) == ["system", "user", "assistant", "user"]
    assert got[0].content == "Chat.\nBe brief."


def test_fixed_demonstrations_leave_out_the_row_itself() -> None:
    prompt = Prompt(demos=Demos(pool=POOL, k=2))
    targets = [m.content for m in render(prompt, POOL[0], exclude=[POOL[0]]).messages]
    assert "target0" not in targets
    assert {"target1", "target2"} <= set(targets)
    assert "target0" in [m.content for m in render(prompt, POOL[0], exclude=[]).messages]


def test_nearest_is_last_and_fixed_ones_come_first() -> None:
    demos = Demos(pool=POOL, k=3, select="nearest", embedder="lexical", fixed=1)
    asked = example("q", "a machine swallowed my card")
    shown = [m.content for m in render(Prompt(demos=demos), asked, exclude=[asked]).messages]
    assert shown[1] == "target0"
    assert shown[-2] == "target2"


def test_groups_and_near_duplicates_are_left_out() -> None:
    mates = (example("a", "one two three", "secret", group="g"), *POOL)
    row = example("q", "something else", group="g")
    prompt = Prompt(demos=Demos(pool=mates, k=5, select="nearest", embedder="lexical"))
    assert "secret" not in [m.content for m in render(prompt, row, exclude=[row]).messages]
    twin = example("r", "i LOST my card  in town!")
    assert "target0" not in [m.content for m in render(prompt, twin, exclude=[twin]).messages]


PASSAGE = (
    "Lima is the capital of Peru and its largest city, founded in 1535 by Pizarro. "
    + " ".join(
        f"{word.title()} quarter, which took its name in {1600 + 7 * i}, makes {word[::-1]}."
        for i, word in enumerate(
            [
                "amber",
                "basalt",
                "cedar",
                "dorado",
                "ermine",
                "fennel",
                "garnet",
                "hazel",
                "indigo",
                "jasper",
                "kelp",
                "linen",
            ]
        )
    )
)
FIRST, SECOND = "What is the capital of Peru?", "What year was the city founded?"


def fields(name: str, **inputs: str) -> Example:
    return Example(id=name, inputs=inputs, target="t")


def chat(name: str, *said: str) -> Example:
    roles_in_turn = ["user", "assistant"] * len(said)
    turns = [{"role": r, "content": c} for r, c in zip(roles_in_turn, said, strict=False)]
    return Example.model_validate({"id": name, "messages": turns, "target": "t"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fields("a", text=PASSAGE, ask=FIRST), fields("b", text=PASSAGE, ask=SECOND)),
        (fields("a", ask=FIRST, text=PASSAGE), fields("b", ask=SECOND, text=PASSAGE)),
        (chat("a", PASSAGE, "I see.", FIRST), chat("b", PASSAGE, "I see.", SECOND)),
        (chat("a", f"{PASSAGE}\n\n{FIRST}"), chat("b", f"{PASSAGE}\n\n{SECOND}")),
        (
            fields("a", text=f"Context: {PASSAGE}\nQuestion: {FIRST}\nThink step by step."),
            fields("b", text=f"Context: {PASSAGE}\nQuestion: {SECOND}\nThink step by step."),
        ),
        (
            fields("a", text=f"{PASSAGE}\n{FIRST}"),
            fields("b", text=f"{PASSAGE}\n{SECOND}\nAnswer in one word."),
        ),
    ],
    ids=["fields", "question first", "turns", "one turn", "lines in the middle", "another line"],
)  # fmt: skip
def test_a_shared_passage_does_not_make_rows_the_same(one: Example, other: Example) -> None:
    assert is_near_duplicate(one.text, other.text)
    assert not is_same_source(one, other) and not is_same_source(other, one)
    prompt = Prompt(demos=Demos(pool=(other.replace(target="shown"),), k=1))
    assert "shown" in [m.content for m in render(prompt, one, exclude=[one]).messages]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fields("a", text=PASSAGE, ask=FIRST), fields("b", text=f"{PASSAGE}!", ask=FIRST.upper())),
        (chat("a", PASSAGE, "I see.", FIRST), chat("b", PASSAGE, "I see!", FIRST)),
        (fields("a", text=f"Dear Bo,\n{PASSAGE}"), fields("b", text=f"Dear Al,\n{PASSAGE}")),
        (fields("a", text=f"{PASSAGE}\n{FIRST}"), fields("b", text=f"{PASSAGE}\n{FIRST}\nBye.")),
        (fields("a", text=PASSAGE), fields("b", text=PASSAGE.replace("1535", "1536", 1))),
    ],
    ids=["fields", "turns", "a greeting", "a line more", "an edited passage"],
)  # fmt: skip
def test_the_same_question_about_the_same_passage_is_the_same(one: Example, other: Example) -> None:
    assert is_same_source(one, other) and is_same_source(other, one)
    prompt = Prompt(demos=Demos(pool=(other.replace(target="shown"),), k=1))
    assert "shown" not in [m.content for m in render(prompt, one, exclude=[one]).messages]


def test_a_passage_that_is_the_row_itself_is_left_out() -> None:
    row = example("y", "Where does Bo live?", "Bo lives in Porto.")
    chunks = (
        Document(id="x#0", text="Where does Bo live? Bo lives in Porto."),
        Document(id="y#0", text="Bo moved to Porto with his four cats in May."),
    )
    prompt = Prompt(context=Context(chunks=chunks, k=3, search="lexical"))
    (message,) = render(prompt, row, exclude=[row]).messages
    # That a document has the id of the row says nothing: both are often numbered from 1.
    assert message.content.startswith("[1] Bo moved to Porto")
    assert "[2]" not in message.content


@given(st.text(min_size=1))
def test_near_duplicate_is_reflexive_and_ignores_space(text: str) -> None:
    assert is_near_duplicate(text, text)
    assert is_near_duplicate(f"  {text} \n", text)


def test_near_duplicate_tells_different_questions_apart() -> None:
    assert not is_near_duplicate("Where does Alma Reed live?", "Where does Otto Lind work?")
    assert not is_near_duplicate("", "something")
    assert is_near_duplicate("What is my card PIN number?", "what is my card  pin number")


def test_a_rendering_says_what_the_request_was_made_of() -> None:
    chunks = tuple(Document(id=f"d{i}#0", text=f"Cards of kind {i} are sent.") for i in range(4))
    prompt = Prompt(
        demos=Demos(pool=POOL, k=2, select="nearest", embedder="lexical"),
        context=Context(chunks=chunks, k=2, search="lexical"),
    )
    row = example("q", "Are cards of kind 2 sent")
    got = render(prompt, row, exclude=[row])
    assert got.prompt is prompt and got.example is row
    answers = [m.content for m in got.messages if m.role == "assistant"]
    assert answers == [demo.target for demo in got.demonstrations] and len(answers) == 2
    shown = [f"[{n}] {passage.text}" for n, passage in enumerate(got.passages, start=1)]
    assert len(shown) == 2 and got.messages[-1].content == "\n".join([*shown, "", row.text])
    assert render_each(prompt, [row, POOL[0]]) == [got, render(prompt, POOL[0], exclude=[POOL[0]])]
