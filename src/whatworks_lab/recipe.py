"""The pretraining recipe: from nothing to the shipped weights, on one core, resumable.

Muon on the matrices and AdamW on the rest, documents packed into rows without seeing each other,
a curriculum of contexts that grow. `lab/README.md` tells how it was arrived at.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from whatworks.models import embedded as shipped
from whatworks_lab import corpus, tokens
from whatworks_lab.packing import pack

TOKENS_PER_STEP = 4096
DOCS_PER_PART = 4000
LAST_WEIGHT = 0.7  # of the last course in the shipped mean
UNTIMED = 3  # the first steps compile
MUON_RATE, ADAM_RATE = 0.02, 3e-3


@dataclass(frozen=True)
class Shape:
    """The size of the model."""

    hidden: int = 192
    layers: int = 4
    heads: int = 6
    head_dim: int = 32
    inner: int = 512
    positions: int = 1024


@dataclass(frozen=True)
class Course:
    """What is trained: on which documents, for how many tokens, from which weights.

    `rate` is the share of the full learning rates, `start` the model to go on from; from nothing
    where it is empty.
    """

    name: str
    stages: tuple[corpus.CurriculumStage, ...]
    million_tokens: float
    rate: float = 1.0
    start: str = ""


BASE = Course("lab-base", corpus.STAGES, 22.0)
LAST = Course("lab-base, last course", corpus.LAST_STAGES, 4.5, rate=0.3, start="lab-base")
CHAT = Course("lab-chat", corpus.CHAT_STAGES, 1.5, rate=0.2, start="lab-base")


@dataclass
class PretrainingProgress:
    """Where a run is; saved with every checkpoint."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    part: int = 0
    row: int = 0
    loss: float = 0.0


def make_model(vocabulary: int, shape: Shape, seed: int, pad: int, end: int) -> Any:
    """A model of the shape with random weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )
    return Qwen3ForCausalLM(config)


def load(name: str) -> tuple[Any, Any]:
    """A shipped model, or one in a folder, in float32, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = str(shipped.find_weights(name)) if name in shipped.NAMES else name
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, tokens.load_tokenizer(Path(folder))


def make_optimizers(model: Any, rate: float = 1.0) -> list[Any]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    import torch

    matrices, rest = [], []
    for name, weight in model.named_parameters():
        (matrices if weight.ndim == 2 and "embed" not in name else rest).append(weight)
    muon = torch.optim.Muon(matrices, lr=MUON_RATE * rate, weight_decay=0.05)
    adam = torch.optim.AdamW(rest, lr=ADAM_RATE * rate, betas=(0.9, 0.95), weight_decay=0.0)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return [muon, adam]


def compute_rate(progress: float) -> float:
    """Share of the full learning rate: a short rise, a plateau, a fall over the last half."""
    if progress < 0.01:
        return 0.1 + 0.9 * progress / 0.01
    if progress < 0.5:
        return 1.0
    return max(0.02, 1.0 - (progress - 0.5) / 0.5)


def compute_loss(model: Any, ids: Any, weights: Any, docs: Any, positions: Any) -> Any:
    """Weighted cross-entropy of packed rows; a token sees only its own document."""
    import torch

    causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    mask = ((docs[:, :, None] == docs[:, None, :]) & causal)[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
        ).logits
    flat = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
    )
    kept_weights = weights[:, 1:].flatten()
    return (flat * kept_weights).sum() / kept_weights.sum().clamp(min=1.0)


