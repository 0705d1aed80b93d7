"""Greedy answers from any Hugging Face causal model, in left-padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whatworks.models.template_limits import render_within

Message = dict[str, str]


def render_prompt(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The prompt: the model's chat template, or the contents with a line each."""
    if getattr(tokenizer, "chat_template", None):
        return render_within(tokenizer, messages, ask=True)
    names = {"system": "{}", "user": "Question: {}", "assistant": "Answer: {}"}
    lines = [names[message["role"]].format(message["content"]) for message in messages]
    return "\n".join([*lines, "Answer:"])


def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[Message]],
    *,
    longest: int = 24,
    batch: int = 64,
    temperature: float = 0.0,
    samples: int = 1,
) -> list[str]:
    """One answer per prompt (`samples` in a row for each when sampling), stripped."""
    import torch

    texts = [render_prompt(tokenizer, prompt) for prompt in prompts]
    templated = bool(getattr(tokenizer, "chat_template", None))
    encoded = [tokenizer(text, add_special_tokens=not templated)["input_ids"] for text in texts]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    pad = 0 if pad is None else pad
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    answer_groups: list[list[str]] = [[] for _ in encoded]
    for start in range(0, len(order), batch):
        group = order[start : start + batch]
        width = max(len(encoded[i]) for i in group)
        ids = torch.tensor([[pad] * (width - len(encoded[i])) + encoded[i] for i in group])
        mask = torch.tensor(
            [[0] * (width - len(encoded[i])) + [1] * len(encoded[i]) for i in group]
        )
        options: dict[str, Any] = {"do_sample": False}
        if temperature > 0:
            options = {"do_sample": True, "temperature": temperature, "top_k": 0,
                       "num_return_sequences": samples}  # fmt: skip
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=longest, pad_token_id=pad,
                **options,
            )  # fmt: skip
        for row, new in enumerate(output[:, width:]):
            text = tokenizer.decode(new, skip_special_tokens=True)
            answer = text if templated else text.split("\n")[0]
            answer_groups[group[row // samples]].append(answer.strip())
    return [answer for answers in answer_groups for answer in answers]
