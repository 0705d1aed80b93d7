"""The trainers as TRL and PEFT make them: configured, never subclassed. For the worker only.

Each function takes a ``Setup`` and returns the trainer that ``worker`` runs. Rows come as token
ids already, so that training reads what generation will; where a trainer insists on tokenising
texts itself, it is built on one stand-in row and then given the rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from whatworks.training.job import DPOSettings, KTOSettings, SFTSettings, TrainingJob
from whatworks.training.tokens import Tokens


@dataclass(frozen=True)
class Start:
    """What a trainer starts from: the model as the job stacks it, with context and hidden size."""

    model: Any
    tokenizer: Any
    context: int | None
    width: int


@dataclass(frozen=True)
class Setup:
    """What a trainer is built from.

    Attributes:
        job: The frozen job.
        start: The model.
        tokens: The rows.
        common: Arguments that every trainer's configuration takes.
    """

    job: TrainingJob
    start: Start
    tokens: Tokens
    common: dict[str, Any]

    @property
    def adapter(self) -> Any | None:
        """Configuration of a new adapter, None where none is to be put on."""
        if self.job.kind != "lora" or self.job.stacking == "continue":
            return None
        from peft import LoraConfig

        return LoraConfig(
            r=self.job.settings.rank,
            lora_alpha=self.job.settings.alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )

    @property
    def reference(self) -> Any | None:
        """A copy of the model as it starts; an adapter's start is kept by the trainer itself."""
        return copy.deepcopy(self.start.model) if self.job.kind == "full" else None

    def rows(self) -> Any:
        """The rows as a data set, with their lengths for batching."""
        return _data_set({**self.tokens.columns, "length": self.tokens.lengths})

    def fixed_order(self) -> list[int]:
        """Positions of the rows, shuffled by the seed: the same order in every epoch."""
        import random

        order = list(range(len(self.tokens.rows)))
        random.Random(f"rows {self.job.seed}").shuffle(order)
        return order


def sft(setup: Setup) -> Any:
    """Supervised fine-tuning on (prompt, target)."""
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    settings = setup.job.settings
    assert isinstance(settings, SFTSettings)
    return SFTTrainer(
        model=setup.start.model,
        processing_class=setup.start.tokenizer,
        train_dataset=setup.rows(),
        peft_config=setup.adapter,
        args=SFTConfig(
            **setup.common,
            max_length=None,
            padding_free=settings.packing,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
    )


def dpo(setup: Setup) -> Any:
    """Direct preference optimisation on pairs, or one of its kin that need no reference."""
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    settings = setup.job.settings
    assert isinstance(settings, DPOSettings)
    if settings.loss in ("simpo", "orpo"):
        return _without_reference(setup, settings)
    trainer = DPOTrainer(
        model=setup.start.model,
        ref_model=setup.reference,
        processing_class=setup.start.tokenizer,
        train_dataset=_stand_in(chosen="a", rejected="b"),
        peft_config=setup.adapter,
        args=DPOConfig(
            **setup.common,
            max_length=None,
            loss_type=[settings.loss],
            beta=settings.strength,
            # The collator reads what it knows; the lengths are for batching.
            remove_unused_columns=False,
        ),
    )
    trainer.train_dataset = setup.rows()
    return trainer


def _without_reference(setup: Setup, settings: DPOSettings) -> Any:
    """SimPO and ORPO; TRL calls both experimental."""
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    common: dict[str, Any] = {**setup.common, "remove_unused_columns": False}
    common["beta"] = settings.strength
    given: dict[str, Any] = {
        "model": setup.start.model,
        "processing_class": setup.start.tokenizer,
        "train_dataset": _stand_in(chosen="a", rejected="b"),
        "peft_config": setup.adapter,
    }
    if settings.loss == "simpo":
        trainer: Any = CPOTrainer(
            **given, args=CPOConfig(**common, loss_type="simpo", cpo_alpha=0.0, simpo_gamma=0.5)
        )
    else:
        trainer = ORPOTrainer(**given, args=ORPOConfig(**common))
    columns = setup.tokens.columns
    whole: dict[str, list[Any]] = {"length": setup.tokens.lengths}
    for side in ("chosen", "rejected"):
        parts = list(zip(columns["prompt_ids"], columns[f"{side}_ids"], strict=True))
        whole[f"{side}_input_ids"] = [prompt + answer for prompt, answer in parts]
        whole[f"{side}_attention_mask"] = [[1] * len(p + a) for p, a in parts]
        whole[f"{side}_labels"] = [[-100] * len(prompt) + answer for prompt, answer in parts]
    trainer.train_dataset = _data_set(whole)
    return trainer


def kto(setup: Setup) -> Any:
    """Kahneman-Tversky optimisation on labelled answers."""
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer

    settings = setup.job.settings
    assert isinstance(settings, KTOSettings)
    common: dict[str, Any] = {**setup.common, "train_sampling_strategy": "sequential"}
    trainer = KTOTrainer(
        model=setup.start.model,
        ref_model=setup.reference,
        processing_class=setup.start.tokenizer,
        train_dataset=_stand_in(completion="a", label=True),
        peft_config=setup.adapter,
        args=KTOConfig(**common, max_length=None, beta=settings.beta),
    )
    rows = setup.rows().select(setup.fixed_order())
    # The KL term sees answers to other prompts of the same batch, by the trainer's own rule.
    answers, size = rows["completion_ids"], common["per_device_train_batch_size"]
    shifted = [
        answers[i - 1 if i % size else min(i + size, len(answers)) - 1] for i in range(len(answers))
    ]
    trainer.train_dataset = rows.add_column("KL_completion_ids", shifted)
    return trainer


TRAINERS: dict[str, Callable[[Setup], Any]] = {"sft": sft, "dpo": dpo, "kto": kto}


def _data_set(columns: dict[str, list[Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(columns)


def _stand_in(**columns: Any) -> Any:
    """One row of text, for trainers that insist on tokenising."""
    return _data_set({"prompt": ["a"], **{name: [value] for name, value in columns.items()}})
