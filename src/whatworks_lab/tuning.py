"""A few plain epochs of supervised tuning, for the gate that asks what tuning can teach."""

from __future__ import annotations

import copy
import random
from typing import Any

from whatworks_lab import items
from whatworks_lab.generate import render_prompt


def tune(
    model: Any,
    tokenizer: Any,
    pairs: list[tuple[str, str]],
    instructions: str,
    *,
    epochs: int = 6,
    rate: float = 1e-3,
    batch: int = 16,
    seed: int = 0,
) -> Any:
    """A copy of the model, all weights trained on the targets of `pairs`."""
    import torch

    learner = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=rate, weight_decay=0.0)
    rng = random.Random(seed)
    rows: list[tuple[list[int], int]] = []
    for text, target in pairs:
        prompt = render_prompt(tokenizer, items.make_prompt(instructions, [], text))
        head = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        tail = tokenizer(target, add_special_tokens=False)["input_ids"]
        rows.append(([*head, *tail, tokenizer.eos_token_id], len(head)))
    steps, done = epochs * -(-len(rows) // batch), 0
    for _ in range(epochs):
        rng.shuffle(rows)
        for start in range(0, len(rows), batch):
            group = rows[start : start + batch]
            width = max(len(ids) for ids, _ in group)
            ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in group])
            goals = torch.tensor(
                [[-100] * at + row[at:] + [-100] * (width - len(row)) for row, at in group]
            )
            # Padding stands on the right of causal attention: no real token sees it.
            loss = learner(input_ids=ids, labels=goals, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            done += 1
            for group_ in optimizer.param_groups:
                group_["lr"] = rate * min(1.0, 10 * done / steps) * max(0.05, 1 - done / steps)
            optimizer.step()
            optimizer.zero_grad()
    return learner.eval()
