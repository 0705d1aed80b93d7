"""Training where the model is served: rows as a provider's training file, budgeted beforehand.

What the provider does not offer (a rank, a learning rate, a full training) is refused rather than
left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whatworks.base.errors import ArmFailure, BudgetExceeded
from whatworks.base.store import Store
from whatworks.data.task import Message
from whatworks.methods.bench.tuned_models import keep_tuned
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.endpoint.tuning import TuningOrder
from whatworks.models.metering import Budget, Ledger
from whatworks.models.prices import FREE, Price
from whatworks.training.job import Checkpoint, Trained
from whatworks.training.rows import PairRow, RenderedRow, TrainingRow
from whatworks.training.settings import AnySettings, DPOSettings, SFTSettings

_SENT = {"epochs", "batch_size", "beta"}
"""Settings that a provider takes, or chooses itself."""


def make_order(
    settings: AnySettings, rows: Sequence[RenderedRow], model: str, seed: int
) -> TuningOrder:
    """A training as the protocol has it; the batch size and the learning rate are the server's.

    Raises:
        ArmFailure: If the protocol has no such training.
    """
    if not isinstance(settings, SFTSettings | DPOSettings):
        raise ArmFailure(
            f"a served model is trained by sft and dpo alone, not by {settings.trainer}",
            remedy="name the model's folder or Hugging Face id instead of its endpoint",
        )
    for name, described in type(settings).model_fields.items():
        if name not in _SENT and getattr(settings, name) != described.default:
            raise ArmFailure(
                f"a server that trains takes no `{name}: {getattr(settings, name)}`",
                remedy=f"leave `{name}` out, or name the model's folder instead of its endpoint",
            )
    chosen: dict[str, Any] = {"n_epochs": settings.epochs}
    if isinstance(settings, DPOSettings):
        chosen["beta"] = settings.strength
        lines = [_write_pair(row) for row in rows if isinstance(row, PairRow)]
        return TuningOrder(model, "dpo", lines, chosen, seed)
    lines = [_write_answer(row) for row in rows if isinstance(row, TrainingRow)]
    return TuningOrder(model, "supervised", lines, chosen, seed)


def _write_answer(row: TrainingRow) -> dict[str, Any]:
    if not row.messages:
        raise ArmFailure(
            "a served model is trained on conversations, not on plain text",
            remedy="leave `corpus` out of the chain",
        )
    turns = [*_write(row.messages), {"role": "assistant", "content": row.target}]
    return {"messages": turns}


def _write_pair(row: PairRow) -> dict[str, Any]:
    return {
        "input": {"messages": _write(row.messages)},
        "preferred_output": [{"role": "assistant", "content": row.chosen}],
        "non_preferred_output": [{"role": "assistant", "content": row.rejected}],
    }


def _write(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def estimate_training(engine: EndpointEngine, order: TuningOrder) -> int:
    """Tokens that a training reads, all epochs, without the server's tokenizer."""
    texts = [text for line in order.lines for text in _list_texts(line)]
    epochs = int(order.hyperparameters.get("n_epochs", 1))
    return sum(engine.count_tokens(engine.files, texts)) * epochs


def _list_texts(line: Mapping[str, Any]) -> list[str]:
    turns = [*line.get("messages", ()), *line.get("input", {}).get("messages", ())]
    turns += [*line.get("preferred_output", ()), *line.get("non_preferred_output", ())]
    return [turn["content"] for turn in turns]


def admit(price: Price | None, tokens: int, budget: Budget, ledger: Ledger) -> None:
    """Refuse a training that would pass the limit in money, before it begins.

    Raises:
        BudgetExceeded: Saying what it would cost, or that no price is known.
    """
    if budget.usd is None:
        return
    cost = compute_cost(price, tokens)
    if cost is None:
        raise BudgetExceeded(
            "a budget in money needs the price of training, and no table names it",
            remedy="write `prices: {MODEL: {input: 1, output: 2, training: 25}}`, "
            "US dollars per million tokens",
        )
    if ledger.all_usd + cost > budget.usd:
        raise BudgetExceeded(
            f"training on some {tokens} tokens would cost ${cost:.3g}, and ${ledger.all_usd:.3g} "
            f"of ${budget.usd:g} are spent",
            remedy="raise `budget: {usd: ...}`, or train fewer epochs or rows",
        )


def compute_cost(price: Price | None, tokens: int) -> float | None:
    """US dollars of training on so many tokens; None where they are not known."""
    if price is FREE:
        return 0.0
    if price is None or price.training is None:
        return None
    return price.training * tokens / 1e6


def train_there(
    engine: EndpointEngine, store: Store, key: str, order: TuningOrder, tokens: int
) -> Trained:
    """Train at the server; the models that it leaves are kept, a checkpoint each.

    Args:
        engine: Asks the server.
        store: The study's.
        key: Names what is trained.
        order: What.
        tokens: As ``estimate_training`` has them, where the server does not count.

    Raises:
        ArmFailure: If it cannot be completed.
    """
    tuned = engine.tune(store, key, order)
    checkpoints = [
        Checkpoint(name=f"epoch-{at}", epoch=at, step=step)
        for at, (step, _) in enumerate(tuned.models, start=1)
    ]
    for checkpoint, (_, name) in zip(checkpoints, tuned.models, strict=True):
        keep_tuned(store, f"{key}/{checkpoint.name}", f"{engine.url}#{name}")
    return Trained(
        checkpoints=tuple(checkpoints),
        losses=tuned.losses,
        seconds=tuned.seconds,
        tokens=tokens if tuned.tokens is None else tuned.tokens,
        dropped_rows=0,
        parameters=0,
        learning_rate=0.0,
    )
