"""Several answers of a candidate to the same rows, drawn at a temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer
from whatworks.metrics.score import Metric
from whatworks.prompts.candidate import Candidate


def draw_answers(
    bench: Bench, candidate: Candidate, examples: Sequence[Example], k: int, temperature: float
) -> list[list[Answer]]:
    """``k`` scored answers for each row of train or dev, in the order of the rows; charged.

    Each draw has a stream of its own, made from the bench's seed.
    """
    decoding = candidate.decoding.replace(temperature=temperature, top_p=1.0)
    draws = [
        bench.answers(
            candidate.replace(decoding=decoding.replace(seed=1000 * (bench.seed + 1) + draw)),
            examples,
        )
        for draw in range(k)
    ]
    return [list(answers) for answers in zip(*draws, strict=True)]


def rescore(metric: Metric, answers: Sequence[Sequence[Answer]]) -> list[list[Answer]]:
    """The same answers, scored by another metric; without the target, if it can do without."""

    def anew(answer: Answer) -> Answer:
        example = answer.example.replace(target="") if metric.blind else answer.example
        text = answer.generation.text
        return replace(answer, score=metric(example, text, ended=not is_cut_off(answer)))

    return [list(map(anew, each)) for each in answers]


def pair_best_and_worst(answers: Sequence[Sequence[Answer]]) -> list[Pair]:
    """A pair for each row whose answers differ in score: the first best, the first worst.

    Of answers that score the same, one that abstains is better than one that is wrong. One that was
    cut off is never the best: it would be taught as if it ended there.

    Raises:
        ArmFailure: If no row has any.
    """
    pairs: list[Pair] = []
    for drawn_for_one in answers:
        worst = min(drawn_for_one, key=_rank)
        whole = [answer for answer in drawn_for_one if not is_cut_off(answer)]
        best = max(whole, key=_rank, default=worst)
        if _rank(best) > _rank(worst) and best.generation.text and worst.generation.text:
            example = best.example
            pairs.append(
                Pair(example=example, chosen=best.generation.text, rejected=worst.generation.text)
            )
    if not pairs:
        cut = sum(is_cut_off(answer) for each in answers for answer in each)
        raise ArmFailure(
            f"the drawn answers to each of {len(answers)} rows all score the same: "
            "nothing is preferred" + (f" ({cut} were cut off)" if cut else ""),
            remedy="draw more of them (`samples`), at a higher `temperature`, or tune first "
            "(`sft+dpo`)",
        )
    return pairs


def is_cut_off(answer: Answer) -> bool:
    """Whether it reached the limit of tokens: no end stands behind what it says."""
    return answer.generation.finish == "length"


def _rank(answer: Answer) -> tuple[float, bool]:
    return answer.score.counted, answer.score.kind == "abstained"
