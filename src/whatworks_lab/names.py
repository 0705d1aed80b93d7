"""Names and values: fixed pools for the world, and fresh ones that are never used twice.

Fresh words are built from the same syllables as the world's own surnames and places, so that
nothing in the shape of a word tells whether the model has met it before.
"""

from __future__ import annotations

import random
from collections.abc import Callable


def split_words(text: str, mark: str | None = None) -> tuple[str, ...]:
    """The words of a text, parted by spaces or by `mark`."""
    return tuple(text.split(mark))


STARTS = split_words(
    "Al Bel Ber Bran Cal Cass Cor Del Dor Dun El Fal Fen Flor Gar Gil Gren Hal Har Hol Ing Is Jas "
    "Jor Kar Kel Kor Lem Lin Lor Mar Mel Mon Nas Nev Nor Or Os Pas Pel Pry Quin Rad Rim Ros Sal "
    "Sor Sten Tam Til Tor Ul Und Var Ver Vil War Wex Wil Yel Yor Zan Zel Zim"
)
ENDS = split_words(
    "ac ano ard asa bin by dan der din do ett fax fin gan ger gi han ier ik ka kan kin ko la lan "
    "las ler lo man mer min mo na nan ner nik no ock os ow pa ra ran rel rin ro sen ser ska son "
    "sta sy ta tan ter tin to tov us va van vik vin wa win za zen zo"
)
PLACE_ENDINGS = split_words("ton ford dale mere port ham stead wick holm bury gate field")

FIRST_NAMES = split_words(
    "Ada Adam Alma Amos Anna Arlo Asha Bela Boris Bruno Carla Cecil Clara Cyril Dana Dario Della "
    "Dora Edgar Edith Elena Elias Ella Emil Erik Esther Ezra Felix Fiona Flora Frank Freya Gavin "
    "Gemma George Gina Greta Hanna Harold Hazel Hector Helen Hugo Ida Igor Ines Iris Isaac Ivan "
    "Jacob Jana Jasper Joel Jonas Julia Karim Karl Katya Kira Lars Laura Leah Leo Lina Lotte Lucas "
    "Lydia Marco Maria Martha Max Mila Mina Mona Nadia Nina Nora Olga Oscar Otto Paula Pedro Petra "
    "Quinn Rafael Rita Rosa Ruben Sara Selma Silas Simon Sofia Stella Tara Theo Tom Ulla Ursula "
    "Vera Victor Walter Wanda Yara Yusuf Zara Zoe"
)

JOBS = split_words(
    "baker|blacksmith|botanist|butcher|carpenter|chemist|clerk|cobbler|dancer|dentist|diver|doctor|"
    "driver|editor|engineer|farmer|fisher|florist|gardener|geologist|glazier|goldsmith|judge|"
    "lawyer|librarian|locksmith|mason|mechanic|midwife|miller|miner|nurse|painter|pharmacist|pilot|"
    "plumber|poet|potter|printer|roofer|sailor|sculptor|shepherd|surgeon|surveyor|tailor|tanner|"
    "teacher|translator|vet|waiter|watchmaker|weaver|welder|writer",
    "|",
)
INSTRUMENTS = split_words(
    "accordion|banjo|bassoon|bugle|cello|clarinet|cornet|drums|fiddle|flute|gong|guitar|harp|horn|"
    "lute|lyre|mandolin|oboe|organ|piano|piccolo|recorder|saxophone|sitar|tambourine|triangle|"
    "trombone|trumpet|tuba|ukulele|viola|violin|whistle|xylophone|zither",
    "|",
)
DISHES = split_words(
    "apple pie|bean stew|beef curry|beet soup|black bread|blue cheese|carrot cake|cherry tart|"
    "chicken soup|clam chowder|corn bread|crab salad|duck pie|egg noodles|fish cakes|fried rice|"
    "garlic bread|goat cheese|green curry|honey cake|lamb stew|leek soup|lemon tart|lentil soup|"
    "mushroom pie|nut bread|onion soup|orange cake|pea soup|pear tart|plum cake|potato salad|"
    "pumpkin pie|rice pudding|roast duck|salmon pie|spinach pie|tomato soup|turnip stew|"
    "walnut cake",
    "|",
)
DISH_WORDS = split_words(
    "amber autumn bitter crisp golden green hot iced old plain red royal salted sharp "
    "smoked soft sour spiced sweet warm white wild winter yellow"
)
DISH_NOUNS = split_words(
    "bread broth buns cake cheese curry dumplings noodles pancakes pasta pie porridge "
    "pudding rice salad soup stew tart toast trout"
)
JOB_WORDS = split_words(
    "bridge bell boat book clock cloth coin glass grain harbour horse iron lamp leather "
    "market mill night paper rope salt ship stone street tower"
)
JOB_NOUNS = split_words(
    "buyer builder cleaner counter cutter dealer guard inspector keeper maker mender "
    "painter porter seller sorter teacher tester trader warden washer"
)
COMPANY_ENDINGS = split_words(
    "Works Mills Press Bank Foods Labs Lines Motors Mines Farms Glass Tools"
)


def draw_surname(rng: random.Random) -> str:
    """A surname of two syllables."""
    return rng.choice(STARTS) + rng.choice(ENDS)


def draw_place(rng: random.Random) -> str:
    """A town name."""
    middle = rng.choice(ENDS) if rng.random() < 0.25 else ""
    return rng.choice(STARTS) + middle + rng.choice(PLACE_ENDINGS)


def draw_company(rng: random.Random) -> str:
    """A company name of two words."""
    first = rng.choice(STARTS) if rng.random() < 0.5 else draw_surname(rng)
    return f"{first} {rng.choice(COMPANY_ENDINGS)}"


def draw_job(rng: random.Random) -> str:
    """A job of two words, outside the world's pool."""
    return f"{rng.choice(JOB_WORDS)} {rng.choice(JOB_NOUNS)}"


def draw_dish(rng: random.Random) -> str:
    """A dish of two words, mostly outside the world's pool."""
    return f"{rng.choice(DISH_WORDS)} {rng.choice(DISH_NOUNS)}"


def draw_number(rng: random.Random) -> str:
    """A number of one to four digits, short ones more often."""
    return str(rng.randrange(10 ** rng.choice((1, 2, 2, 3, 4))))


def draw_code(rng: random.Random) -> str:
    """A short code such as `K47` or `pr-208`."""
    letters = rng.choice((rng.choice("ABCDEFGHKLMNPRSTVWXZ"), rng.choice(STARTS).lower() + "-"))
    return f"{letters}{rng.randrange(10, 999)}"


def draw_fresh_name(rng: random.Random, taken: frozenset[str] | set[str] = frozenset()) -> str:
    """First name and a surname that is not among `taken`."""
    while True:
        last = draw_surname(rng)
        if last not in taken:
            return f"{rng.choice(FIRST_NAMES)} {last}"


def draw_distinct(
    rng: random.Random, make: Callable[[random.Random], str], count: int
) -> list[str]:
    """`count` different words from a maker such as `draw_place`."""
    words: dict[str, None] = {}
    while len(words) < count:
        words[make(rng)] = None
    return list(words)
