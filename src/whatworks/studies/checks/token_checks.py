"""Checks of the rows as tokens: lengths, what training learns, what ends generation."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example, Message, Task
from whatworks.metrics.registry import load_task_metric
from whatworks.models import chat_templates as templates
from whatworks.models import reasoning
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, ModelFiles
from whatworks.models.weights import Weights
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.studies.checks.finding import CheckFinding, format_share, grade_share
from whatworks.studies.checks.template_checks import find_refused, find_tokenizer, mend

LOOKED_AT = 5_000
"""Most rows of a split that are tokenised for a figure, from a reproducible shuffle. A check that
drops rows looks at all that their characters do not acquit."""
DENSER = 2
"""How many times more tokens a character a row may have than any that was looked at."""
SHOWN = 12
"""Most tokens of the prompt in the mask preview."""
BINS = 20
_BARS = "▁▂▃▄▅▆▇█"


def check_tokens(
    task: Task, engine: Engine, weights: Weights, decoding: Decoding, min_effect: float
) -> list[CheckFinding]:
    """Everything that takes the study's tokenizer and chat template.

    Args:
        task: The rows, rendered with the task's instructions alone.
        engine: The study's; a served model's tokenizer is unknown, so lengths are estimates there.
        weights: The untouched model.
        decoding: The study's; ``max_tokens`` 0 is measured on train when it runs.
        min_effect: As in ``check_rows``.
    """
    reader = _LengthReader(task, engine, weights)
    whole = {part: getattr(task.splits, part) for part in ("train", "dev", "test")}
    refused: dict[str, str] = {}
    if reader.tokenizer is not None:
        rows = [row for members in whole.values() for row in members]
        refused = find_refused(rows, reader.tokenizer, reader.prompt)
    parts = {part: [r for r in members if r.id not in refused] for part, members in whole.items()}
    looked = {part: reader.read(_sample_rows(rows)) for part, rows in parts.items()}
    sample = _describe_sample(parts)
    findings = [
        _draw_histogram(
            "prompt tokens", {part: r.prompts for part, r in looked.items()}, reader, sample
        ),
        _draw_histogram(
            "target tokens", {part: r.targets for part, r in looked.items()}, reader, sample
        ),
        *_check_lengths(parts, looked, reader, min_effect),
        *_check_room(parts, looked, decoding, min_effect),
    ]
    if reader.tokenizer is None:
        note = "not visible: the server renders prompts and ends turns by its own template"
        return [*findings, CheckFinding("chat template", "fine", note)]
    return [
        *findings,
        *_check_refusals(whole, refused, reader, min_effect),
        _check_mask(task, looked["train"].rows, reader.tokenizer),
        *_check_reasoning(task.splits.train, reader.tokenizer),
        _check_ending(task.splits.train, reader.tokenizer, decoding),
        _check_round_trip(task, looked, reader.tokenizer),
    ]


@dataclass(frozen=True)
class _Read:
    """Rows with the tokens of each prompt, and of each target with its end of turn."""

    rows: Sequence[Example]
    prompts: Sequence[int]
    targets: Sequence[int]

    @property
    def whole(self) -> list[tuple[Example, int]]:
        """Each row with the tokens of prompt and target."""
        both = zip(self.rows, self.prompts, self.targets, strict=True)
        return [(row, prompt + target) for row, prompt, target in both]


class _LengthReader:
    """Rows to lengths, by the local tokenizer where there is one, else as the engine counts."""

    def __init__(self, task: Task, engine: Engine, weights: Weights) -> None:
        self.prompt = Prompt(instructions=task.instructions)
        self._engine = engine
        self._files = ModelFiles(base=weights.base, template=weights.template)
        self.context = engine.context_length(self._files)
        self.tokenizer = find_tokenizer(weights)
        self.exact = self.tokenizer is not None

    def read(self, rows: Sequence[Example]) -> _Read:
        prompts = [render(self.prompt, row, exclude=()).messages for row in rows]
        targets = [row.target for row in rows]
        if self.tokenizer is not None:
            tokenizer = self.tokenizer
            return _Read(
                rows,
                [len(templates.encode_prompt(tokenizer, messages)) for messages in prompts],
                [len(templates.encode_completion(tokenizer, target)) for target in targets],
            )
        prompt_counts = self._engine.prompt_tokens(self._files, prompts)
        counted = self._engine.count_tokens(self._files, targets)
        return _Read(rows, prompt_counts, [count + 1 for count in counted])


def _sample_rows(rows: Sequence[Example]) -> Sequence[Example]:
    if len(rows) <= LOOKED_AT:
        return rows
    return random.Random(f"looked at {len(rows)}").sample(rows, LOOKED_AT)


def _describe_sample(parts: Mapping[str, Sequence[Example]]) -> str:
    """What a figure says of the rows that it was taken from, where these are not all."""
    large = [f"{len(rows):,} {part}" for part, rows in parts.items() if len(rows) > LOOKED_AT]
    return f"; {LOOKED_AT:,} of {' and of '.join(large)} rows looked at" if large else ""


def _count_characters(row: Example) -> int:
    return len(row.text) + len(row.target)


def _check_refusals(
    parts: Mapping[str, Sequence[Example]],
    refused: Mapping[str, str],
    reader: _LengthReader,
    min_effect: float,
) -> list[CheckFinding]:
    """Rows that the template refuses: a run leaves them out. Their order is mended where it can."""
    rows = [(part, row) for part, members in parts.items() for row in members if row.id in refused]
    if not rows:
        return []
    better = {row.id: mend(row) for _, row in rows}
    still = find_refused([one.row for one in better.values()], reader.tokenizer, reader.prompt)
    held_out = sum(part != "train" for part, _ in rows)
    total = max(1, len(parts["dev"]) + len(parts["test"]))
    level = grade_share(held_out / total, min_effect)
    mendable = {name: one for name, one in better.items() if name not in still}
    return [
        CheckFinding(
            "rows that the template refuses",
            "doubt" if level == "fine" else level,
            f"{format_share(len(rows), sum(map(len, parts.values())))}: a run leaves them out; "
            f"{len(mendable)} can be mended by their order",
            [row.id for _, row in rows],
            reason=refused[rows[0][1].id],
            remedy="`--fix` joins turns of one role and takes off a greeting, and leaves out the "
            "others; or choose another template: `template: chatml`",
            drop=list(still),
            mend=mendable,
        )
    ]


def _draw_histogram(
    what: str, parts: Mapping[str, Sequence[int]], reader: _LengthReader, subject: str
) -> CheckFinding:
    whole = [length for lengths in parts.values() for length in lengths]
    if not whole:
        return CheckFinding(what, "fine", "no rows")
    low, high = min(whole), max(whole)
    edges = np.linspace(low, high + 1, min(BINS, high + 1 - low) + 1)
    lines: list[str] = []
    for part, lengths in parts.items():
        counts = np.histogram(lengths, bins=edges)[0]
        top = max(1, int(counts.max()))
        bars = "".join(
            " " if not c else _BARS[min(7, int(c / top * 7.99))] for c in counts.tolist()
        )
        lines.append(f"{part:<5} {low:>4} {bars} {high}")
    middle, most = np.percentile(whole, [50, 95])
    kind = "" if reader.exact else ", estimated"
    summary = f"half up to {middle:.0f}, 95% up to {most:.0f}, longest {high}{kind}{subject}"
    return CheckFinding(what, "fine", summary, detail=lines)


def _check_lengths(
    parts: Mapping[str, Sequence[Example]],
    looked: Mapping[str, _Read],
    reader: _LengthReader,
    min_effect: float,
) -> list[CheckFinding]:
    """Rows that the model cannot read: of all, not only of those looked at."""
    context = reader.context
    if context is None:
        return []
    shares = (
        _count_characters(row) / max(1, tokens)
        for read in looked.values()
        for row, tokens in read.whole
    )
    suspect = context * min(shares, default=0.0) / DENSER
    cut: dict[str, list[str]] = {}
    for part, rows in parts.items():
        read_ids = {row.id for row in looked[part].rows}
        others = [
            row for row in rows if row.id not in read_ids and _count_characters(row) > suspect
        ]
        whole = [*looked[part].whole, *reader.read(others).whole]
        long = {row.id for row, tokens in whole if tokens > context}
        cut[part] = [row.id for row in rows if row.id in long]
    held_out = [*cut["dev"], *cut["test"]]
    names = [*cut["train"], *held_out]
    level = grade_share(len(held_out) / max(1, len(parts["dev"]) + len(parts["test"])), min_effect)
    summary = f"none: every prompt with its target has room in {context} tokens"
    if names:
        summary = (
            f"{len(cut['train'])} of train, {len(held_out)} of dev and test: prompt and target "
            f"need more than {context} tokens"
        )
    return [
        CheckFinding(
            "rows longer than the context",
            "doubt" if level == "fine" and names else level,
            summary,
            names,
            remedy="training leaves them out, and no arm can answer them; shorten them"
            if names
            else "",
            drop=names,
        )
    ]


def _check_room(
    parts: Mapping[str, Sequence[Example]],
    looked: Mapping[str, _Read],
    decoding: Decoding,
    min_effect: float,
) -> list[CheckFinding]:
    """Targets of dev and test that an answer has no room for."""
    if not decoding.max_tokens:
        return []
    targets = [
        (row.id, tokens)
        for part in ("dev", "test")
        for row, tokens in zip(looked[part].rows, looked[part].targets, strict=True)
    ]
    cut = [name for name, tokens in targets if tokens > decoding.max_tokens]
    return [
        CheckFinding(
            "room for the answer",
            grade_share(len(cut) / max(1, len(targets)), min_effect),
            f"{format_share(len(cut), len(targets))} targets of dev and test are longer than "
            f"max_tokens: {decoding.max_tokens}"
            f"{_describe_sample({part: parts[part] for part in ('dev', 'test')})}",
            cut,
            remedy="raise `decoding: {max_tokens: ...}`, or leave it out: it is measured then"
            if cut
            else "",
        )
    ]


def _check_mask(task: Task, train: Sequence[Example], tokenizer: Any) -> CheckFinding:
    """Which tokens training learns, of the first row."""
    if not train:
        return CheckFinding("trained tokens", "fine", "no train rows")
    row = min(train, key=lambda row: len(row.target) if row.target.strip() else 10**9)
    messages = render(Prompt(instructions=task.instructions), row, exclude=()).messages
    prompt, answer = templates.encode_training(tokenizer, messages, row.target)
    return CheckFinding(
        "trained tokens",
        "fine",
        f"of row {row.id!r}, {len(answer)} of {len(prompt) + len(answer)}: the target and its end, "
        "in brackets",
        detail=[preview(tokenizer, messages, row.target)],
    )


def _check_reasoning(train: Sequence[Example], tokenizer: Any) -> list[CheckFinding]:
    """Whether targets and the template agree on who opens a block of reasoning."""
    marks = reasoning.list_marks(tokenizer)
    header = templates.find_ending(tokenizer).header
    now, (opening, _) = reasoning.find_state(header, marks)
    holding = [row.id for row in train if reasoning.holds_reasoning(row.target, marks)]
    if not (now == "open" or holding):
        return []
    share = f"{len(holding)} of {len(train)} train targets hold reasoning"
    level, remedy = "fine", ""
    if now == "open":
        summary = f"the template opens {opening!r} itself: {share}, learned inside it"
        if len(holding) < len(train):
            level = "doubt"
            summary += "; the others close it first, which teaches not to reason"
            remedy = "write reasoning into all targets, or say `enable_thinking: false`"
    elif now == "closed":
        level = "doubt"
        summary = f"{share}, and the template closes the block at once: it is not learned"
        remedy = "say `enable_thinking: true`, if the model is to reason"
    else:
        summary = f"{share}, learned as it stands"
    return [CheckFinding("reasoning", level, summary, holding if remedy else [], remedy=remedy)]


def _check_round_trip(task: Task, looked: Mapping[str, _Read], tokenizer: Any) -> CheckFinding:
    """Targets that encoding and decoding change, such as those with special tokens in them.

    A model that says such a target to the letter is read otherwise: what comes back is scored.
    """
    metric = load_task_metric(task)
    short: dict[str, str] = {}
    total = 0
    for row in (row for read in looked.values() for row in read.rows):
        total += 1
        ids = templates.encode_completion(tokenizer, row.target, end=False)
        text = templates.decode(tokenizer, ids)
        if text == row.target:
            continue
        try:
            value = float(text.strip() == row.target.strip()) if metric.asks else None
            value = metric(row, text).value if value is None else value
            if value < 1.0 <= (1.0 if metric.asks else metric(row, row.target).value):
                short[row.id] = f"{quote_briefly(row.target)} comes back as {quote_briefly(text)}"
        except InputError:
            continue  # told by the checks of rows
    return CheckFinding(
        "targets that come back",
        "spoils" if short else "fine",
        f"{format_share(len(short), total)} score less once the tokenizer has written and read them"
        if short
        else "all score the same once the tokenizer has written and read them",
        list(short),
        reason=next(iter(short.values()), ""),
        remedy="they hold special tokens or signs that it changes: rewrite them" if short else "",
        drop=list(short),
    )


def preview(tokenizer: Any, messages: Sequence[Message], target: str) -> str:
    """A training row's tokens, those that are learned in brackets."""
    prompt, answer = templates.encode_training(tokenizer, messages, target)
    read = [_format_token(tokenizer, i) for i in prompt]
    before = read if len(read) <= SHOWN else ["…", *read[-SHOWN:]]
    learned = [f"[{_format_token(tokenizer, i)}]" for i in answer]
    shown = learned if len(learned) <= 2 * SHOWN else [*learned[:SHOWN], "…", *learned[-SHOWN:]]
    return "".join(before) + "".join(shown)


