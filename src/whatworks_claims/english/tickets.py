"""Messages of the guests of an invented hotel, to be sorted into the hotel's own eight ids."""

from __future__ import annotations

import random

from whatworks.data.task import Example, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_apart

_MESSAGES: dict[str, tuple[str, ...]] = {
    "move-dates": (
        "We have to come on {day} instead of {other}. Can you change our booking?",
        "Please shift our stay by one week, the conference in {town} was put off.",
        "Is it possible to leave on {day}, one night earlier than planned?",
        "My flight is on {day} now, so I would like to add a night.",
        "Could we swap the {day} for the {other}? The name is {name}.",
        "I booked the wrong weekend. I meant the one after it.",
        "{name} here. We would rather arrive on {day} if you still have the room.",
        "Can our reservation be put back to next month?",
        "Something came up at work, can we stay from {day} to {other} instead?",
        "I need two more nights on top of the ones we have, from {day}.",
        "Our plans changed: please make it {day}, not {other}.",
        "What would it take to bring our visit forward to {day}?",
    ),
    "late-key": (
        "Our train gets in after midnight. How do we get into the house?",
        "I will not be there before {hour} at night on {day}. Is someone at the desk?",
        "We are stuck in traffic near {town} and will be very late. Where is the key?",
        "The ferry is delayed, so we arrive around {hour} in the night.",
        "Can you leave the key in a box? I land at {hour} in the evening on {day}.",
        "Who lets us in if we get there when the reception has closed?",
        "Is the front door open at {hour} at night?",
        "My meeting in {town} ends late, I can only check in close to midnight.",
        "We will turn up long after closing time on {day}. What is the code for the door?",
        "Please tell the night porter that {name} comes at {hour}.",
        "How late can I pick up my room key on {day}?",
        "I am still in {town} and it is past ten already. Will I be able to get in tonight?",
    ),
    "broken-thing": (
        "The {thing} in room {room} does not work.",
        "There is no hot water in {room} this morning.",
        "The {thing} has come off the wall. Can somebody mend it?",
        "Room {room}: the {thing} makes a loud click and then stops.",
        "Our {thing} is broken, please send the handyman.",
        "I can't switch on the {thing} in {room}.",
        "The {thing} has been dead since {day}.",
        "Water is dripping from the {thing} onto the carpet.",
        "Could you look at the {thing}? It gives off a smell of burning.",
        "We have tried everything and the {thing} in {room} will not start.",
        "The door of the {thing} is stuck.",
        "Somebody should repair the {thing} before the next guests come.",
    ),
    "too-loud": (
        "The people in room {room} have been singing since {hour}.",
        "We could not sleep because of the party downstairs.",
        "Is there a quieter room? The street is full of lorries at night.",
        "A dog barks next door to {room} all the time.",
        "The music in the bar goes on until {hour}, it is far too much.",
        "Somebody upstairs was moving furniture at {hour}.",
        "Please ask our neighbours in {room} to keep it down.",
        "The church bells by our window wake the baby every hour.",
        "Children run up and down the corridor outside {room}.",
        "All night long doors were slammed on our floor.",
        "I work nights and the builders across the yard start at {hour}.",
        "The walls are so thin that I hear every word from {room}.",
    ),
    "left-behind": (
        "I think I forgot my {item} in room {room}.",
        "Did your cleaners find a {item} under the bed?",
        "We left on {day} and now my {item} is missing.",
        "Please post my {item} to {town}, it must still be in the wardrobe.",
        "My daughter's {item} stayed in the breakfast room.",
        "Has anybody handed in a {item}?",
        "When we unpacked in {town} the {item} was not there. Could it be with you?",
        "I must have dropped my {item} by the pool on {day}.",
        "There should be a {item} in the drawer of room {room}. It belongs to me.",
        "Could you keep the {item} that I left on the train shelf in {room}? I will fetch it.",
        "{name} again, I cannot find my {item} since we checked out.",
        "Is my {item} among the things that guests forgot?",
    ),
    "bill-wrong": (
        "You charged me for {count} nights, but I stayed only two.",
        "There is a bottle of wine on my invoice that nobody drank.",
        "My card was debited twice on {day}.",
        "The total is {count} pounds higher than the price that you offered.",
        "I paid a deposit and it was not taken off the sum.",
        "Why does the receipt say {count} breakfasts?",
        "Please send a corrected invoice to {name} in {town}.",
        "What is the service fee of {count} pounds on my statement?",
        "The discount for members is missing from what I paid.",
        "I was billed for room {room}, which was not ours.",
        "You still owe me {count} pounds from the cancelled night.",
        "The tax on this invoice was added two times.",
    ),
    "food-wish": (
        "My son can't eat nuts. What can he have in the morning?",
        "Do you serve anything without milk at breakfast?",
        "We are {count} vegans and would like dinner on {day}.",
        "Is the soup made with wheat flour?",
        "Could you prepare a lunch box for {day}? No fish, please.",
        "{name} is allergic to eggs, please tell the kitchen.",
        "Are there any dishes without pork on the menu?",
        "My wife eats no sugar. Does the cook know about that?",
        "Can I get porridge with oat drink in the dining room?",
        "Which of your cakes are free of gluten?",
        "We keep kosher. Can you cook for us on {day}?",
        "No onions for me, please, they make me ill.",
    ),
    "car-space": (
        "Is there somewhere to put our van for {count} nights?",
        "Do you have a garage with a plug for an electric car?",
        "How much is it to leave the car in your yard?",
        "The gate to the parking lot would not open on {day}.",
        "Somebody has taken the spot that was kept for room {room}.",
        "Can a trailer with a boat stand behind the house?",
        "We come with two cars. Will both fit?",
        "Where do I leave my motorbike so that it is safe?",
        "Is the street free for parking on {day}?",
        "My tyres were blocked in by a grey van in your lot.",
        "Please reserve a bay near the entrance, {name} walks with a stick.",
        "How high is the entrance of the underground garage? Our camper is tall.",
    ),
}  # fmt: skip
LABELS = tuple(_MESSAGES)
_WORDINGS = tuple((label, text) for label, texts in _MESSAGES.items() for text in texts)
_THINGS = (
    "shower", "radiator", "television", "fridge", "kettle", "lamp", "hair dryer", "fan", "heater",
    "coffee machine",
)  # fmt: skip
_ITEMS = (
    "scarf", "charger", "raincoat", "camera", "notebook", "teddy bear", "watch", "umbrella",
    "passport", "silver ring", "pair of boots", "toothbrush",
)  # fmt: skip
_OPENINGS = (
    "", "", "Hello.", "Good morning.", "Hi there,", "Dear team,", "Excuse me.", "A question:",
    "Sorry to trouble you.",
)  # fmt: skip
_CLOSINGS = ("", "", "Thank you.", "Many thanks, {name}", "Please let me know.",
             "Kind regards, {name}", "I look forward to your answer.", "Thanks a lot!")  # fmt: skip

INSTRUCTIONS = f"Sort the guest's message. Answer with one of: {', '.join(LABELS)}."


def write_tickets(sizes: Sizes, seed: int = 0) -> Splits:
    """Messages and their ids; every id has wordings of its own in each split."""
    rng = random.Random(f"english tickets {seed}")
    return draw_apart(rng, sizes, [len(texts) for texts in _MESSAGES.values()], _write_ticket)


def _write_ticket(rng: random.Random, number: int) -> Example:
    label, core = _WORDINGS[number]
    day, other = rng.sample(words.DAYS, 2)
    text = f"{rng.choice(_OPENINGS)} {core} {rng.choice(_CLOSINGS)}".strip().format(
        day=day, other=other, town=words.draw_town(rng), name=words.draw_person(rng),
        hour=f"{rng.randint(1, 11)}:{rng.choice(('00', '15', '30', '45'))}",
        room=rng.randint(101, 499), count=rng.randint(3, 19), thing=rng.choice(_THINGS),
        item=rng.choice(_ITEMS),
    )  # fmt: skip
    return Example(id="ticket", inputs={"message": text}, target=label)
