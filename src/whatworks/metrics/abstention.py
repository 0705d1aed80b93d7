"""Does an answer abstain? Rules for English; ``foreign_abstention`` has those for other languages.

An answer abstains when it says that its speaker does not, cannot or will not answer, or that the
answer is not there to be had, and then commits to nothing. The text is cut into clauses; each is
an abstention (``_ABSTAINS``), a doubt (``_DOUBTS``), a courtesy or advice that commits to nothing
(``_IDLE``), or a statement.
A statement after the last abstention is an answer ("I don't know why people say Paris, it is
Lyon"), and so is one before a mere doubt ("Paris, but I'm not sure").

On sentences written after the rules (tests/metrics/*_fresh.txt, 50 abstentions and 50 answers that
are meant to mislead) precision is 1.0 and recall 0.9: an abstention rate measured so is rather too
low than too high. An abstention that is missed counts as a wrong answer.

Titles and quotations in quotation marks are not the speaker's own words and are left out.
"""

from __future__ import annotations

import re

from whatworks.metrics.foreign_abstention import abstains_abroad

_ASKED = r"(?:who|whom|whose|what|which|when|where|why|how|if|whether)\b"
_TELL = (
    r"(?:say|tell|know(?! that\b)|determine|answer|establish|guess|verify|confirm|identify|infer"
    r"|deduce|conclude|respond|ascertain|pinpoint|figure|work out|make out|speculate)"
)
_SOURCE = (
    r"(?!(?:i|we|he|she|you)\b)(?:[\w-]+ ){0,4}?"
    r"(?:passages?|texts?|contexts?|documents?|articles?|paragraphs?|sources?|excerpts?|notes"
    r"|records|questions?|information|data|snippets?|results?|materials?|books?|story|report"
    r"|pages?|chapters?|tables?|websites?|files?|transcripts?)"
    r"(?: (?:provided|given|above))?"
)
_STATED = (
    r"(?:mention|state|specify|specifie|clarify|say|give|provide|contain|include|answer|indicate|show|tell"
    r"|disclose|reveal|discuss|cover|address|note|offer|describe|explain|list|name"
    r"|go into|get into|touch (?:up)?on|deal with|elaborate|talk about|speak (?:of|to|about)|report"
    r"|identify|record)"
)
_NOT_STATED = (
    r"(?:mentioned|stated|given|specified|provided|available|included|indicated|disclosed|recorded"
    r"|documented|revealed|listed|shown|found|said|answerable|determined|established)"
)
_HAVING = (
    r"(?:answers?|information|info|access|knowledge|data|details?|opinions?|clue|idea|context"
    r"|records?|memory|recollection|enough|evidence)"
)
_NOT_HERE = (
    r"(?:covered|addressed|discussed|described|explained|contained|present|answered|named|identified"
    r"|clear)"
)
_EXPERTS = (
    r"(?:scientists|historians|researchers|experts|scholars|doctors|physicists|archaeologists"
    r"|biologists|linguists|economists|philosophers|sources)"
)
_ENTITY = (
    r"(?:person|people|individual|man|woman|character|figure|author|writer|painter|king|queen|place"
    r"|city|town|village|country|company|organi[sz]ation|book|novel|film|movie|song|play|event)"
)
_EXISTS = r"(?: (?:ever )?exist(?:s|ed)?)?"
_SELF = r"(?:i|we)"
_ADVERB = r"(?:(?:\w+ly|just|still|quite|yet|even) )*"
_MORE = r"(?:more|further|additional) (?:information|context|details?|data)"
_END = r"$"