class PretrainingRun:
    """One pretraining run in a folder: model, optimisers, place in the stream."""

    def __init__(
        self, out: Path, seed: int, shape: Shape, english: str, course: Course = BASE
    ) -> None:
        self.out, self.seed, self.shape, self.english = out, seed, shape, english
        self.course = course
        self.progress = PretrainingProgress()
        out.mkdir(parents=True, exist_ok=True)
        folder = out / "tokenizer"
        if course.start:
            self.model, self.tokenizer = load(course.start)
        else:
            if not (folder / "tokenizer.json").is_file():
                tokens.train_tokenizer(self._sample(), folder)
            self.tokenizer = tokens.load_tokenizer(folder)
        self.pad = int(self.tokenizer.convert_tokens_to_ids(tokens.PAD))
        if not course.start:
            end = int(self.tokenizer.convert_tokens_to_ids(tokens.END))
            self.model = make_model(len(self.tokenizer), shape, seed, self.pad, end)
        self.optimizers = make_optimizers(self.model, course.rate)

    model: Any
    tokenizer: Any

    def _sample(self) -> Iterator[str]:
        for doc in itertools.islice(corpus.stream(self.seed, -1, 0.9), 20_000):
            yield from [doc.text] if doc.text else [turn.text for turn in doc.turns]
        yield self.english[:3_000_000]

    @property
    def checkpoint(self) -> Path:
        """The file from which the run continues."""
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint in one move."""
        import torch

        state = {
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, self.checkpoint.with_suffix(".part"))
        os.replace(self.checkpoint.with_suffix(".part"), self.checkpoint)

    def resume(self) -> bool:
        """Continue from the checkpoint, if there is one."""
        import torch

        if not self.checkpoint.is_file():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = PretrainingProgress(**state["progress"])
        return True

    def batches(self, share: Callable[[], float]) -> Iterator[tuple[np.ndarray, ...]]:
        """Packed batches from where the run is; `share` tells how much of the run is over."""
        while True:
            part, now = self.progress.part, share()
            stages = self.course.stages
            context = corpus.find_stage(now, stages).context
            stream = corpus.stream(self.seed, part, now, self.english, stages)
            docs = list(itertools.islice(stream, DOCS_PER_PART))
            encoded = tokens.encode(self.tokenizer, docs)
            rows = pack(encoded, context, np.random.default_rng((self.seed, part)), self.pad)
            size = TOKENS_PER_STEP // context
            # A part that a checkpoint fell into may have been written at another stage: its rows
            # are then of another length, and the place in it is only roughly the same.
            for at in range(self.progress.row, len(rows.ids) - size + 1, size):
                self.progress.row = at + size
                pick = slice(at, at + size)
                yield rows.ids[pick], rows.weights[pick], rows.docs[pick], rows.positions[pick]
            self.progress.part, self.progress.row = part + 1, 0

    def step(self, batch: tuple[np.ndarray, ...], share: float, forward: Any) -> float:
        """One optimiser step."""
        import torch

        loss = forward(self.model, *(torch.from_numpy(part) for part in batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["full_lr"] * compute_rate(share)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())


def pretrain(
    out: Path,
    course: Course = BASE,
    *,
    million_tokens: float | None = None,
    seed: int = 0,
    shape: Shape = Shape(),
    threads: int = 1,
    compiled: bool = True,
    save_every: float = 240.0,
    watch: Callable[[Any, Any], dict[str, float]] | None = None,
    watch_every: float = 180.0,
    say: Callable[[str], None] = print,
    bar: bool = True,
) -> Path:
    """Train a model in `out` and return the folder with its weights and tokenizer.

    The run ends after `million_tokens`, those of the course by default, and continues from its last
    checkpoint when it was interrupted. `watch` is called every `watch_every` seconds with the model
    and the tokenizer; what it returns goes to `log.jsonl`.
    """
    import torch
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    torch.set_num_threads(threads)
    english = corpus.read_english_text()
    if not english:
        say("no plain English found ($WHATWORKS_DATA/english): training without it")
    run = PretrainingRun(out, seed, shape, english, course)
    resumed = run.resume()
    place = run.progress
    goal = (million_tokens or course.million_tokens) * 1e6

    def share() -> float:
        return min(1.0, place.tokens / goal)

    forward = torch.compile(compute_loss, dynamic=False) if compiled else compute_loss
    batches = run.batches(share)
    size = sum(weight.numel() for weight in run.model.parameters()) / 1e6
    head = f"{course.name}, {size:.1f}M parameters, {threads} thread(s), {goal / 1e6:g}M tokens"
    say(f"{'continuing' if resumed else 'starting'}: {head}, {share():.0%} done")
    run.model.train()
    saved = watched = logged = time.monotonic()
    losses: list[float] = []
    timed_from = saved
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns, disable=not bar) as shown:
        task = shown.add_task("pretraining", total=1.0)
        while share() < 1.0:
            began = time.monotonic()
            if len(losses) == UNTIMED:
                timed_from = began
            losses.append(run.step(next(batches), share(), forward))
            place.step += 1
            place.tokens += TOKENS_PER_STEP
            now = time.monotonic()
            place.seconds += now - began
            place.loss = sum(losses[-50:]) / len(losses[-50:])
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"the loss is {losses[-1]} at step {place.step}")
            if len(losses) == UNTIMED + 5:
                speed = 5 * TOKENS_PER_STEP / (now - timed_from)
                say(
                    f"{speed:,.0f} tokens/s: about {(goal - place.tokens) / speed / 60:.0f} minutes"
                )
            shown.update(task, completed=share(), description=f"loss {place.loss:.3f}")
            if now - logged > 30:
                logged = now
                _log(out, {"share": share(), **asdict(place)})
            if watch is not None and now - watched > watch_every:
                run.model.eval()
                _log(out, {"share": share(), **asdict(place), **watch(run.model, run.tokenizer)})
                run.model.train()
                watched = time.monotonic()
            if now - saved > save_every:
                run.save()
                saved = time.monotonic()
    run.save()
    return export(run.model, run.tokenizer, out / "model")


def train_base(out: Path) -> Path:
    """`lab-base` from nothing: both courses, in folders below `out`, and their mean."""
    first = pretrain(out / "first", BASE)
    last = pretrain(out / "last", replace(LAST, start=str(first)))
    return average(first, last, out / "model")


def average(first: Path, last: Path, out: Path, weight: float = LAST_WEIGHT) -> Path:
    """The weighted mean of two models, of which one was tuned from the other.

    It keeps most of what either is good at (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
    models").
    """
    import torch

    model, tokenizer = load(str(first))
    tuned, _ = load(str(last))
    with torch.no_grad():
        for one, other in zip(model.parameters(), tuned.parameters(), strict=True):
            one.lerp_(other, weight)
    return export(model, tokenizer, out)


def _log(out: Path, line: dict[str, Any]) -> None:
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(rounded) + "\n")


def export(model: Any, tokenizer: Any, folder: Path) -> Path:
    """Write weights in bf16 and tokenizer in Hugging Face form."""
    import copy

    import torch

    half = copy.deepcopy(model).to(torch.bfloat16)
    half.generation_config.do_sample = False
    half.save_pretrained(str(folder))
    tokens.save_tokenizer(tokenizer, folder)
    return folder
