"""Whatever a server sends is a reply, or is said to be none."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from whatworks.models.endpoint.replies import Unusable, count_tokens, read_complaint, read_reply

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "error", "text", "code"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=40) | json_values.map(lambda v: json.dumps(v).encode()))
def test_any_body_is_a_reply_or_unusable(payload: bytes) -> None:
    message, _ = read_complaint(payload)
    assert len(message) <= 300 and "\n" not in message
    try:
        reply = read_reply(payload)
    except Unusable:
        return
    body = {"messages": [{"content": "a b"}], "max_tokens": 5}
    read, written, _ = count_tokens(reply, body)
    assert read > 0 and written >= 0


def test_log_probabilities_are_summed_where_every_token_has_one() -> None:
    def reply(logprobs: object) -> float | None:
        choice = {"message": {"content": "a b"}, "logprobs": logprobs}
        return read_reply(json.dumps({"choices": [choice]}).encode()).logprob

    assert reply({"content": [{"token": "a", "logprob": -1.5}, {"logprob": -0.5}]}) == -2.0
    for nothing in (None, {}, {"content": []}, {"content": [{"token": "a"}]}, [1], "x"):
        assert reply(nothing) is None
