"""The five relations of the fixed world, and the small ones that only passages speak of.

Every world relation has twenty or more statement wordings and several question wordings.
`{n}` is the subject's name, `{v}` the value.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from whatworks_lab import names


@dataclass(frozen=True)
class Relation:
    """How one attribute is said and asked, and where its values come from."""

    id: str
    label: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    pool: tuple[str, ...]
    fresh: Callable[[random.Random], str]

    def value(self, rng: random.Random, fresh: float = 0.5) -> str:
        """A value for a passage: made up with probability `fresh`, otherwise from the pool."""
        return self.fresh(rng) if rng.random() < fresh else rng.choice(self.pool)


def _split_lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


_BORN = _split_lines("""
{n} was born in {v}.
{n} comes from {v}.
{n} is from {v}.
{n} grew up in {v}.
{n} is a native of {v}.
The birthplace of {n} is {v}.
The home town of {n} is {v}.
{v} is the birthplace of {n}.
{v} is the home town of {n}.
{v} is where {n} was born.
{n} first saw the light in {v}.
{n}, born in {v}, still thinks of it.
The town of {v} is the home of {n}.
In {v}, people remember the birth of {n}.
{n} spent the early years in {v}.
{n} was a child in {v}.
{n} left {v}, the old home town.
It was in {v} that {n} was born.
The family of {n} lived in {v}.
{n} has roots in {v}.
{n} calls {v} home.
""")
_JOB = _split_lines("""
{n} works as a {v}.
{n} is a {v}.
{n} became a {v}.
{n} is a {v} by trade.
The job of {n} is {v}.
The trade of {n} is {v}.
The profession of {n} is {v}.
{n} earns a living as a {v}.
{n} makes money as a {v}.
As a {v}, {n} is well known.
People know {n} as a {v}.
{n} was trained as a {v}.
{n} is employed as a {v}.
{n} learned to be a {v}.
{n} has long been a {v}.
By day, {n} is a {v}.
{n} chose the life of a {v}.
They call {n} a good {v}.
{n} serves as a {v}.
{n}, a {v}, rises early.
A {v} by profession, {n} works hard.
""")
_FIRM = _split_lines("""
{n} works for {v}.
{n} works at {v}.
{n} is employed by {v}.
{n} has a desk at {v}.
{n} joined {v}.
{n} was hired by {v}.
The employer of {n} is {v}.
{v} is the employer of {n}.
{v} employs {n}.
{v} pays the wages of {n}.
{v} hired {n}.
{n} is paid by {v}.
{n} is on the staff of {v}.
{n} signed a contract with {v}.
{n} found work at {v}.
The company of {n} is {v}.
Every morning {n} walks to {v}.
At {v}, {n} has many colleagues.
{n} has spent years at {v}.
{n} took a post at {v}.
The firm that employs {n} is {v}.
""")
_PLAY = _split_lines("""
{n} plays the {v}.
{n} practises the {v}.
{n} can play the {v}.
{n} learned the {v}.
{n} owns a {v}.
{n} performs on the {v}.
The instrument of {n} is the {v}.
The {v} is the instrument of {n}.
The {v} is what {n} plays.
{n} loves to play the {v}.
{n} took lessons on the {v}.
{n} is good at the {v}.
In the evening {n} plays the {v}.
{n} plays the {v} in a band.
{n} is heard playing the {v}.
On the {v}, {n} is a master.
Neighbours hear {n} on the {v}.
{n} never travels without a {v}.
{n} bought a new {v}.
{n} makes music on the {v}.
{n} studied the {v}.
""")
_DISH = _split_lines("""
{n} likes to eat {v}.
{n} loves {v}.
{n} enjoys {v}.
{n} is fond of {v}.
{n} prefers {v}.
{n} often eats {v}.
{n} always orders {v}.
{n} often cooks {v}.
{n} likes {v} best.
The favourite dish of {n} is {v}.
The favourite food of {n} is {v}.
The best-loved meal of {n} is {v}.
{v} is the favourite dish of {n}.
{v} is what {n} likes to eat.
{v} is the food {n} loves.
Nothing pleases {n} more than {v}.
For dinner {n} wants {v}.
On Sundays {n} has {v}.
{n} dreams of {v}.
{n} asks for {v} every time.
For {n}, the best meal is {v}.
""")


def list_world_relations() -> tuple[Relation, ...]:
    """The five relations, with value pools that never change."""
    rng = random.Random("whatworks world values")
    places = names.draw_distinct(rng, names.draw_place, 60)
    firms = names.draw_distinct(rng, names.draw_company, 60)
    return (
        Relation(
            "birthplace",
            "birthplace",
            _BORN,
            _split_lines("""
            Where was {n} born?
            What is the birthplace of {n}?
            Where does {n} come from?
            What is the home town of {n}?
            In which town was {n} born?"""),
            tuple(places),
            names.draw_place,
        ),
        Relation(
            "job",
            "job",
            _JOB,
            _split_lines("""
            What is the job of {n}?
            What does {n} do for a living?
            What is the profession of {n}?
            What does {n} work as?
            What trade does {n} have?"""),
            names.JOBS,
            names.draw_job,
        ),
        Relation(
            "employer",
            "employer",
            _FIRM,
            _split_lines("""
            Who employs {n}?
            Which company does {n} work for?
            What is the employer of {n}?
            Where does {n} work?
            Who hired {n}?"""),
            tuple(firms),
            names.draw_company,
        ),
        Relation(
            "instrument",
            "instrument",
            _PLAY,
            _split_lines("""
            What does {n} play?
            Which instrument does {n} play?
            What is the instrument of {n}?
            What instrument can {n} play?
            What does {n} practise?"""),
            names.INSTRUMENTS,
            names.draw_dish,
        ),
        Relation(
            "dish",
            "favourite dish",
            _DISH,
            _split_lines("""
            What does {n} like to eat?
            What is the favourite dish of {n}?
            What is the favourite food of {n}?
            Which food does {n} love?
            What does {n} order?"""),
            names.DISHES,
            names.draw_dish,
        ),
    )


# Passages also speak of anything else: a noun from this list, said and asked in general wordings.
NOUNS = names.split_words(
    "account|address|age|allergy|anniversary|badge|balance|battery|bed|bike|boat|boss|box|brand|"
    "bus|cabin|cat|chair|city|class|club|coach|coat|code|colour|contact|country|cousin|deadline|"
    "deposit|desk|district|dog|door|driver|email|exam|farm|fee|file|flag|flight|floor|flower|"
    "friend|game|garage|garden|gate|goal|grade|guest|guide|hall|hat|height|hobby|horse|hotel|"
    "house|island|key|label|lake|language|leader|level|limit|locker|lunch|manager|map|meeting|"
    "mentor|model|motto|museum|neighbour|nickname|number|office|order|owner|partner|password|"
    "phone|plan|planet|plate|platform|port|price|prize|project|queue|rank|rate|region|room|"
    "route|school|score|seat|secret|section|shelf|ship|shop|sister|size|song|sponsor|sport|"
    "station|status|street|subject|supplier|table|teacher|team|theme|ticket|title|topic|total|"
    "town|train|tree|uncle|uniform|unit|village|voucher|weapon|weight|window|year|zone",
    "|",
)
NOUN_STATEMENTS = _split_lines("""
The {k} of {n} is {v}.
{n} has the {k} {v}.
{v} is the {k} of {n}.
For {n}, the {k} is {v}.
As for {n}, the {k} is {v}.
{n} got {v} as a {k}.
The {k} that belongs to {n} is {v}.
{n} chose {v} as the {k}.
{n}: {k} {v}.
{n} - {k}: {v}.
The {k} of {n} was changed to {v}.
We noted {v} as the {k} of {n}.
""")
NOUN_QUESTIONS = _split_lines("""
What is the {k} of {n}?
Which {k} does {n} have?
What {k} belongs to {n}?
Tell me the {k} of {n}.
What do we know of the {k} of {n}?
{n}: {k}?
""")
WORDS = names.split_words(
    "amber|anchor|apple|arrow|basket|bell|birch|blue|bottle|brass|bridge|bronze|butter|candle|"
    "castle|cedar|cherry|chestnut|cloud|clover|copper|coral|cotton|crimson|crow|crystal|dawn|"
    "diamond|dolphin|dragon|dust|eagle|ember|falcon|feather|fern|fire|forest|fox|frost|garnet|"
    "ginger|gold|granite|grape|green|hammer|harbour|hawk|hazel|heron|honey|indigo|iris|iron|"
    "ivory|jade|kite|ladder|lantern|lemon|lilac|lion|lotus|magnet|maple|marble|meadow|mint|mirror|"
    "moon|moss|mountain|needle|nickel|north|oak|ocean|olive|onyx|orange|orchid|otter|owl|paper|"
    "pearl|pepper|pine|plum|pond|purple|quartz|rabbit|raven|red|ribbon|river|robin|rose|ruby|"
    "saddle|sage|sand|scarlet|shadow|shell|silver|sky|snow|south|spark|spring|star|steel|stone|"
    "storm|straw|summer|sun|swan|thistle|thunder|tiger|timber|topaz|tulip|turtle|velvet|violet|"
    "walnut|water|wave|west|wheat|white|willow|wind|winter|wolf|wood|yellow",
    "|",
)


def draw_noun_value(rng: random.Random) -> str:
    """A value for any noun: a word or two, a number, a code, a place, a name."""
    pick = rng.random()
    if pick < 0.4:
        return rng.choice(WORDS)
    if pick < 0.5:
        return f"{rng.choice(WORDS)} {rng.choice(WORDS)}"
    makers = (
        names.draw_number,
        names.draw_code,
        names.draw_place,
        names.draw_surname,
        names.draw_fresh_name,
        names.draw_company,
    )
    return rng.choice(makers)(rng)


def draw_noun_relation(rng: random.Random) -> Relation:
    """One relation named by a noun, such as "locker", in the general wordings."""
    noun = rng.choice(NOUNS)

    def fill(lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line.replace("{k}", noun) for line in lines)

    return Relation(noun, noun, fill(NOUN_STATEMENTS), fill(NOUN_QUESTIONS), WORDS, draw_noun_value)
