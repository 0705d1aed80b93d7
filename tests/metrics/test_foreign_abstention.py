"""Abstentions in German, Spanish, French and Chinese, and answers that look like some."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.foreign_abstention import abstains_abroad

ABSTAINS = {
    "de": [
        "Ich weiß es nicht.",
        "Das weiß ich leider nicht.",
        "Ich weiß nicht, wer das Buch geschrieben hat.",
        "Es tut mir leid, ich kann diese Frage nicht beantworten.",
        "Dazu habe ich keine Informationen.",
        "Der Text nennt keinen Namen.",
        "Im Text steht nichts darüber.",
        "Das steht nicht im Text.",
        "Keine Ahnung.",
        "Leider ist mir das nicht bekannt. Ich weiß es nicht.",
        "Ich habe darüber keine Angaben.",
        "Unbekannt.",
    ],
    "es": [
        "No lo sé.",
        "Lo siento, no lo sé.",
        "No sé quién escribió el libro.",
        "No tengo información sobre eso.",
        "No puedo responder a esa pregunta.",
        "El texto no menciona el nombre.",
        "Lo siento. No hay información suficiente.",
        "Se desconoce.",
        "Ni idea.",
        "No se sabe dónde nació.",
        "No aparece en el texto.",
        "Los documentos no lo dicen.",
    ],
    "fr": [
        "Je ne sais pas.",
        "Désolé, je ne sais pas.",
        "Je ne sais pas qui a écrit ce livre.",
        "Je ne peux pas répondre à cette question.",
        "Je n'ai pas d'informations sur ce sujet.",
        "Le texte ne mentionne pas son nom.",
        "Il n'y a aucune information dans le passage.",
        "Aucune idée.",
        "On ne sait pas quand il est né.",
        "Malheureusement, je n’ai aucune idée.",
        "Inconnu.",
        "Cela n'est pas précisé.",
    ],
    "zh": [
        "我不知道。",
        "抱歉，我不知道。",
        "我不清楚这个问题的答案。",
        "很抱歉，我无法回答这个问题。",
        "文中没有提到他的名字。",
        "根据上述文本没有说明。",
        "没有相关信息。",
        "未知",
        "对不起。我没有足够的信息。",
        "无法确定。",
        "答案不详。",
        "我不知道他是谁。",
    ],
}
ANSWERS = {
    "de": [
        "Ich weiß nicht, was soll es bedeuten, von Heinrich Heine.",
        "Ich weiß es nicht genau, aber es war wohl Karl.",
        "Keine Ahnung hatte nur Meyer.",
        "Paris. Mehr weiß ich nicht.",
        "Das Buch heißt „Ich weiß es nicht“.",
        "Unbekannt ist der Titel des Films von 2011.",
        "Es war nicht im Text, sondern im Bild.",
        "Leider Karl der Große.",
        "Nichts",
        "Nein.",
    ],
    "es": [
        "No sé, creo que fue Cervantes.",
        "No lo sé con certeza, pero fue en Madrid.",
        "Lo siento, fue Borges.",
        "No.",
        "La respuesta es Lima. No tengo más datos.",
        "«Desconocido» es el título de la película.",
        "El texto no menciona a Ana, sino a Eva.",
    ],
    "fr": [
        "Je ne sais pas, peut-être Molière.",
        "Désolé, c'était Hugo.",
        "Non.",
        "Paris. Je ne sais pas plus.",
        "Le texte ne mentionne pas Paul, mais Marie.",
        "Inconnu à cette adresse, un roman.",
    ],
    "zh": [
        "我不知道，可能是李白。",
        "抱歉，是上海。",
        "北京。其他我不知道。",
        "不知道的人是张三，答案是北京",
        "没有",
    ],
}


@pytest.mark.parametrize("text", [text for texts in ABSTAINS.values() for text in texts])
def test_abstentions_are_seen(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize("text", [text for texts in ANSWERS.values() for text in texts])
def test_answers_are_not_taken_for_abstentions(text: str) -> None:
    assert not is_abstention(text)


@given(st.lists(st.sampled_from([t for some in ABSTAINS.values() for t in some]), max_size=2))
def test_what_is_said_beside_makes_it_an_answer(said: list[str]) -> None:
    assert not abstains_abroad(" ".join([*said, "Es war Karl Meyer aus Ulm."]))


@pytest.mark.parametrize("part", ["ich weiß ", "no ", "n'", "不", "der text ", "le ", "¿", "a "])
def test_degenerate_answers_take_no_time(part: str) -> None:
    began = time.process_time()
    abstains_abroad(part * (8_000 // len(part)))
    assert time.process_time() - began < 1.0
