"""What a method asks for, as far as its settings tell: for an estimate before anything is walked.

A study's plan rehearses its arms and measures (``studies/plan.py``). Where studies are too many to
be rehearsed, or not there yet, the sizes of the data and what each method declares must do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much a method is given.

    Attributes:
        train: Train rows.
        dev: Dev rows.
        pairs: Preference pairs of the study.
    """

    train: int
    dev: int
    pairs: int = 0


@dataclass(frozen=True)
class Demand:
    """What one method asks for.

    Attributes:
        examples: Rows shown in each prompt from here on.
        passages: Passages shown in each prompt from here on.
        requests: Prompts answered while adapting, about as many.
        learned: Rows that training reads, all epochs; in rows of supervised tuning, so that what
            costs more a row counts more.
    """

    examples: int = 0
    passages: int = 0
    requests: int = 0
    learned: float = 0.0
