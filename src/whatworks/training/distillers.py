"""The trainers that learn from a teacher's distributions: TRL's, configured, never subclassed."""

from __future__ import annotations

import copy
from typing import Any

from whatworks.base.errors import ArmFailure
from whatworks.models import chat_templates as templates
from whatworks.training.distillation_settings import GKDSettings, SDFTSettings
from whatworks.training.rows import TrainingRow
from whatworks.training.setup import Setup, build_data_set


def build_sdft(setup: Setup) -> Any:
    """Self-distillation: the teacher is the model as it starts, with the target shown."""
    settings = setup.job.settings
    assert isinstance(settings, SDFTSettings)
    rows = [setup.tokens.rows[i] for i in setup.whole_steps()]
    columns: dict[str, list[Any]] = {
        "prompt": [[message.model_dump() for message in row.messages] for row in rows],
        "privileged_context": [row.target for row in rows if isinstance(row, TrainingRow)],
    }
    tokenizer = templates.render_for_trainer(setup.start.tokenizer)
    return _build_from_itself(
        setup,
        tokenizer,
        columns,
        max_completion_length=settings.max_tokens,
        distillation_alpha=1.0,
        num_loss_tokens_to_skip=settings.skip,
        teacher_prompt_template=settings.template,
    )


def build_gkd(setup: Setup) -> Any:
    """On-policy distillation from another model, or from the model itself as it is shown more.

    TRL's ``GKDTrainer`` sends who draws every answer from the learner to ``DistillationTrainer``;
    a teacher with a prompt of its own is what its trainer of self-distillation has.
    """
    settings, tokens = setup.job.settings, setup.tokens
    assert isinstance(settings, GKDSettings)
    asked, shown = tokens.columns["prompt_ids"], tokens.columns["shown_ids"]
    tokenizer = templates.look_up_for_trainer(setup.start.tokenizer, [*asked, *shown])
    order = setup.whole_steps()
    columns: dict[str, list[Any]] = {"prompt": [_point(at) for at in order]}
    if setup.teacher is not None:
        return _build_from_other(setup, settings, tokenizer, columns, setup.teacher)
    columns["privileged_context"] = [str(len(asked) + at) for at in order]
    return _build_from_itself(
        setup,
        tokenizer,
        columns,
        max_completion_length=settings.max_tokens,
        distillation_alpha=settings.beta,
        teacher_prompt_template="{prompt} {privileged_context}",
    )


def _point(at: int) -> list[dict[str, str]]:
    """The place of a prompt's ids, as a conversation."""
    return [{"role": "user", "content": str(at)}]


def _build_from_other(
    setup: Setup,
    settings: GKDSettings,
    tokenizer: Any,
    columns: dict[str, list[Any]],
    teacher: tuple[Any, Any],
) -> Any:
    from trl.trainer.distillation_config import DistillationConfig
    from trl.trainer.distillation_trainer import DistillationTrainer

    model, theirs = teacher
    if theirs.get_vocab() != setup.start.tokenizer.get_vocab():
        raise ArmFailure(
            "the teacher has another tokenizer, so that the distributions of the two models are "
            "over different tokens",
            remedy="name a larger model of the same family, or learn its answers: `distill+sft` "
            "with the teacher as `helper:`",
        )
    _stop_at_end(setup)
    return DistillationTrainer(
        model=setup.start.model,
        teacher_model=model.requires_grad_(False).eval(),
        processing_class=tokenizer,
        train_dataset=build_data_set(columns),
        peft_config=setup.adapter,
        args=DistillationConfig(
            **setup.common,
            max_completion_length=settings.max_tokens,
            beta=settings.beta,
            shuffle_dataset=False,
        ),
    )


def _build_from_itself(
    setup: Setup, tokenizer: Any, columns: dict[str, list[Any]], **knobs: Any
) -> Any:
    """TRL's trainer of self-distillation, the model as it starts being the teacher.

    TRL's moving teacher keeps no state to resume from, and begins at the base whatever adapter is
    trained further; so the start stays the teacher. Of a new adapter it is the base beneath; else
    it is a copy.
    """
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer

    beneath = setup.adapter is not None
    teacher = None if beneath else copy.deepcopy(setup.start.model).requires_grad_(False).eval()
    _stop_at_end(setup)
    trainer = SDFTTrainer(
        model=setup.start.model,
        processing_class=tokenizer,
        train_dataset=build_data_set(columns),
        peft_config=setup.adapter,
        args=SDFTConfig(
            **setup.common,
            **knobs,
            num_generations=1,
            max_prompt_length=None,
            distillation_mode="full_logits",
            teacher_model_kind="base" if beneath else "live",
            shuffle_dataset=False,
        ),
    )
    if teacher is not None:
        prepare = trainer.accelerator.prepare_model
        trainer.teacher_model = prepare(teacher, evaluation_mode=True)
    return trainer


def _stop_at_end(setup: Setup) -> None:
    """Answers that are drawn end where the template ends them."""
    tokenizer, model = setup.start.tokenizer, setup.start.model
    model.generation_config.eos_token_id = sorted(templates.find_ending(tokenizer).stop_ids)
