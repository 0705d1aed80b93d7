"""Whether a text denies what stands in it, or names it as one of several guesses.

An answer that says "not Rome, but Milan" holds the word Rome and does not say that it is Rome. Told
by the words right before and behind, in English, German, French, Spanish, Italian, Dutch and
Russian; what is farther away is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LOOK = 60
"""Characters on either side that are looked at."""

_OPEN = r"[\s\"'“”„«»*_`(\[]*"
_CLOSE = r"[\"'“”„«»*_`)\]]*"
_LIGHT = (
    r"(?:\s+(?:really|actually|exactly|necessarily|clearly|simply|called|named|the|an?|in|at|by|from"
    r"|of|to|on|for|with|about|be|is|was|der|die|das|dem|den|ein|eine|einen|in|aus|von|am|im|la|le"
    r"|les|un|une|de|du|en|à|au|el|los|las|una|es|era|il|lo|è|het|een))"
)
_CUES = (
    r"(?<!\w)(?:(?<!or )not(?! (?:only|just|merely|to mention)\b)|\w{2,6}n['’]t|never|neither|nor"
    r"|except(?: for)?|rather than|instead of|unlike|excluding"
    r"|(?<!nothing )(?<!none )anything but|all but|(?<!none )(?<!no )(?<!each )other than|none of"
    r"|(?:do(?:es)?n['’]t|do not|does not) (?:think|believe)(?: that)? it(?: is|['’]s| was)"
    r"|(?:did|does|do|was|were|is|are|has|have|had)(?: not|n['’]t)(?: been)? \w+"
    r"(?= (?:in|at|by|from|on|to|for|with)\b)"
    r"|doubt(?: that)? it(?: is|['’]s| was)"
    r"|nicht(?! nur\b)|kein(?:e[nrms]?)?|weder|statt|anstatt|anstelle von|außer|alles außer"
    r"|pas|ni|plutôt que|au lieu d['e]|n['’]est|non|né|no(?= (?:es|era)\b)|en vez de|en lugar de"
    r"|invece di|niet|geen|не|ни|вместо)"
)
_BEFORE = re.compile(rf"(?:{_CUES}{_LIGHT}{{0,3}}{_OPEN}$)|(?:(?<!\w)no{_OPEN}$)", re.IGNORECASE)
_UP_TO_HERE = re.compile(
    r"\b(?:neither|none of|weder|(?:do|does|did)(?:n['’]t| not) (?:fit|match|concern|mention))\b"
    r"(?:(?!\b(?:so|but|sondern)\b)[^.;:!?\n])*$",
    re.I,
)
_WRONG = r"(?:wrong|incorrect|false|mistaken|falsch|faux|incorrecto|sbagliato|неверно)"
_BEHIND = re.compile(
    rf"{_CLOSE}\s*(?:(?:is|was|are|were|would be|must be|ist|war|est|es|è)\s+(?:\w+ly\s+)?"
    rf"(?:{_WRONG}\b|not (?:right|correct|true|it\b|the (?:right |correct )?answer"
    r"|(?:mentioned|relevant|involved|meant|applicable)\b|the (?:issue|topic|case|problem)\b))"
    rf"|(?:is|was|are)n['’]t (?:right|correct|true|it\b|the (?:right |correct )?answer)"
    rf"|\({_WRONG}\))",
    re.IGNORECASE,
)
_OR = r"(?:or|oder|ou|o|или)"
_MAYBE = r"(?:(?:maybe|perhaps|possibly|even|vielleicht|peut-être)\s+)?"
_OR_BEHIND = re.compile(
    rf"{_CLOSE},?\s+{_OR}\s+(?!(?:so|something|rather|at least|not|more|less|better|else|similar"
    rf"|thereabouts|even)\b){_MAYBE}{_OPEN}(?P<other>\w[^.;!?\n]*)|\s*/\s*(?P<slash>[^\W\d_]\w+)",
    re.IGNORECASE,
)
_OR_BEFORE = re.compile(
    rf"(?P<other>\w{_CLOSE}),?\s+{_OR}{_LIGHT}?\s+{_MAYBE}{_OPEN}$|(?P<slash>[^\W\d_]{{2,}})\s*/\s*$",
    re.IGNORECASE,
)


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether the words around a place in a text deny what stands there."""
    before, behind = text[max(0, start - _LOOK) : start], text[end : end + _LOOK]
    return bool(_BEFORE.search(before) or _UP_TO_HERE.search(before) or _BEHIND.match(behind))


def is_alternative(text: str, start: int, end: int, known: Sequence[str] = ()) -> bool:
    """Whether an "or" or a slash joins what stands at a place to something else.

    Args:
        text: The text.
        start: Where it stands.
        end: Where it ends.
        known: Other right answers: an "or" before or behind one of them is no guess.
    """
    before, behind = text[max(0, start - _LOOK) : start], text[end : end + _LOOK]
    if match := _OR_BEHIND.match(behind):
        other = (match["other"] or match["slash"] or "").casefold()
        return not any(re.match(rf"{re.escape(one.casefold())}(?!\w)", other) for one in known)
    if match := _OR_BEFORE.search(before):
        at = "other" if match["other"] else "slash"
        head = before[: match.end(at)].casefold().rstrip("\"'*_`)]")
        return not any(re.search(rf"(?<!\w){re.escape(one.casefold())}$", head) for one in known)
    return False
