"""Generation one request at a time with the model's own ``generate``.

The path for models that the batched loop does not suit (sliding windows, recurrent layers, ALiBi)
and for soft prompts. Slow and general; tokens are drawn and ended as in the batched loop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from whatworks.models.local.request import Done, RequestRow
from whatworks.models.local.sampling import Draw, Ends, Gather, gather_logprobs


class _Chosen(LogitsProcessor):
    """Draws the token and leaves ``generate`` no other choice."""

    def __init__(self, row: RequestRow, draw: Draw, ends: Ends) -> None:
        self._row, self._draw, self._ends = row, draw, ends

    def __call__(self, input_ids: torch.LongTensor, scores: torch.Tensor) -> Any:
        del input_ids
        token = self._draw(scores, [self._row])[0]
        self._ends.add(self._row, token)
        only = torch.full_like(scores, float("-inf"))
        only[:, token] = 0.0
        return only


class _Finished(StoppingCriteria):
    def __init__(self, row: RequestRow) -> None:
        self._row = row

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **_: Any) -> Any:
        over = self._row.finish is not None
        return torch.full((input_ids.shape[0],), over, device=input_ids.device)


def generate(model: Any, rows: Sequence[RequestRow], draw: Draw, ends: Ends, *, done: Done) -> None:
    """Run all rows to their end, one after the other."""
    for row in rows:
        started = time.perf_counter()
        ids = torch.tensor([row.prompt], device=model.device)
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=GenerationConfig(
                max_new_tokens=row.limit, do_sample=False, pad_token_id=0
            ),
            logits_processor=LogitsProcessorList([_Chosen(row, draw, ends)]),
            stopping_criteria=StoppingCriteriaList([_Finished(row)]),
        )
        row.seconds += time.perf_counter() - started
        done(row)


def measure_logprobs(
    model: Any,
    pairs: Sequence[tuple[list[int], list[int]]],
    *,
    gather: Gather = gather_logprobs,
) -> list[tuple[Any, ...]]:
    """Log-probability of each token of each answer after its prompt, in nats; or what ``gather``
    takes instead.
    """
    results: list[tuple[Any, ...]] = []
    for prompt, answer in pairs:
        ids = torch.tensor([(prompt + answer)[:-1]], device=model.device)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        results.append(gather(logits, answer))
    return results
