"""The gates: what an embedded model must be able to do, measured by free greedy generation.

Every figure is measured on held-out material. A gate that is missed is reported as missed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatworks.models import embedded as shipped
from whatworks_lab import generate, items, reading, tuning
from whatworks_lab import known_classes as slick
from whatworks_lab import study_rows as studies
from whatworks_lab.items import GateItem
from whatworks_lab.world import build_world

Say = Callable[[str], None]


@dataclass(frozen=True)
class GateRow:
    """One line of the table. `met` is None for figures that are only printed."""

    ability: str
    gate: str
    value: float
    shown: str
    items: int
    met: bool | None


@dataclass(frozen=True)
class Loaded:
    """A model under test and its tokenizer."""

    model: Any
    tokenizer: Any

    def share_right(self, asked: Sequence[GateItem], longest: int = 16) -> float:
        """Share of the items whose free answer is exactly the target."""
        answers = self.answers(asked, longest)
        right = sum(one == item.target for one, item in zip(answers, asked, strict=True))
        return right / len(asked)

    def answers(self, asked: Sequence[GateItem], longest: int = 16) -> list[str]:
        """Free greedy answers."""
        prompts = [item.messages for item in asked]
        return generate.generate_answers(self.model, self.tokenizer, prompts, longest=longest)


def load(name: str | Path) -> Loaded:
    """An embedded model by name, or any Hugging Face causal model by folder or id."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = str(shipped.find_weights(str(name)) if str(name) in shipped.NAMES else name)
    model: Any = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(where)
    return Loaded(model.eval(), tokenizer)


def check(
    model: str | Path = "lab",
    count: int = 200,
    *,
    tuning: bool = True,
    say: Say | None = None,
) -> list[GateRow]:
    """Measure all gates of `model` with `count` items each.

    `tuning=False` leaves out the two rows that need the model to be trained, `say` hears each row
    as soon as it is known.
    """
    loaded, rows = load(model), list[GateRow]()

    def add(row: GateRow) -> None:
        rows.append(row)
        if say is not None:
            say(f"{row.ability}: {row.shown} ({row.gate})")

    def least(ability: str, floor: float, value: float, n: int = count) -> None:
        add(GateRow(ability, f">= {floor:.0%}", value, f"{value:.1%}", n, value >= floor))

    def most(ability: str, ceiling: float, value: float, n: int = count) -> None:
        add(GateRow(ability, f"<= {ceiling:.0%}", value, f"{value:.1%}", n, value <= ceiling))

    right = loaded.share_right
    least("reading, 4 facts in the passage", 0.95, right(items.make_reading_items(count, 4)))
    least("reading, 12 facts in the passage", 0.85, right(items.make_reading_items(count, 12)))
    least("passage against memory", 0.90, right(items.make_against_items(count)))
    least("held-out formats, 8 demonstrations", 0.70, right(items.make_format_items(count, 8), 64))
    most("held-out formats, no demonstration", 0.10, right(items.make_format_items(count, 0), 64))
    near = right(items.make_category_items(count, near=True))
    far = right(items.make_category_items(count, near=False))
    add(
        GateRow("kNN against random demonstrations, 4 shots", ">= 10 points better", near - far,
                f"{near:.1%} against {far:.1%}", count, near - far >= 0.10)
    )  # fmt: skip
    people, tenth = build_world().people, len(build_world().people) // 10
    least("recall, most exposed tenth", 0.90, right(items.make_recall_items(people[:tenth], count)))
    rare = right(items.make_recall_items(people[-tenth:], count))
    add(GateRow("recall, least exposed tenth", "20-60%", rare, f"{rare:.1%}", count,
                0.2 <= rare <= 0.6))  # fmt: skip
    unasked = [person for person in people if not person.questions_trained]
    least("recall, questions never trained", 0.70, right(items.make_recall_items(unasked, count)))
    least('"I don\'t know", unknown names', 0.80, right(items.make_unknown_items(count)))
    well_known = items.make_recall_items(people[:tenth], count, allow=True)
    refused = sum(text == reading.DONT_KNOW for text in loaded.answers(well_known)) / count
    most('"I don\'t know", well-known people', 0.10, refused)
    classes = slick.measure_shares(loaded.model, loaded.tokenizer, max(20, count // 2))
    shown = ", ".join(f"{name} {share:.0%}" for name, share in classes.items())
    low = min(classes.values())
    add(GateRow("all four SliCK classes", "each >= 5%", low, shown, max(20, count // 2),
                low >= 0.05))  # fmt: skip
    if tuning:
        _measure_tuning(loaded, count, most, least)
    speed = measure_generation_speed(loaded)
    add(GateRow("generation on one core, batch of 64", "printed", speed,
                f"{speed:,.0f} tokens/s", 64, None))  # fmt: skip
    return rows


def _measure_tuning(
    loaded: Loaded,
    count: int,
    most: Callable[..., None],
    least: Callable[..., None],
) -> None:

    pairs = studies.make_mr_rows(500 + count, 1)
    held_out = [
        GateItem(items.make_prompt(studies.MR_INSTRUCTIONS, [], row["input"]), row["target"])
        for row in pairs[500:]
    ]
    most("new meaning representations, before SFT", 0.10, loaded.share_right(held_out, 64))
    tuned = tuning.tune(
        loaded.model,
        loaded.tokenizer,
        [(row["input"], row["target"]) for row in pairs[:500]],
        studies.MR_INSTRUCTIONS,
    )
    after = Loaded(tuned, loaded.tokenizer).share_right(held_out, 64)
    least("new meaning representations, after SFT on 500", 0.80, after)


def measure_generation_speed(loaded: Loaded, seconds: float = 3.0) -> float:
    """Tokens per second on one core: 64 prompts, greedy, 32 new tokens each."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    questions = items.make_reading_items(64, 4)
    encoded = loaded.tokenizer(
        [generate.render_prompt(loaded.tokenizer, item.messages) for item in questions],
        return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False,
    )  # fmt: skip
    tokens, began = 0, time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - began < seconds:
            loaded.model.generate(
                input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"],
                max_new_tokens=32, min_new_tokens=32, do_sample=False,
            )  # fmt: skip
            tokens += 64 * 32
    torch.set_num_threads(before)
    return tokens / (time.perf_counter() - began)


def format_table(rows: Sequence[GateRow]) -> str:
    """The rows as a Markdown table."""
    head = "| ability | gate | measured | items | met |\n|---|---|---|---|---|"
    word = {True: "yes", False: "**no**", None: ""}
    body = [f"| {r.ability} | {r.gate} | {r.shown} | {r.items} | {word[r.met]} |" for r in rows]
    return "\n".join([head, *body])
