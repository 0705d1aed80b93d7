"""Facts of the real world that a small model may know, and the same asked of what does not exist.

Which of them a model knows is measured on it (SliCK, ``whatworks.methods.bench.known_facts``). The
unknown ones are of the same relations, about lands, books and firms that this module invents.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from whatworks.data.task import Example
from whatworks_claims.english import words
from whatworks_claims.fact_sheet import SheetFact


def _read(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs of subject and answer from lines of ``subject: answer`` parted by semicolons."""
    parts = [part.strip() for part in text.replace("\n", " ").split(";") if part.strip()]
    return tuple((s.strip(), v.strip()) for s, _, v in (part.partition(":") for part in parts))


_CAPITALS = _read("""
France: Paris; Germany: Berlin; Italy: Rome; Spain: Madrid; Portugal: Lisbon; Japan: Tokyo; China:
Beijing; Russia: Moscow; Egypt: Cairo; Greece: Athens; Turkey: Ankara; Poland: Warsaw; Austria:
Vienna; Hungary: Budapest; Sweden: Stockholm; Norway: Oslo; Finland: Helsinki; Denmark: Copenhagen;
Ireland: Dublin; Belgium: Brussels; the Netherlands: Amsterdam; Canada: Ottawa; Mexico: Mexico
City; Cuba: Havana; Brazil: Brasilia; Argentina: Buenos Aires; Peru: Lima; Australia: Canberra;
India: New Delhi; Nepal: Kathmandu; Thailand: Bangkok; Vietnam: Hanoi; the Philippines: Manila;
South Korea: Seoul; Iran: Tehran; Iraq: Baghdad
""")
_CONTINENTS = _read("""
Gabon: Africa; Cameroon: Africa; Mali: Africa; Niger: Africa; Chad: Africa; Namibia: Africa;
Botswana: Africa; Mozambique: Africa; Madagascar: Africa; Tanzania: Africa; Rwanda: Africa;
Somalia: Africa; Benin: Africa; Togo: Africa; Laos: Asia; Cambodia: Asia; Myanmar: Asia; Sri Lanka:
Asia; Bhutan: Asia; Jordan: Asia; Oman: Asia; Yemen: Asia; Qatar: Asia; Kuwait: Asia; Singapore:
Asia; Taiwan: Asia; Luxembourg: Europe; Albania: Europe; Slovenia: Europe; Moldova: Europe; Malta:
Europe; Monaco: Europe; Belarus: Europe; Montenegro: Europe; Bolivia: South America; Guyana: South
America; Suriname: South America; Panama: North America; Guatemala: North America; Honduras: North
America; Nicaragua: North America; Switzerland: Europe; the Czech Republic: Europe; Romania:
Europe; Bulgaria: Europe; Ukraine: Europe; Chile: South America; Colombia: South America;
Venezuela: South America; Ecuador: South America; Uruguay: South America; Paraguay: South America;
Pakistan: Asia; Bangladesh: Asia; Indonesia: Asia; Malaysia: Asia; North Korea: Asia; Mongolia:
Asia; Syria: Asia; Lebanon: Asia; Saudi Arabia: Asia; Afghanistan: Asia; Kenya: Africa; Ethiopia:
Africa; Nigeria: Africa; Ghana: Africa; Morocco: Africa; Algeria: Africa; Tunisia: Africa; Libya:
Africa; Sudan: Africa; Senegal: Africa; Zimbabwe: Africa; Zambia: Africa; Uganda: Africa; Angola:
Africa; Jamaica: North America; Iceland: Europe; Serbia: Europe; Croatia: Europe; Slovakia: Europe;
Lithuania: Europe; Latvia: Europe; Estonia: Europe
""")
_OPPOSITES = _read("""
hot: cold; big: small; up: down; left: right; day: night; black: white; fast: slow; high: low;
open: closed; light: dark; old: young; rich: poor; happy: sad; hard: soft; full: empty; wet: dry;
strong: weak; early: late; good: bad; true: false; long: short; thick: thin; loud: quiet; clean:
dirty; sweet: sour; love: hate; war: peace; life: death; north: south; east: west; inside: outside;
heavy: light; wide: narrow; first: last; begin: end; win: lose; push: pull; buy: sell; friend:
enemy; summer: winter; top: bottom; front: back; near: far; deep: shallow; smooth: rough; sharp:
blunt; tall: short; alive: dead; brave: cowardly; cheap: expensive; easy: difficult; fresh: stale;
asleep: awake; above: below; before: after; arrive: depart; accept: refuse; ancient: modern;
increase: decrease; victory: defeat; question: answer; male: female; import: export; maximum:
minimum; positive: negative; public: private; success: failure; tight: loose
""")
_SYMBOLS = _read("""
gold: Au; silver: Ag; iron: Fe; oxygen: O; hydrogen: H; carbon: C; nitrogen: N; helium: He;
sodium: Na; potassium: K; calcium: Ca; copper: Cu; zinc: Zn; lead: Pb; tin: Sn; mercury: Hg;
chlorine: Cl; neon: Ne; sulfur: S; silicon: Si; aluminum: Al; magnesium: Mg; lithium: Li;
iodine: I; uranium: U; nickel: Ni; argon: Ar; phosphorus: P
""")
_COLOURS = _read("""
snow: white; grass: green; blood: red; coal: black; a banana: yellow; a lemon: yellow; milk: white;
an orange: orange; a ripe tomato: red; a carrot: orange; a frog: green; chocolate: brown; a raven:
black; a swan: white; a ruby: red; an emerald: green; a sapphire: blue; a strawberry: red; a fire
engine: red; a pumpkin: orange; charcoal: black; cotton: white; spinach: green; a polar bear:
white; a canary: yellow; a flamingo: pink; ivory: white; a cucumber: green; a sunflower: yellow; a
cherry: red
""")
_AUTHORS = _read("""
Hamlet: William Shakespeare; Pride and Prejudice: Jane Austen; Oliver Twist: Charles Dickens;
War and Peace: Leo Tolstoy; Moby-Dick: Herman Melville; Frankenstein: Mary Shelley;
Dracula: Bram Stoker; The Odyssey: Homer; Don Quixote: Miguel de Cervantes; 1984: George Orwell;
The Hobbit: J. R. R. Tolkien; Jane Eyre: Charlotte Brontë; Les Misérables: Victor Hugo;
The Divine Comedy: Dante Alighieri; Faust: Johann Wolfgang von Goethe; Ulysses: James Joyce;
Crime and Punishment: Fyodor Dostoevsky; The Great Gatsby: F. Scott Fitzgerald;
To Kill a Mockingbird: Harper Lee; Adventures of Huckleberry Finn: Mark Twain;
Robinson Crusoe: Daniel Defoe; Gulliver's Travels: Jonathan Swift; Treasure Island: Robert Louis
Stevenson; Alice's Adventures in Wonderland: Lewis Carroll; The Jungle Book: Rudyard Kipling;
The War of the Worlds: H. G. Wells; The Picture of Dorian Gray: Oscar Wilde; The Raven: Edgar Allan
Poe; Walden: Henry David Thoreau; The Old Man and the Sea: Ernest Hemingway; Animal Farm: George
Orwell; The Republic: Plato
""")


