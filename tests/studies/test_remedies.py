"""What is proposed for cut answers, confused labels, and steps that helped another arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from whatworks.base.progress import Silent
from whatworks.data.task import Example, Message, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.diagnosis import diagnose_study
from whatworks.studies.next_step.proposals import propose_arms
from whatworks.studies.rounds import Entry, Proposal
from whatworks.studies.study import Study

LABELS = ("billing", "delivery", "returns")
WORDS = {
    "billing": ("invoice", "charged", "payment"),
    "delivery": ("parcel", "courier", "late"),
    "returns": ("refund", "broken", "exchange"),
}


def propose(
    folder: Path,
    rows: Sequence[Example],
    answer: Callable[[Sequence[Message]], str],
    arms: Sequence[Entry],
    subject: str,
    *,
    metric: str = "exact",
    tokens: int = 20,
) -> tuple[Study, list[Proposal]]:
    """What is proposed for one of the arms, and the study with its dev rows asked."""
    splits = Splits(train=tuple(rows[:60]), dev=tuple(rows[60:140]), test=tuple(rows[140:]))
    task = Task(name="planted", splits=splits, metric=MetricSpec(name=metric))
    study = Study(task, [read_arm(one) for one in arms], FakeEngine(answer), Weights(base="fake:"),
                  folder, decoding=Decoding(max_tokens=tokens), seeds=1)  # fmt: skip
    runs, _ = study.run_on_dev(Silent())
    diagnoses = diagnose_study(study, runs, [subject], Silent())
    return study, propose_arms(study, runs, diagnoses, arms, [])


def score(study: Study, entry: Entry, folder: Path, engine: FakeEngine) -> float:
    """What an arm comes to on dev."""
    start = study.start.decoding
    arm = read_arm(entry)
    own = {arm.name: arm.decoding.over(start, folder)} if arm.decoding else {}
    other = Study(study.task, [arm], engine, Weights(base="fake:"), folder, decoding=start,
                  own_decoding=own, seeds=1)  # fmt: skip
    [run], _ = other.run_on_dev(Silent())
    assert run.dev_score is not None
    return run.dev_score


def test_answers_that_were_cut_get_more_room(tmp_path: Path) -> None:
    """Every third answer takes more words than there is room for."""

    def answer(messages: Sequence[Message]) -> str:
        n = int(messages[-1].content.split()[2])
        return " ".join([f"w{n}"] * (15 if n % 3 == 0 else 4))

    rows = [
        Example(id=f"r{n}", inputs={"input": f"What is {n} ?"},
                target=" ".join([f"w{n}"] * (15 if n % 3 == 0 else 4)))
        for n in range(220)
    ]  # fmt: skip
    study, [proposal] = propose(tmp_path / "a", rows, answer, ["zero-shot"], "zero-shot", tokens=10)
    assert isinstance(proposal.entry, dict)
    assert proposal.entry["decoding"] == {"max_tokens": 20}
    assert "were cut" in proposal.prediction.why
    before = score(study, "zero-shot", tmp_path / "b", FakeEngine(answer))
    came = score(study, proposal.entry, tmp_path / "b", FakeEngine(answer)) - before
    assert proposal.prediction.gain.low <= came <= proposal.prediction.gain.high


def test_confused_labels_are_shown_their_neighbours(tmp_path: Path) -> None:
    """The model takes deliveries for returns until a row like it stands in the prompt."""

    def text(n: int) -> str:
        words = WORDS[LABELS[n % 3]]
        return f"My {words[n // 3 % 3]} {words[(n // 3 + 1) % 3]} number {n * 37} please"

    def answer(messages: Sequence[Message]) -> str:
        shown = [m.content for m in messages if m.role == "assistant"]
        told = [label for label in LABELS if f"right here: {label}" in messages[-1].content]
        if shown or told:
            return max(set(shown or told), key=(shown or told).count)
        own = next(
            name for name, words in WORDS.items() if any(w in messages[-1].content for w in words)
        )
        return "returns" if own == "delivery" else own

    rows = [
        Example(id=f"r{n}", inputs={"input": text(n)}, target=LABELS[n % 3]) for n in range(220)
    ]
    study, proposals = propose(
        tmp_path / "a", rows, answer, ["zero-shot"], "zero-shot", metric="category"
    )
    [proposal] = [one for one in proposals if one.entry == "knn"]
    assert "labels are confused" in proposal.prediction.why
    came = score(study, "knn", tmp_path / "b", FakeEngine(answer)) - score(
        study, "zero-shot", tmp_path / "b", FakeEngine(answer)
    )
    assert came > 0.2
    assert proposal.prediction.gain.low <= came <= proposal.prediction.gain.high


def test_a_step_that_helped_one_arm_is_expected_to_help_another(tmp_path: Path) -> None:
    """Examples mend half of what is wrong, whatever the instructions are."""

    def answer(messages: Sequence[Message]) -> str:
        n = int(messages[-1].content.split()[2])
        shown = any(m.role == "assistant" for m in messages)
        careful = "Think" in messages[0].content
        right = n % 4 == 0 or (shown and n % 4 == 1) or (careful and n % 4 == 2)
        return f"{2 * n}" if right else "unsure"

    rows = [
        Example(id=f"r{n}", inputs={"input": f"What is {n} doubled?"}, target=str(2 * n))
        for n in range(220)
    ]
    arms: list[Entry] = ["zero-shot", "few-shot", {"prompt": {"variants": ["Think."]}}]
    study, proposals = propose(tmp_path / "a", rows, answer, arms, "prompt")
    [proposal] = [one for one in proposals if "few-shot" in str(one.entry)]
    assert proposal.prediction.start == "prompt"
    assert "few-shot brought +25" in proposal.prediction.why
    read_arm(proposal.entry)
    before = score(study, arms[2], tmp_path / "b", FakeEngine(answer))
    came = score(study, proposal.entry, tmp_path / "b", FakeEngine(answer)) - before
    assert came > 0.2
    assert proposal.prediction.gain.low <= came <= proposal.prediction.gain.high
