"""Questions with their short answers, as a model is asked to write them and as they are read. Pure.

The form is a line each, `question => answer`. Chat models often write `Q:` and `A:` lines, numbers
and bullets of their own accord; these are read as well, and every other line is left out.
"""

from __future__ import annotations

import re

ASK = "Write {n} different questions that the text answers, each with its short answer."
FORM = " One a line as `question => answer`, nothing else."

_BULLET = re.compile(r"^[\s\-*•>`]*(?:\d{1,3}[.)]\s+)?")
_QUESTION = re.compile(r"^\**(?:Q|Question)\s*\d*\s*[:.]\**\s*", re.IGNORECASE)
_ANSWER = re.compile(r"^\**(?:A|Answer)\s*\d*\s*[:.]\**\s*", re.IGNORECASE)


def read_questions(reply: str, most: int) -> list[tuple[str, str]]:
    """The first ``most`` questions of a reply, each with its answer; what has no form is left out.

    Args:
        reply: What a model wrote.
        most: How many were asked for: what a model writes beyond that is not read.
    """
    pairs: list[tuple[str, str]] = []
    asked = ""
    for line in reply.splitlines():
        text = _BULLET.sub("", line, count=1).strip(" \t`")
        if answer := _ANSWER.match(text):
            pairs.append((asked, text[answer.end() :].strip()))
            asked = ""
            continue
        question = _QUESTION.match(text)
        body = text[question.end() :] if question else text
        first, arrow, second = body.partition("=>")
        if arrow:
            pairs.append((first.strip(), second.strip()))
        asked = body.strip() if question and not arrow else ""
    return [(first, second) for first, second in pairs if first and second][:most]
