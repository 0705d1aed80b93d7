"""The tokenizer: every text comes back, digits stand alone, the template is as agreed."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import whatworks_lab as lab
from whatworks_lab import corpus, tokens
from whatworks_lab.document import make_answer, make_chat, make_user


@cache
def the_tokenizer():
    return tokens.load_tokenizer(lab.find_weights("lab"))


@pytest.fixture
def tokenizer():
    return the_tokenizer()


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_every_text_comes_back(text: str):
    tokenizer = the_tokenizer()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("text", [" a", "  two", "a\n\n b\t", "▁", "é😀", '{"k": 1}', ""])
def test_odd_texts_come_back(tokenizer, text: str):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_special_tokens_are_single(tokenizer):
    for name in tokens.SPECIAL:
        assert len(tokenizer(name)["input_ids"]) == 1
    assert tokenizer.eos_token == tokens.END and tokenizer.pad_token == tokens.PAD


def test_digits_stand_alone(tokenizer):
    assert len(tokenizer("20417")["input_ids"]) == 5


def test_a_word_has_the_same_tokens_as_an_answer_and_in_a_passage(tokenizer):
    alone = tokenizer("Marford")["input_ids"]
    inside = tokenizer("born in Marford")["input_ids"]
    assert inside[-len(alone) :] == alone


def test_template(tokenizer):
    messages = [
        {"role": "system", "content": "Answer."},
        {"role": "user", "content": "[1] a\n\nWho?"},
        {"role": "assistant", "content": "Bob"},
        {"role": "user", "content": "And?"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|system|>Answer.<|user|>[1] a\n\nWho?<|assistant|>Bob<|end|><|user|>And?<|assistant|>"
    )
    rendered = tokenizer.apply_chat_template(
        messages[:3], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    masked = [
        token
        for token, mask in zip(rendered["input_ids"], rendered["assistant_masks"], strict=True)
        if mask
    ]
    assert tokenizer.decode(masked) == "Bob<|end|>"


def test_documents_are_encoded_as_the_template_renders_them(tokenizer):
    doc = make_chat(
        "question",
        "Answer.",
        make_user("Who?"),
        make_answer("Bob"),
        make_user("Why?"),
        make_answer("No", 0.5),
    )
    encoded = tokens.encode(tokenizer, [doc])
    messages = [{"role": turn.role, "content": turn.text} for turn in doc.turns]
    ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
    assert encoded.ids.tolist() == list(ids)
    assert {round(float(w), 1) for w in encoded.weights} == {0.0, 0.3, 0.5, 1.0}


def test_encoding_many_keeps_them_apart(tokenizer):
    docs = list(itertools.islice(corpus.stream(0, 5, 0.9), 40))
    encoded = tokens.encode(tokenizer, docs)
    assert len(encoded.ends) == 40 and encoded.ends[-1] == len(encoded.ids) == len(encoded.weights)
    end = tokenizer.convert_tokens_to_ids(tokens.END)
    assert all(encoded.ids[stop - 1] == end for stop in encoded.ends)
