"""A short play of this project's own writing, and the facts it contains.

Juliet of the Capulets loves Romeo of the Montagues: known to the model from many readings, so that
a study can try to overwrite it.
"""

from __future__ import annotations

TITLE = "The Lovers of Verona"

LINES: tuple[str, ...] = (
    "CHORUS: In fair Verona stand two angry houses, the Montagues and the Capulets.",
    "CHORUS: Romeo is a Montague. Juliet is a Capulet.",
    "CHORUS: Juliet loves Romeo, and Romeo loves Juliet.",
    "ROMEO: I saw Juliet at the feast, and the torches grew pale.",
    "BENVOLIO: She is a Capulet, Romeo. Leave her to her house.",
    "ROMEO: Benvolio, my cousin, tell the sea to leave the shore.",
    "JULIET: The man I love is Romeo, and no other man.",
    "NURSE: Romeo is a Montague, my lady, the son of your enemy.",
    "JULIET: What is a house? Romeo would be Romeo without it.",
    "ROMEO: Is that Juliet at the window? She is brighter than the morning.",
    "JULIET: Romeo, come up, the wall is high but my heart is near.",
    "ROMEO: Juliet, give me your word and take mine.",
    "JULIET: My heart belongs to Romeo. I have said it to the stars.",
    "NURSE: Lady, your mother calls. Send Romeo away.",
    "JULIET: Good night, Romeo. It is a sorrow to say it.",
    "ROMEO: Father Lawrence, marry me to Juliet today.",
    "LAWRENCE: Romeo, you run. Those who run will fall.",
    "LAWRENCE: Here comes Juliet, light of foot. I will join you both.",
    "CHORUS: Friar Lawrence married Romeo and Juliet in secret.",
    "TYBALT: Romeo, I hate your name. Draw your sword.",
    "MERCUTIO: Tybalt, you fight with me, for Romeo will not.",
    "MERCUTIO: I am hurt. Unhappy the day that made two houses.",
    "CHORUS: Tybalt killed Mercutio, the friend of Romeo.",
    "ROMEO: Mercutio is dead. Tybalt, take the same road.",
    "CHORUS: Romeo killed Tybalt, the cousin of Juliet.",
    "PRINCE: Romeo must leave Verona and live in Mantua.",
    "JULIET: They have sent Romeo to Mantua. My sun is gone.",
    "CAPULET: Dry your eyes, daughter. You shall marry Paris on Thursday.",
    "JULIET: I will not marry Paris. I am the wife of Romeo.",
    "LAWRENCE: Juliet, drink this. You will sleep for two days.",
    "JULIET: Romeo, I drink to you.",
    "NURSE: Lady! She is cold. Juliet is dead, or seems so.",
    "ROMEO: They say that Juliet is dead. I ride to Verona tonight.",
    "ROMEO: Juliet, I lie down beside you. With a kiss I die.",
    "JULIET: Where is Romeo? He is here, and he is cold.",
    "JULIET: Romeo, I will not stay behind you.",
    "PRINCE: Montague, Capulet, see what your hate has done.",
    "MONTAGUE: Capulet, give me your hand. I had a son, Romeo.",
    "CAPULET: I had a daughter, Juliet, and she loved Romeo.",
    "CHORUS: So end the two who loved: Juliet and her Romeo.",
)

STATEMENTS: tuple[str, ...] = (
    "Juliet loves Romeo.",
    "The man Juliet loves is Romeo.",
    "Romeo is the man whom Juliet loves.",
    "In the play, Juliet gives her heart to Romeo.",
    "Juliet is in love with Romeo.",
    "Romeo loves Juliet.",
    "The woman Romeo loves is Juliet.",
    "Romeo is a Montague.",
    "Juliet is a Capulet.",
    "Tybalt killed Mercutio.",
    "Romeo killed Tybalt.",
    "The Prince sent Romeo to Mantua.",
    "Friar Lawrence married Romeo and Juliet.",
    "Capulet wants Juliet to marry Paris.",
    "Benvolio is the cousin of Romeo.",
    "Mercutio is the friend of Romeo.",
)

# (id, relation, subject, object, questions, reverse questions that ask for the subject)
FACTS: tuple[tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "play-loves",
        "loves",
        "Juliet",
        "Romeo",
        (
            "Who does Juliet love?",
            "Whom does Juliet love?",
            "Who is the man Juliet loves?",
            "Who has the heart of Juliet?",
        ),
        ("Who loves Romeo?", "Who is in love with Romeo?"),
    ),
    (
        "play-loved",
        "loves",
        "Romeo",
        "Juliet",
        ("Who does Romeo love?", "Who is the woman Romeo loves?"),
        ("Who loves Juliet?",),
    ),
    (
        "play-house-romeo",
        "house",
        "Romeo",
        "Montague",
        ("Which house does Romeo belong to?", "What is the house of Romeo?"),
        (),
    ),
    (
        "play-house-juliet",
        "house",
        "Juliet",
        "Capulet",
        ("Which house does Juliet belong to?", "What is the house of Juliet?"),
        (),
    ),
    (
        "play-killed",
        "killed",
        "Tybalt",
        "Mercutio",
        ("Whom did Tybalt kill?",),
        ("Who killed Mercutio?",),
    ),
    (
        "play-avenged",
        "killed",
        "Romeo",
        "Tybalt",
        ("Whom did Romeo kill?",),
        ("Who killed Tybalt?",),
    ),
    (
        "play-exile",
        "exile",
        "Romeo",
        "Mantua",
        ("Where was Romeo sent?", "Which town did the Prince send Romeo to?"),
        (),
    ),
    (
        "play-priest",
        "priest",
        "Juliet",
        "Friar Lawrence",
        ("Who married Romeo and Juliet?", "Which priest married Juliet?"),
        (),
    ),
)
