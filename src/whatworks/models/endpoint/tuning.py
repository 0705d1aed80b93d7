"""Fine-tuning at a provider, through OpenAI's ``/v1/fine_tuning/jobs``.

The addresses and shapes are those of https://platform.openai.com/docs/api-reference/fine-tuning.
``whatworks serve --tuning`` has them as well. A job that was begun is kept, so that a run which was
killed waits for it instead of beginning, and paying, another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Literal

from whatworks.base.store import Store
from whatworks.models.endpoint import jobs
from whatworks.models.endpoint.connection import Connection
from whatworks.models.endpoint.trouble import Trouble

KIND = "tuning-jobs"
"""In a study's store: jobs that were begun, by what they train."""

_UNDER_WAY = ("validating_files", "validating", "queued", "running", "paused")


@dataclass(frozen=True)
class TuningOrder:
    """What is to be trained.

    Attributes:
        model: The model's name at the server.
        method: ``supervised`` or ``dpo``.
        hyperparameters: As the protocol names them; what is left out is the server's choice.
        lines: The training file's.
        seed: Of the job.
    """

    model: str
    method: Literal["supervised", "dpo"]
    lines: Sequence[Mapping[str, Any]]
    hyperparameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int = 0

    @property
    def body(self) -> dict[str, Any]:
        """The request, without its file."""
        method = {"type": self.method, self.method: {"hyperparameters": dict(self.hyperparameters)}}
        return {"model": self.model, "method": method, "seed": self.seed, "suffix": "whatworks"}


@dataclass(frozen=True)
class TunedModel:
    """What came of a job.

    Attributes:
        models: Step and name of each model that it left, the last one whole.
        losses: Training loss by step, as far as the server tells.
        tokens: Tokens trained on; None where the server does not say.
        seconds: How long it took.
    """

    models: tuple[tuple[int, str], ...]
    losses: tuple[float, ...]
    tokens: int | None
    seconds: float


def tune(
    connection: Connection, store: Store, key: str, order: TuningOrder, stop: Event
) -> TunedModel:
    """Have a model trained at the server, and wait for it.

    Args:
        connection: To the server; how it stands is told of.
        store: Where a job that was begun is kept, under ``key``.
        key: Names what is trained.
        order: What is to be trained.
        stop: Ends the waiting; the job goes on at the server.

    Raises:
        Trouble: If the server does not train, or the job failed.
        Stopped: If ``stop`` was set before it ended.
    """
    name = store.read(KIND, key)
    if not name:
        name = _begin(connection, order, stop)
        store.write(KIND, key, name)
    shown, began = "", time.monotonic()

    def look(job: Mapping[str, Any]) -> None:
        nonlocal shown
        if (state := str(job.get("status"))) != shown:
            shown = state
            connection.traffic.tell(f"fine-tuning job {name}: {state}")

    path = f"fine_tuning/jobs/{name}"
    job = jobs.wait_for(connection, path, _UNDER_WAY, stop, look)
    tuned = job.get("fine_tuned_model")
    if job.get("status") != "succeeded" or not tuned:
        store.write(KIND, key, "")  # another one is begun the next time
        reason = (job.get("error") or {}).get("message") or "no reason is said"
        raise Trouble(
            f"the fine-tuning job {name} ended as {job.get('status')}: {reason}",
            "see it at the provider",
            prompt=False,
        )
    losses = _read_losses(jobs.list_entries(connection, f"{path}/events", stop))
    kept = [
        (int(one.get("step_number") or 0), str(one["fine_tuned_model_checkpoint"]))
        for one in jobs.list_entries(connection, f"{path}/checkpoints", stop)
        if one.get("fine_tuned_model_checkpoint")
    ]
    last = max([len(losses), *(step for step, _ in kept)])
    models = [one for one in sorted(kept) if one[1] != tuned and one[0] < last]
    ended, created = job.get("finished_at"), job.get("created_at")
    seconds = ended - created if ended and created else time.monotonic() - began
    tokens = job.get("trained_tokens")
    return TunedModel((*models, (last, str(tuned))), losses, tokens, float(seconds))


def _begin(connection: Connection, order: TuningOrder, stop: Event) -> str:
    content = "".join(json.dumps(line) + "\n" for line in order.lines).encode()
    try:
        file = jobs.upload(connection, "train.jsonl", content, "fine-tune", stop)
        asked = {**order.body, "training_file": file}
        return jobs.begin(connection, "fine_tuning/jobs", asked, stop)
    except Trouble as trouble:
        if trouble.status not in (404, 405, 501):
            raise
        raise Trouble(
            f"the server does not train models ({trouble.cause})",
            "name the model's folder or Hugging Face id instead of its endpoint",
            prompt=False,
        ) from None


def _read_losses(events: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """Losses by step, of the events that tell metrics."""
    losses: dict[int, float] = {}
    for event in events:
        data: Any = event.get("data") or {}
        step, loss = data.get("step"), data.get("train_loss")
        if event.get("type") == "metrics" and isinstance(step, int) and loss is not None:
            losses[step] = float(loss)
    return tuple(losses[step] for step in sorted(losses))