def _format_token(tokenizer: Any, number: int) -> str:
    text = str(tokenizer.decode([number], clean_up_tokenization_spaces=False))
    # Decoders drop the space that a first token begins with (SentencePiece's, and byte-level ones).
    if str(tokenizer.convert_ids_to_tokens(number)).startswith(("▁", "Ġ")) and text[:1] != " ":
        text = " " + text
    return text.replace("\n", "⏎") or "∅"


def _check_ending(train: Sequence[Example], tokenizer: Any, decoding: Decoding) -> CheckFinding:
    """Whether the end of the turn is learned, ends generation, and stands at the end alone."""
    end = templates.find_ending(tokenizer)
    texts = (*end.stop_texts, *decoding.stop)
    marks = (*texts, *(str(tokenizer.convert_ids_to_tokens(i)) for i in end.stop_ids))
    early: list[str] = []
    why = ""
    for row in train:
        if not any(mark in row.target for mark in marks):
            continue
        ids = templates.encode_completion(tokenizer, row.target, end=False)
        inside = [_format_token(tokenizer, i) for i in ids if i in end.stop_ids]
        inside += [text for text in texts if text in row.target]
        if inside:
            early.append(row.id)
            why = why or f"row {row.id!r} holds {inside[0]!r}"
    last = templates.encode_completion(tokenizer, "x")[-len(end.ids) or None :]
    shown = "".join(_format_token(tokenizer, i) for i in last) if end.ids else end.text
    stops = bool(end.stop_ids.intersection(end.ids)) or end.text in end.stop_texts
    if not stops:
        remedy = "choose another template: `template: chatml`"
        return CheckFinding("end of turn", "spoils", f"generation does not stop on {shown!r}",
                       remedy=remedy)  # fmt: skip
    if early:
        return CheckFinding(
            "end of turn",
            "spoils",
            f"{format_share(len(early), len(train))} train targets hold what ends generation, so "
            "an answer like them is cut",
            early,
            reason=why,
            remedy="choose another template or stop strings, or rewrite these targets",
            drop=early,
        )
    reason = f"{shown!r} is learned at the end of every target, and generation stops on it"
    return CheckFinding("end of turn", "fine", reason)
