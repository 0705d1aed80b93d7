"""Sentences without categories: each is of one domain of the lab's, which nobody has named."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab.frames import fill, list_training_frames

Row = dict[str, Any]

DOMAINS = ("booking", "travel", "order", "ticket", "game", "device")


def rows(n: int, seed: int = 0) -> list[Row]:
    """Sentences; ``category`` is the truth, which only the agreement of the clusters looks at."""
    rng = random.Random(f"study cluster {seed}")
    domains = [frame for frame in list_training_frames() if frame.id in DOMAINS]
    found: dict[str, str] = {}
    while len(found) < n:
        frame = rng.choice(domains)
        found.setdefault(fill(rng, frame).text, frame.id)
    return [
        {"id": f"cluster-{seed}-{number}", "text": text, "category": domain}
        for number, (text, domain) in enumerate(found.items())
    ]
