"""What reinforcement pays for an answer, by the score that the task's metric gives it. Pure.

======= ======== ========= ===================================
rule    right    abstained wrong or malformed
======= ======== ========= ===================================
score   score    score     score, less ``wrong_costs``
ternary 1        0         -1
brier   1-(1-q)² 0         -q², q the confidence that it states
======= ======== ========= ===================================

``ternary`` is the reward of TruthRL (arXiv 2509.25760), ``brier`` that of Damani et al. 2025,
"Beyond Binary Rewards" (arXiv 2507.16806): what is right, less the Brier score.
Under ``brier`` an answer that states no confidence is paid -1, the least that a stated one can be.
"""

from __future__ import annotations

from typing import Literal

from whatworks.metrics.score import Score

Pay = Literal["score", "ternary", "brier"]


def compute_pay(score: Score, rule: Pay = "score", wrong_costs: float = 0.0) -> float:
    """What an answer is paid.

    Args:
        score: What the metric says; of its two scores, that which counts.
        rule: How it is paid.
        wrong_costs: Under ``score``, taken off what an answer gets that is wrong or malformed: as
            where a wrong answer costs t / (1 - t) and one should answer when surer than t.
    """
    if rule == "score":
        return score.counted - (wrong_costs if _is_wrong(score) else 0.0)
    if score.kind == "abstained":
        return 0.0
    if rule == "ternary":
        return -1.0 if _is_wrong(score) else 1.0
    confidence = score.parts.get("confidence")
    if confidence is None:
        # Where there is no answer, to abstain is right, and nobody asks how sure one is of that.
        return 1.0 if score.parts.get("abstained") and score.kind == "correct" else -1.0
    return score.counted - (score.counted - confidence) ** 2


def _is_wrong(score: Score) -> bool:
    wrong = score.kind in ("wrong", "malformed")
    # What is right in content is not wrong where content decides.
    return wrong and not (score.counts == "lenient" and score.counted)
