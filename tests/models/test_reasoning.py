"""Reasoning is told from answers, in what models write, in targets and in templates."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models import reasoning
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.replies import count_tokens, read_reply, split_reply
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.local.request import RequestRow
from whatworks.models.local.sampling import Ends

ASKED = [Message(role="user", content="Where does Alma Reed live?")]
HEADER = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
OPENS = HEADER + "{% if add_generation_prompt %}<s>assistant\n<think>\n{% endif %}"
# As Qwen3's template ends.
SWITCHED = (
    HEADER + "{% if add_generation_prompt %}<s>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
PLAIN = HEADER + "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
words = st.text(alphabet="ab c.\n", max_size=20).filter(lambda text: text == text.strip())


@pytest.fixture
def with_template(tiny_model: Path) -> Any:
    def build(template: str, name: str = "auto") -> Any:
        tokenizer = copy.copy(models.load_tokenizer(tiny_model))
        tokenizer.chat_template = template
        return templates.use(tokenizer, name)

    return build


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("Paris", "", "Paris"),
        (" Paris\n", "", " Paris\n"),
        ("<think>\nHm.\n</think>\n\nParis", "Hm.", "Paris"),
        ("  <think>Hm.</think>Paris", "Hm.", "Paris"),
        ("Hm.\n</think>\n\nParis", "Hm.", "Paris"),  # a server's template opened it
        ("<think></think>Paris", "", "Paris"),
        ("<think>Hm", "Hm", ""),  # cut while it reasoned
        ("<think>a</think><think>b</think>c", "a\n\nb", "c"),
        ("[THINK]Hm.[/THINK]Paris", "Hm.", "Paris"),
        ("<|channel>thought\nHm.<channel|>Paris", "Hm.", "Paris"),
        ("Paris <think>", "", "Paris <think>"),
    ],
)
def test_a_text_in_two(text: str, thoughts: str, answer: str) -> None:
    found = reasoning.split(text)
    assert (found.reasoning, found.answer) == (thoughts, answer)


def test_an_open_block_holds_all() -> None:
    assert reasoning.split("Hm", opened=True) == reasoning.Split("Hm", "", open=True)
    assert reasoning.split("Hm</think>\n\nParis", opened=True).answer == "Paris"


@given(thoughts=words, answer=words, marks=st.sampled_from(reasoning.MARKS))
def test_what_is_put_together_comes_apart(
    thoughts: str, answer: str, marks: tuple[str, str]
) -> None:
    found = reasoning.split(f"{marks[0]}\n{thoughts}\n{marks[1]}\n\n{answer}")
    assert (found.reasoning, found.answer, found.open) == (thoughts, answer, False)


@given(thoughts=words, answer=words, holds=st.booleans())
@pytest.mark.parametrize("prompt", ["q\n<think>\n", "q <think>", "q", "q<think>\n\n</think>\n\n"])
def test_a_target_behind_its_prompt_is_one_block_and_the_answer(
    prompt: str, thoughts: str, answer: str, holds: bool
) -> None:
    target = f"<think>\n{thoughts}\n</think>\n\n{answer}" if holds else answer
    whole = prompt + reasoning.continue_prompt(prompt, target)
    assert whole.count("<think>") == whole.count("</think>") <= 1
    block = whole[whole.find("<think>") :] if "<think>" in whole else whole.removeprefix("q")
    found = reasoning.split(block)
    assert found.answer.strip() == answer
    closed = prompt.rstrip().endswith("</think>")
    assert found.reasoning == (thoughts if holds and not closed else "")


def test_training_closes_a_block_that_the_template_opens(with_template: Any) -> None:
    tokenizer = with_template(OPENS)
    for target in ("Porto", "<think>\nReed.\n</think>\n\nPorto"):
        prompt, ids = templates.encode_training(tokenizer, ASKED, target)
        text = tokenizer.decode(prompt + ids)
        thoughts = "Reed." if "Reed" in target else ""
        assert text.endswith(f"<s>assistant\n<think>\n{thoughts}\n</think>\n\nPorto</s>")
        said = templates.split_answer(tokenizer, templates.decode(tokenizer, ids))
        assert (said.reasoning, said.answer) == (thoughts, "Porto")


def test_thinking_is_the_study_s_to_say(with_template: Any) -> None:
    for name, end, may in (
        ("auto", "<think>\n\n</think>\n\n", False),
        (templates.switch_thinking("auto", False), "<think>\n\n</think>\n\n", False),
        (templates.switch_thinking("auto", True), "<s>assistant\n", True),
    ):
        tokenizer = with_template(SWITCHED, name)
        asked = tokenizer.decode(templates.encode_prompt(tokenizer, ASKED))
        assert asked.endswith(end)
        assert templates.may_reason(tokenizer) is may
        # Exported, it asks as the study did.
        by_itself = templates.settle_template(tokenizer).apply_chat_template(
            [{"role": "user", "content": ASKED[0].content}],
            tokenize=False,
            add_generation_prompt=True,
        )
        assert by_itself == asked


def test_a_block_closed_by_the_template_takes_no_second(with_template: Any) -> None:
    tokenizer = with_template(SWITCHED)
    ids = templates.encode_completion(tokenizer, "<think>\nHm.\n</think>\n\nPorto")
    assert tokenizer.decode(ids) == "Porto</s>"
    thinks = with_template(SWITCHED, "auto+thinking")
    ids = templates.encode_completion(thinks, "<think>\nHm.\n</think>\n\nPorto")
    assert thinks.decode(ids) == "<think>\nHm.\n</think>\n\nPorto</s>"


def test_templates_that_say_nothing(with_template: Any) -> None:
    assert templates.may_reason(with_template(PLAIN)) is None
    assert templates.may_reason(with_template(OPENS)) is True


def drawn(tokenizer: Any, text: str, decoding: Decoding, asked: list[int] | None = None) -> Any:
    """What the engine makes of a text that a model wrote token by token."""
    ends = Ends(tokenizer, (), decoding)
    row = RequestRow(
        0, templates.encode_prompt(tokenizer, ASKED) if asked is None else asked, 500, "key"
    )
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        if ends.add(row, token):
            break
    return ends.generation(row)


def test_the_engine_tells_them_apart(with_template: Any) -> None:
    found = drawn(
        with_template(OPENS), "The card.\n</think>\n\nPorto\nInput", Decoding(stop=("\n",))
    )
    assert (found.reasoning, found.text, found.finish) == ("The card.", "Porto", "stop")
    assert 0 < found.reasoning_tokens < found.completion_tokens
    assert drawn(with_template(PLAIN), "Porto", Decoding()).reasoning == ""


def test_a_plain_text_goes_on_without_reasoning(with_template: Any) -> None:
    tokenizer = with_template(OPENS)
    found = drawn(tokenizer, "Porto", Decoding(), asked=templates.encode_text(tokenizer, "Reed: "))
    assert (found.text, found.reasoning) == ("Porto", "")


def test_marks_that_are_special_tokens(with_template: Any) -> None:
    tokenizer = with_template(PLAIN)
    fast = copy.deepcopy(tokenizer)
    fast.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    found = drawn(fast, "[THINK]The card.[/THINK]Porto", Decoding())
    assert (found.reasoning, found.text) == ("The card.", "Porto")


def test_marks_that_a_response_template_names(with_template: Any) -> None:
    tokenizer = with_template(PLAIN)
    tokenizer.response_template = {"fields": {"thinking": {"open": "<<", "close": ">>"}}}
    assert reasoning.list_marks(tokenizer)[0] == ("<<", ">>")
    said = reasoning.split("<<Hm>>Porto", marks=reasoning.list_marks(tokenizer))
    assert said.answer == "Porto"


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Porto", "reasoning_content": "Hm. Reed."},
        {"content": "Porto", "reasoning": "Hm. Reed."},
        {"content": "<think>\nHm. Reed.\n</think>\n\nPorto"},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm. Reed."}]},
                {"type": "text", "text": "Porto"},
            ]
        },
    ],
)
def test_what_servers_send(message: dict[str, Any]) -> None:
    import json

    reply = read_reply(json.dumps({"choices": [{"message": message}]}).encode())
    found = split_reply(reply)
    assert (found.reasoning, found.answer) == ("Hm. Reed.", "Porto")
    body = {"messages": [{"content": "Where?"}], "max_tokens": 99}
    assert count_tokens(reply, body)[1] >= 3  # reasoning is paid for


def test_a_server_cut_while_it_reasoned() -> None:
    import json

    choice = {"message": {"content": None, "reasoning_content": "Hm"}, "finish_reason": "length"}
    reply = read_reply(json.dumps({"choices": [choice]}).encode())
    assert (split_reply(reply).answer, reply.finish) == ("", "length")


@pytest.mark.parametrize(
    ("room", "thoughts", "answer", "finish"),
    [(9, "a b", "c d", "stop"), (3, "a b", "c", "length"), (1, "a", "", "length")],
)
def test_the_fake_reasons_too(room: int, thoughts: str, answer: str, finish: str) -> None:
    engine = FakeEngine(lambda messages: "<think>a b</think>c d")
    (found,) = engine.generate(ModelFiles("fake"), [ASKED], Decoding(max_tokens=room))
    assert (found.reasoning, found.text, found.finish) == (thoughts, answer, finish)
    assert found.completion_tokens == len((thoughts + " " + answer).split())
