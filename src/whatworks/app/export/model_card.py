"""The model card of an exported arm: how to load it, and what was measured. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.analysis.summarise import summarise
from whatworks.app.export.chosen_arm import Chosen
from whatworks.base.phrasing import (
    format_count,
    format_duration,
    format_interval,
    format_percent,
    format_points,
)
from whatworks.prompts.render import outline
from whatworks.version import __version__

_ASK = """
import json

def answer(messages):
    # Prompts are made by the template alone: no further special tokens.
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    asked = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    out = model.generate(
        input_ids=asked.input_ids,
        attention_mask=asked.attention_mask,
        generation_config=config,
        tokenizer=tokenizer,
    )
    text = tokenizer.decode(out[0, asked.input_ids.shape[1]:], skip_special_tokens=True)
    for stop in config.stop_strings or ():
        text = text.split(stop)[0]
    return text.strip()

# Requests of the test split as the model saw them, with its answers.
with open(FOLDER + "/examples.jsonl", encoding="utf-8") as rows:
    for row in map(json.loads, rows):
        print(answer(row["messages"]) == row["answer"].strip(), row["answer"])
"""

_DTYPE = (
    "The answers were given in float32 on a CPU, in bfloat16 on a GPU that has it; in another "
    "number format near-ties between two tokens may fall differently."
)


def write_snippet(layout: Mapping[str, str]) -> str:
    """Python that loads the export with ``transformers`` (and ``peft``) and checks its answers."""
    if "model" not in layout and "adapter" not in layout:
        return ""
    own = layout.get("model") or layout["adapter"]
    base = f'"{layout["base"]}"' if layout["base"] != "base" else 'FOLDER + "/base"'
    load = [f"model = AutoModelForCausalLM.from_pretrained({base}, dtype=torch.float32)"]
    imports = ["import torch"]
    if "adapter" in layout:
        imports.append("from peft import PeftModel")
        load.append('model = PeftModel.from_pretrained(model, FOLDER + "/adapter")')
    else:
        load = [
            'model = AutoModelForCausalLM.from_pretrained(FOLDER + "/model", dtype=torch.float32)'
        ]
    imports.append("from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig")
    lines = [
        *imports,
        "",
        'FOLDER = "."  # this folder',
        f'tokenizer = AutoTokenizer.from_pretrained(FOLDER + "/{own}")',
        f'config = GenerationConfig.from_pretrained(FOLDER + "/{own}")',
        *load,
        "model.eval()",
    ]
    return "\n".join(lines) + "\n" + _ASK


def write_card(chosen: Chosen, layout: Mapping[str, str]) -> str:
    """The card as Markdown, with the front matter that the Hugging Face hub reads."""
    study = chosen.study
    summary = summarise(study.rows(), arms=study.arms, study=study.study, constant=study.constant())
    arm = summary.arm(chosen.arm)
    assert arm is not None
    base = chosen.candidate.weights.base
    front = ["---", f"base_model: {json.dumps(base)}"]
    if "adapter" in layout:
        front.append("library_name: peft")
    elif "model" in layout:
        front.append("library_name: transformers")
    front += ["tags: [whatworks]", "---"]
    method = arm.info.chain or chosen.arm
    text = [
        *front,
        f"# {summary.study.name}: {chosen.arm}",
        "",
        f"`{base}` adapted by `{method}` (whatworks {__version__}), seed {chosen.seed}: the one "
        "that did best on dev, where every other choice was made too.",
        *([f"The model is {summary.study.origin}."] if summary.study.origin else []),
        "",
        "## Measured",
        "",
        *_list_figures(summary, arm),
        "",
        "Nothing is claimed beyond this task and these examples.",
    ]
    if loading := write_snippet(layout):
        text += ["", "## Load", "", "```python", loading.rstrip(), "```", "", _DTYPE]
    else:
        text += ["", f"No weights were trained: it is the prompt in `prompt.json`, on `{base}`."]
    text += ["", "## Prompt", "", "`prompt.txt`, in full in `prompt.json`:", "", "```"]
    text += [outline(chosen.candidate.prompt).rstrip(), "```", "", "## Settings", "", "```json"]
    text += [json.dumps(arm.info.settings, indent=1, ensure_ascii=False), "```"]
    versions = ", ".join(f"{name} {version}" for name, version in summary.study.versions.items())
    text += ["", f"Made with {versions or 'no training library'}. {summary.study.machine}."]
    if summary.study.command:
        text += ["", f"`{summary.study.command}`"]
    return "\n".join(text) + "\n"


def _list_figures(summary: Summary, arm: ArmSummary) -> list[str]:
    study = summary.study
    lines = ["| what | figure |", "|---|---|"]

    def add(what: str, figure: str) -> None:
        lines.append(f"| {what} | {figure} |")

    seeds = f", mean of {arm.seeds} seeds" if arm.seeds > 1 else ""
    if arm.score is not None:
        interval = format_interval(arm.score.low, arm.score.high, signed=False)
        add(
            f"{study.metric} on {format_count(summary.n_test)} test examples{seeds}",
            f"{format_percent(arm.score.value)}, 95% interval {interval}",
        )
    if arm.content is not None:
        add("right in content", format_percent(arm.content.share.value))
    if arm.form is not None:
        add("of these usable as they stand", arm.form.counted)
    if arm.difference is not None:
        comparison = arm.difference
        add(
            f"to {study.baseline}",
            f"{format_points(comparison.difference)} points "
            f"{format_interval(comparison.low, comparison.high)}",
        )
    add("verdict", f"{arm.verdict.label}: {arm.verdict.reason}")
    if arm.info.dev_score is not None:
        add("on dev", format_percent(arm.info.dev_score))
    add("prompt tokens a request", format_count(arm.prompt_tokens))
    add("time a request", format_duration(arm.seconds))
    if arm.info.training_seconds:
        add("training", format_duration(arm.info.training_seconds))
    if arm.info.forgetting is not None:
        forgetting = arm.info.forgetting
        add(
            f"same answer as the untouched model to {forgetting.prompts} general prompts",
            f"{format_percent(forgetting.agreement, 0)}, KL {forgetting.kl:.2f} nats a token",
        )
    return lines