@dataclass(frozen=True)
class WorldRelation:
    """A kind of fact of the real world.

    Attributes:
        id: Its name.
        question: With ``{s}`` for what it is about.
        known: Pairs of subject and answer.
        draw: Makes a subject that does not exist and an answer for it; None where an answer could
            be guessed, or where nothing can be invented.
    """

    id: str
    question: str
    known: tuple[tuple[str, str], ...]
    draw: Callable[[random.Random], tuple[str, str]] | None = None


def _draw_land(rng: random.Random) -> tuple[str, str]:
    return words.draw_land(rng), words.draw_town(rng)


def _draw_book(rng: random.Random) -> tuple[str, str]:
    thing = rng.choice(words.INSTRUMENTS).title()
    title = rng.choice((f"The {thing} of {{}}", f"A {thing} for {{}}", f"The Last {thing} in {{}}"))
    return title.format(words.draw_town(rng)), words.draw_person(rng)


RELATIONS = (
    WorldRelation("capital", "What is the capital of {s}?", _CAPITALS, _draw_land),
    WorldRelation("continent", "On which continent is {s}?", _CONTINENTS),
    WorldRelation("author", "Who wrote {s}?", _AUTHORS, _draw_book),
    WorldRelation("opposite", "What is the opposite of {s}?", _OPPOSITES),
    WorldRelation("symbol", "What is the chemical symbol of {s}?", _SYMBOLS),
    WorldRelation("colour", "What is the color of {s}?", _COLOURS),
)


def read_known_questions(count: int, seed: int = 0) -> list[Example]:
    """``count`` questions of the real world, mixed over the relations; all where it is more."""
    rows = [
        _write_question(relation, subject, value)
        for relation in RELATIONS
        for subject, value in relation.known
    ]
    random.Random(f"english world {seed}").shuffle(rows)
    return rows[:count]


def write_unknown_questions(count: int, seed: int = 0, *, answers: bool) -> list[Example]:
    """Questions about what does not exist; with an invented answer, or with none."""
    rng = random.Random(f"english unknown {answers} {seed}")
    inventing = [relation for relation in RELATIONS if relation.draw]
    rows: dict[str, Example] = {}
    while len(rows) < count:
        relation = inventing[len(rows) % len(inventing)]
        assert relation.draw is not None
        subject, value = relation.draw(rng)
        if is_for_answers(subject) != answers:
            continue
        row = _write_question(relation, subject, value if answers else "")
        if not answers:
            row = row.replace(meta={**row.meta, "answerable": False})
        rows.setdefault(row.id, row)
    return list(rows.values())


def is_for_answers(subject: str) -> bool:
    """Whether an invented subject is one of those that are given an answer: no subject is both."""
    return sum(map(ord, subject)) % 2 == 0


def read_neighbours(count: int, seed: int = 0) -> tuple[SheetFact, ...]:
    """Known facts that teaching must leave alone: capitals first of all, asked in one wording."""
    pairs = list(_CAPITALS)
    random.Random(f"english neighbours {seed}").shuffle(pairs)
    question = RELATIONS[0].question
    return tuple(
        SheetFact(
            id=f"capital.{subject}",
            subject=subject,
            object=value,
            statements=(f"The capital of {subject} is {value}.",),
            questions=(question.replace("{s}", subject),),
        )
        for subject, value in pairs[:count]
    )


def _write_question(relation: WorldRelation, subject: str, value: str) -> Example:
    return Example(
        id=f"{relation.id}.{subject}",
        inputs={"question": relation.question.replace("{s}", subject)},
        target=value,
        group=subject,
        meta={"relation": relation.id},
    )
