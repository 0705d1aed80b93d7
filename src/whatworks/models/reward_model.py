"""Reward models: a score for an answer, learned from pairs.

The reward model is a Hugging Face model with one output, in a folder of its own or as an adapter
on a base, so that it loads without this package too.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatworks.base.errors import ArmFailure, get_first_line
from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models.engine import ModelFiles
from whatworks.models.files import load_tokenizer, read_context_length, resolve
from whatworks.models.quiet import silence_loading

BATCH = 32
"""Answers scored at once."""


def load_scorer(base: Path, *, seed: int | None = None) -> Any:
    """The model of a folder with a score in the place of the next token.

    Args:
        base: A language model, or a reward model.
        seed: Decides the first values of a score that is still to be learned.

    Raises:
        ArmFailure: If the architecture has no such form.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(seed or 0)
    try:
        with silence_loading():
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                base,
                num_labels=1,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
            )
    except (ValueError, OSError, KeyError) as error:
        raise ArmFailure(
            f"no reward model can be made of this model: {get_first_line(error)}",
            place=str(base),
            remedy="use `rl`, whose reward is the task's metric, or `dpo`",
        ) from error
    return model


class RewardModel:
    """Scores answers. The larger the better; only differences mean anything.

    Args:
        files: Base and adapter as the examiner knows them.
    """

    def __init__(self, files: ModelFiles) -> None:

        base = resolve(files.base)
        self._tokenizer = templates.use(load_tokenizer(base), files.template)
        model = load_scorer(base)
        self._pad = choose_padding(self._tokenizer)
        # The score is read at the last token that is not padding, in training as here.
        model.config.get_text_config().pad_token_id = self._pad
        if files.adapter is not None:
            from peft import PeftModel

            with warnings.catch_warnings():  # peft reads attributes that transformers deprecates
                warnings.simplefilter("ignore", FutureWarning)
                model = PeftModel.from_pretrained(model, str(files.adapter))
        self._model = model.eval()
        self.context = read_context_length(model.config.get_text_config())
        """Tokens that it can read, None where there is no limit."""

    def to(self, device: Any) -> None:
        """Score there from now on; it begins in main memory."""
        self._model.to(device)

    def ids(self, messages: Sequence[Message], answer: str) -> list[int]:
        """An answer behind its prompt, with the end of the turn."""
        prompt, completion = templates.encode_training(self._tokenizer, messages, answer)
        return prompt + completion

    def score(self, sequences: Sequence[Sequence[int]]) -> list[float]:
        """One score per sequence of ids."""
        import torch

        scores: list[float] = []
        device = self._model.device
        with torch.no_grad():
            for at in range(0, len(sequences), BATCH):
                part = sequences[at : at + BATCH]
                width = max(map(len, part))
                ids = [[*row, *[self._pad] * (width - len(row))] for row in part]
                mask = [[1] * len(row) + [0] * (width - len(row)) for row in part]
                output = self._model(
                    input_ids=torch.tensor(ids, device=device),
                    attention_mask=torch.tensor(mask, device=device),
                )
                scores += output.logits[:, 0].float().tolist()
        return scores


def choose_padding(tokenizer: Any) -> int:
    """The id that fills batches, as TRL chooses it."""
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    return int(end if pad is None else pad)
