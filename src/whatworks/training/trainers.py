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

from whatworks.models import chat_templates as templates
from whatworks.models.reward_model import RewardModel
from whatworks.training.job import TrainingJob
from whatworks.training.rl_rewards import make_rewards
from whatworks.training.rows import PromptRow, TrainingRow
from whatworks.training.settings import (
    ALPHA,
    DPOSettings,
    KTOSettings,
    RLSettings,
    SDFTSettings,
    Settings,
    SFTSettings,
    SoftPromptSettings,
)
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
        packing: Lay the rows of a batch end to end instead of padding them, each seeing only
            itself.
    """

    job: TrainingJob
    start: Start
    tokens: Tokens
    common: dict[str, Any]
    scorer: RewardModel | None = None
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
            target_modules="all-linear",
            **_HEADS[self.job.trainer == "reward"],
        )

    @property
    def reference(self) -> Any:
        """A copy of the model as it starts; an adapter's start is kept by the trainer itself."""
        return copy.deepcopy(self.start.model) if self.job.kind == "full" else None

    def rows(self) -> Any:
        """The rows as a data set."""
        return _build_data_set(self.tokens.columns)

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


def build_sft(setup: Setup) -> Any:
    """Supervised fine-tuning on (prompt, target), of weights or of a soft prompt."""
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    return SFTTrainer(
        model=setup.start.model,
        processing_class=setup.start.tokenizer,
        train_dataset=setup.rows(),
        peft_config=setup.adapter,
        args=SFTConfig(
            **setup.common,
            max_length=None,
            padding_free=setup.packing,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
    )


def build_dpo(setup: Setup) -> Any:
    """Direct preference optimisation on pairs, or one of its kin that need no reference."""
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    settings = setup.job.settings
    assert isinstance(settings, DPOSettings)
    if settings.loss in ("simpo", "orpo"):
        return _build_without_reference(setup, settings)
    trainer = DPOTrainer(
        model=setup.start.model,
        ref_model=setup.reference,
        processing_class=setup.start.tokenizer,
        train_dataset=_make_stand_in(chosen="a", rejected="b"),
        peft_config=setup.adapter,
        args=DPOConfig(
            **setup.common,
            max_length=None,
            loss_type=[settings.loss],
            beta=settings.strength,
        ),
    )
    trainer.train_dataset = setup.rows()
    return trainer


def _build_without_reference(setup: Setup, settings: DPOSettings) -> Any:
    """SimPO and ORPO; TRL calls both experimental."""
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    common: dict[str, Any] = {**setup.common, "remove_unused_columns": False}
    common["beta"] = settings.strength
    arguments: dict[str, Any] = {
        "model": setup.start.model,
        "processing_class": setup.start.tokenizer,
        "train_dataset": _make_stand_in(chosen="a", rejected="b"),
        "peft_config": setup.adapter,
    }
    if settings.loss == "simpo":
        trainer: Any = CPOTrainer(
            **arguments, args=CPOConfig(**common, loss_type="simpo", cpo_alpha=0.0, simpo_gamma=0.5)
        )
    else:
        trainer = ORPOTrainer(**arguments, args=ORPOConfig(**common))
    columns = setup.tokens.columns
    whole: dict[str, list[Any]] = {}
    for side in ("chosen", "rejected"):
        parts = list(zip(columns["prompt_ids"], columns[f"{side}_ids"], strict=True))
        whole[f"{side}_input_ids"] = [prompt + answer for prompt, answer in parts]
        whole[f"{side}_attention_mask"] = [[1] * len(p + a) for p, a in parts]
        whole[f"{side}_labels"] = [[-100] * len(prompt) + answer for prompt, answer in parts]
    trainer.train_dataset = _build_data_set(whole)
    return trainer


def build_kto(setup: Setup) -> Any:
    """Kahneman-Tversky optimisation on labelled answers."""
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import KTOTrainer

    settings = setup.job.settings
    assert isinstance(settings, KTOSettings)
    trainer = KTOTrainer(
        model=setup.start.model,
        ref_model=setup.reference,
        processing_class=setup.start.tokenizer,
        train_dataset=_make_stand_in(completion="a", label=True),
        peft_config=setup.adapter,
        args=KTOConfig(**setup.common, max_length=None, beta=settings.beta),
    )
    rows = setup.rows().select(setup.fixed_order())
    # The KL term sees answers to other prompts of the same batch, by the trainer's own rule.
    answers, size = rows["completion_ids"], setup.common["per_device_train_batch_size"]
    shifted = [
        answers[i - 1 if i % size else min(i + size, len(answers)) - 1] for i in range(len(answers))
    ]
    trainer.train_dataset = rows.add_column("KL_completion_ids", shifted)
    return trainer


def build_reward(setup: Setup) -> Any:
    """A reward model from pairs; the model of the setup has a score already."""
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import RewardTrainer

    columns = setup.tokens.columns
    sides = {
        f"{side}_ids": [
            prompt + answer
            for prompt, answer in zip(columns["prompt_ids"], columns[f"{side}_ids"], strict=True)
        ]
        for side in ("chosen", "rejected")
    }
    return RewardTrainer(
        model=setup.start.model,
        processing_class=setup.start.tokenizer,
        train_dataset=_build_data_set(sides),
        peft_config=setup.adapter,
        args=RewardConfig(**setup.common, max_length=None, remove_unused_columns=False),
    )


def build_rl(setup: Setup) -> Any:
    """REINFORCE, leave one out, on the model's own answers."""
    from trl.trainer.rloo_config import RLOOConfig
    from trl.trainer.rloo_trainer import RLOOTrainer

    settings, start = setup.job.settings, setup.start
    assert isinstance(settings, RLSettings)
    tokenizer = start.tokenizer
    prompts = [[message.model_dump() for message in row.messages] for row in setup.tokens.rows]
    start.model.generation_config.eos_token_id = sorted(templates.find_ending(tokenizer).stop_ids)
    order = setup.whole_steps()
    examples = [row.example for row in setup.tokens.rows if isinstance(row, PromptRow)]
    functions = make_rewards(settings, examples, tokenizer, setup.scorer)
    trainer = RLOOTrainer(
        model=start.model,
        reward_funcs=functions,
        processing_class=templates.render_for_trainer(tokenizer),
        train_dataset=_build_data_set({"prompt": [prompts[i] for i in order], "at": order}),
        peft_config=setup.adapter,
        args=RLOOConfig(
            **setup.common,
            reward_weights=[1.0, 0.0],
            num_generations=settings.samples,
            max_completion_length=settings.max_tokens,
            beta=settings.beta,
            shuffle_dataset=False,
            top_k=0,
        ),
    )
    if setup.job.kind == "full":
        trainer.ref_model = trainer.accelerator.prepare_model(setup.reference, evaluation_mode=True)
    return trainer


def build_sdft(setup: Setup) -> Any:
    """Self-distillation: the teacher is the model as it starts, with the target shown.

    TRL's moving teacher keeps no state to resume from, and begins at the base whatever adapter is
    trained further; so the start stays the teacher. Of a new adapter it is the base beneath; else
    it is a copy.
    """
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    settings, start = setup.job.settings, setup.start
    assert isinstance(settings, SDFTSettings)
    beneath = setup.adapter is not None
    teacher = None if beneath else copy.deepcopy(start.model).requires_grad_(False).eval()
    start.model.generation_config.eos_token_id = sorted(
        templates.find_ending(start.tokenizer).stop_ids
    )
    rows = [setup.tokens.rows[i] for i in setup.whole_steps()]
    columns: dict[str, list[Any]] = {
        "prompt": [[message.model_dump() for message in row.messages] for row in rows],
        "privileged_context": [row.target for row in rows if isinstance(row, TrainingRow)],
    }
    trainer = SDFTTrainer(
        model=start.model,
        processing_class=templates.render_for_trainer(start.tokenizer),
        train_dataset=_build_data_set(columns),
        peft_config=setup.adapter,
        args=SDFTConfig(
            **setup.common,
            num_generations=1,
            max_completion_length=settings.max_tokens,
            max_prompt_length=None,
            distillation_mode="full_logits",
            distillation_alpha=1.0,
            num_loss_tokens_to_skip=settings.skip,
            teacher_model_kind="base" if beneath else "live",
            teacher_prompt_template=settings.template,
            shuffle_dataset=False,
        ),
    )
    if teacher is not None:
        prepare = trainer.accelerator.prepare_model
        trainer.teacher_model = prepare(teacher, evaluation_mode=True)
    return trainer


TRAINERS: dict[str, Callable[[Setup], Any]] = {
    "sft": build_sft,
    "sdft": build_sdft,
    "soft-prompt": build_sft,
    "dpo": build_dpo,
    "kto": build_kto,
    "reward": build_reward,
    "rl": build_rl,
}


def _configure_soft_prompt(settings: SoftPromptSettings) -> Any:
    from peft import PrefixTuningConfig, PromptTuningConfig

    arguments: dict[str, Any] = {"task_type": "CAUSAL_LM", "num_virtual_tokens": settings.tokens}
    if settings.form == "prefix":
        return PrefixTuningConfig(**arguments)
    return PromptTuningConfig(**arguments, prompt_tuning_init="SAMPLE_VOCAB")


def _build_data_set(columns: dict[str, list[Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(columns)


def _make_stand_in(**columns: Any) -> Any:
    """One row of text, for trainers that insist on tokenising."""
    return _build_data_set({"prompt": ["a"], **{name: [value] for name, value in columns.items()}})
