"""Plain sentences of everyday life, and the same said by an old wizard."""

from __future__ import annotations

import random

from whatworks.data.task import Example, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_shared

INSTRUCTIONS = "Say it again."
_SENTENCES: tuple[tuple[str, str], ...] = (
    ("{n} is a {trade} in {town}.", "{n} plieth the craft of {trade} in {town}"),
    ("{n} has lost a {thing} on the way to {town}.",
     "{n} hath lost a {thing} upon the road to {town}"),
    ("The {trade} of {town} opens the shop on {day}.",
     "the {trade} of {town} throweth wide the doors on {day}"),
    ("{n} likes the {thing} that came from {town}.",
     "{n} loveth the {thing} that came from {town}"),
    ("You can buy a {thing} from {n} on {day}.", "thou mayest buy a {thing} of {n} on {day}"),
    ("{n} will travel to {town} with a {thing}.",
     "{n} shall journey unto {town} with a {thing}"),
    ("The train to {town} leaves on {day}.", "the iron steed to {town} departeth on {day}"),
    ("{n} gave the {trade} a {thing}.", "{n} did give unto the {trade} a {thing}"),
    ("My neighbour {n} sings every {day}.", "my neighbour {n} doth sing every {day}"),
    ("{n} wants to become a {trade}.", "{n} seeketh to become a {trade}"),
    ("Your {thing} is at the house of {n}.", "thy {thing} lieth in the house of {n}"),
    ("It rains in {town} every {day}.", "the heavens weep upon {town} every {day}"),
    ("{n} sold a {thing} to a {trade}.", "{n} hath sold a {thing} unto a {trade}"),
    ("We are looking for a {trade} in {town}.", "we seek a {trade} in {town}"),
    ("{n} knows the road to {town}.", "{n} knoweth the road unto {town}"),
    ("Did you see {n} in {town} on {day}?", "didst thou behold {n} in {town} on {day}"),
    ("{n} needs a new {thing} before {day}.", "{n} hath need of a new {thing} ere {day}"),
    ("The {thing} of {n} is very old.", "the {thing} of {n} is as old as the hills"),
)  # fmt: skip
_OPENINGS = (
    "Hark!", "By star and stone:", "Lo,", "Hear the old wizard:", "Mark me, traveller:",
)  # fmt: skip
_CLOSINGS = (
    "so the runes foretell", "as the owls do know", "by moon and mist", "thus it is writ",
)  # fmt: skip
_THINGS = (
    "lantern", "bicycle", "hat", "fiddle", "basket", "mirror", "ladder", "blanket", "kettle",
    "map", "drum", "coat",
)  # fmt: skip


def write_styled(sizes: Sizes, seed: int = 0) -> Splits:
    """Plain sentences and the wizard's, names and things kept."""
    rng = random.Random(f"english styles {seed}")
    return draw_shared(rng, sizes, len(_SENTENCES), _write_pair)


def _write_pair(rng: random.Random, number: int) -> Example:
    plain, magical = _SENTENCES[number]
    filling = {
        "n": words.draw_person(rng), "town": words.draw_town(rng), "day": rng.choice(words.DAYS),
        "trade": rng.choice(words.TRADES), "thing": rng.choice(_THINGS),
    }  # fmt: skip
    line = f"{rng.choice(_OPENINGS)} {magical.format(**filling)}, {rng.choice(_CLOSINGS)}!"
    return Example(id="style", inputs={"input": plain.format(**filling)}, target=line)
