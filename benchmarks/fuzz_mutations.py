"""Inputs that nobody would write: real ones cut, repeated, mixed and turned inside out.

Every input is made by a random generator alone, so that a number names it for good. A tenth of the
inputs are drawn by hypothesis from strategies that know nothing of the seeds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

MOST = 40_000
"""Characters of an input: what a degenerate model writes, several times over."""

PIECES = (
    "{", "}", "[", "]", "(", ")", "<", ">", '"', "'", "`", "```", "\\", "/", "|", "&", "*", "#",
    "-", "- ", "--", "---", "+", "=", "~", "^", "%", "$", "@", "!", "?", ".", ",", ":", ";", "_",
    "\n", "\r\n", "\r", "\t", " ", "\0", "\x1b[31m", "\ufeff", "\u2028", "\u00a0", "\u200b",
    "\ud800", "\udfff", "é", "e\u0301", "ﬁ", "İ", "ß", "١", "²", "½", "１", "木", "🙂", "🏳️‍🌈",
    "0", "1", "-1", "1e999", "1e-999", "NaN", "Infinity", "-0", "0x1F", "1_000", "1,000.5",
    "9" * 400,
    "null", "None", "true", "false", "yes", "no", "on", "~", "!!int", "!!python/object:os.system",
    "&a", "*a", "<<: *a", "? ", "|", ">-", "{{ x }}", "{% for a in b %}", "{% endfor %}", "{#",
    "<!--", "-->", "<a ", "</a>", "<![CDATA[", "<script>", "&amp;", "&#x110000;", "<div>",
    "SELECT", " FROM t", "with a as (", "case when ", " UNION ", "/*", "*/", "--\n", "';--",
    "inform(name[", "[1]", "[1, 2]", "<|im_start|>", "<|im_end|>", "<think>", "</think>",
    "### Response:", "Input:", "Output:", "role", "content", "messages", "messages[0]['content']",
    "I don't know", "Answer: ", "a" * 50, "(a+)+$", "[a-z]*", "\\d{1,999}", "(?=", ")?",
    "data:image/png;base64,", "https://", "user:pass@", "sk-", "2024-13-45", "25:61", "..", "../",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, 1.5, float("nan"), float("inf"), "", " ", "\0", "\ud800",
    "x", "9" * 400, "null", "a\nb", [], {}, [[]], [{}], {"": ""}, {"a": None}, [None], [1, "a", {}],
    {"role": "user"}, {"role": "user", "content": None}, {"type": "image_url"}, "assistant",
)  # fmt: skip


_BRACKETS = (
    ("[", "]"), ('{"a":', "}"), ("(", ")"), ("<b>", "</b>"), ("f(a[", "])"), ("select (", ")"),
    ("- ", ""), ("'", "'"), ("{{", "}}"), ("a: ", ""), ("(?:", ")*"),
)  # fmt: skip


def mutate(seeds: Sequence[str], rng: random.Random) -> str:
    """A text made of seeds, some steps away from them."""
    text = rng.choice(seeds) if seeds and rng.random() < 0.93 else ""
    if text and rng.random() < 0.35:
        text = _mutate_json(text, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        text = rng.choice(_STEPS)(text, seeds, rng)
    return text[:MOST]


def mutate_bytes(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Bytes made of seeds: bits turned, pieces cut, copied, overwritten."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        until = min(len(data), at + rng.choice((1, 2, 4, 8, 64, 1024)))
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:until] = b""
        elif kind == 2:
            data[at:at] = data[at:until] * rng.choice((1, 3, 200))
        elif kind == 3:
            data[at:until] = rng.randbytes(until - at)
        else:
            data[at:until] = rng.choice((b"\0", b"\xff", b"9", b"\n")) * (until - at)
        del data[4 * MOST :]
    return bytes(data)


def _insert(text: str, _: Sequence[str], rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(PIECES) + text[at:]


def _replace(text: str, _: Sequence[str], rng: random.Random) -> str:
    at, until = _choose_span(text, rng)
    return text[:at] + rng.choice(PIECES) + text[until:]


def _cut(text: str, _: Sequence[str], rng: random.Random) -> str:
    at, until = _choose_span(text, rng)
    return text[:at] + text[until:]


def _end(text: str, _: Sequence[str], rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _repeat(text: str, _: Sequence[str], rng: random.Random) -> str:
    """One piece without end: what makes a pattern quadratic."""
    at, until = _choose_span(text, rng, 12)
    piece = text[at:until] if rng.random() < 0.5 and until > at else rng.choice(PIECES)
    if rng.random() < 0.3:
        piece += rng.choice(PIECES)
    times = rng.choice((2, 10, 100, 1000, MOST // max(1, len(piece))))
    return text[:at] + piece * times + text[at if rng.random() < 0.5 else until :]


def _nest(text: str, _: Sequence[str], rng: random.Random) -> str:
    before, after = rng.choice(_BRACKETS)
    times = rng.choice((3, 50, 600, 5000))
    return before * times + text + after * (times if rng.random() < 0.6 else 0)


def _splice(text: str, seeds: Sequence[str], rng: random.Random) -> str:
    other = rng.choice(seeds) if seeds else ""
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def _swap_lines(text: str, _: Sequence[str], rng: random.Random) -> str:
    lines = text.split("\n")[:5000]
    rng.shuffle(lines)
    return "\n".join(lines)


def _retype(text: str, _: Sequence[str], rng: random.Random) -> str:
    """Letters that look or sort alike, or none at all."""
    old = rng.choice(text) if text else "a"
    return text.replace(old, rng.choice(PIECES), rng.choice((1, 3, 50)))


_STEPS = (
    _insert, _insert, _replace, _replace, _cut, _end, _repeat, _repeat, _nest, _splice, _swap_lines,
    _retype,
)  # fmt: skip


def _choose_span(text: str, rng: random.Random, most: int = 60) -> tuple[int, int]:
    at = rng.randrange(len(text) + 1)
    return at, min(len(text), at + rng.randrange(most))


def _mutate_json(text: str, rng: random.Random) -> str:
    """A JSON text (or each line of one) with values of other types, fields gone or doubled."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        try:
            value = json.loads(lines[at])
        except (ValueError, RecursionError):
            return text
        lines[at] = json.dumps(_change(value, rng))
        return "\n".join(lines)
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _change(value, rng)
    return json.dumps(value, ensure_ascii=rng.random() < 0.7)


def _change(value: Any, rng: random.Random) -> Any:
    """One place of a value changed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.12:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.2:
            return {**value, rng.choice(("", "a.b", "role", "content", "id", "\ud800")): value[key]}
        return {**value, key: _change(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        kind = rng.random()
        if kind < 0.1:
            return value[:at] + value[at + 1 :]
        if kind < 0.2:
            return value + [value[at]] * rng.choice((1, 200))
        return [*value[:at], _change(value[at], rng), *value[at + 1 :]]
    if isinstance(value, str) and rng.random() < 0.4:
        return _insert(value, (), rng) if rng.random() < 0.5 else [value]
    return rng.choice(VALUES)
