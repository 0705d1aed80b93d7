"""Sentences with slots: what the format documents convert, domain by domain."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from whatworks_lab import names
from whatworks_lab.relations import NOUNS, WORDS, draw_noun_value

Maker = Callable[[random.Random], str]


def _make_maker(text: str) -> Maker:
    options = text.split("|")
    return lambda rng: rng.choice(options)


_COLOURS = _make_maker("red|blue|green|black|white|brown|grey|yellow|pink|purple|silver|orange")
_DAYS = _make_maker("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday")
_TIMES = _make_maker("noon|one|two|three|four|five|six|seven|eight|nine|ten|midnight")
_COUNTS = _make_maker("2|3|4|5|6|7|8|9|10|12|15|20")
_ITEMS = _make_maker(
    "lamp|chair|phone|camera|jacket|table|kettle|laptop|printer|watch|bike|sofa|tent|"
    "radio|mirror|clock|keyboard|blender|helmet|backpack|carpet|heater|drill|scooter"
)
_FAULTS = _make_maker(
    "broken|too small|too large|late|scratched|missing|wet|dead|noisy|cracked|lost|slow"
)
_GENRES = _make_maker("puzzle|racing|sport|strategy|horror|adventure|music|space|card|quiz")
_SYSTEMS = _make_maker("tablet|console|phone|browser|computer|arcade")
_RATINGS = _make_maker("poor|average|good|excellent|awful|superb|fair|brilliant")


def _draw_word(rng: random.Random) -> str:
    return rng.choice(WORDS)


def _draw_title(rng: random.Random) -> str:
    return f"{rng.choice(WORDS)} {rng.choice(WORDS)}".title()


@dataclass(frozen=True)
class Frame:
    """One domain: what its slots are called, who fills them, and sentences that hold them."""

    id: str
    acts: tuple[str, ...]
    slots: dict[str, tuple[tuple[str, ...], Maker]]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class FrameItem:
    """One sentence and the slot values in it."""

    text: str
    slots: dict[str, str]


def fill(rng: random.Random, frame: Frame) -> FrameItem:
    """A sentence of the frame. Slots that the sentence leaves out are not in the item."""
    line = rng.choice(frame.sentences)
    slots = {key: make(rng) for key, (_, make) in frame.slots.items() if f"{{{key}}}" in line}
    text = line
    for key, value in slots.items():
        text = text.replace(f"{{{key}}}", value)
    return FrameItem(text[0].upper() + text[1:], slots)


def _make_frame(id_: str, acts: str, slots: dict[str, tuple[str, Maker]], sentences: str) -> Frame:
    return Frame(
        id_,
        tuple(acts.split()),
        {key: (tuple(words.split()), make) for key, (words, make) in slots.items()},
        tuple(line.strip() for line in sentences.strip().splitlines()),
    )


def list_training_frames() -> tuple[Frame, ...]:
    """The domains that format documents draw from."""
    return (
        _make_frame("booking", "book reserve booking table seat", {
            "who": ("name guest person who", names.draw_fresh_name),
            "count": ("people guests size count", _COUNTS),
            "day": ("day date when on", _DAYS)}, """
            {who} wants a table for {count} on {day}.
            Book {day} for {who}, {count} people.
            On {day}, {count} guests with {who}.
            A table for {count}, please, {day}, the name is {who}."""),
        _make_frame("travel", "travel trip route journey go", {
            "start": ("from start origin source", names.draw_place),
            "end": ("to end goal target", names.draw_place),
            "day": ("day date when on", _DAYS)}, """
            I want to go from {start} to {end} on {day}.
            A ticket to {end} from {start}, {day}.
            On {day} I leave {start} for {end}.
            Is there a train on {day} from {start} to {end}?"""),
        _make_frame("order", "order buy purchase request", {
            "count": ("count number amount quantity", _COUNTS),
            "colour": ("colour paint shade tone", _COLOURS),
            "item": ("item thing product article", _ITEMS)}, """
            I would like {count} of the {colour} {item}.
            Please send {count} times the {item} in {colour}.
            The {item}, {colour}, {count} pieces.
            We need the {colour} {item}, {count} of them."""),
        _make_frame("ticket", "ticket report issue complaint", {
            "item": ("item thing product object", _ITEMS),
            "fault": ("fault problem state defect", _FAULTS),
            "code": ("code number order id", names.draw_code)}, """
            The {item} from order {code} is {fault}.
            Order {code}: the {item} is {fault}.
            My {item} is {fault}, the order was {code}.
            It is {fault}, the {item} of order {code}."""),
        _make_frame("game", "game describe play title", {
            "title": ("title name label game", _draw_title),
            "genre": ("genre kind type class", _GENRES),
            "system": ("system platform device machine", _SYSTEMS),
            "rating": ("rating score mark grade", _RATINGS)}, """
            {title} is a {rating} {genre} game for the {system}.
            The {genre} game {title} on the {system} is {rating}.
            On the {system}, {title} is a {genre} game, and {rating}.
            {title} is a {genre} game."""),
        _make_frame("meeting", "meet meeting invite plan", {
            "who": ("with person who partner", names.draw_fresh_name),
            "where": ("place where room town", names.draw_place),
            "time": ("time hour at clock", _TIMES)}, """
            Meet {who} in {where} at {time}.
            At {time} I see {who} in {where}.
            {who} waits in {where} at {time}.
            In {where} at {time}, a meeting with {who}."""),
        _make_frame("person", "person entry staff member", {
            "name": ("name who person full", names.draw_fresh_name),
            "job": ("job work trade role", _make_maker("|".join(names.JOBS))),
            "town": ("town place city home", names.draw_place)}, """
            {name} is a {job} in {town}.
            The {job} {name} lives in {town}.
            In {town} lives {name}, a {job}.
            {name} of {town} works as a {job}."""),
        _make_frame("payment", "pay transfer send payment", {
            "amount": ("amount sum value total", names.draw_number),
            "who": ("to person who receiver", names.draw_fresh_name),
            "what": ("for reason purpose what", _ITEMS)}, """
            Pay {amount} to {who} for the {what}.
            {who} gets {amount} for a {what}.
            Send {who} the {amount} for the {what}.
            For the {what}, {amount} to {who}."""),
        _make_frame("device", "set turn switch device", {
            "what": ("device thing item what",
                     _make_maker("lamp|heater|fan|radio|alarm|oven|door|window")),
            "room": ("room place where zone",
                     _make_maker("kitchen|hall|office|garden|attic|cellar|bath")),
            "state": ("state mode level value",
                     _make_maker("on|off|low|high|open|shut|up|down"))}, """
            Turn the {what} in the {room} {state}.
            In the {room}, set the {what} to {state}.
            {what} {room} {state}, please.
            I want the {what} {state} in the {room}."""),
    )  # fmt: skip


def make_loose_frame(rng: random.Random) -> Frame:
    """A frame about any nouns, for a domain that exists in one document only."""
    first, second = rng.sample(NOUNS, 2)
    return Frame(
        "loose",
        (_draw_word(rng), first),
        {
            "a": ((first,), draw_noun_value),
            "b": ((second,), draw_noun_value),
        },
        rng.choice((
            (f"The {first} is {{a}} and the {second} is {{b}}.",
             f"We have {second} {{b}} and {first} {{a}}."),
            (f"{{a}} is the {first}, {{b}} the {second}.", f"{first} {{a}}, {second} {{b}}."),
        )),
    )  # fmt: skip
