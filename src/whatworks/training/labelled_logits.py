"""The output layer on labelled positions alone, where TRL would score every one."""

from __future__ import annotations

from typing import Any


def score_labelled(model: Any) -> None:
    """Let TRL's fused output layer see the positions whose next token is labelled, no others.

    On a GPU TRL does so itself. On a CPU it scores prompts and padding as well, which with a
    small model is a third of a step's work, and drops them afterwards. Here hooks hand it the last
    hidden states of labelled positions as one row with labels that are shifted already
    (``shift_labels``, which its forward takes), and put its answers back where they belong: loss
    and gradients are the same up to rounding.

    Args:
        model: As the trainer holds it, with its adapter if it has one. Not one with a soft prompt,
            whose positions are more than its labels.
    """
    language_model = model.get_base_model() if hasattr(model, "get_base_model") else model
    labelled: list[Any] = []  # bool[rows, tokens - 1] of the call under way, if it is TRL's

    def shift(module: Any, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        del module
        labelled.clear()
        labels = inputs.get("labels")
        if not inputs.get("fused_lm_head") or labels is None or "shift_labels" in inputs:
            return args, inputs
        following = labels[:, 1:]
        mask = following != -100
        labelled.append(mask)
        return args, {**inputs, "shift_labels": following[mask][None]}

    def select(module: Any, args: Any, output: Any) -> None:
        del module, args
        for mask in labelled:
            output.last_hidden_state = output.last_hidden_state[:, :-1][mask][None]

    def put_back(module: Any, args: Any, output: Any) -> None:
        del module, args
        while labelled:
            mask = labelled.pop()
            for name, value in output.items():
                if value.shape[:2] == (1, mask.sum()):  # one for each position
                    output[name] = value.new_zeros(mask.shape).masked_scatter(mask, value)

    model.register_forward_pre_hook(shift, with_kwargs=True)
    language_model.base_model.register_forward_hook(select)
    model.register_forward_hook(put_back)
