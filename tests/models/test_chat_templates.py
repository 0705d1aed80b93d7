"""Training ids and generation ids agree for every template on every tokenizer."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.training.rows import TrainingRow
from whatworks.training.tokenise import tokenise

TARGETS = ["card_lost", "Yes, sir.", '{"name": "Bo", "age": 41}', "grün – 木", "two\nlines", ": x"]

TURNS = {
    "single": [("user", "What is the colour of the sky?")],
    "system": [("system", "Answer briefly."), ("user", "Where does Alma Reed live?")],
    "several": [
        ("system", "Answer briefly."),
        ("user", "Where does Alma Reed live?"),
        ("assistant", "Alma Reed lives in Porto."),
        ("user", "And Bo?"),
    ],
}


def conversation(name: str) -> list[Message]:
    return [Message(role=role, content=text) for role, text in TURNS[name]]  # pyright: ignore


@pytest.fixture(scope="session", params=["lab", "stories", "tiny_model"])
def own(request: pytest.FixtureRequest) -> Any:
    if request.param == "lab":
        return models.load_tokenizer(models.resolve("lab"))
    return models.load_tokenizer(request.getfixturevalue(request.param))


@pytest.fixture(scope="session", params=templates.list_names())
def tokenizer(request: pytest.FixtureRequest, own: Any) -> Any:
    return templates.use(own, request.param)


@pytest.mark.parametrize("turns", TURNS)
def test_transformers_tells_the_answer_from_what_closes_it(tokenizer: Any, turns: str) -> None:
    parsing = pytest.importorskip("transformers.utils.chat_parsing.response_parser")
    form = templates.describe_response(tokenizer)
    before = tokenizer.decode(templates.encode_prompt(tokenizer, conversation(turns)))
    for target in TARGETS:
        for end in (True, False):
            ids = templates.encode_completion(tokenizer, target, end=end)
            said = parsing.parse_response(tokenizer.decode(ids), form, prefix=before)["content"]
            assert said.strip() == templates.decode(tokenizer, ids).strip()


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("target", TARGETS)
def test_training_reads_the_prompt_of_generation(tokenizer: Any, turns: str, target: str) -> None:
    prompt, answer = templates.encode_training(tokenizer, conversation(turns), target)
    assert prompt == templates.encode_prompt(tokenizer, conversation(turns))
    assert answer == templates.encode_completion(tokenizer, target)


@pytest.mark.parametrize("target", TARGETS)
def test_completion_is_the_target_and_one_end_token(tokenizer: Any, target: str) -> None:
    # The mask of a training row is 1 on exactly these ids: each must belong to target or end.
    ids = templates.encode_completion(tokenizer, target)
    end = templates.find_ending(tokenizer)
    assert ids[-1] in end.stop_ids
    assert not end.stop_ids.intersection(ids[:-1])
    assert templates.decode(tokenizer, ids[:-1]) == target
    assert templates.decode(tokenizer, ids) == target
    assert templates.encode_completion(tokenizer, target, end=False) == ids[:-1]
    shown = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert shown.endswith(target + tokenizer.convert_ids_to_tokens(ids[-1]))
    assert shown.startswith(end.lead + target)


@pytest.mark.parametrize("turns", TURNS)
def test_every_token_of_a_training_row_is_read_or_learned(tokenizer: Any, turns: str) -> None:
    prompt = templates.encode_prompt(tokenizer, conversation(turns))
    rows = [
        TrainingRow(id=target, messages=tuple(conversation(turns)), target=target)
        for target in TARGETS
    ]
    columns = tokenise(rows, tokenizer, None).columns
    for row, ids, labels in zip(rows, columns["input_ids"], columns["labels"], strict=True):
        answer = templates.encode_completion(tokenizer, row.target)
        assert len(ids) == len(labels) == len(prompt) + len(answer)
        for place, (token, label) in enumerate(zip(ids, labels, strict=True)):
            if place < len(prompt):
                assert (token, label) == (prompt[place], -100)
            else:
                assert token == label == answer[place - len(prompt)]
        assert labels[-1] in templates.find_ending(tokenizer).stop_ids


@pytest.mark.parametrize("turns", TURNS)
def test_a_row_begins_with_at_most_one_bos(tokenizer: Any, turns: str) -> None:
    prompt, answer = templates.encode_training(tokenizer, conversation(turns), "card_lost")
    if tokenizer.bos_token_id is None:
        return
    adds = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    assert (prompt + answer).count(tokenizer.bos_token_id) == int(adds)
    assert (prompt[0] == tokenizer.bos_token_id) == adds


@pytest.mark.parametrize("turns", TURNS)
def test_every_turn_is_in_the_prompt_in_order(tokenizer: Any, turns: str) -> None:
    text = tokenizer.decode(
        templates.encode_prompt(tokenizer, conversation(turns)), clean_up_tokenization_spaces=False
    )
    places = [text.find(content) for _, content in TURNS[turns]]
    assert -1 not in places
    assert places == sorted(places)


def test_an_answer_in_the_conversation_ends_as_an_answer_in_training(tokenizer: Any) -> None:
    end = templates.find_ending(tokenizer).ids
    prompt = templates.encode_prompt(tokenizer, conversation("several"))
    assert set(end) <= set(prompt)


@pytest.mark.parametrize("name", templates.STYLES)
def test_the_generation_marker_covers_the_answer_and_its_end(own: Any, name: str) -> None:
    tokenizer = templates.use(own, name)
    chat = [{"role": "user", "content": "Bo?"}, {"role": "assistant", "content": "card_lost"}]
    row = tokenizer.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = [i for i, m in zip(row["input_ids"], row["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(marked, skip_special_tokens=True).strip() == "card_lost"
    assert marked[-1] in templates.find_ending(tokenizer).stop_ids


@settings(max_examples=40, deadline=None)
@given(target=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_any_target_comes_back(target: str) -> None:
    own = models.load_tokenizer(models.resolve("lab"))
    for name in templates.list_names():
        tokenizer = templates.use(own, name)
        ids = templates.encode_completion(tokenizer, target)
        if any(token in target for token in own.all_special_tokens):
            continue
        assert templates.decode(tokenizer, ids[:-1]) == target


def test_named_templates_leave_the_shared_tokenizer_alone(own: Any) -> None:
    before = copy.copy(own.chat_template)
    chosen = templates.use(own, "alpaca")
    assert chosen.chat_template != before
    assert own.chat_template == before


def test_auto_keeps_the_own_template_and_is_plain_without_one(own: Any) -> None:
    chosen = templates.use(own, "auto").chat_template
    assert chosen == (own.chat_template or templates.use(own, "plain").chat_template)


def test_a_saved_tokenizer_says_the_same(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer = templates.use(models.load_tokenizer(tiny_model), "vicuna")
    tokenizer.save_pretrained(tmp_path)
    again = models.load_tokenizer(tmp_path)
    row = templates.encode_training(tokenizer, conversation("several"), "card_lost")
    assert templates.encode_training(again, conversation("several"), "card_lost") == row


def test_an_answer_ends_by_text_where_no_token_ends_it(tiny_model: Path) -> None:
    bare = copy.deepcopy(models.load_tokenizer(tiny_model))
    bare.eos_token = None
    tokenizer = templates.use(bare, "plain")
    end = templates.find_ending(tokenizer)
    assert end.ids == ()
    assert templates.END_TEXT in end.stop_texts
    ids = templates.encode_completion(tokenizer, "card_lost")
    assert tokenizer.decode(ids).strip() == "card_lost" + templates.END_TEXT


def test_system_text_is_folded_where_the_template_has_no_system_role(tiny_model: Path) -> None:
    tokenizer = copy.deepcopy(models.load_tokenizer(tiny_model))
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}"
        "{{ raise_exception('no system role') }}{% endif %}"
        "{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}"
    )
    text = tokenizer.decode(templates.encode_prompt(tokenizer, conversation("system")))
    assert text.startswith("user: Answer briefly.\n\nWhere does Alma Reed live?")


OTHERS = {
    # The end of Qwen3's.
    "qwen3": (
        "{%- for m in messages %}"
        "{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}"
        "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
    ),
    # Gemma 2's.
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
        "{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for message in messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Conversation roles must alternate user/assistant/...') }}{% endif %}"
        "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
        "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}"
    ),
    "silent": (  # passes the system text over
        "{% for m in messages if m.role != 'system' %}{{ m.role + ': ' + m.content }}{% endfor %}"
    ),
}


@pytest.mark.parametrize("name", ["auto", "chatml", "alpaca", *OTHERS])
@pytest.mark.parametrize("turns", TURNS)
def test_a_settled_tokenizer_asks_by_itself_as_generation_does(
    tiny_model: Path, tmp_path: Path, name: str, turns: str
) -> None:
    tokenizer = copy.deepcopy(models.load_tokenizer(tiny_model))
    if name in OTHERS:
        tokenizer.chat_template = OTHERS[name]
    else:
        tokenizer = templates.use(tokenizer, name)
    asked = templates.encode_prompt(tokenizer, conversation(turns))
    templates.settle_template(tokenizer).save_pretrained(tmp_path)
    saved = models.load_tokenizer(tmp_path)
    said = [message.model_dump() for message in conversation(turns)]
    for how in ({}, {"enable_thinking": True}):
        ids = saved.apply_chat_template(
            said, add_generation_prompt=True, return_dict=True, tokenize=True, **how
        )["input_ids"]
        assert ids == asked
    assert templates.encode_prompt(saved, conversation(turns)) == asked
    assert templates.describe_response(saved) == templates.describe_response(tokenizer)


def test_a_template_that_refuses_is_a_user_error(tiny_model: Path) -> None:
    tokenizer = copy.deepcopy(models.load_tokenizer(tiny_model))
    tokenizer.chat_template = "{{ raise_exception('turns must alternate') }}"
    with pytest.raises(InputError, match="turns must alternate"):
        templates.encode_prompt(tokenizer, conversation("single"))


def test_an_unknown_template_names_the_known_ones(tiny_model: Path) -> None:
    with pytest.raises(InputError, match="chatml"):
        templates.use(models.load_tokenizer(tiny_model), "chatmll")
