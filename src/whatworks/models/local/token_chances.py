"""What ``TokenRules`` make of logits: penalties and bias, and which tokens stay in the draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from whatworks.models.local.request import RequestRow
from whatworks.models.token_rules import TokenRules


def steer(logits: torch.Tensor, rows: Sequence[RequestRow], rules: TokenRules) -> torch.Tensor:
    """The logits with penalties and bias.

    Args:
        logits: [rows, vocabulary]; left as they are.
        rows: The requests, for what stands in their prompts and answers.
        rules: What holds.
    """
    if not rules.changes_logits:
        return logits
    changed = logits.float().clone()
    for at, row in enumerate(rows):
        if rules.repetition_penalty != 1:
            seen = torch.tensor(sorted({*row.prompt, *row.new}), device=logits.device)
            values = changed[at, seen]
            stronger = values * rules.repetition_penalty
            weaker = values / rules.repetition_penalty
            changed[at, seen] = torch.where(values > 0, weaker, stronger)
        counts = Counter(row.new)
        if counts and (rules.presence_penalty or rules.frequency_penalty):
            ids = torch.tensor(list(counts), device=logits.device)
            times = torch.tensor(list(counts.values()), device=logits.device)
            changed[at, ids] -= rules.presence_penalty + rules.frequency_penalty * times
        for token, bias in rules.logit_bias:
            changed[at, token] += bias
    return changed


def count_kept(mass: torch.Tensor, top_p: float, rules: TokenRules | None) -> torch.Tensor:
    """How many of the most likely tokens of each row stay in the draw: [rows, 1], 1 at least.

    The nucleus is that of what ``min_p`` and ``top_k`` leave.

    Args:
        mass: [rows, vocabulary], each row sorted downwards and of sum 1.
        top_p: The nucleus.
        rules: Further rules; None for none.
    """
    whole = torch.ones_like(mass[:, :1])
    most = torch.full_like(mass[:, :1], mass.shape[-1], dtype=torch.long)
    upto = mass.cumsum(dim=-1)
    if rules is not None:
        if rules.min_p > 0:
            most = (mass >= rules.min_p * mass[:, :1]).sum(dim=-1, keepdim=True)
        if rules.top_k > 0:
            most = most.clamp(max=rules.top_k)
        whole = upto.gather(-1, most - 1)
    nucleus = ((upto - mass) < top_p * whole).sum(dim=-1, keepdim=True)
    return torch.minimum(nucleus, most).clamp(min=1)


def list_likeliest(logits: torch.Tensor, count: int) -> list[list[tuple[int, float]]]:
    """The likeliest tokens of each row with their log-probabilities, the likeliest first."""
    chances = logits.float().log_softmax(dim=-1)
    top = chances.topk(min(count, chances.shape[-1]), dim=-1)
    return [
        list(zip(ids, values, strict=True))
        for ids, values in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]
