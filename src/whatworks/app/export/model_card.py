"""The model card of an exported arm: how to load it, and what was measured. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.analysis.summarise import summarise
from whatworks.app.export.chosen_arm import Chosen
from whatworks.app.export.older_loaders import TRIED
from whatworks.app.export.parity import Parity
from whatworks.base.paths import make_slug
from whatworks.base.phrasing import (
    format_count,
    format_duration,
    format_interval,
    format_percent,
    format_points,
)
from whatworks.models.endpoint.api_keys import list_variables
from whatworks.models.files import loads_by_name
from whatworks.models.open_engine import is_served
from whatworks.prompts.prompt import Prompt
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
    if "gguf" in layout:
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


def write_card(chosen: Chosen, layout: Mapping[str, str], parity: Parity | None = None) -> str:
    """The card as Markdown, with the front matter that the Hugging Face hub reads.

    Args:
        chosen: The arm.
        layout: The parts of the weights.
        parity: What came of asking the export again; None where it was not asked.
    """
    study = chosen.study
    summary = summarise(study.rows(), arms=study.arms, study=study.study, constant=study.constant())
    arm = summary.arm(chosen.arm)
    assert arm is not None
    base = chosen.candidate.weights.base
    # The Hub takes names of its own alone.
    on_hub = loads_by_name(base) and not is_served(base) and not Path(base).exists()
    front = ["---", *([f"base_model: {json.dumps(base)}"] if on_hub else [])]
    libraries = {"gguf": "gguf", "adapter": "peft", "model": "transformers"}
    library = next((name for part, name in libraries.items() if part in layout), None)
    if library is not None:
        front += [f"library_name: {library}", "pipeline_tag: text-generation"]
    front += [f"tags: [whatworks{', gguf' if library == 'gguf' else ''}]", "---"]
    method = arm.info.chain or chosen.arm
    warning = ["", f"**Not as measured**: {parity}."] if parity and not parity.holds else []
    text = [
        *front,
        f"# {summary.study.name}: {chosen.arm}",
        *warning,
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
    stages = chosen.candidate.weights.stages
    if not stages:
        text += ["", f"No weights were trained: it is the prompt in `prompt.json`, on `{base}`."]
    text += ["", "## Ask", "", *_tell_how_to_ask(chosen, layout)]
    text += ["", "## Checked", "", *_tell_parity(parity, layout)]
    if stages and (loading := write_snippet(layout)):
        text += ["", "## Load", "", "```python", loading.rstrip(), "```", "", _DTYPE]
    if serving := _list_servers(chosen.arm, layout):
        text += ["", "## Elsewhere", "", "```bash", *serving, "```"]
    text += ["", "## Prompt", "", "`prompt.txt`, in full in `prompt.json`:", "", "```"]
    text += [outline(chosen.candidate.prompt).rstrip(), "```", "", "## Settings", "", "```json"]
    text += [json.dumps(arm.info.settings, indent=1, ensure_ascii=False), "```"]
    versions = ", ".join(f"{name} {version}" for name, version in summary.study.versions.items())
    text += ["", f"Made with {versions or 'no training library'}. {summary.study.machine}."]
    if summary.study.command:
        text += ["", f"`{summary.study.command}`"]
    return "\n".join(text) + "\n"


def _tell_how_to_ask(chosen: Chosen, layout: Mapping[str, str]) -> list[str]:
    """How ``ask.py`` is used, what it needs, and what it cannot do."""
    candidate = chosen.candidate
    base, decoding = candidate.weights.base, candidate.decoding
    if chosen.files is None and not is_served(base):
        return [f"`{base}` is not to be had outside: there is nothing to ask."]
    if candidate.prompt.oracle:
        return ["It shows passages that only a measurement knows: no request can be asked so."]
    needs = ["numpy"] * _searches(candidate.prompt)
    if chosen.files is not None:
        if "gguf" in layout:
            needs += ["xllamacpp"]
        else:
            needs += ["torch", "transformers"] + ["peft"] * ("adapter" in layout)
            needs += ["llguidance"] * (decoding.constraint is not None)
    lines = [
        "```bash",
        *([f"pip install {' '.join(needs)}"] if needs else []),
        'python ask.py "a request"         # the answer; without one, a line of input each',
        "python ask.py --examples          # are the recorded answers given again?",
        "whatworks serve .                 # the same behind an OpenAI-compatible server",
        "```",
        "",
        "`ask.py` needs nothing else: instructions, demonstrations and passages are put around a "
        "request as in the study, found by the index that is here.",
    ]
    if chosen.files is None:
        keys = ", ".join(list_variables(base.partition("#")[0]))
        lines += ["", f"It asks `{base}`, with the key in one of {keys}."]
    if decoding.constraint is not None:
        local = "llama.cpp" if "gguf" in layout else "llguidance"
        means = local if chosen.files is not None else "the server's own means"
        lines += ["", f"Every answer has a fixed form, held by {means}."]
    if decoding.temperature > 0:
        lines += ["", "Answers are drawn at random: others than the study's, from the same model."]
    if decoding.samples > 1:
        lines += [
            "",
            f"Of {decoding.samples} answers it takes the one that most of them say, by their text; "
            "`whatworks serve` goes by what the metric takes them to mean.",
        ]
    if decoding.reward is not None:
        lines += ["", "The study's reward is not here: `ask.py` takes the likeliest answer."]
    return lines


def _list_servers(arm: str, layout: Mapping[str, str]) -> list[str]:
    """Commands of other programs for these files; they know of the weights, not of the prompt."""
    name = make_slug(arm)
    upload = f"hf upload OWNER/{name} . .                   # to the Hugging Face hub"
    if "gguf" in layout:
        file = layout["gguf"]
        return [
            f"ollama create {name} -f Modelfile",
            f"llama-server -m {file} --jinja",
            f"lms import {file}                             # LM Studio",
            upload,
        ]
    if "adapter" in layout:
        base = layout["base"]
        return [
            f"vllm serve {base} --enable-lora --lora-modules {name}=adapter \\",
            "  --chat-template adapter/chat_template.jinja",
            upload,
        ]
    if "model" in layout:
        return [
            f"vllm serve model --served-model-name {name}",
            f"mlx_lm.convert --hf-path model --mlx-path {name}-mlx     # MLX",
            upload,
        ]
    return []


def _tell_parity(parity: Parity | None, layout: Mapping[str, str]) -> list[str]:
    if parity is None:
        lines = ["The export was not asked again (`--no-check`, or its model cannot be asked)."]
    else:
        with_ = f" (with {parity.versions})" if parity.versions else ""
        lines = [f"Asked again through `ask.py`: {parity}{with_}."]
    if "gguf" not in layout and layout.keys() & {"model", "adapter"}:
        lines += ["", f"The files are written for transformers 4 and 5; tests load such exports "
                  f"with {TRIED}."]  # fmt: skip
    return lines


def _searches(prompt: Prompt) -> bool:
    return prompt.context is not None or (
        prompt.demos is not None and prompt.demos.select == "nearest"
    )


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
        if forgetting.task is not None:
            add("KL from the untouched model on the task", f"{forgetting.task:.2f} nats a token")
    return lines
