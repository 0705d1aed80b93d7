"""Names of people, places and firms that do not exist, and everyday words."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_NAMES = (
    "Ada", "Agnes", "Alma", "Anton", "Arlo", "Astrid", "Basil", "Beatrix", "Bruno", "Cecil",
    "Clara", "Conrad", "Cora", "Daphne", "Edgar", "Edith", "Elias", "Elsa", "Emil", "Esther",
    "Felix", "Flora", "Gideon", "Greta", "Harriet", "Hector", "Helga", "Hugo", "Ida", "Imogen",
    "Ines", "Ivo", "Jasper", "Joan", "Jonas", "Judith", "Lena", "Leopold", "Lydia", "Magnus",
    "Mabel", "Martha", "Milo", "Nadia", "Nell", "Oscar", "Otto", "Petra", "Philip", "Quentin",
    "Ralph", "Rosa", "Rufus", "Sylvia", "Tabitha", "Theo", "Ursula", "Vera", "Viktor", "Winifred",
)  # fmt: skip
_SURNAME_HEADS = (
    "Ash", "Barrow", "Birk", "Brack", "Cald", "Cray", "Dun", "Elm", "Fal", "Garth", "Hal",
    "Hazel", "Kel", "Lang", "Mar", "Nether", "Oaken", "Pell", "Quill", "Rav", "Stan", "Thorn",
    "Ull", "Wex",
)  # fmt: skip
_SURNAME_TAILS = (
    "acre", "bourne", "combe", "dyke", "ender", "fold", "grave", "hurst", "inger", "kett", "low",
    "mond", "nock", "over", "rick", "sby", "thwaite", "vane", "wick", "yard",
)  # fmt: skip
_TOWN_HEADS = (
    "Alder", "Brine", "Candle", "Copper", "Dapple", "Ember", "Fennel", "Gull", "Harrow", "Ivel",
    "Juniper", "Kestrel", "Lantern", "Marl", "Nettle", "Otter", "Pewter", "Quarrel", "Rook",
    "Saffron", "Tansy", "Umber", "Vesper", "Whistle", "Yarrow",
)  # fmt: skip
_TOWN_TAILS = (
    "bay", "bridge", "burgh", "cross", "dale", "ferry", "field", "gate", "haven", "mere", "moor",
    "mouth", "port", "stead", "ton",
)  # fmt: skip
_LAND_HEADS = (
    "Ald", "Bryn", "Cord", "Drev", "Esk", "Farn", "Gal", "Hest", "Istr", "Jor", "Karv", "Lusk",
    "Morv", "Nev", "Ost", "Prav", "Quor", "Rusk", "Selv", "Tarn", "Ulv", "Vald", "Werr", "Zem",
)  # fmt: skip
_LAND_TAILS = (
    "ania", "avia", "emia", "eria", "istan", "ivia", "onia", "oria", "ovia", "uria",
)  # fmt: skip
FIRMS = (
    "Bakery", "Bicycles", "Brewery", "Cheese", "Clocks", "Coffee", "Ferries", "Glass", "Lamps",
    "Mills", "Pianos", "Pottery", "Press", "Ropes", "Sails", "Shoes", "Tea", "Toys", "Umbrellas",
    "Wool",
)  # fmt: skip
INSTRUMENTS = (
    "accordion", "banjo", "bassoon", "bugle", "cello", "clarinet", "cornet", "drums", "fiddle",
    "flute", "guitar", "harmonica", "harp", "mandolin", "oboe", "organ", "piano", "trombone",
    "trumpet", "tuba",
)  # fmt: skip
TRADES = (
    "baker", "barber", "beekeeper", "bookbinder", "brewer", "carpenter", "clockmaker", "cook",
    "dentist", "engineer", "gardener", "glazier", "librarian", "mason", "nurse", "painter",
    "pilot", "plumber", "printer", "tailor", "teacher", "vet", "weaver", "welder",
)  # fmt: skip
DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip

Draw = Callable[[random.Random], str]


def draw_person(rng: random.Random) -> str:
    """A person who does not exist: ``Clara Thornsby``."""
    return f"{rng.choice(FIRST_NAMES)} {draw_surname(rng)}"


def draw_surname(rng: random.Random) -> str:
    """An invented family name."""
    return rng.choice(_SURNAME_HEADS) + rng.choice(_SURNAME_TAILS)


def draw_town(rng: random.Random) -> str:
    """A town that does not exist: ``Lanternmere``."""
    return rng.choice(_TOWN_HEADS) + rng.choice(_TOWN_TAILS)


def draw_land(rng: random.Random) -> str:
    """A country that does not exist: ``Karvonia``."""
    return rng.choice(_LAND_HEADS) + rng.choice(_LAND_TAILS)


def draw_firm(rng: random.Random) -> str:
    """A firm that does not exist: ``Brackwick Lamps``."""
    return f"{draw_surname(rng)} {rng.choice(FIRMS)}"


def draw_distinct(rng: random.Random, draw: Draw, count: int) -> list[str]:
    """So many different names, in the order drawn.

    Raises:
        ValueError: If there are too few to be found in a hundred tries each.
    """
    names: dict[str, None] = {}
    for _ in range(100 * count):
        if len(names) == count:
            break
        names.setdefault(draw(rng))
    if len(names) < count:
        raise ValueError(f"{count} different names were asked for, {len(names)} exist")
    return list(names)
