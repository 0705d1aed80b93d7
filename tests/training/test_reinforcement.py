"""Reward models and reinforcement: what they learn, where they stop, what they refuse."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from training_helpers import Run, Train, ask, job_of, moved, tensors

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer, Examiner
from whatworks.methods.drawn_answers import pair_best_and_worst, rescore
from whatworks.methods.rl import RL
from whatworks.metrics.citations import score_grounding
from whatworks.metrics.pay import Pay
from whatworks.metrics.registry import load
from whatworks.metrics.score import Score
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.reward_model import RewardModel
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import render
from whatworks.training.rl_rewards import make_rewards
from whatworks.training.rows import PairRow, PromptRow
from whatworks.training.run_folder import AttemptPlan, RunFolder
from whatworks.training.settings import RewardSettings, RLSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WORDS = ["ok", "sure", "fine", "done", "well", "good"]


def pairs(count: int, seed: int) -> list[PairRow]:
    """Of two answers, the one that says it once is better than the one that rambles."""
    rng = random.Random(seed)
    made: list[PairRow] = []
    for i in range(count):
        word = rng.choice(WORDS)
        asked = (Message(role="user", content=f"item {rng.randrange(1000)}?"),)
        long = " ".join([word] * rng.randint(3, 6))
        made.append(PairRow(id=str(i), messages=asked, chosen=word, rejected=long))
    return made


@pytest.fixture(scope="module")
def rewarding(here: Train, lively_model: Path) -> Run:
    settings = RewardSettings(epochs=3, batch_size=8, learning_rate=1e-2)
    return here(settings, rows=pairs(48, 0))


def test_reward_model_ranks_held_out_pairs(rewarding: Run, lively_model: Path) -> None:
    trained, folder = rewarding
    assert trained.losses[-1] < 0.8 * trained.losses[0]
    assert any("score" in name for name in tensors(folder / "epoch-3"))
    model = RewardModel(ModelFiles(str(lively_model), folder / "epoch-3", "auto"))
    held = pairs(30, 1)
    better, worse = (
        model.score([model.ids(row.messages, getattr(row, side)) for row in held])
        for side in ("chosen", "rejected")
    )
    right = sum(b > w for b, w in zip(better, worse, strict=True))
    assert right >= 27
    alone = [model.score([model.ids(row.messages, row.chosen)])[0] for row in held[:4]]
    assert better[:4] == pytest.approx(alone, abs=1e-4)


def test_a_reward_model_is_a_metric(rewarding: Run) -> None:
    folder = rewarding[1] / "epoch-3"  # an adapter that names its base
    metric = load(MetricSpec(name="reward", options={"folder": str(folder)}))
    rows = [
        (Example(id=pair.id, messages=pair.messages, target=pair.chosen), pair)
        for pair in pairs(30, 1)
    ]
    right = 0
    for example, pair in rows:
        assert metric(example, pair.chosen).kind == "correct"
        right += metric(example, pair.rejected).value < 1.0
        asked = example.replace(target="")
        one, other = (metric(asked, getattr(pair, side)) for side in ("chosen", "rejected"))
        assert (one.value > other.value) == (one.parts["reward"] > other.parts["reward"])
    assert right >= 27
    example = rows[0][0]
    assert metric(example, " ").value == 0.0
    for odd in ("\ud800", "[" * 5_000, "\0"):
        assert 0.0 <= metric(example, odd).value <= 1.0
    with pytest.raises(InputError, match="nowhere"):
        load(MetricSpec(name="reward", options={"folder": "nowhere"}))(example, "red")


def test_drawn_answers_are_ranked_by_a_reward_model(rewarding: Run) -> None:
    spec = MetricSpec.read({"reward": {"folder": str(rewarding[1] / "epoch-3")}})
    drawn = []
    for pair in pairs(30, 1):
        example = Example(id=pair.id, messages=pair.messages)
        texts = (pair.rejected, pair.chosen)
        same = Score(0.0, "wrong", "alike to the task's metric")
        drawn.append([Answer(example, Generation(t, 1, 1, 0.0), same) for t in texts])
    with pytest.raises(ArmFailure, match="all score the same"):
        pair_best_and_worst(drawn)
    made = pair_best_and_worst(rescore(load(spec), drawn))
    right = [m.chosen == pair.chosen for m, pair in zip(made, pairs(30, 1), strict=True)]
    assert sum(right) >= 27


CITING = Prompt(
    context=Context(
        chunks=(Document(id="d#0", text="Ada lives in Porto."),), k=1, search="lexical", cite=True
    )
)
PORTO = Example(id="1", inputs={"q": "Where does Ada live?"}, target="Porto", evidence=("d",))


@pytest.mark.parametrize("prompt", [Prompt(), CITING], ids=["plain", "citing"])
@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("Porto", True),
        ("Porto", False),
        ("Porto [1]", True),
        ("Porto\nInput: and Bo?\nOutput: Rome", False),
        ("Porto; it is said", False),
        ("Rome", True),
    ],
)
def test_an_answer_is_paid_what_it_scores(
    prompt: Prompt, text: str, ends: bool, tiny_model: Path
) -> None:
    """By the engine's own rule of where an answer ends, and the examiner's of what counts."""
    from whatworks.models import chat_templates as templates
    from whatworks.models import files as models
    from whatworks.models.local import sampling as decode

    spec = MetricSpec(name="exact")
    start = Candidate(
        prompt=prompt, weights=Weights(base="lab"), decoding=Decoding(max_tokens=64, stop=(";",))
    )
    settings = RL().settings_for(start, spec).replace(samples=2, batch_size=2)
    tokenizer = templates.use(models.load_tokenizer(tiny_model))
    ids = templates.encode_completion(tokenizer, text, end=ends)
    pay, gold = make_rewards(settings, [PORTO], tokenizer, None)
    drawn = {"completion_ids": [ids] * 2, "at": [0, 0]}
    paid = pay(prompts=[None] * 2, log_metric=lambda *_: None, **drawn)

    asked = decode.RequestRow(0, [], len(ids), "1")
    ending = decode.Ends(tokenizer, (), start.decoding)
    assert any(ending.add(asked, token) for token in ids)
    answer = ending.generation(asked)
    ended, metric = answer.finish != "length", load(spec)
    request = render(prompt, PORTO, exclude=[PORTO])
    score = score_grounding(request, answer.text, lambda t: metric(PORTO, t, ended=ended))
    assert paid == gold(**drawn) == [score.value] * 2
    assert score.value == (text != "Rome" and (text != "Porto [1]" or prompt is CITING))


@pytest.mark.parametrize(
    ("rule", "paid"),
    [("score", [1, 0, 0, 0]), ("ternary", [1, 0, -1, -1]), ("brier", [0.96, 0, -0.64, -1])],
)
def test_what_is_paid_is_chosen(rule: Pay, paid: list[float], tiny_model: Path) -> None:
    from whatworks.models import chat_templates as templates
    from whatworks.models import files as models

    spec = MetricSpec(name="facts", options={"confidence": True})
    settings = RLSettings(metric=spec, pay=rule)
    tokenizer = templates.use(models.load_tokenizer(tiny_model))
    texts = ["Porto (80%)", "I don't know", "Rome (80%)", "Porto"]
    ids = [templates.encode_completion(tokenizer, text, end=True) for text in texts]
    pay, gold = make_rewards(settings, [PORTO], tokenizer, None)
    drawn = {"completion_ids": ids, "at": [0] * 4}
    assert pay(prompts=[None] * 4, log_metric=lambda *_: None, **drawn) == pytest.approx(paid)
    assert gold(**drawn) == [1, 0, 0, 0]


def test_confidence_is_not_paid_where_the_metric_reads_none() -> None:
    bench = Bench(
        Examiner(FakeEngine(lambda _: ""), load(MetricSpec(name="facts")), Store(Path("unused"))),
        train=(PORTO,),
        dev=(PORTO,),
    )
    start = Candidate(prompt=Prompt(), weights=Weights(base="lab"))
    with pytest.raises(ArmFailure, match="reads no confidence") as failure:
        RL(reward="brier").adapt(start, bench)
    assert "confidence: true" in failure.value.remedy
    with pytest.raises(ValueError, match="does nothing with `reward: ternary`"):
        RL(reward="ternary", wrong_costs=0.5)


SETTINGS = RLSettings(
    metric=MetricSpec(name="exact"),
    epochs=2,
    batch_size=16,
    samples=4,
    max_tokens=6,
    learning_rate=5e-3,
    beta=0.01,
    leash=50.0,
)


def prompts(target: str = "blue", count: int = 24) -> list[PromptRow]:
    return [
        PromptRow(id=str(i), messages=(ask(i),), example=Example(id=str(i), target=target))
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def reinforced(here: Train, half_tuned: Run) -> Run:
    return here(SETTINGS, rows=prompts(), adapter=half_tuned[1] / "epoch-20", stacking="continue")


def test_reinforcement_raises_its_reward_within_the_leash(reinforced: Run, half_tuned: Run) -> None:
    trained, folder = reinforced
    points = trained.trace
    assert [point.step for point in points] == list(range(1, 13))
    assert points[0].kl == pytest.approx(0, abs=1e-4)  # the tuned state is the reference
    start = sum(point.gold for point in points[:3]) / 3
    end = sum(point.gold for point in points[-3:]) / 3
    assert 0.05 < start < 0.9
    assert end > start + 0.1
    assert all(point.reward == pytest.approx(point.gold) for point in points)
    assert 0 < max(point.kl for point in points) < SETTINGS.leash
    before = half_tuned[1] / "epoch-20"
    assert moved(before, folder / "epoch-2") == tensors(before).keys()
    assert not (folder / "epoch-2" / "ref").exists()


class Killed(BaseException):
    pass


def test_over_the_leash_training_ends_in_the_last_weights_within(
    reinforced: Run,
    half_tuned: Run,
    lively_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed before and in the step that finds the leash broken, too; state saved at each step."""
    from whatworks.training import callbacks
    from whatworks.training.worker import run

    monkeypatch.setattr(callbacks, "PROGRESS_SECONDS", 0.0)
    kl = [point.kl for point in reinforced[0].trace]
    # A step that is farther away than all before it; the first one, of the warm-up, moves nothing.
    broken = next(at for at in range(3, 12) if kl[at] > max(kl[:at])) + 1
    tight = SETTINGS.replace(leash=(max(kl[: broken - 1]) + kl[broken - 1]) / 2)
    folder = RunFolder(tmp_path)
    folder.begin(job_of(tight, stacking="continue"), prompts())
    plan = AttemptPlan(
        base=lively_model,
        adapter=half_tuned[1] / "epoch-20",
        micro_batch=tight.batch_size,
        recompute=False,
        save_seconds=0,
    )

    def killed_in(step: int) -> None:
        def told(_: str, content: dict[str, int]) -> None:
            if content["step"] == step:
                raise Killed

        with pytest.raises(Killed):
            run(folder, plan, told)

    killed_in(broken - 1)
    within = tensors(tmp_path / "state" / f"checkpoint-{broken - 2}")
    killed_in(broken)
    trained = run(folder, plan, lambda *_: None)
    assert [point.kl for point in trained.trace] == kl[:broken]
    epoch = 1 if broken - 2 <= 6 else 2
    last = trained.checkpoints[-1]
    assert (last.name, last.step) == (f"epoch-{epoch}", broken - 2)
    kept = tensors(tmp_path / last.name)
    assert kept.keys() == within.keys() and all(kept[n].equal(within[n]) for n in kept)
    assert not (tmp_path / last.name / "leash-0.pt").exists()
    assert trained.stopped.startswith(f"at step {broken} of 12: the KL was {kl[broken - 1]:.3g}")
    folder.finish(trained)
    assert folder.count_published() == len(trained.checkpoints)


