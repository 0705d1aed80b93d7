"""Answers and their passages: what was shown, what was cited, what a tuned model should say.

Where a prompt shows passages, a score says which share of the row's evidence was among them (part
``evidence_shown``). Where it asks for citations, the ``[n]`` are taken off the answer before it is
scored, and checked: ``cited`` says whether a passage that was shown is named, ``cited_evidence``
whether one of those named is evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.score import Score
from whatworks.prompts.prompt import UNKNOWN, Prompt
from whatworks.prompts.render import Rendering, is_evidence
from whatworks.prompts.retrieval import measure_recall

_NUMBERS = r"\[\d{1,3}(?:\s*+,\s*+\d{1,3})*+\]"
_CITATION = re.compile(_NUMBERS)
# A run of spaces is looked at once: a long answer takes time in proportion.
_WITHIN = re.compile(
    rf"(?:(?<!\s)\s++|(?<=[.!?])){_NUMBERS}(?=[\s.,;:!?]|$)|{_NUMBERS}(?=[.!?](?:\s|$))"
)


def score_grounding(request: Rendering, text: str, score: Callable[[str], Score]) -> Score:
    """The score of an answer, with what its passages say about it as further parts."""
    context, example, shown = request.prompt.context, request.example, request.passages
    if context is None or not (context.cite or example.evidence):
        return score(text)
    parts: dict[str, float] = {}
    if example.evidence:
        ids = [passage.id for passage in shown]
        parts[EVIDENCE] = measure_recall([ids], [example.evidence])
    if not context.cite:
        plain = score(text)
        return replace(plain, parts={**plain.parts, **parts})
    answer, cited = strip_citations(text)
    plain = score(answer)
    if plain.kind == "abstained":
        return replace(plain, parts={**plain.parts, **parts})
    named = [shown[n - 1] for n in cited if 1 <= n <= len(shown)]
    parts["cited"] = float(bool(named))
    if example.evidence:
        parts["cited_evidence"] = float(any(is_evidence(p, example) for p in named))
    feedback = plain.feedback
    if not named:
        feedback = f"{feedback}; cites no passage" if feedback else "cites no passage"
    return replace(plain, feedback=feedback, parts={**plain.parts, **parts})


def strip_citations(text: str) -> tuple[str, list[int]]:
    """An answer without its ``[n]``, and the numbers in them.

    Those at the end are citations, unless nothing would be left: then the first is the answer, a
    list. Within prose those behind a word or a sentence are, too; within a form (JSON, code)
    brackets belong to it.
    """
    answer, cited = text.strip(), list[str]()
    stop = answer[-1:] if answer[-1:] in (".", "!", "?") else ""
    start, run = _find_last_run(answer, _skip_space_before(answer, len(answer) - len(stop)))
    if run:
        if start == 0:
            return run[0], _read_numbers(run[1:])
        cited = run
        answer = answer[:start]
        answer += "" if _is_form(answer) else stop
    if not _is_form(answer):
        cited = _WITHIN.findall(answer) + cited
        answer = _WITHIN.sub("", answer)
    return answer.strip(), _read_numbers(cited)


def _find_last_run(answer: str, end: int) -> tuple[int, list[str]]:
    """Where the citations begin that stand before ``end`` in one run, and each of them."""
    run: list[str] = []
    while end and answer[end - 1] == "]":
        opening = answer.rfind("[", 0, end)
        if opening < 0 or not _CITATION.fullmatch(answer, opening, end):
            break
        run.append(answer[opening:end])
        end = _skip_space_before(answer, opening)
    return end, run[::-1]


def _skip_space_before(text: str, end: int) -> int:
    while end and text[end - 1].isspace():
        end -= 1
    return end


def make_answer_reader(prompt: Prompt) -> Callable[[str], str]:
    """What reads the answer alone out of a text that this prompt's model says."""
    if prompt.context is None or not prompt.context.cite:
        return str
    return lambda text: strip_citations(text)[0]


def _is_form(answer: str) -> bool:
    return answer.startswith(("[", "<", "`")) or "{" in answer


def _read_numbers(citations: Sequence[str]) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", " ".join(citations))]


def make_training_target(request: Rendering) -> str:
    """What a model that is tuned on a row should say: its target, and what the prompt asks for.

    With ``allow_unknown``, a row whose evidence is known and not shown teaches to say so; with
    ``cite``, the passage that is evidence is cited. A refusal has none, and a target with
    citations of its own, as a teacher gives them, keeps those.
    """
    context, example = request.prompt.context, request.example
    if context is None or not example.evidence or not (context.cite or context.allow_unknown):
        return example.target
    if example.meta.get("answerable") is False or is_abstention(example.target):
        return example.target
    shown = enumerate(request.passages, start=1)
    places = [n for n, passage in shown if is_evidence(passage, example)]
    if not places:
        return UNKNOWN if context.allow_unknown else example.target
    cites = context.cite and not strip_citations(example.target)[1]
    return f"{example.target} [{places[0]}]" if cites else example.target


EVIDENCE = "evidence_shown"
"""The part of a score that says which share of a row's evidence stood in its prompt."""
