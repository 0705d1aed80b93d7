"""A metric as a user writes one beside a study file."""

from __future__ import annotations

from whatworks.data.task import Example


def score(example: Example, text: str) -> float:
    return float(text.strip() == example.target)
