"""Constrained decoding on random models: whatever they write has the form, or was cut off."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics import mr
from whatworks.metrics.json.inferred_schema import infer_schema
from whatworks.metrics.registry import load
from whatworks.metrics.sql import parse as sql_form
from whatworks.models.constraint import AUTO, Constraint, read
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.local.engine import LocalEngine
from whatworks.models.local.grammar import is_allowed
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

PROMPTS = [[Message(role="user", content=text)] for text in ("Porto?", "The sky is blue.", "7")]
OBJECT = {
    "type": "object",
    "properties": {"kind": {"enum": ["red", "blue"]}, "count": {"type": "integer", "maximum": 99}},
    "required": ["kind", "count"],
    "additionalProperties": False,
}
FORMS = {
    "choices": Constraint(kind="choices", choices=("card", "card_lost", 'café "x"')),
    "regex": Constraint(kind="regex", text=r"[ab]{2,4}/[0-9]"),
    "json_schema": Constraint.from_schema(OBJECT),
    "lark": Constraint(kind="lark", text='start: "f(" arg ("," arg)? ")"\narg: /[xyz]/ | start'),
}


def said(engine: LocalEngine, folder: Path, form: Constraint, template: str, **how: Any) -> Any:
    decoding = Decoding(max_tokens=60, constraint=form, **how)
    return engine.generate(ModelFiles(str(folder), template=template), PROMPTS, decoding)


@pytest.mark.parametrize("template", ["chatml", "plain", "vicuna"])
@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_an_answer_that_ended_has_the_form(
    engine: LocalEngine, tiny_model: Path, kind: str, template: str, temperature: float
) -> None:
    form, ended = FORMS[kind], 0
    for seed in range(1 if temperature == 0 else 4):
        for answer in said(engine, tiny_model, form, template, temperature=temperature, seed=seed):
            if answer.finish == "stop":
                assert is_allowed(form, answer.text), answer.text
                ended += 1
    assert ended or kind == "lark"


def test_any_company_gives_the_same_answer(engine: LocalEngine, tiny_model: Path) -> None:
    form = FORMS["json_schema"]
    whole = said(engine, tiny_model, form, "chatml", temperature=1.0)
    files = ModelFiles(str(tiny_model), template="chatml")
    how = Decoding(max_tokens=60, constraint=form, temperature=1.0)
    for at, prompt in enumerate(PROMPTS):
        alone = engine.generate(files, [prompt], how, keys=[str(at)])[0]
        assert alone.text == whole[at].text


def test_models_of_other_kinds_keep_to_it(engine: LocalEngine, stories: Path) -> None:
    for answer in said(engine, stories, FORMS["choices"], "plain"):
        assert answer.text in FORMS["choices"].choices and answer.finish == "stop"
        assert answer.logprob is not None and answer.logprob < 0


def test_stop_strings_do_not_cut_a_form(engine: LocalEngine, tiny_model: Path) -> None:
    got = said(engine, tiny_model, FORMS["regex"], "chatml", stop=("a", "b"))
    assert all(is_allowed(FORMS["regex"], answer.text) for answer in got)


@pytest.mark.parametrize(
    ("form", "text"),
    [("regex", "ab("), ("lark", "start: undefined_rule"), ("json_schema", '{"type": "objekt"}')],
)
def test_what_cannot_be_compiled_says_why(
    engine: LocalEngine, tiny_model: Path, form: Any, text: str
) -> None:
    with pytest.raises(InputError, match="cannot be compiled"):
        said(engine, tiny_model, Constraint(kind=form, text=text), "chatml")


def walk(form: Constraint, rng: random.Random) -> str | None:
    """A random text of a grammar, None where the walk did not come to an end."""
    import numpy as np
    from llguidance import LLMatcher, LLTokenizer
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    tokens = LLTokenizer("byte")
    matcher = LLMatcher(tokens, LLMatcher.grammar_from_lark(form.lark()))
    assert not matcher.is_error(), matcher.get_error()
    common = set(b"abcxyz019 _'\"(),.*<=-") | set(b"SELECTFROMWHEREANDORLIMITGROUPBYORDERJOINCOUNT")
    written = bytearray()
    while len(written) < 400:
        if matcher.is_accepting() and rng.random() < 0.3:
            return written.decode("utf-8")
        bits = allocate_token_bitmask(1, tokens.vocab_size)
        fill_next_token_bitmask(matcher, bits, 0)
        free = np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little"))
        usual = [int(t) for t in free if int(t) in common]
        token = rng.choice(usual or [int(t) for t in free])
        if token == tokens.eos_token:
            return written.decode("utf-8")
        assert matcher.consume_token(token)
        written.append(token)
    return None


def row(target: str) -> Example:
    return Example(id="x", inputs={"q": "?"}, target=target)


MR_TRAIN = [row("inform(name[Sky Nickel], genres[puzzle, card])"), row("request(esrb[E (10+)])")]


@pytest.mark.parametrize("metric", ["sql", "mr"])
def test_every_text_of_a_grammar_parses(metric: str) -> None:
    form = load(MetricSpec(name=metric), MR_TRAIN if metric == "mr" else ()).form
    assert form is not None
    rng, whole = random.Random(3), 0
    for _ in range(80):
        text = walk(form, rng)
        if text is None:
            continue
        whole += 1
        if metric == "sql":
            sql_form.read(text)
        else:
            mr.parse(text)
    assert whole > 30


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM head WHERE age  >  56",
        "SELECT name ,  born_state FROM head ORDER BY age DESC LIMIT 3",
        "SELECT T1.a FROM t AS T1 JOIN u AS T2 ON T1.i = T2.i GROUP BY T1.a HAVING COUNT(*) > 1",
        "SELECT a FROM b WHERE x = 'it''s' AND NOT y IN (SELECT z FROM w) UNION SELECT c FROM d",
        'SELECT MAX("col a") FROM table_1 WHERE "b c" = "Some Value" AND d BETWEEN 1 AND 3',
    ],
)
def test_usual_queries_are_of_the_grammar(query: str) -> None:
    form = load(MetricSpec(name="sql")).form
    assert form is not None and is_allowed(form, query)
    for wrong in ("SELECT FROM FROM x", query[:-1] + " FROM", f"DROP TABLE x; {query}", ""):
        assert not is_allowed(form, wrong)


def test_the_metric_says_its_form(tmp_path: Path) -> None:
    found = load(MetricSpec(name="category"), [row("b"), row("a")]).form
    assert found == Constraint(kind="choices", choices=("a", "b"))
    found = load(MetricSpec(name="mr"), MR_TRAIN).form
    assert found is not None and is_allowed(found, "request(name[the one], esrb[T])")
    assert not is_allowed(found, "request(price[7])") and not is_allowed(found, "request(name[a]")
    targets = [{"b": "x", "a": 1}, {"b": "y", "a": 2.5}, {"c": [{"d": None}]}]
    found = load(MetricSpec(name="json"), [row(json.dumps(t)) for t in targets]).form
    assert found is not None and all(is_allowed(found, json.dumps(t)) for t in targets)
    assert not is_allowed(found, '{"b": "x"}') and not is_allowed(found, '{"a": "x", "b": "y"}')
    for name, broken in (("json", '{"a": NaN}'), ("mr", "inform(a[b]")):
        assert load(MetricSpec(name=name), [row(broken), row("")]).form is None
    own = MetricSpec(name="json", options={"schema": OBJECT})
    assert load(own, [row('{"kind": "red", "count": 1}')]).form == Constraint.from_schema(OBJECT)
    assert load(MetricSpec(name="exact")).form is None


def test_many_shapes_become_one() -> None:
    values = [{"id": i, f"key{i}": "x"} for i in range(40)]
    found = infer_schema(values)
    assert found["required"] == ["id"] and len(found["properties"]) == 41


def test_how_a_study_file_writes_it(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(OBJECT))
    (tmp_path / "g.lark").write_text('start: "x"')
    assert read("auto", tmp_path) == AUTO
    assert read({"json_schema": "s.json"}, tmp_path) == read({"json_schema": OBJECT}, tmp_path)
    assert read({"lark": "g.lark"}, tmp_path).text == 'start: "x"'
    assert read({"choices": ["a", 1]}, tmp_path).choices == ("a", "1")
    for wrong, why in [
        ("json", "no constraint"), ({"regexp": "a"}, "did you mean 'regex'"),
        ({"regex": "(", }, "regular expression"), ({"lark": "a: b"}, "no rule `start`"),
        ({"lark": "none.lark"}, "cannot be read"), ({"choices": []}, "list"),
        ({"json_schema": {"type": 3}}, "not a valid JSON Schema"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=re.escape(why)):
            read(wrong, tmp_path)


def test_a_cut_answer_is_malformed_even_where_it_looks_right(tmp_path: Path) -> None:
    class Cut(FakeEngine):
        def _answer_one(
            self, at: int, messages: Sequence[Message], decoding: Decoding
        ) -> Generation:
            return Generation("card", 1, 1, 0.0, "length")

    rows = [row("card")]
    examiner = Examiner(Cut(), load(MetricSpec(name="category"), rows), Store(tmp_path))
    start = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    assert examiner.ask(start, rows)[0].score.kind == "correct"
    held = start.with_decoding(constraint=FORMS["choices"])
    assert examiner.ask(held, rows)[0].score.kind == "malformed"


@pytest.mark.parametrize(
    ("metric", "target", "longer"),
    [
        ("mr", "inform(name[Sky], genres[card (solo)])", "inform(name[{}], genres[card (solo)])"),
        ("mr", "inform(name[Sky])", "inform(name[Sky]{})"),
        ("json", '{"name": "Sky", "genres": ["card"]}', '{{"name": "{}", "genres": ["card"]}}'),
    ],
)
def test_a_form_that_is_learned_from_rows_has_an_end(metric: str, target: str, longer: str) -> None:
    form = load(MetricSpec(name=metric), [Example(id="a", inputs={"q": "?"}, target=target)]).form
    filler = ", name[Sky]" if "]{}" in longer else "abc"
    assert form is not None and is_allowed(form, target)
    assert is_allowed(form, longer.format(filler))
    assert not is_allowed(form, longer.format(filler * 20))
