"""Data steps: what they leave for the trainer after them, and what cannot be left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import ArmFailure, StackingError
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, Message, MetricSpec, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lessons
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.training.rows import make_training_rows

START = Candidate(
    prompt=Prompt(instructions="Answer with the town. Be brief."),
    weights=Weights(base="fake:"),
    decoding=Decoding(max_tokens=10),
)
REFUSAL = "I don't know"


def asks(i: int) -> Example:
    return Example(id=f"t{i}", inputs={"q": f"Where is house number {i}?"}, target=f"Town{i}")


TRAIN = tuple(asks(i) for i in range(12))
DOCUMENTS = tuple(Document(id=f"d{i}", text=f"House {i} stands in Town{i}.") for i in range(4))


def knows_small(messages: Sequence[Message]) -> str:
    """Right below 4, wrong above."""
    number = int(messages[-1].content.rstrip("?").split()[-1])
    return f"Town{number}" if number < 4 else "Atlantis"


def made(
    spec: str,
    folder: Path,
    says: Callable[[Sequence[Message]], str] = knows_small,
    helper: Callable[[Sequence[Message]], str] | None = None,
    metric: str = "facts",
    **settings: dict[str, Any],
) -> tuple[Candidate, Bench]:
    store = Store(folder)
    asked = None
    if helper is not None:
        asked = Helper(HelperModel(FakeEngine(helper), Weights(base="fake:")), store, Meter())
    bench = Bench(
        Examiner(FakeEngine(says), load(MetricSpec(name=metric), TRAIN), store),
        train=TRAIN,
        dev=TRAIN[:2],
        documents=DOCUMENTS,
        helper=asked,
    )
    return build_chain(spec, settings).adapt(START, bench), bench


def lessons(candidate: Candidate) -> Lessons:
    assert candidate.lessons is not None
    return candidate.lessons


def learned_rows(candidate: Candidate) -> tuple[Example, ...]:
    rows = lessons(candidate).rows
    assert rows is not None
    return rows


@pytest.mark.parametrize("spec", ["refusal", "sft+distill", "distill+dpo", "corpus"])
def test_a_data_step_without_a_trainer_after_it_is_refused_when_planned(spec: str) -> None:
    with pytest.raises(StackingError, match="only makes") as caught:
        build_chain(spec).plan(Weights(base="lab"))
    assert "+sft" in caught.value.remedy


def test_a_trainer_may_be_searched_and_stand_further_behind() -> None:
    for spec in ("distill+sft", "refusal+dpo", "rag+corpus+soft-prompt"):
        build_chain(spec).plan(Weights(base="lab"))
    build_chain("refusal+sft", {"sft": {"search": {"rank": [4, 8]}}}).plan(Weights(base="lab"))


def test_no_answer_depends_on_lessons() -> None:
    taught = START.replace(lessons=Lessons(rows=TRAIN))
    assert taught.key != START.key
    assert taught.asked.key == START.key
    assert taught.drop_lesson("rows") == START
    assert "lessons" not in START.model_dump()


def test_refusal_teaches_it_for_what_is_never_right_and_prefers_right_over_it(
    tmp_path: Path,
) -> None:
    got, bench = made("refusal", tmp_path)
    rows = {row.id: row.target for row in learned_rows(got)}
    assert rows == {f"t{i}": f"Town{i}" if i < 4 else REFUSAL for i in range(12)}
    assert bench.notes["knows"] == {"always": 4, "sometimes": 0, "never": 8}
    made_pairs = lessons(got).pairs
    assert made_pairs is not None
    pairs = {(p.example.id, p.chosen, p.rejected) for p in made_pairs}
    assert ("t0", "Town0", REFUSAL) in pairs
    assert ("t9", REFUSAL, "Atlantis") in pairs
    assert len(pairs) == 12
    assert bench.ledger.requests == 4 * len(TRAIN)


@pytest.mark.parametrize("trainer", [{"dpo": {}}, {"dpo": {"loss": "kto"}}, {"rlhf": {}}])
def test_a_data_step_without_pairs_is_no_reason_to_learn_from_others(
    trainer: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """A model that refuses everything has said nothing that is worse than a refusal."""
    others = (Pair(example=TRAIN[0], chosen="Town0", rejected="Atlantis"),)
    got, bench = made("refusal", tmp_path, lambda _: REFUSAL)
    assert got.rows(TRAIN) != TRAIN
    assert got.pairs(others) == () == got.drop_lesson("rows").pairs(others)
    assert got.drop_lesson("pairs").pairs(others) == others
    bench.preferences = others
    with pytest.raises(ArmFailure, match="no pairs") as caught:
        build_chain("+".join(trainer), trainer).adapt(got, bench)
    assert "refusal+sft" in caught.value.remedy


@pytest.mark.parametrize(
    "settings", [{"loss": "kto", "pairs": "given"}, {"pairs": "given"}], ids=["kto", "dpo"]
)
def test_given_pairs_that_the_study_has_not_are_missed_by_their_name(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ArmFailure, match="no preference pairs") as caught:
        made("dpo", tmp_path, dpo=settings)
    assert "preferences:" in caught.value.remedy


def test_a_trainer_that_makes_its_own_pairs_learns_no_others() -> None:
    with pytest.raises(StackingError, match="only makes"):
        build_chain("refusal+dpo", {"dpo": {"pairs": "samples"}}).plan(Weights(base="lab"))


@pytest.mark.parametrize(
    ("how", "wanted"), [("answer", "Town1"), ("refuse", REFUSAL), ("drop", None)]
)
def test_rows_that_are_right_at_times(how: str, wanted: str | None, tmp_path: Path) -> None:
    calls: list[int] = []

    def at_times(messages: Sequence[Message]) -> str:
        calls.append(1)
        number = int(messages[-1].content.rstrip("?").split()[-1])
        late = len(calls) > len(TRAIN)  # the first draw asks each row once
        return f"Town{number}" if number == 0 or (number == 1 and late) else "Atlantis"

    got, bench = made("refusal", tmp_path, at_times, refusal={"sometimes": how})
    rows = {row.id: row.target for row in learned_rows(got)}
    assert rows["t0"] == "Town0"
    assert rows.get("t1") == wanted
    assert bench.notes["knows"]["sometimes"] == 1


def test_refusal_needs_a_form_that_has_room_for_it(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="no answer at all") as caught:
        made("refusal", tmp_path, metric="category")
    assert "says" in caught.value.remedy


def test_a_long_prompts_behaviour_ends_behind_a_short_one(tmp_path: Path) -> None:
    """The teacher sees demonstrations; the rows that are learned do not, and hold its answers."""

    def copies(messages: Sequence[Message]) -> str:
        shown = [m.content for m in messages if m.role == "assistant"]
        return f"as in {shown[0]}" if shown else "nothing shown"

    settings = {"few-shot": {"k": 2}, "distill": {"instructions": "Town?"}}
    got, bench = made("few-shot+distill", tmp_path, copies, **settings)
    assert got.prompt == Prompt(instructions="Town?")
    rows = make_training_rows(got.prompt, got.rows(bench.train))
    assert len(rows) == len(TRAIN)
    assert all(row.target.startswith("as in Town") for row in rows)
    assert all(row.messages[0].content == "Town?" for row in rows)
    assert all(len(row.messages) == 2 for row in rows)
    # Nothing that stood in a row's own prompt was its own answer.
    assert not any(row.target == f"as in Town{row.id[1:]}" for row in rows)


def test_a_helper_teaches_and_the_metric_may_filter(tmp_path: Path) -> None:
    def all_but_one(messages: Sequence[Message]) -> str:
        assert messages[0].content == START.prompt.instructions
        number = int(messages[-1].content.rstrip("?").split()[-1])
        return "Utopia" if number == 7 else f"Town{number}"

    got, _ = made("distill", tmp_path / "all", helper=all_but_one)
    assert [row.target for row in learned_rows(got) if row.id == "t7"] == ["Utopia"]
    assert got.prompt == START.prompt
    got, bench = made(
        "distill", tmp_path / "right", helper=all_but_one, distill={"keep": "correct"}
    )
    assert sorted(row.id for row in learned_rows(got)) == sorted(
        row.id for row in TRAIN if row.id != "t7"
    )
    assert bench.ledger.requests == 0  # the model itself was not asked
    with pytest.raises(ArmFailure, match="none of the teacher's answers"):
        made("distill", tmp_path / "none", lambda _: "Utopia", distill={"keep": "correct"})


def test_answers_that_were_cut_off_are_not_taught(tmp_path: Path) -> None:
    def talks(messages: Sequence[Message]) -> str:
        number = int(messages[-1].content.rstrip("?").split()[-1])
        return "because its owners " * 20 if number < 3 else f"Town{number}"

    got, bench = made("distill", tmp_path / "helper", helper=talks)
    assert [row.target for row in learned_rows(got)] == [f"Town{i}" for i in range(3, 12)]
    assert bench.notes["cut_off"] == 3
    with pytest.raises(ArmFailure, match="12 of 12 were cut off at 10 tokens") as caught:
        made("distill", tmp_path / "own", lambda _: "and so on " * 20)
    assert "max_tokens" in caught.value.remedy


def test_a_helper_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="needs a helper"):
        made("distill", tmp_path, distill={"teacher": "helper"})


def test_corpus_is_plain_text_beside_the_rows_or_instead(tmp_path: Path) -> None:
    got, bench = made("corpus", tmp_path / "beside")
    rows = make_training_rows(got.prompt, got.rows(bench.train))
    plain = [row for row in rows if not row.messages]
    assert [row.target for row in plain] == [document.text for document in DOCUMENTS]
    assert len(rows) == len(TRAIN) + len(DOCUMENTS)
    got, bench = made("corpus", tmp_path / "instead", corpus={"place": "instead"})
    assert all(row.bare for row in got.rows(bench.train))


def test_steps_build_on_one_another(tmp_path: Path) -> None:
    """Plain text is kept as it is by the steps that ask questions."""
    got, _ = made("corpus+refusal", tmp_path / "refusal")
    targets = [row.target for row in learned_rows(got)]
    assert DOCUMENTS[0].text in targets
    assert targets.count(REFUSAL) == 8
    got, _ = made("corpus+distill", tmp_path / "distill", lambda _: "Utopia")
    targets = [row.target for row in learned_rows(got)]
    assert targets == [*(one.text for one in DOCUMENTS), *["Utopia"] * len(TRAIN)]


def test_lessons_are_rendered_as_the_prompt_says(tmp_path: Path) -> None:
    """rag before a data step: its passages are in the questions of the teacher and of the rows."""
    seen: list[str] = []

    def remembers(messages: Sequence[Message]) -> str:
        seen.append(messages[-1].content)
        return "Town"

    rag = {"embedder": "lexical", "k": 1}
    got, bench = made("rag+distill", tmp_path, helper=remembers, rag=rag)
    assert all(text.startswith("[1] House") for text in seen)
    rows = make_training_rows(got.prompt, got.rows(bench.train))
    assert [row.messages for row in rows] == [
        render(got.prompt, row, exclude=[row]).messages for row in TRAIN
    ]
    assert all("[1] House" in row.messages[-1].content for row in rows)


def test_plain_text_has_no_template_and_is_learned_whole(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    from whatworks.models import chat_templates as templates
    from whatworks.training.rows import TrainingRow
    from whatworks.training.tokenise import tokenise

    tokenizer = templates.use(AutoTokenizer.from_pretrained(tiny_model), "chatml")
    row = TrainingRow(id="d", messages=(), target="The sky is blue.")
    columns = tokenise([row], tokenizer, None).columns
    assert columns["labels"] == columns["input_ids"]
    text = tokenizer.decode(columns["input_ids"][0])
    assert text.replace("<s>", "").replace("</s>", "") == "The sky is blue."
    assert text.endswith("</s>")
