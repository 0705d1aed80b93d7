"""Orders at an invented bakery, to be written as JSON."""

from __future__ import annotations

import json
import random

from whatworks.data.task import Example, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_shared

INSTRUCTIONS = (
    'Write the order as JSON only: {"item": what is ordered, "count": how many, "day": the day of '
    'the week or null, "how": "collect" or "deliver"}'
)
_WORDINGS = (
    "Please put aside {count} {item} for me, I will come by on {day}.",
    "Could you send {count} {item} to our office on {day}?",
    "I would like {count} {item}, and I will fetch them myself.",
    "{name} here. Bring us {count} {item} on {day}, please.",
    "We need {count} {item} for a party. My brother picks them up on {day}.",
    "On {day} I want {count} {item} brought to my door.",
    "Do you have {count} {item}? I can be at the shop on {day}.",
    "Deliver {count} {item} to {town} Lane 4, any day will do.",
    "For {day}: {count} {item}. We will collect.",
    "{count} {item} for {name}, to be taken home by her on {day}.",
    "Can your driver drop {count} {item} at the school on {day}?",
    "I'd love {count} of your {item}. I'll get them from the counter on {day}.",
    "My aunt turns eighty on {day} and wishes for {count} {item}; please bring them over.",
    "Would you keep {count} {item} behind the counter until {day}?",
    "Our café in {town} is out of cake. {count} {item} by van, whenever you can.",
    "Let me have {count} {item}. I pass your shop on {day} anyway.",
    "The choir would be glad of {count} {item}, sent to the hall on {day}.",
    "{count} {item}, please. I'll walk over and take them with me.",
    "Might I order {count} {item}? They should reach us by courier on {day}.",
    "I am coming in on {day} and want to leave with {count} {item}.",
    "Please have {count} {item} driven to {town} on {day}. Regards, {name}",
    "Set {count} {item} aside, my son stops at the bakery on {day}.",
    "As every week: {count} {item} to our house on {day}.",
    "Hold {count} {item} for us, no matter which day, we fetch them ourselves.",
)
_ITEMS = (
    "rye loaves", "seed rolls", "cherry tarts", "apple pies", "cheese scones", "plum cakes",
    "oat biscuits", "poppy buns", "almond rings", "walnut loaves", "cinnamon snails",
    "lemon slices", "potato breads", "honey cakes", "onion tarts", "salt sticks", "ginger men",
    "pear muffins",
)  # fmt: skip
_BROUGHT = (1, 3, 5, 7, 10, 12, 14, 16, 18, 20, 22)
NUMBERS = {
    2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 10: "ten", 12: "twelve",
    15: "fifteen", 20: "twenty", 24: "24", 30: "30", 36: "36", 40: "40",
}  # fmt: skip


def write_orders(sizes: Sizes, seed: int = 0) -> Splits:
    """Orders and their JSON: counts as numbers, the day as a word or null."""
    rng = random.Random(f"english orders {seed}")
    return draw_shared(rng, sizes, len(_WORDINGS), _write_order)


def _write_order(rng: random.Random, number: int) -> Example:
    wording = _WORDINGS[number]
    count, item, day = rng.choice(list(NUMBERS)), rng.choice(_ITEMS), rng.choice(words.DAYS)
    text = wording.format(count=NUMBERS[count], item=item, day=day, town=words.draw_town(rng),
                          name=words.draw_person(rng))  # fmt: skip
    form = {
        "item": item,
        "count": count,
        "day": day if "{day}" in wording else None,
        "how": "deliver" if number in _BROUGHT else "collect",
    }
    return Example(
        id="order", inputs={"order": text[0].upper() + text[1:]}, target=json.dumps(form)
    )
