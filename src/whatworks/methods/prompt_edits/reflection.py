"""Reflective evolutionary search with a helper model: GEPA (Agrawal et al. 2025), by its package.

GEPA decides which prompts to mutate (a Pareto front over the rows) and how to ask for a new one.
Everything that costs goes through the bench: the adapter asks and scores there, and the helper is
the study's, so that budget, answer cache and metric are those of every other method.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatworks.analysis.mistakes import find_mistake
from whatworks.base.errors import InputError
from whatworks.data.task import Example, Message
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer, mean
from whatworks.models.helper import Helper
from whatworks.prompts.candidate import Candidate

PART = "instructions"
MINIBATCH = 3
"""Rows that one proposal is made from, GEPA's own default."""
FINALISTS = 4
HELPED = 2 * MINIBATCH
"""Fewest answers to each request to the helper: before the proposal, and with it."""


def count_least(rows: int) -> int:
    """Answers that the seed and one proposal on so many rows take."""
    return 2 * rows + HELPED + 1


def reflect(
    start: Candidate, bench: Bench, helper: Helper, rows: Sequence[Example], calls: int
) -> list[Candidate]:
    """Prompts that the search found, the best on ``rows`` first; the seed is not among them.

    Where no proposal did better than the prompt that it came from, these are the rejected ones.

    Args:
        start: Whose instructions are the seed.
        bench: Asks, scores, counts.
        helper: Writes the proposals.
        rows: Dev rows to search on.
        calls: Most answers scored.

    Raises:
        InputError: If gepa is not installed.
        BudgetExceeded: Before a request that would pass a limit leaves.
    """
    try:
        from gepa.api import optimize
        from gepa.core.adapter import EvaluationBatch
    except ImportError as error:
        raise InputError(
            "prompt search with a helper model needs gepa, which is not installed",
            remedy="pip install 'whatworks[prompts]', or set `helper: false`",
        ) from error
    adapter = _Adapter(start, bench, EvaluationBatch)
    proposer = _Proposer(helper)
    result: Any = optimize(
        seed_candidate={PART: start.prompt.instructions},
        trainset=list(rows),
        valset=list(rows),
        adapter=adapter,  # type: ignore[arg-type]
        reflection_lm=proposer,
        reflection_minibatch_size=MINIBATCH,
        # An iteration that has begun is finished: leave room for its rows.
        max_metric_calls=max(len(rows) + 1, calls - len(rows) - HELPED),
        stop_callbacks=proposer.over,
        logger=_Silent(),
        seed=bench.seed,
    )
    if proposer.error is not None:
        raise proposer.error
    scores = list(result.val_aggregate_scores)
    order = sorted(range(1, len(scores)), key=lambda i: -scores[i])
    texts = [str(result.candidates[i][PART]) for i in order]
    if not texts:
        texts = adapter.list_rejected()
        bench.note("rejected", f"none of {len(texts)} proposals did better than the seed")
    return [start.with_prompt(instructions=text) for text in texts[:FINALISTS]]


@dataclass
class _Adapter:
    """GEPA's door to the task: a batch of rows answered and scored through the bench."""

    start: Candidate
    bench: Bench
    batch: Any
    propose_new_texts: None = None
    _seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list[float]))

    def evaluate(
        self, batch: list[Example], candidate: dict[str, str], capture_traces: bool = False
    ) -> Any:
        """Answers, scores and, where asked for, the answers again as traces."""
        edited = self.start.with_prompt(instructions=candidate[PART])
        answers = self.bench.answers(edited, batch)
        scores = [answer.score.counted for answer in answers]
        self._seen[candidate[PART]] += scores
        traces = answers if capture_traces else None
        return self.batch(outputs=answers, scores=scores, trajectories=traces)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What the helper reads: inputs, answers and what was wrong with them, by pattern."""
        answers: list[Answer] = eval_batch.trajectories or []
        records = [self._record(answer) for answer in answers]
        return dict.fromkeys(components_to_update, records)

    def list_rejected(self) -> list[str]:
        """Proposals that were asked, those with the highest mean score first."""
        seed = self.start.prompt.instructions
        proposals = [text for text in self._seen if text != seed]
        return sorted(proposals, key=lambda text: -mean(self._seen[text]))

    def _record(self, answer: Answer) -> dict[str, str]:
        metric = self.bench.examiner.metric.name
        wrong = find_mistake(metric, answer.example, answer.generation.text, answer.score)
        feedback = "right"
        if wrong is not None:
            detail = f" ({wrong.detail})" if wrong.detail else ""
            feedback = f"{wrong.name}{detail}. {wrong.feedback}"
        return {
            "Inputs": answer.example.text,
            "Generated Outputs": answer.generation.text,
            "Wanted": answer.example.target,
            "Feedback": feedback,
        }


@dataclass
class _Proposer:
    """GEPA's reflection model: the helper. Its failure ends the search instead of being retried."""

    helper: Helper
    error: Exception | None = None

    def __call__(self, prompt: str | list[dict[str, Any]]) -> str:
        text = prompt if isinstance(prompt, str) else str(prompt[-1]["content"])
        try:
            return self.helper.ask([[Message(role="user", content=text)]])[0].text
        except Exception as error:  # gepa would only log it
            self.error = error
            raise

    def over(self, gepa_state: Any) -> bool:
        """Whether to stop: the helper failed, or a prompt is right on every row."""
        return self.error is not None or max(gepa_state.program_full_scores_val_set) >= 1.0


class _Silent:
    """GEPA's log lines go nowhere; what matters is in the notes."""

    def log(self, message: str) -> None:
        """Nothing."""
