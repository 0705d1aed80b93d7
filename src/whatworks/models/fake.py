"""A scripted engine: answers without a model, for tests, dry runs and planted truths.

It keeps the whole contract of ``Engine`` (order, keys, progress, failures) and records what it was
asked, so that a test can prove that a row was never shown.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.frozen import Frozen, hash_content
from whatworks.base.validation import explain
from whatworks.data.task import Message, format_transcript
from whatworks.models.chat_templates import cut_at_stop
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Answers, Generation, Habits, ModelFiles, Prompts, require_texts
from whatworks.models.prices import FREE, Price
from whatworks.models.reasoning import split

Answer = Callable[[Sequence[Message]], str]

SURE, STRAY = math.log(0.9), math.log(1e-4)
"""A scripted model's log-probability of each word of its own answer, and of any other word."""

PREFIX = "fake:"
"""A study's ``model: fake:script.json`` names a script for ``FakeEngine.from_name``."""


class Line(Frozen):
    """One line of a script.

    Attributes:
        contains: Text that the prompt must contain anywhere; every text, where several are given.
        last: Text that the last message must contain.
        answer: What is answered then.
        chance: How likely the line applies where it matches; decided by a hash of prompt and seed.
    """

    contains: str | tuple[str, ...] = ()
    last: str = ""
    answer: str
    chance: float = Field(default=1.0, ge=0.0, le=1.0)


class Script(Frozen):
    """Answers by what the prompt contains; the first line that applies answers.

    Attributes:
        answers: The lines, in order.
        default: The answer where no line applies.
        latency: Seconds that each answer takes.
        fail: Prompts that contain this text fail their arm.
        seed: Seed of the lines' chances.
        context: Context length in words, none when absent.
    """

    answers: tuple[Line, ...] = ()
    default: str = ""
    latency: float = Field(default=0.0, ge=0.0)
    fail: str = ""
    seed: int = 0
    context: int | None = None

    def __call__(self, messages: Sequence[Message]) -> str:
        """The scripted answer to a prompt."""
        whole = format_transcript(messages)
        for number, line in enumerate(self.answers):
            needed = (line.contains,) if isinstance(line.contains, str) else line.contains
            if not all(text in whole for text in needed) or line.last not in messages[-1].content:
                continue
            if line.chance >= 1 or is_drawn(messages, line.chance, seed=self.seed + number):
                return line.answer
        return self.default


def is_drawn(messages: Sequence[Message], chance: float, *, seed: int = 0) -> bool:
    """Whether an event of this probability happens for a prompt: the same in every run."""
    return _draw(messages, seed) < chance


def make_answerer(
    answers: Mapping[str, str], chance: float, *, otherwise: str = "unknown", seed: int = 0
) -> Answer:
    """A model that knows a share of the answers: a planted truth to measure against.

    Args:
        answers: The right answer by the text of the last message, or a part of it.
        chance: How likely it knows one; decided by a hash of the last message and the seed.
        otherwise: What it says where it does not know.
        seed: Seed of the decisions.
    """

    def answer(messages: Sequence[Message]) -> str:
        question = messages[-1].content
        right = answers.get(question)
        if right is None:
            right = next((text for part, text in answers.items() if part in question), None)
        if right is not None and is_drawn(messages[-1:], chance, seed=seed):
            return right
        return otherwise

    return answer


