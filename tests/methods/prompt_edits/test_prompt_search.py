"""prompt-search on scripted models whose weakness is known: it finds the cure, or says not."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.method_outcomes import SearchTrail
from whatworks.analysis.mistakes import find_mistake, group_mistakes
from whatworks.base.errors import BudgetExceeded, InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.prompt_edits.edits import Editor
from whatworks.methods.prompt_edits.racing import Track, split_blocks, split_rows
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.metering import Budget
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.render import outline, render

LABELS = ("card", "loan", "rate", "branch")


def rows(split: str, count: int) -> tuple[Example, ...]:
    return tuple(
        Example(
            id=f"{split}{i}",
            inputs={"text": f"Message {i * 7919 % 997} of {split} on {LABELS[i % 4]} business"},
            target=LABELS[i % 4],
        )
        for i in range(count)
    )


TRAIN, DEV = rows("train", 40), rows("dev", 30)
Model = Callable[[Sequence[Message]], str]


def right(messages: Sequence[Message]) -> str:
    return next(label for label in LABELS if label in messages[-1].content)


def needs(*lines: str) -> Model:
    """A model that is right once the system message holds these texts, and chatty before."""

    def answer(messages: Sequence[Message]) -> str:
        system = messages[0].content
        missing = sum(line not in system for line in lines)
        return right(messages) if not missing else "dear " * missing + right(messages)

    return answer


def make(
    model: Model, folder: Path, *, seed: int = 0, budget: Budget | None = None, metric: Any = None
) -> Bench:
    spec = metric or MetricSpec(name="category")
    engine = FakeEngine(model)
    return Bench(
        Examiner(engine, load(spec, TRAIN), Store(folder)),
        train=TRAIN,
        dev=DEV,
        seed=seed,
        budget=budget or Budget(),
    )


START = Candidate(
    prompt=Prompt(instructions="Label the message."),
    weights=Weights(base="fake:"),
    decoding=Decoding(max_tokens=20),
)


def search(bench: Bench, **settings: Any) -> Candidate:
    return build_chain("prompt-search", {"prompt-search": settings}).adapt(START, bench)


def test_it_finds_the_sentences_that_cure_the_errors(tmp_path: Path) -> None:
    cure = ("nothing else", "The labels are: branch, card, loan, rate.")
    bench = make(needs(*cure), tmp_path)
    found = search(bench, examples=0)
    assert all(line in found.prompt.instructions for line in cure)
    assert found.prompt.instructions.startswith("Label the message.")
    assert bench.dev_score(found) == 1.0 and bench.dev_score(START) == 0.0
    assert bench.notes["held_out"] == {"seed": 0.0, "found": 1.0}
    assert "below_seed" not in bench.notes
    (trail,) = [one for one in bench.outcomes if isinstance(one, SearchTrail)]
    assert trail.steps[0].edit == "seed"
    assert len(trail.steps) >= 3


def test_a_search_that_ends_below_its_seed_says_so_and_returns_what_it_found(
    tmp_path: Path,
) -> None:
    def spoilt(messages: Sequence[Message]) -> str:
        system, asked = messages[0].content, messages[-1].content
        good = system == "Label the message." and "Message 0" not in asked
        return right(messages) if good and len(messages) == 2 else "nonsense"

    bench = make(spoilt, tmp_path)
    found = search(bench)
    assert found.prompt != START.prompt
    assert "below its seed" in bench.notes["below_seed"]
    assert bench.notes["held_out"]["found"] < bench.notes["held_out"]["seed"]


def test_counter_examples_are_demonstrations_that_the_renderer_keeps_apart(tmp_path: Path) -> None:
    """The model needs to see an example; as a demonstration it never stands in its own prompt."""

    def shown(messages: Sequence[Message]) -> str:
        return right(messages) if len(messages) > 2 else "what?"

    bench = make(shown, tmp_path)
    found = search(bench, examples=1)
    assert found.prompt.demos is not None and found.prompt.demos.k == 1
    demo = found.prompt.demos.pool[0]
    assert demo in TRAIN
    assert len(render(found.prompt, DEV[0], exclude=[DEV[0]]).messages) == 4
    assert len(render(found.prompt, demo, exclude=[demo]).messages) == 2
    plain = search(make(shown, tmp_path / "other"), examples=0)
    assert plain.prompt.demos is None


def test_chosen_demonstrations_are_kept(tmp_path: Path) -> None:
    knn = START.with_prompt(demos=Demos(pool=TRAIN, k=2, select="nearest", embedder="lexical"))
    bench = make(needs("nothing else"), tmp_path)
    found = build_chain("prompt-search").adapt(knn, bench)
    assert found.prompt.demos == knn.prompt.demos
    assert "nothing else" in found.prompt.instructions


def test_the_search_keeps_its_limit_and_the_budget(tmp_path: Path) -> None:
    impossible = needs("nothing else", "an unheard-of sentence")
    bench = make(impossible, tmp_path / "a")
    search(bench, rounds=50, width=6, calls=160)
    assert bench.notes["requests"] <= 160
    with pytest.raises(BudgetExceeded):
        search(make(impossible, tmp_path / "b", budget=Budget(requests=20)))


def test_a_large_dev_split_is_sampled_to_keep_the_limit(tmp_path: Path) -> None:
    bench = make(needs("nothing else"), tmp_path)
    bench.dev = rows("dev", 600)
    assert "nothing else" in search(bench, calls=100).prompt.instructions
    assert bench.notes["requests"] <= 100 and bench.ledger.requests <= 200
    assert "of 360 rows to search" in bench.notes["sampled"]
    plain = make(needs("nothing else"), tmp_path)
    search(plain)
    assert "sampled" not in plain.notes


def test_a_larger_budget_never_fails_where_a_smaller_one_does_not(tmp_path: Path) -> None:
    """Deciding on the held-out rows is paid for before another round begins."""
    for limit in range(64, 140, 4):
        model = needs("nothing else", "The labels are: branch, card, loan, rate.", "unheard of")
        bench = make(model, tmp_path, budget=Budget(requests=limit))
        search(bench, rounds=50, width=6)
        assert bench.ledger.requests <= limit


def test_same_seed_same_prompt(tmp_path: Path) -> None:
    model = needs("nothing else", "The labels are")
    first = search(make(model, tmp_path / "a", seed=5))
    assert first.key == search(make(model, tmp_path / "b", seed=5)).key


def test_a_race_spends_most_on_the_best_and_keeps_the_first_to_the_end(tmp_path: Path) -> None:
    """Candidate i is right on a share of rows that grows with i; the first is the worst."""

    def graded(messages: Sequence[Message]) -> str:
        level = int(messages[0].content.split()[-1])
        number = sum(map(ord, messages[-1].content)) % 8
        return right(messages) if number < level else "no"

    bench = make(graded, tmp_path)
    candidates = [START.with_prompt(instructions=f"Level {i}") for i in range(8)]
    track = Track(bench, split_blocks(DEV, random.Random(0)))
    ranked = track.race(candidates)
    assert ranked[0].candidate is candidates[7]
    asked = {s.candidate.key: len(s.answers) for s in ranked}
    assert asked[candidates[7].key] == asked[candidates[0].key] == len(DEV)
    assert asked[candidates[1].key] < len(DEV)
    assert bench.ledger.requests < 8 * len(DEV) * 0.8
    assert len(ranked) == len(candidates)


def test_a_candidate_that_cannot_be_asked_is_out_of_the_race(tmp_path: Path) -> None:
    bench = make(right, tmp_path)
    track = Track(bench, split_blocks(DEV, random.Random(0)))
    lost = START.with_prompt(demos=Demos(pool=TRAIN, k=1, select="nearest", embedder="minilmm"))
    assert [one.candidate for one in track.race([START, lost])] == [START]
    with pytest.raises(InputError, match="minilmm"):
        track.race([lost, START])


def test_held_out_keeps_groups_together() -> None:
    grouped_rows = [row.replace(group=f"g{i // 3}") for i, row in enumerate(DEV)]
    seen, kept = split_rows(grouped_rows, 0.4, random.Random(1))
    assert {r.group for r in seen} & {r.group for r in kept} == set()
    assert len(seen) + len(kept) == len(DEV) and 9 <= len(kept) <= 15
    one = [row.replace(group="same") for row in DEV]
    assert split_rows(one, 0.4, random.Random(1)) == (one, one)


def test_edits_give_the_schema_of_the_training_targets() -> None:
    train = tuple(
        Example(id=f"t{i}", inputs={"text": f"x {i}"}, target='{"name": "Bo", "age": 1}')
        for i in range(3)
    )
    metric = load(MetricSpec(name="json"))
    wrong = find_mistake("json", train[0], '{"name": "Bo"}', metric(train[0], '{"name": "Bo"}'))
    assert wrong is not None
    edits = Editor("json", train, examples=0).edits(
        Prompt(instructions="One.\nTwo."), group_mistakes([wrong]), most=20, rng=random.Random(0)
    )
    texts = {edit.name: edit.prompt.instructions for edit in edits}
    assert texts["give the schema for missing field"].endswith(
        'Write one of: {"name": "...", "age": "..."}.'
    )
    assert texts["add a constraint for missing field"].endswith("Never leave out age.")
    assert texts["reorder"] == "Two.\nOne."
    assert texts["shorten"] in {"One.", "Two."}
    assert len({edit.prompt.key for edit in edits}) == len(edits)


def test_the_outline_shows_what_is_fixed_and_describes_what_is_chosen() -> None:
    prompt = Prompt(instructions="Label it.", demos=Demos(pool=TRAIN, k=1))
    text = outline(prompt)
    assert text.startswith("<system> Label it.\n<user> Message 0 of train")
    assert "<assistant> card" in text and TRAIN[1].text not in text
    nearest = Demos(pool=TRAIN, k=2, select="nearest", embedder="lexical")
    assert "2 nearest of 40 examples" in outline(prompt.replace(demos=nearest))
