"""What a trainer is built from: the model, the rows as tokens, the adapter. For the worker only."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.models.reward_model import RewardModel
from whatworks.training.job import TrainingJob
from whatworks.training.schedule import ALPHA, Settings
from whatworks.training.settings import SFTSettings, SoftPromptSettings
from whatworks.training.tokenise import Tokens

_HEADS: tuple[dict[str, Any], dict[str, Any]] = (
    {"task_type": "CAUSAL_LM"},
    {"task_type": "SEQ_CLS", "modules_to_save": ["score"]},
)
"""What an adapter stands on: a language model, or one with a score to learn beside it."""


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
        scorer: The reward model, where the job names one.
        teacher: Another model with its tokenizer, where the job names one to learn from.
        packing: Lay the rows of a batch end to end instead of padding them, each seeing only
            itself.
    """

    job: TrainingJob
    start: Start
    tokens: Tokens
    common: dict[str, Any]
    scorer: RewardModel | None = None
    teacher: tuple[Any, Any] | None = None
    packing: bool = False

    @property
    def adapter(self) -> Any | None:
        """Configuration of a new adapter, None where none is to be put on."""
        settings = self.job.settings
        if isinstance(settings, SoftPromptSettings):
            return _configure_soft_prompt(settings)
        if self.job.kind != "lora" or self.job.stacking == "continue":
            return None
        from peft import LoraConfig

        assert isinstance(settings, Settings)
        variant = settings.variant if isinstance(settings, SFTSettings) else "lora"
        return LoraConfig(
            r=settings.rank,
            lora_alpha=ALPHA,
            use_rslora=variant == "rslora",
            use_dora=variant == "dora",
            target_modules=find_modules(self.start.model, settings)
            if isinstance(settings, SFTSettings) and settings.modules != "all"
            else "all-linear",
            **_HEADS[self.job.trainer == "reward"],
        )

    @property
    def reference(self) -> Any:
        """A copy of the model as it starts; an adapter's start is kept by the trainer itself."""
        return copy.deepcopy(self.start.model) if self.job.kind == "full" else None

    def rows(self) -> Any:
        """The rows as a data set."""
        return build_data_set(self.tokens.columns)

    def fixed_order(self) -> list[int]:
        """Positions of the rows, shuffled by the seed: the same order in every epoch."""
        import random

        order = list(range(len(self.tokens.rows)))
        random.Random(f"rows {self.job.seed}").shuffle(order)
        return order

    def whole_steps(self) -> list[int]:
        """The fixed order, filled up with its first rows so that the last step is whole."""
        order, size = self.fixed_order(), self.job.settings.rows_a_step
        whole = -(-len(order) // size) * size
        return [order[i % len(order)] for i in range(whole)]


def _configure_soft_prompt(settings: SoftPromptSettings) -> Any:
    from peft import PrefixTuningConfig, PromptTuningConfig

    arguments: dict[str, Any] = {"task_type": "CAUSAL_LM", "num_virtual_tokens": settings.tokens}
    if settings.form == "prefix":
        return PrefixTuningConfig(**arguments)
    return PromptTuningConfig(**arguments, prompt_tuning_init="SAMPLE_VOCAB")


def find_modules(model: Any, settings: SFTSettings) -> list[str]:
    """Names of the linear layers within attention, or beside it; never the output layer.

    Raises:
        ArmFailure: If the model has none that are called so.
    """
    from torch import nn

    output = model.get_output_embeddings()
    linear = [
        name
        for name, module in model.named_modules()
        if module is not output and (isinstance(module, nn.Linear) or _is_linear(module))
    ]
    wanted = settings.modules == "attention"
    found = [name for name in linear if any("att" in part for part in name.split(".")) == wanted]
    if not found or len(found) == len(linear):
        raise ArmFailure(
            f"the layers of {type(model).__name__} do not tell attention and mlp apart",
            remedy="use `modules: all`",
        )
    return found


def _is_linear(module: Any) -> bool:
    """Whether it is what GPT-2 and its kin have for a linear layer, or one of 4 bits."""
    return type(module).__name__ in ("Conv1D", "Linear4bit")


def build_data_set(columns: dict[str, list[Any]]) -> Any:
    """Columns as a data set."""
    from datasets import Dataset

    return Dataset.from_dict(columns)