_ABSTAINS = [
    # Not knowing
    rf"{_SELF} {_ADVERB}do not {_ADVERB}know(?! (?:anyone|anybody|a|any) )",
    rf"do not know(?: {_ASKED}.*)?{_END}",
    rf"(?:that|this)(?: is (?:something|one thing))?,? {_SELF} do not {_ADVERB}know",
    r"(?:i )?(?:dunno|idk)\b",
    rf"(?:nobody|no one|no-one|none of us) (?:can (?:say|tell|know|predict)|{_ADVERB}knows?)"
    rf"(?: (?:for|with) (?:sure|certain|certainty)| exactly| precisely"
    rf"| the (?:answer|future).*)?(?: {_ADVERB}{_ASKED}.*)?{_END}",
    r"(?:nobody|no one|no-one|science) (?:has|have) (?:not )?(?:ever |yet )?(?:figured|found|solved"
    r"|determined|established|discovered|answered|identified|settled|explained|worked)\b",
    r"(?:nobody|no one|no-one) has (?:the|any|an) (?:answer|idea|clue)\b",
    rf"{_EXPERTS} {_ADVERB}(?:do not {_ADVERB}(?:know|agree)|disagree|differ"
    r"|are (?:still )?(?:not (?:sure|certain)|unsure|uncertain|divided))",
    rf"who (?:knows|can (?:say|tell|know)){_END}",
    rf"(?:{_SELF} )?(?:have |had )?(?:absolutely )?no (?:idea|clue)(?: {_ASKED}.*| about.*)?{_END}",
    rf"{_SELF} {_ADVERB}(?:do not {_ADVERB}(?:have|possess)|have not|have no|lack|have got no"
    rf"|have insufficient|have too little)\b"
    rf".*\b{_HAVING}\b",
    rf"{_SELF} have (?:got )?nothing (?:on|about|for)\b",
    rf"{_SELF} (?:can |could )?(?:see|find|found|have found) no (?:\w+ )?"
    rf"(?:mention|reference|{_HAVING})\b",
    rf"{_SELF} do not see (?:an?|any|the) (?:\w+ )?(?:mention|reference|{_HAVING})\b",
    rf"{_SELF} (?:have never|have not) {_ADVERB}(?:come across|encountered|read (?:about|of)"
    r"|heard (?:about|of))\b",
    rf"{_SELF} am {_ADVERB}unaware\b",
    rf"{_SELF} would be (?:lying|pretending)\b",
    rf"{_SELF} am not {_ADVERB}(?:at liberty|allowed|permitted|authori[sz]ed|prepared|willing)"
    r" to\b",
    r".+ (?:is|lies|falls) (?:outside|beyond) (?:of )?(?:my|what i|the scope)\b",
    r".+ (?:may|might|will|can) never be (?:known|determined|found|established|settled|solved)\b",
    rf"{_SELF} am (?:\w+ly )?(?:at a loss|clueless|stumped|in the dark)",
    r"(?:this|that) has (?:got )?me stumped|you(?: have)? got me\b",
    rf"{_SELF} (?:do not feel|am not) (?:\w+ )?(?:confident|comfortable|qualified)\b",
    r"not (?:a|the (?:faintest|slightest|foggiest)) (?:clue|idea)\b",
    r"you would (?:have|need) to (?:ask|consult|check with)\b",
    rf"{_SELF} (?:must |have to |will (?:have to )?|would )?(?:decline|refuse)"
    rf"(?:{_END}| to {_TELL}\b)",
    rf"{_SELF} have no (?:way|means|record)\b",
    rf"{_SELF} know nothing (?:about|of)\b",
    rf"(?:{_SELF} )?(?:give up|skip(?: this(?: one)?)?){_END}",
    rf"{_SELF} choose not to\b",
    rf"{_SELF} am not going to {_TELL}\b",
    rf"{_SELF} (?:can|could|would) only (?:speculate|guess)",
    rf"{_SELF} would not know\b",
    r"how (?:should|would|could) i know$",
    rf"{_SELF} am drawing a blank",
    rf"{_SELF} am not in a position to",
    rf"{_SELF}(?: am going to| will)?(?: have to)? pass(?: on (?:this|that)\b.*)?{_END}",
    rf"{_SELF} have not (?:got )?(?:a|any|the (?:faintest|slightest|foggiest))"
    r" (?:clue|idea|notion)\b",
    rf"{_SELF} am not {_ADVERB}(?:aware|familiar)\b",
    rf"{_SELF} have never heard of\b",
    rf"{_SELF} {_ADVERB}(?:do|can|could) not {_ADVERB}(?:recall|remember)\b",
    rf"{_SELF} would (?:need|have) to (?:look|check|search|see|read|consult)\b",
    r".+ (?:do|does) not (?:allow|permit|enable|let) (?:us|me|one)\b",
    rf"nowhere in {_SOURCE}",
    rf"not known{_END}",
    rf"{_ASKED}.* (?:is|are|was|remains?) (?:still )?(?:unknown|unclear|uncertain){_END}",
    rf"{_SELF} (?:have )?(?:forgot|forgotten)(?! to)\b",
    rf"{_SELF} do not (?:think|believe)"
    r" (?:i |anyone |anybody |there is |it is (?:known|possible|mentioned|stated)|(?:that )?i )",
    rf"{_SELF} do not (?:think|believe) (?:that )?{_SOURCE} {_STATED}s?\b",
    rf"{_SELF} doubt (?:that )?(?:anyone|anybody|it is known|there is)\b",
    rf"{_SELF} wish {_SELF} knew",
    rf"{_SELF} have not been told",
    r"you (?:have not|did not|never)"
    r" (?:told|tell|mention|mentioned|said|say|provided?|given?|specif\w+)\b",
    r"(?:we|humanity) (?:may|might|will|can) never know",
    r"my (?:knowledge|training(?: data)?|memory|sources?|records?) (?:does|do) not\b",
    rf".+ is not (?:something|anything|a question) (?:that )?(?:(?:i|we)\b|{_SOURCE})",
    rf"(?:(?:that|this|it) )?is (?:something|one|a question|information) (?:that |which )?{_SELF}"
    r" (?:can|could|do|am) not\b",
    r"(?:i|we) (?:do|did) not understand\b",
    r"(?:i|we) am not (?:\w+ )?the right (?:one|person)",
    r"(?:that|this|it) is (?:outside|beyond) (?:of )?(?:my|the)\b",
    r"beats me\b",
    r"(?:your|my) guess is as good as",
    rf"it is (?:anyone|anybody|everyone)'s guess{_END}",
    # Not being able or willing to answer
    rf"(?:{_SELF} )?{_ADVERB}(?:can|could|may|did) not {_ADVERB}"
    rf"(?:{_TELL}|find|provide|give|offer|help|see|predict|assist|comment|access|locate|be sure"
    r"|begin to|make sense|hazard|discuss|share)\b",
    rf"{_SELF} can neither confirm nor deny",
    rf"(?:{_SELF} (?:am|was|were|are) )?(?:unable|not able)"
    rf" to (?:{_TELL}|find|provide|give|offer|help|assist|locate|access|recall|remember|see"
    r"|comment|predict|discuss|share)\b",
    rf"{_SELF} (?:would|prefer|will|do)(?: rather| prefer| want to| to)* not(?: want| like| wish)?"
    r"(?: to)? (?:guess|answer|say|speculate|comment)\b",
    rf"{_SELF} would (?:only|just|have to|need to|merely) (?:be )?guess",
    rf"{_SELF} would be (?:guessing|speculating)",
    r"any(?: \w+)? (?:answer|guess) would be\b",
    # What is asked about does not exist
    rf"(?:he|she|they|(?:that|this|the|such an?|any such) (?:\w+ )?{_ENTITY}\b[\w' ]*)"
    rf" (?:(?:do|does|did) not|never) {_ADVERB}exist(?:ed)?{_END}",
    rf"(?:there (?:is|are|was|were) )?no such {_ENTITY}{_EXISTS}{_END}",
    rf"there (?:is|was|has) (?:not|never)(?: been)? (?:such an?|any such) {_ENTITY}\b",
    rf"there (?:is|are|was|were) (?:no one|nobody|no {_ENTITY}) (?:called|named)\b",
    rf"(?:there (?:is|are|was|were) )?(?:no one|nobody|no {_ENTITY})"
    rf" (?:by|of|with|under) (?:that|this|such a) (?:name|title){_EXISTS}{_END}",
    # The answer is not there
    rf"{_SOURCE} (?:(?:does|do|did) not|never) {_ADVERB}{_STATED}",
    rf"(?:it|they|nothing) (?:do|does|did) not {_ADVERB}(?:say|mention|state|specify|tell|answer)"
    rf"(?: us| me)?(?: {_ASKED}.*| it| that| this)?{_END}",
    rf"nothing (?:is (?:said|mentioned|known|stated)|(?:in|on|from) {_SOURCE} {_STATED})",
    rf"there is nothing (?:in|on|from) {_SOURCE}\b",
    rf"{_SOURCE} (?:makes? no mention|(?:is|are) silent|leaves? (?:this|that|it) open)",
    rf"(?!(?:i|we|he|she|they|you)\b).+ (?:is|are|was|were) not (?:anywhere )?in {_SOURCE}",
    rf"(?!(?:i|we|he|she|they|you)\b).+ (?:is|are|was|were) not (?:\w+ly )?{_NOT_HERE}"
    rf" (?:by|in|within|from) {_SOURCE}",
    rf".+ (?:do|does|did) not appear (?:anywhere )?(?:in|on) {_SOURCE}",
    rf"not in {_SOURCE}{_END}",
    rf"{_SOURCE} (?:lacks?|omits?|fails? to|leaves? out)\b",
    rf"{_SOURCE} {_STATED}s? nothing\b",
    rf"(?:\w+ ){{0,2}}{_HAVING} not {_NOT_STATED}{_END}",
    rf"{_SOURCE} (?:is|are) (?:unclear|vague|ambiguous|not clear)\b",
    rf"{_SOURCE} (?:only|just|merely) {_STATED}s?\b.*, not (?:the|his|her|its|their|{_ASKED})",
    r"no (?:\w+ )?(?:answer|conclusion|figure|date|name) (?:can|could) be\b",
    rf"no (?:\w+ )?(?:answer|figure|date|name|mention|reference) (?:is|was|has been) {_NOT_STATED}",
    r"no (?:mention|indication) of\b",
    r".+ (?:is|are|was|were|have been|has been) lost to (?:history|time|us)",
    r"(?:that|this|it|(?:the|his|her|its|their) .+) (?:is|remains?) (?:(?:still|highly|much|hotly"
    r"|very much) )*(?:an open question|(?:a matter|the subject) of debate|disputed|debated"
    r"|contested|unresolved|unsettled|undetermined|unclear)",
    r"no records? of .* (?:exists?|survives?|remains?|was (?:kept|found))",
    rf".+ (?:is|remains?)(?: still)? a (?:\w+ )?mystery{_END}",
    rf"{_SOURCE} (?:gives?|provides?|contains?|has|have|offers?|includes?) (?:no|insufficient)\b",
    rf"(?:none of|neither|no) {_SOURCE} {_STATED}s?",
    rf"{_SOURCE} (?:is|are) (?:insufficient|not (?:sufficient|enough))",
    rf"(?:not|nowhere) {_NOT_STATED}(?: (?:in|by|anywhere|here)\b.*)?{_END}",
    rf"(?!(?:i|we|he|she|they|you)\b).+ (?:is|are|was|were) (?:not|never|nowhere) (?:\w+ly )?"
    rf"{_NOT_STATED}\b(?! (?:until|before|after|again|for)\b)",
    r"but not (?:where|who|when|what|how|why|which)\b",
    r"(?:it|that|this|(?:the|his|her|its|their|no)\b.+)"
    r" (?:is|are|was|were) not (?:(?:definitively|certainly|precisely|exactly|publicly|yet) )*"
    r"known(?! (?:for|as|to many)\b)",
    rf"(?:(?:it|that|this|(?:the|his|her|its|their|an?)\b.+) "
    rf"(?:is|are|was|were|remains?)(?: still| currently| largely)* )?unknown"
    rf"(?: (?:{_ASKED}.*|to (?:me|us|science)|from\b.*|at this time|at present|today"
    rf"|to this day))?{_END}",
    rf"(?!(?:i|we|he|she|they|you)\b).+ (?:has|have) (?:never|not)(?: yet)? been (?:\w+ly )?"
    rf"(?:{_NOT_STATED}|known|solved|identified|proven|decided|announced|released|published)\b",
    r"(?:it|this|that|the answer|(?:the|this|that) question|(?:the|his|her|its|their)\b.+)"
    r" can not be (?:\w+ly )?(?:determined|answered|known|verified|said|found|established|inferred"
    r"|confirmed|deduced|identified|ascertained|concluded|derived|predicted)",
    r"can not be (?:determined|answered|known|verified|established|inferred|confirmed|deduced)",
    r"(?:it|this|that|(?:the|this|that) question) (?:is|has) (?:unanswerable|no (?:known )?answer)",
    r"(?:the|this|that|your) question (?:makes no sense|does not make sense|is too \w+)",
    rf"unanswerable{_END}",
    rf"there (?:is|are|was|were) {_ADVERB}(?:no|not enough|not any|not sufficient|insufficient"
    r"|too little)(?: \w+)? (?:information|info|answers?|consensus|records?|data|mention|context"
    r"|details?|agreement|indication|evidence|proof|trace)\b",
    r"(?:there is )?(?:not enough|insufficient|too little) evidence (?:to|for)\b",
    rf"(?:evidence|information|data) (?:is|are) (?:lacking|missing|scarce){_END}",
    r"there is no (?:(?:good|sure|certain|reliable) )?way (?:for \w+ )?(?:to|of)"
    rf" (?:{_TELL}|knowing|telling|saying|be)",
    r"(?:it|that|this) would be (?:pure |mere )?(?:speculation|guesswork|a guess|guessing)",
    rf"(?:(?:it|that|this) (?:is|would be) )?(?:very |almost |nearly |quite |too )?"
    rf"(?:impossible|hard|difficult|not possible|early) to {_TELL}"
    rf"(?:{_END}| (?:for (?:sure|certain)|without|with|exactly|from|given|the|this|that|{_ASKED}))",
    r"(?:(?:it|that|this|the (?:answer|text|passage|question)) is )?"
    r"(?:unclear|not clear|uncertain)"
    rf"(?:{_END}| (?:from|in|to me|{_ASKED}))",
    r"(?:insufficient|not enough|no|not sufficient)"
    r" (?:further |relevant )?(?:information|context|data|details?)"
    rf"(?:{_END}| (?:about|on|regarding|concerning|to|in|from|for|here)\b"
    rf"| (?:(?:is|are|was|were|has been|can be|could be) )?{_NOT_STATED})",
    rf"(?:n/?a|no answer|none given|no comment|pass|not applicable){_END}",
]
_DOUBTS = [
    rf"{_SELF} am {_ADVERB}(?:unsure|uncertain)\b",
    rf"(?:unsure|uncertain)(?:{_END}| (?:{_ASKED}|about\b))",
    rf"(?:{_SELF} )?(?:would )?(?:need|require) {_MORE}",
    rf"{_MORE} (?:is|are|would be) (?:needed|required)",
    rf"(?:this|that|it) is (?:unclear|not clear|uncertain){_END}",
    rf"(?:{_SELF} (?:am|are|was) )?{_ADVERB}not (?:(?:\w+ly|100%|quite|so|too|very|all that) )*"
    r"(?:sure|certain)\b",
    rf"{_SELF} (?:can|could) not (?:say|tell|know|be) (?:it )?(?:for )?(?:sure|certain)",
    rf"{_SELF} do not know (?:it )?for (?:sure|certain)",
]
_IDLE = [
    r"",
    r"(?:so )?(?:sorry|honestly|frankly|thanks|thank you|hello|hi|hmm+|well|apologies"
    r"|(?:that is )?(?:a )?(?:very |really )?"
    r"(?:good|great|interesting|hard|tough|difficult) (?:question|one))",
    r"(?:that is )?something\b.*",
    r"(?:so |and )?(?:please|you (?:should|may|might|could|can|will|would)|try|check|ask|consult"
    r"|see|contact|feel free|let me know|could you|can you|would you"
    r"|maybe (?:ask|try|check|you))\b.*",
    r"(?:i|we) (?:can|could|would|will|am happy to|suggest|recommend|encourage|hope|apologi[sz]e)"
    r" (?!say|guess|bet|go|pick|tell|answer|think)\b.*",
    r"(?:an?|the|your) .*\b(?:(?:may|might|could|can|should|would) (?:be able to )?"
    r"(?:help|know|tell|answer|have))\b.*",
    r"if you\b.*",
    rf"{_SOURCE} (?:is|are) (?:only |just |all )?about .*",
]
_OPENERS = (
    r"(?:(?:(?:so |very )?sorry|unfortunately|sadly|regrettably|alas|hmm+|well|oh|um+|uh+|ok(?:ay)?"
    r"|honestly|frankly|to be honest|i apologi[sz]e|apologies|good question|in truth"
    r"|(?:sorry )?about (?:that|this)"
    r"|i (?:must|have to|should|will) (?:admit|say|confess)(?: that)?"
    rf"|without (?:any )?{_MORE}"
    r"|(?:as far as|from what) (?:i|we) (?:know|can tell)|to (?:my|our) knowledge"
    r"|as of (?:my|the) last \w+"
    r"|i am (?:so |very |really )?(?:sorry|afraid)(?: to say)?(?: that)?"
    r"|as an? (?:\w+ ){0,3}model|as an ai(?: assistant)?"
    r"|(?:based on|according to|from|given|in) (?:the|this|these) (?:\w+ )?(?:passages?|texts?"
    r"|contexts?|documents?|information)|afraid|and|but|so|however|because|since|still|yet|though|although)\b"
    r"[\s,!.:-]*)+"
)

