"""The scripted engine keeps the contract of an engine."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from whatworks.base.errors import ArmFailure, InputError
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.fake import SURE, FakeEngine, is_drawn, make_answerer
from whatworks.models.open_engine import open_engine

FILES = ModelFiles("fake:")
GREEDY = Decoding()


def asked(text: str, system: str = "") -> list[Message]:
    head = [Message(role="system", content=system)] if system else []
    return [*head, Message(role="user", content=text)]


def said(engine: FakeEngine, *prompts: list[Message], how: Decoding = GREEDY) -> list[str]:
    return [answer.text for answer in engine.generate(FILES, prompts, how)]


def test_the_first_line_that_applies_answers() -> None:
    engine = FakeEngine(
        {
            "answers": [
                {"contains": ["brief", "sky"], "answer": "both"},
                {"contains": "sky", "answer": "blue"},
                {"last": "card", "answer": "card_lost"},
            ],
            "default": "unknown",
        }
    )
    assert said(
        engine, asked("the sky", "be brief"), asked("the sky"), asked("my card"), asked("why")
    ) == ["both", "blue", "card_lost", "unknown"]
    assert said(engine, asked("why", "about a card")) == ["unknown"]


def test_chances_are_the_same_in_every_run_and_about_right() -> None:
    script = {"answers": [{"answer": "yes", "chance": 0.3}], "default": "no", "seed": 5}
    prompts = [asked(f"question {i}") for i in range(500)]
    first = said(FakeEngine(script), *prompts)
    assert said(FakeEngine(script), *prompts[::-1])[::-1] == first
    assert 110 < first.count("yes") < 190
    assert said(FakeEngine(script | {"seed": 6}), *prompts) != first
    assert sum(is_drawn(prompt, 0.3) for prompt in prompts) != 0


def test_knows_a_share_of_the_answers() -> None:
    answers = {f"question {i}.": f"answer {i}" for i in range(200)}
    got = said(FakeEngine(make_answerer(answers, 0.5)), *(asked(text) for text in answers))
    right = sum(text == wanted for text, wanted in zip(got, answers.values(), strict=True))
    assert 70 < right < 130
    assert set(got) - set(answers.values()) == {"unknown"}
    embedded = [asked(f"[1] passage\n\n{text}") for text in answers]
    assert "answer 7" in said(FakeEngine(make_answerer(answers, 1.0)), *embedded)


def test_the_fail_text_fails_the_arm() -> None:
    engine = FakeEngine({"fail": "BOOM", "default": "ok"})
    assert said(engine, asked("fine")) == ["ok"]
    with pytest.raises(ArmFailure, match="prompt 1 contains 'BOOM'"):
        said(engine, asked("fine"), asked("a BOOM"))


def test_the_context_is_counted_in_words() -> None:
    engine = FakeEngine({"context": 5, "default": "ok"})
    assert engine.context_length(FILES) == 5
    assert said(engine, asked("three little words", "system")) == ["ok"]
    with pytest.raises(ArmFailure, match="take 6 tokens, the model's context has 5"):
        said(engine, asked("four very little words", "system"))


def test_latency_is_waited_and_reported() -> None:
    engine = FakeEngine({"latency": 0.02, "default": "ok"})
    started = time.perf_counter()
    answers = engine.generate(FILES, [asked("a"), asked("b")], GREEDY)
    assert time.perf_counter() - started >= 0.04
    assert all(answer.seconds >= 0.02 for answer in answers)


def test_it_records_what_it_saw() -> None:
    engine = FakeEngine(lambda messages: messages[-1].content.upper())
    told: list[int] = []
    engine.generate(FILES, [asked("canary", "sys"), asked("b")], GREEDY, on_done=told.append)
    assert [messages[-1].content for messages in engine.seen] == ["canary", "b"]
    assert engine.saw("canary")
    assert engine.saw("sys")
    assert not engine.saw("CANARY")
    assert told == [1, 1]


def test_stop_strings_and_max_tokens_apply() -> None:
    engine = FakeEngine({"default": "one two three\nfour"})
    assert said(engine, asked("a"), how=Decoding(stop=("\n", " three"))) == ["one two"]
    answer = engine.generate(FILES, [asked("a b", "c")], Decoding(max_tokens=2))[0]
    wanted = Generation("one two", 3, 2, answer.seconds, "length", 2 * SURE)
    assert answer == wanted


def test_counts_are_of_words() -> None:
    engine = FakeEngine()
    assert engine.count_tokens(FILES, ["", "a b  c"]) == [0, 3]
    assert engine.prompt_tokens(FILES, [asked("a b", "c")]) == [3]


def test_the_identity_follows_the_script() -> None:
    one, other = FakeEngine({"default": "a"}), FakeEngine({"default": "b"})
    assert one.identity == FakeEngine({"default": "a"}).identity
    assert one.identity != other.identity


def test_a_script_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"default": "from a file"}))
    engine, weights = open_engine(f"fake:{path}")
    assert engine.generate(FILES, [asked("a")], GREEDY)[0].text == "from a file"
    path.write_text(json.dumps({"default": "another"}))
    assert open_engine(f"fake:{path}")[1].digest != weights.digest


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{", "not JSON"),
        ('{"answer": []}', "unknown key 'answer' of the script .*\n.*did you mean 'answers'"),
        ('{"answers": [{"answer": "a", "chance": 2}]}', r"answers\.0\.chance"),
    ],
)
def test_a_broken_script_names_its_place(tmp_path: Path, written: str, message: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(written)
    with pytest.raises(InputError, match=message) as caught:
        FakeEngine.from_name(f"fake:{path}")
    assert caught.value.place == str(path)


def test_a_missing_script(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        FakeEngine.from_name(f"fake:{tmp_path / 'none.json'}")
