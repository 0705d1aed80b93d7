"""The trainers as TRL and PEFT make them: configured, never subclassed. For the worker only.

Each function takes a ``Setup`` and returns the trainer that ``worker`` runs. Rows come as token
ids already, so that training reads what generation will; where a trainer insists on tokenising
texts itself, it is built on one stand-in row and then given the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from whatworks.models import chat_templates as templates
from whatworks.training.distillers import build_gkd, build_sdft
from whatworks.training.rl_rewards import make_rewards
from whatworks.training.rows import PromptRow
from whatworks.training.settings import DPOSettings, KTOSettings, RLSettings
from whatworks.training.setup import Setup, build_data_set


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
    trainer.train_dataset = build_data_set(whole)
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
        train_dataset=build_data_set(sides),
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
        train_dataset=build_data_set({"prompt": [prompts[i] for i in order], "at": order}),
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


TRAINERS: dict[str, Callable[[Setup], Any]] = {
    "sft": build_sft,
    "sdft": build_sdft,
    "gkd": build_gkd,
    "soft-prompt": build_sft,
    "dpo": build_dpo,
    "kto": build_kto,
    "reward": build_reward,
    "rl": build_rl,
}


def _make_stand_in(**columns: Any) -> Any:
    """One row of text, for trainers that insist on tokenising."""
    return build_data_set({"prompt": ["a"], **{name: [value] for name, value in columns.items()}})
