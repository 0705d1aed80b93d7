"""Labelling: messages in topics, with label names that mean something or nothing.

Label names without meaning are drawn per document, so only the demonstrations tell what they stand
for; a demonstration of the same topic is worth more than one of another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from whatworks_lab import names
from whatworks_lab.document import Doc, DocumentTurn, make_answer, make_chat, make_user
from whatworks_lab.relations import WORDS


@dataclass(frozen=True)
class Topic:
    """What messages of one kind talk about, and what such a kind may be called."""

    id: str
    label: str
    phrases: tuple[str, ...]


def _parse_topics(text: str) -> tuple[Topic, ...]:
    topics: list[Topic] = []
    for line in text.strip().splitlines():
        head, _, body = line.strip().partition(": ")
        topics.append(Topic(head, head, tuple(phrase.strip() for phrase in body.split("|"))))
    return tuple(topics)


TRAINED_TOPICS = _parse_topics("""
refund: I want my money back | please refund the payment | when do I get the refund | the money was not returned | give me back what I paid
delivery: my parcel has not arrived | where is my delivery | the package is late | when will the parcel come | the courier did not come
password: I forgot my password | reset the password please | the password is not accepted | how can I change my password | a new password, please
weather: will it rain today | is it going to snow | how warm is it outside | the forecast says storm | do I need an umbrella
music: play a song | turn up the music | what is the name of this song | I want to hear some jazz | stop the music
alarm: wake me up at six | set an alarm | turn off the alarm | the alarm did not ring | I need to get up early
lights: turn on the lights | the lamp is too bright | switch off the light | make it darker in here | dim the lamp
food: I am hungry | order a pizza | what can I cook tonight | is there any bread left | find a recipe for soup
hotel: book a room for the night | is breakfast included in the hotel | I want to leave the hotel early | the room has no view | two beds in one room
flight: my flight was cancelled | which gate does the plane leave from | change my seat on the plane | how much luggage can I bring | when does the flight land
health: I have a headache | my back hurts | I need to see a doctor | what helps against a cold | I feel sick
sport: who won the match | when does the game start | our team lost again | the score is two to one | he ran a good race
praise: this is wonderful | I love it | what a great product | everything was perfect | thank you, very good
anger: this is terrible | I hate it | what a bad product | everything went wrong | I am very angry
invoice: the invoice is wrong | send me the bill again | I was charged twice | what is this charge | the bill is too high
address: I have moved | change my address | my street is spelled wrong | here is my new home address | send it to another address
job: I am looking for work | is the position still open | here is my application | when is the interview | what is the salary
school: the homework is hard | when is the exam | my teacher is ill | the lesson begins at nine | I failed the test
garden: the roses need water | plant the tomatoes | the grass is too long | there are weeds everywhere | when do tulips bloom
car: the engine makes a noise | I have a flat tyre | fill up the tank | where can I park | the brakes are weak
""")  # noqa: E501
HELD_OUT_TOPICS = _parse_topics("""
billing_refund: I was billed by mistake and want a refund | refund the last bill | pay me back the wrong bill | the billing refund is missing | cancel the bill and return it
card_lost: I lost my card | my card was stolen | block the card that I lost | I can't find my bank card | somebody took my card
card_new: I need a new card | order another card | send me a second card | can I have one more card | my card expires soon
loan_ask: how do I get a loan | I want to borrow money | what does a loan cost | apply for a credit | can you lend me something
account_close: close my account | I want to leave your bank | delete my account | end the contract for my account | how do I shut the account
rate_exchange: what is the exchange rate | change dollars into euros | how many pounds for a dollar | exchange foreign money | the rate was poor
transfer_late: the transfer has not arrived | my transfer is still pending | why does the transfer take so long | the money that I sent is not there | transfer stuck since Monday
machine_cash: the cash machine kept my money | I got the wrong amount of cash | where is a cash machine | the machine gave no cash | withdraw notes from a machine
identity_check: how do I prove who I am | you ask for my passport | verify my identity | my identity was not confirmed | which papers prove my name
limit_raise: raise my limit | what is my daily limit | I reached the limit | increase how much I may spend | my limit is too low
phone_change: I have a new phone number | change my phone number | my phone was replaced | the code goes to my old phone | update the number of my mobile
branch_hours: when does the branch open | is the office open on Sunday | opening hours please | how late can I come to the branch | where is your nearest office
""")  # noqa: E501

_BEFORE = ("", "", "", "", "Hello, ", "Please help: ", "Hi there, ", "Excuse me, ", "Well, ")
_AFTER = ("", "", "", "", " Thanks.", " Please answer soon.", " Can you help?", " That is all.")


def write_message(rng: random.Random, topic: Topic) -> str:
    """A message about the topic."""
    before, phrase = rng.choice(_BEFORE), rng.choice(topic.phrases)
    text = before + (phrase if before or rng.random() < 0.3 else phrase[0].upper() + phrase[1:])
    return text + rng.choice(("", ".", "!")) + rng.choice(_AFTER)


def make_loose_topic(rng: random.Random) -> Topic:
    """A topic for one document: messages share its few words and nothing else."""
    own = rng.sample(WORDS, 3)
    label = rng.choice(own)
    lines = (
        "the {a} and the {b}", "a {a} with {z}", "{z} or {a}", "{a} {b}", "I saw a {a}",
        "my {a} is {z}", "{a}, {z}, {y}", "{z} {a} {y}", "is the {a} here", "no more {b}, {a}",
    )  # fmt: skip
    phrases: list[str] = []
    for line in rng.sample(lines, 6):
        a, b = rng.sample(own, 2)
        z, y = rng.sample(WORDS, 2)
        text = line.replace("{a}", a).replace("{b}", b)
        phrases.append(text.replace("{z}", z).replace("{y}", y))
    return Topic("loose", label, tuple(phrases))


def draw_labels(rng: random.Random, topics: list[Topic]) -> list[str]:
    """A label for each topic: its own name, or one that says nothing."""
    kind = rng.random()
    count = len(topics)
    if kind < 0.35:
        return [topic.label for topic in topics]
    if kind < 0.6:
        return rng.sample(WORDS, count)
    if kind < 0.75:
        return [f"{rng.choice(WORDS)}_{word}" for word in rng.sample(WORDS, count)]
    if kind < 0.85:
        return names.draw_distinct(rng, names.draw_code, count)
    if kind < 0.93:
        return [f"{rng.choice(('class', 'group', 'label', 'type'))}_{i}" for i in range(count)]
    return [chr(ord("A") + i) for i in range(count)]


def write_label_doc(
    rng: random.Random, most: int = 8, topics: tuple[Topic, ...] = TRAINED_TOPICS
) -> Doc:
    """Messages and labels; a label can be known once its topic was shown or its name says it."""
    count = rng.choice((2, 3, 4, 5, 6, 8))
    if rng.random() < 0.4:
        drawn = [make_loose_topic(rng) for _ in range(count)]
    else:
        drawn = rng.sample(topics, count)
    labels = draw_labels(rng, drawn)
    meaningful = labels == [topic.label for topic in drawn] and drawn[0].id != "loose"
    if len(set(labels)) < count:
        labels = [f"{label}{i}" for i, label in enumerate(labels)]
    listed = rng.random() < 0.5
    ask = rng.choice(("Label the message.", "Give the label.", "Classify.", "", "Which category?"))
    if listed:
        shown = rng.sample(labels, count)
        head = rng.choice(("Label the message with one of", "Choose one of", "One of"))
        ask = f"{head}: {', '.join(shown)}."
    shown_places: set[int] = set()
    turns: list[DocumentTurn] = []
    near = rng.random() < 0.4
    for _ in range(rng.randint(2, most + 1)):
        # "near": demonstrations picked for their likeness, so few topics and many repeats.
        place = rng.randrange(min(count, 2) if near else count)
        known = place in shown_places or (meaningful and listed)
        turns += [
            make_user(write_message(rng, drawn[place])),
            make_answer(labels[place], 1.0 if known else (0.1 if listed else 0.0)),
        ]
        shown_places.add(place)
    return make_chat("label", ask, *turns)
