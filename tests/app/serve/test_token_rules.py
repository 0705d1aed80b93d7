"""Penalties, bias, cuts and alternatives of tokens: what they do to chances, and asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from whatworks.models.decoding import Decoding
from whatworks.models.local.request import RequestRow
from whatworks.models.local.sampling import Draw
from whatworks.models.local.token_chances import count_kept, list_likeliest, steer
from whatworks.models.token_rules import TokenRules

ASK: list[Any] = [{"role": "user", "content": "Where does Alma Reed live?"}]
LOGITS = [2.0, -1.0, 0.5, 0.0]


def row(prompt: list[int], new: list[int]) -> RequestRow:
    return RequestRow(0, prompt, 9, "key", new=new)


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ({"repetition_penalty": 2.0}, [1.0, -2.0, 0.25, 0.0]),  # prompt and answer both count
        ({"presence_penalty": 1.0}, [2.0, -1.0, -0.5, 0.0]),
        ({"frequency_penalty": 1.0}, [2.0, -1.0, -1.5, 0.0]),
        ({"presence_penalty": -0.5, "frequency_penalty": 0.25}, [2.0, -1.0, 0.5, 0.0]),
        ({"logit_bias": ((3, 7.0), (0, -1.0))}, [1.0, -1.0, 0.5, 7.0]),
        ({"top_k": 1, "min_p": 0.5}, LOGITS),  # cut later, not changed
    ],
)
def test_what_logits_become(rules: dict[str, Any], wanted: list[float]) -> None:
    logits = torch.tensor([LOGITS])
    changed = steer(logits, [row([0, 1], [2, 2])], TokenRules(**rules))
    assert changed[0].tolist() == pytest.approx(wanted)
    assert logits[0].tolist() == LOGITS


masses = st.lists(st.integers(1, 50), min_size=1, max_size=12).map(
    lambda parts: sorted((part / sum(parts) for part in parts), reverse=True)
)


@given(masses, st.floats(0.05, 1.0), st.integers(0, 14), st.floats(0.0, 1.0))
def test_how_many_tokens_stay(mass: list[float], top_p: float, top_k: int, min_p: float) -> None:
    """As each rule says by itself, one after the other: min_p, top_k, then the nucleus."""
    row = torch.tensor([mass], dtype=torch.float64)
    count = int(count_kept(row, top_p, TokenRules(top_k=top_k, min_p=min_p)))
    kept = [one for one in row[0].tolist() if one >= min_p * row[0].tolist()[0]] or mass[:1]
    kept = kept[:top_k] if top_k else kept
    assert 1 <= count <= len(kept)
    whole = sum(kept)
    assert count == 1 or sum(kept[: count - 1]) < top_p * whole + 1e-9
    assert count == len(kept) or sum(kept[:count]) >= top_p * whole - 1e-9
    assert int(count_kept(row, top_p, None)) == int(count_kept(row, top_p, TokenRules()))


def test_without_rules_draws_are_as_before() -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    for rules in (TokenRules(alternatives=3), TokenRules(top_k=50)):
        for decoding in (Decoding(), Decoding(temperature=0.8, top_p=0.9, seed=4)):
            rows, others = ([RequestRow(i, [1], 9, str(i)) for i in range(3)] for _ in range(2))
            plain = Draw(decoding)(logits, rows)
            assert Draw(decoding.replace(rules=rules))(logits, others) == plain


def test_only_the_likeliest_are_drawn() -> None:
    logits = torch.randn(1, 50, generator=torch.Generator().manual_seed(2))
    best = logits[0].topk(2).indices.tolist()
    draw = Draw(Decoding(temperature=5.0, rules=TokenRules(top_k=2)))
    drawn = {draw(logits, [RequestRow(0, [1], 9, str(at))])[0] for at in range(60)}
    assert drawn == set(best)


def test_the_likeliest_are_in_order() -> None:
    [tops] = list_likeliest(torch.tensor([LOGITS]), 3)
    assert [token for token, _ in tops] == [0, 2, 3]
    total = math.log(sum(map(math.exp, LOGITS)))
    assert [chance for _, chance in tops] == pytest.approx([x - total for x in (2.0, 0.5, 0.0)])


def test_keys_and_files_of_decodings_without_rules_stay() -> None:
    plain = Decoding(temperature=0.7)
    assert "rules" not in plain.model_dump() and plain.key == Decoding(temperature=0.7).key
    ruled = plain.replace(rules=TokenRules(top_k=3))
    assert ruled.key != plain.key
    for one in (plain, ruled):
        assert Decoding.model_validate_json(one.model_dump_json()) == one


def ask(sdk: Any, **more: Any) -> Any:
    asked: dict[str, Any] = {"model": "lab", "messages": ASK, "max_tokens": 6, "temperature": 0}
    return sdk.chat.completions.create(**{**asked, **more}).choices[0]


def test_alternatives_come_with_the_tokens(sdk: Any) -> None:
    choice = ask(sdk, logprobs=True, top_logprobs=4)
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens) == choice.message.content
    for token in tokens:
        chances = [one.logprob for one in token.top_logprobs]
        assert len(chances) == 4 and chances == sorted(chances, reverse=True)
        assert token.top_logprobs[0].token == token.token  # greedy
        assert token.logprob == pytest.approx(chances[0])


def test_alternatives_of_plain_texts(sdk: Any) -> None:
    said = sdk.completions.create(
        model="lab", prompt="Alma  Reed lives in", max_tokens=4, temperature=0, logprobs=3
    )
    found = said.choices[0].logprobs
    assert "".join(found.tokens) == said.choices[0].text
    for token, chance, tops in zip(
        found.tokens, found.token_logprobs, found.top_logprobs, strict=True
    ):
        assert tops[token] == pytest.approx(chance) and len(tops) == 3


def test_an_echo_keeps_every_blank(sdk: Any) -> None:
    prompt = "Alma  Reed lives in\n the"
    asked = {"model": "lab", "prompt": prompt, "max_tokens": 5, "temperature": 0}
    said = sdk.completions.create(**asked, echo=True, logprobs=1).choices[0]
    assert said.text.startswith(prompt) and "".join(said.logprobs.tokens) == said.text
    streamed = sdk.completions.create(**asked, stream=True)
    assert "".join(one.choices[0].text for one in streamed) == said.text[len(prompt) :]


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_stop_within_the_first_word_keeps_the_blank_before_it(sdk: Any, cut: int) -> None:
    asked = {"model": "lab", "prompt": "Alma Reed lives in", "max_tokens": 5, "temperature": 0}
    whole = sdk.completions.create(**asked).choices[0].text
    assert whole.startswith(" the")
    stop = whole[cut : cut + 2]
    for stream in (False, True):
        said = sdk.completions.create(**asked, stop=[stop], stream=stream)
        texts = [one.choices[0].text for one in (said if stream else [said])]
        assert "".join(texts) == whole.split(stop)[0]


def test_bias_and_penalties_change_answers(sdk: Any, http: Any) -> None:
    plain = ask(sdk, logprobs=True)
    assert plain.logprobs.content, plain
    first = plain.logprobs.content[0].token
    [token] = http.post("/tokenize", json={"prompt": first}).json()["tokens"][-1:]
    assert ask(sdk, logit_bias={str(token): -100}).message.content != plain.message.content
    forced = ask(sdk, logit_bias={str(token): 100}).message.content
    assert forced.replace(" ", "") == first.strip() * 6
    assert len(set(ask(sdk, logit_bias={str(token): 30}, max_tokens=12,
                       extra_body={"repetition_penalty": 9.9}).message.content)) > 1  # fmt: skip
    for cut in ({"top_k": 1}, {"min_p": 1.0}):
        assert ask(sdk, temperature=4, extra_body=cut).message.content == plain.message.content


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"logit_bias": {"999999": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"min_p": 1.5}, "min_p"),
        ({"top_k": -2}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"response_format": {"type": "json_schema", "json_schema": [1]}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": [1]}}},
         "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 5}}}},
         "response_format"),
        ({"structured_outputs": {"json": [1]}}, "structured_outputs"),
        ({"chat_template_kwargs": {"tokenize": True}}, "chat_template_kwargs"),
        ({"min_tokens": 4}, "min_tokens"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(http: Any, wrong: dict[str, Any], param: str) -> None:
    asked = {"model": "lab", "messages": ASK, "max_tokens": 2, **wrong}
    got = http.post("/v1/chat/completions", json=asked)
    assert got.status_code == 400, got.text
    assert got.json()["error"]["param"].startswith(param)


@pytest.mark.parametrize("prompt", [[99999999], [-1], [[3], [2304]], []])
def test_ids_out_of_range_are_refused(http: Any, prompt: Any) -> None:
    got = http.post("/v1/completions", json={"model": "lab", "prompt": prompt, "max_tokens": 2})
    assert got.status_code == 400


def test_a_form_that_the_request_brings_is_not_cut_by_short_answers(sdk: Any) -> None:
    """A plain model's 256 tokens, or an arm's few, are no limit of a form."""
    from whatworks.app.serve.protocol import FORM_TOKENS, ChatRequest

    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    asked: dict[str, Any] = {"model": "lab", "messages": ASK, "response_format": form}
    short = Decoding(max_tokens=12)
    assert ChatRequest(**asked).over(short, None).max_tokens == FORM_TOKENS
    assert ChatRequest(**asked).over(short, 30).max_tokens == 30
    del asked["response_format"]
    assert ChatRequest(**asked).over(short, None).max_tokens == 12