def test_a_first_step_over_the_leash_is_a_failure(here: Train, half_tuned: Run) -> None:
    tight = SETTINGS.replace(leash=1e-3, learning_rate=0.1)
    on = {"adapter": half_tuned[1] / "epoch-20", "stacking": "continue"}
    with pytest.raises(ArmFailure, match="first step left the leash") as failure:
        here(tight, rows=prompts(), **on)
    assert "learning rate" in failure.value.remedy


def test_a_reward_model_pays_and_the_metric_watches(
    here: Train, half_tuned: Run, rewarding: Run, lively_model: Path
) -> None:
    scorer = ModelFiles(str(lively_model), rewarding[1] / "epoch-3", "auto")
    trained, _ = here(
        SETTINGS.replace(reward="key", epochs=1),
        rows=prompts(),
        adapter=half_tuned[1] / "epoch-20",
        stacking="continue",
        second=scorer,
    )
    assert any(abs(point.reward - point.gold) > 1e-3 for point in trained.trace)


def test_full_reinforcement_measures_against_the_merged_start(
    here: Train, half_tuned: Run, lively_model: Path
) -> None:
    full = SETTINGS.replace(kind="full", epochs=1, learning_rate=1e-3)
    trained, folder = here(
        full, rows=prompts(), adapter=half_tuned[1] / "epoch-20", stacking="merge"
    )
    assert trained.trace[0].kl == pytest.approx(0, abs=1e-4)
    assert moved(lively_model, folder / "epoch-1") == tensors(lively_model).keys()


def test_a_constant_reward_and_rows_without_one_are_failures(
    here: Train, lively_model: Path
) -> None:
    with pytest.raises(ArmFailure, match="nothing to learn") as failure:
        here(SETTINGS, rows=prompts(target="never said by anyone", count=1))
    assert "sft+rl" in failure.value.remedy
    with pytest.raises(InputError):
        here(SETTINGS.replace(metric=MetricSpec(name="numeric")), rows=prompts(target="no number"))
