"""What each arm's chain begins with, and who asks it: the study's model, or one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatworks.data.task import Task
from whatworks.methods.bench.examiner import Examiner
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.metering import Budget, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.answer_room import choose_reasoning_room, measure_room, shows_reasoning
from whatworks.studies.decoding_section import settle_constraint


@dataclass(frozen=True)
class StudyModel:
    """A model of a study: what runs it, and its untouched weights."""

    engine: Engine
    weights: Weights


class Starts:
    """The candidates that chains begin with, by arm.

    Args:
        task: The task.
        examiner: Asks the study's model.
        weights: The untouched study's model.
        decoding: Shared by all arms; ``max_tokens`` 0 means measured, for each model by itself.
        own_decoding: What some arms have instead, by name.
        models: The models of the arms that have one of their own, by name.
    """

    def __init__(
        self,
        task: Task,
        examiner: Examiner,
        weights: Weights,
        *,
        decoding: Decoding,
        own_decoding: Mapping[str, Decoding],
        models: Mapping[str, StudyModel],
    ) -> None:
        self._task, self._examiner = task, examiner
        self._examiners = {
            arm: Examiner(one.engine, examiner.metric, examiner.store)
            for arm, one in models.items()
        }
        self.study = self._settle(examiner, weights, decoding)
        self._measured = not decoding.max_tokens
        self._own: dict[str, Candidate] = {}
        self._unsaid: set[str] = set()
        for arm in {**own_decoding, **models}:
            own = own_decoding.get(arm, decoding)
            model = models[arm].weights if arm in models else weights
            self._own[arm] = self._settle(self.examiner(arm), model, own)
            if not own.max_tokens:
                self._unsaid.add(arm)

    def examiner(self, arm: str) -> Examiner:
        """Who asks an arm's model."""
        return self._examiners.get(arm, self._examiner)

    def of(self, arm: str) -> Candidate:
        """What an arm's chain begins with."""
        return self._own.get(arm, self.study)

    def leave_room(self, usd: float | None) -> None:
        """Give answers more room where the first ones of dev show that their model reasons.

        Args:
            usd: Limit in money of what is asked for that.
        """
        beside = self._unsaid - {*self._examiners}  # another decoding, the same model
        if self._measured or beside:
            more = self._find_room(self._examiner, self.study, usd)
            self.study = _lengthen(self.study, more) if self._measured else self.study
            for arm in beside:
                self._own[arm] = _lengthen(self._own[arm], more)
        rooms: dict[str, int] = {}  # arms of one model share what was found of it
        for arm in sorted(self._unsaid & {*self._examiners}):
            model = self._own[arm].weights.key
            if model not in rooms:
                rooms[model] = self._find_room(self._examiners[arm], self._own[arm], usd)
            self._own[arm] = _lengthen(self._own[arm], rooms[model])
        self._measured, self._unsaid = False, set()

    def _find_room(self, examiner: Examiner, start: Candidate, usd: float | None) -> int:
        """Tokens that a model needs beside its answers; 0 where it does not reason."""
        money = Meter(Budget(usd=usd), price=examiner.engine.price)
        if not shows_reasoning(examiner, start, self._task.splits.dev, money):
            return 0
        return choose_reasoning_room(examiner.engine, examiner.files(start.weights))

    def _settle(self, examiner: Examiner, weights: Weights, decoding: Decoding) -> Candidate:
        """The task's instructions and a model, the decoding with what only the task says in it."""
        if decoding.max_tokens == 0:
            model, train = examiner.files(weights), self._task.splits.train
            decoding = decoding.replace(max_tokens=measure_room(examiner.engine, model, train))
        constraint = settle_constraint(decoding.constraint, examiner.metric)
        return Candidate(
            prompt=Prompt(instructions=self._task.instructions),
            weights=weights,
            decoding=decoding.replace(constraint=constraint),
        )


def _lengthen(start: Candidate, tokens: int) -> Candidate:
    return start.with_decoding(max_tokens=start.decoding.max_tokens + tokens)
