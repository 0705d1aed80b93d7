"""The engine seam: the only way to get text out of a model.

Implementations: ``local`` (transformers, in this process), ``endpoint`` (any OpenAI-compatible
server) and ``fake`` (a script, for tests and dry runs). An engine knows nothing of tasks, metrics
or methods.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.prices import Price

Prompts = Sequence[Sequence[Message]]
Answers = Sequence[str | tuple[int, ...]]
"""Texts, each ended by the end of its turn, or token ids as a ``Generation`` has them."""


@dataclass(frozen=True)
class ModelFiles:
    """Where the weights of a candidate lie.

    Attributes:
        base: Folder or Hugging Face id of the model, already merged where the lineage merged.
        adapter: Folder of a PEFT adapter on top of it, if any.
        template: Name of a chat template, or ``auto``.
    """

    base: str
    adapter: Path | None = None
    template: str = "auto"


@dataclass(frozen=True)
class Generation:
    """One answer with what it took.

    Attributes:
        text: The answer, without special tokens and without reasoning.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written, the end token included.
        seconds: This request's share of the wall time of the batch it ran in.
        finish: ``stop`` (the model or a stop string ended it), ``length`` (cut off) or
            ``overflow`` (not asked: the prompt leaves no room in the model's context) or
            ``missing`` (a system whose answers are given has none to this row).
        logprob: Sum of the natural-log probabilities of the tokens written, by the model itself:
            before temperature, nucleus and constraint. None where unknown.
        samples: How many answers were drawn for it; tokens and seconds are those of all.
        reasoning: What the model wrote for itself before the answer; its tokens are among those
            written.
        reasoning_tokens: How many of them; an estimate where a server does not say.
        ids: The tokens as they were drawn, those of an end or a stop string included; empty where
            unknown.
        cached_tokens: Of the tokens read, those that a server says it had in its cache.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    finish: Literal["stop", "length", "overflow", "missing"] = "stop"
    logprob: float | None = None
    samples: int = 1
    ids: tuple[int, ...] = ()
    reasoning: str = ""
    reasoning_tokens: int = 0
    cached_tokens: int = 0

    def __post_init__(self) -> None:
        """Read from JSON, the ids are a list."""
        object.__setattr__(self, "ids", tuple(self.ids))


class Unanswered(ArmFailure):
    """A request of a call failed for good; others of it were answered, and have to be paid.

    Args:
        failure: What went wrong.
        answered: What came back.
    """

    def __init__(self, failure: ArmFailure, answered: Sequence[Generation]) -> None:
        super().__init__(failure.cause, place=failure.place, remedy=failure.remedy)
        self.answered = list(answered)


@dataclass(frozen=True)
class Token:
    """A token as it was drawn.

    Attributes:
        text: Its own text, with the blank before it, which an answer does not begin with; empty
            for an end token, which is no part of the answer.
        logprob: Its natural-log probability by the model itself.
        so_far: The answer up to and with it, without what may still become a stop string.
        tops: The likeliest tokens in its place, with their log-probabilities, where asked for.
        lead: The blank before it that the answer drops, if it is the first one.
    """

    text: str
    logprob: float
    so_far: str
    tops: tuple[tuple[str, float], ...] = ()
    lead: str = ""


@dataclass(frozen=True)
class Habits:
    """How a model answers, whatever the targets are.

    Attributes:
        sentences: Whether it may answer in sentences where the targets are words.
        reasons: Whether it reasons before it answers; None where only its answers can say.
    """

    sentences: bool = True
    reasons: bool | None = None


OnToken = Callable[[int, Token], None]
"""Called with a prompt's place and the token just drawn for it."""


def require_texts(answers: Answers) -> list[str]:
    """Answers to an engine that draws no token ids, so that none of its own are among them.

    Raises:
        ArmFailure: If another engine's are.
    """
    strings = [answer for answer in answers if isinstance(answer, str)]
    if len(strings) < len(answers):
        raise ArmFailure("this engine takes texts, no token ids", remedy="use a local model")
    return strings


class Engine(Protocol):
    """(weights, rendered prompts, decoding) to text.

    Attributes:
        identity: What beside the model decides the answers (number format, script): part of the
            key under which answers are kept.
        price: Of its tokens; None when unknown.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102

    @property
    def price(self) -> Price | None: ...  # noqa: D102

    def generate(
        self,
        model: ModelFiles,
        prompts: Prompts,
        decoding: Decoding,
        *,
        keys: Sequence[str] = (),
        on_done: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """One generation per prompt, in the order given.

        The answer to a prompt depends on the prompt, the weights, the decoding and its key alone,
        not on its neighbours in the call.

        Args:
            model: The weights to run.
            prompts: Rendered messages, the last one from the user.
            decoding: How to draw.
            keys: One per prompt; names each request's random stream (position by default).
            on_done: Called with the number of prompts just finished.

        Raises:
            ArmFailure: If a prompt is longer than the model's context, or memory runs out;
                ``Unanswered`` where other prompts were answered and cost money.
            InputError: If the model cannot be loaded.
        """
        ...

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        """Natural-log probability of each token of each answer to its prompt.

        The tokens of a text are exactly those that training on it would use, the end of the turn
        last; given ids are taken as they are. Teacher-forced: it says how likely an answer
        is, never how good a model is.

        Args:
            model: The weights to run.
            prompts: Rendered messages.
            answers: One text per prompt, or the ids that this engine has drawn.

        Raises:
            ArmFailure: If prompt and answer are longer than the context, memory runs out, or the
                engine cannot say; ``Unanswered`` as above.
            InputError: If the model cannot be loaded.
        """
        ...

    def count_tokens(self, model: ModelFiles, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each plain text, without special tokens."""
        ...

    def prompt_tokens(self, model: ModelFiles, prompts: Prompts) -> list[int]:
        """Number of tokens of each rendered prompt, chat template included."""
        ...

    def context_length(self, model: ModelFiles) -> int | None:
        """Most tokens of prompt and answer together, None when unknown."""
        ...

    def habits(self, model: ModelFiles) -> Habits:
        """How the model answers, as far as its template says."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