class FakeEngine:
    """An ``Engine`` that answers from a function or a script; a token is a word.

    Args:
        answer: A function of the messages, or a ``Script`` or the dictionary of one.
        latency: Seconds that each answer takes, beside the script's own.
        fail: Prompts that contain this text fail their arm.
        context: Context length in words.
        price: What its tokens cost, nothing by default.

    Attributes:
        seen: The messages of every request, in the order received.
    """

    def __init__(
        self,
        answer: Answer | Script | Mapping[str, Any] = Script(),  # noqa: B008 (frozen)
        *,
        latency: float = 0.0,
        fail: str = "",
        context: int | None = None,
        price: Price | None = FREE,
    ) -> None:
        self.price = price
        if isinstance(answer, Mapping):
            answer = _read_script(answer, place="script")
        script = answer if isinstance(answer, Script) else Script()
        self._answer: Answer = answer
        self._latency = latency or script.latency
        self._fail = fail or script.fail
        self._context = context or script.context
        self.seen: list[tuple[Message, ...]] = []

    @classmethod
    def from_name(cls, name: str) -> FakeEngine:
        """The engine of ``fake:script.json``, or of ``fake:`` alone, which answers nothing.

        Raises:
            InputError: If the script cannot be read.
        """
        path = Path(name.removeprefix(PREFIX))
        if not name.removeprefix(PREFIX):
            return cls()
        try:
            written = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise InputError(
                f"the script of the fake model cannot be read: {error.strerror}",
                place=str(path),
                remedy="write fake:PATH of a JSON file",
            ) from error
        except ValueError as error:
            raise InputError(
                f"the script of the fake model is not JSON: {error}",
                place=str(path),
                remedy='write {"answers": [{"contains": "...", "answer": "..."}], "default": ""}',
            ) from error
        return cls(_read_script(written, place=str(path)))

    @property
    def identity(self) -> str:
        """Hash of the script; a function has a name only."""
        if isinstance(self._answer, Script):
            return f"fake {self._answer.key}"
        return f"fake {getattr(self._answer, '__qualname__', type(self._answer).__name__)}"

    def generate(
        self,
        model: ModelFiles,
        prompts: Prompts,
        decoding: Decoding,
        *,
        keys: Sequence[str] = (),
        on_done: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """One scripted answer per prompt; see ``Engine.generate``.

        Stop strings and ``max_tokens`` apply; the other decoding options have nothing to decide.

        Raises:
            ArmFailure: If a prompt contains the ``fail`` text or is longer than the context.
        """
        del model, keys
        answers: list[Generation] = []
        for at, messages in enumerate(prompts):
            self.seen.append(tuple(messages))
            answers.append(self._answer_one(at, messages, decoding))
            if on_done is not None:
                on_done(1)
        return answers

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        """A value per word and for the end: ``SURE`` while the answer follows the script's own."""
        del model
        measured: list[tuple[float, ...]] = []
        for messages, text in zip(prompts, require_texts(answers), strict=True):
            self.seen.append(tuple(messages))
            words, own = [*text.split(), ""], [*self._answer(messages).split(), ""]
            pairs = enumerate(zip(words, own, strict=False))
            same = next((i for i, (a, b) in pairs if a != b), len(words))
            measured.append((SURE,) * same + (STRAY,) * (len(words) - same))
        return measured

    def count_tokens(self, model: ModelFiles, texts: Sequence[str]) -> list[int]:
        """Number of words of each text."""
        del model
        return [len(text.split()) for text in texts]

    def prompt_tokens(self, model: ModelFiles, prompts: Prompts) -> list[int]:
        """Number of words of each prompt."""
        del model
        return [sum(len(m.content.split()) for m in messages) for messages in prompts]

    def context_length(self, model: ModelFiles) -> int | None:
        """The context in words, if the engine was given one."""
        del model
        return self._context

    def habits(self, model: ModelFiles) -> Habits:
        """Only its answers can say."""
        del model
        return Habits()

    def close(self) -> None:
        """Nothing to free."""

    def saw(self, text: str) -> bool:
        """Whether any request so far contained the text."""
        return any(text in message.content for messages in self.seen for message in messages)

    def _answer_one(self, at: int, messages: Sequence[Message], decoding: Decoding) -> Generation:
        started = time.perf_counter()
        whole = format_transcript(messages)
        if self._fail and self._fail in whole:
            raise ArmFailure(
                f"prompt {at} contains {self._fail!r}, on which the script fails",
                remedy="take the text out of the data, or `fail` out of the script",
            )
        words = sum(len(message.content.split()) for message in messages)
        if self._context is not None and words + 1 > self._context:
            raise ArmFailure(
                f"prompt {at} and an answer take {words + 1} tokens, the model's context has "
                f"{self._context}",
                remedy="show fewer or shorter demonstrations and passages",
            )
        if self._latency:
            time.sleep(self._latency)
        parts = split(self._answer(messages))
        answer, thoughts = cut_at_stop(parts.answer, decoding.stop), parts.reasoning
        pieces, thinks = answer.split(), thoughts.split()
        over = len(thinks) + len(pieces) > decoding.max_tokens
        if over:
            thinks = thinks[: decoding.max_tokens]
            pieces = pieces[: decoding.max_tokens - len(thinks)]
            answer, thoughts = " ".join(pieces), " ".join(thinks)
        written = len(thinks) + len(pieces)
        return Generation(
            answer,
            words,
            written,
            time.perf_counter() - started,
            "length" if over else "stop",
            SURE * (written + (not over)),
            reasoning=thoughts,
            reasoning_tokens=len(thinks),
        )


def _draw(messages: Sequence[Message], seed: int) -> float:
    key = hash_content([seed, *(f"{m.role}\0{m.content}" for m in messages)])
    return random.Random(key).random()


def _read_script(written: Any, *, place: str) -> Script:
    try:
        return Script.model_validate(written)
    except ValidationError as error:
        raise explain(
            error,
            Script,
            subject="the script of the fake model",
            place=place,
            remedy='write {"answers": [{"contains": "...", "answer": "..."}], "default": "..."}',
        ) from error