_CONTRACTIONS = (
    (r"\b(?:can't|cannot|cant)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\b(do|does|did)nt\b", r"\1 not"),
    (r"n't\b", " not"),
    (r"\b(i)'?m\b", r"\1 am"),
    (r"\b(it|that|there|he|she|what|who)'s\b", r"\1 is"),
    (r"\b(i|we|you|they)'ve\b", r"\1 have"),
    (r"\b(i|we|you|they)'re\b", r"\1 are"),
    (r"\b(i|we|you|he|she|they|it)'d\b", r"\1 would"),
    (r"\b(i|we|you|it|he|she|they)'ll\b", r"\1 will"),
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
_CUT = re.compile(
    r"[.!?;:]+(?=\s|$)|\s+[-–—]+\s+"
    r"|,?\s+(?=(?:but|however|though|although)\b)"
    r"|,?\s+and\s+(?=(?:nobody|no one|i|we|it|that|this) )"
    r"|,\s+(?=(?:so|and|it|he|she|they|the|i|we|that|this|these|you|please|my|maybe|perhaps|probably"
    r"|possibly|likely|sorry|yet|honestly|frankly)\b)"
)

MAX_LENGTH = 2_000
"""Characters; a longer text is no short answer, whatever it says."""

_CONTEXT = 2
"""Statements that may lead up to an abstention; a longer text has said something."""


def is_abstention(text: str) -> bool:
    """Whether an answer declines, in English, German, Spanish, French or Chinese."""
    if len(text) > MAX_LENGTH:
        return False
    return _abstains_in_english(text) or abstains_abroad(text)


def _abstains_in_english(text: str) -> bool:
    clauses = [_classify(clause) for clause in _split_clauses(text)]
    kinds = [kind for kind in clauses if kind != "idle"]
    if not kinds or kinds[-1] == "statement":
        return False
    most = _CONTEXT if "abstention" in kinds else 0
    return kinds.count("statement") <= most


def _classify(clause: str) -> str:
    if _COMPARISON.search(clause):  # "I could not find a better one than Ada"
        return "statement"
    if _DOUBT.match(clause):
        return "doubt"
    if _ABSTENTION.match(clause):
        return "abstention"
    return "idle" if _IDLE_CLAUSE.fullmatch(clause) else "statement"


def _split_clauses(text: str) -> list[str]:
    plain = " ".join(text.replace("’", "'").split())
    plain = (_QUOTED.sub("", plain).strip(" .,!?") and _QUOTED.sub("it", plain)) or plain
    plain = plain.casefold().strip("\"'“”")
    for short, long in _CONTRACTIONS:
        plain = re.sub(short, long, plain)
    return [_OPENER.sub("", clause.strip(" ,\"'*_()")).strip(" ,") for clause in _CUT.split(plain)]


def _compile_any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_DOUBT, _ABSTENTION, _IDLE_CLAUSE = (
    _compile_any(_DOUBTS),
    _compile_any(_ABSTAINS),
    _compile_any(_IDLE),
)
_OPENER = re.compile(f"^{_OPENERS}")
_COMPARISON = re.compile(r"\b(?:better|more \w+|(?!other|never)\w+er)\b.*\bthan\b")
