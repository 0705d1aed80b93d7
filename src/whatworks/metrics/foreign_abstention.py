"""Does an answer abstain? Rules for German, Spanish, French and Chinese.

They are narrower than those for English (``metrics.abstention``): the text is cut into sentences,
one of them has to be an abstention from its beginning to its end, and the others may only be
courtesies. Whatever else is said makes it an answer. So an abstention rate measured in these
languages is rather too low than too high.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Rules:
    """What whole sentences say that they abstain, what says nothing, and how the latter begin."""

    abstains: tuple[str, ...]
    idle: tuple[str, ...]
    openers: str

    def compile(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """The three as expressions."""
        abstains, idle = ("|".join(f"(?:{one})" for one in some)
                          for some in (self.abstains, self.idle))  # fmt: skip
        return re.compile(abstains), re.compile(idle), re.compile(f"^(?:{self.openers})[,: ]*")


_ASKED_DE = r"(?:,? (?:wer|wen|wem|wessen|was|wann|wo|wie|ob|welche\w*|warum|wohin|woher)\b[^,]*)?"
_TEXT_DE = (
    r"(?:in |im |aus |laut )?(?:(?:de[rmn]|die|das|diese[mnrs]?|den) )?(?:\w+ )?"
    r"(?:texte?n?|kontext|passagen?|dokumente?n?|abschnitte?n?|quellen?|artikeln?|unterlagen|auszug)"
)
_GERMAN = _Rules(
    (
        rf"(?:das |es )?wei(?:ß|ss) ich (?:leider |auch )*nicht{_ASKED_DE}",
        rf"ich wei(?:ß|ss) (?:es |das |die antwort |darauf )?(?:leider |wirklich |auch )*nicht"
        rf"{_ASKED_DE}",
        r"ich wei(?:ß|ss) (?:darauf |dazu )?keine antwort",
        rf"ich kann (?:das |es |dazu |darauf |die frage |diese frage |ihnen |dir )*(?:leider )?"
        rf"(?:nicht|nichts|keine) (?:\w+ )?(?:beantworten|sagen|geben|angeben|helfen|finden"
        rf"|feststellen|antworten|machen|beurteilen){_ASKED_DE}",
        r"ich kann (?:das |die frage |diese frage )?anhand [^,.]*nicht beantworten",
        r"ich habe (?:dazu |darüber |hierzu |leider )*keine (?:informationen|ahnung|angaben|antwort"
        r"|daten|kenntnis)(?: (?:dazu|darüber|hierzu))?",
        r"(?:dazu|darüber|hierzu) (?:habe ich|gibt es|liegen mir|liegen) (?:leider )?"
        r"(?:keine|nichts)(?: \w+){0,3}",
        rf"{_TEXT_DE} [^,]*(?:nicht|keine[nr]?|nichts)(?: \w+){{0,4}}",
        rf"(?:das|es|dies|die antwort) (?:steht|wird|ist|geht) (?:leider )?(?:nicht )?{_TEXT_DE}"
        r" (?:leider )?nicht(?: \w+){0,2}",
        rf"(?:das|es|dies|die antwort) (?:steht|geht) (?:leider )?nicht {_TEXT_DE}(?: \w+)?",
        r"(?:(?:das|es) ist )?(?:mir )?(?:leider )?(?:nicht bekannt|unbekannt|nicht angegeben"
        r"|nicht genannt)" + _ASKED_DE,
        r"(?:ist|sind) mir (?:das |es )?(?:leider )?nicht bekannt",
        r"keine (?:ahnung|angabe|angaben|antwort|informationen)",
    ),
    (
        r"(?:es )?tut mir (?:sehr )?leid",
        r"(?:ich bitte um )?entschuldigung",
        r"leider",
        r"(?:bitte )?(?:geben|gib|nennen|nenne) (?:sie )?(?:mir )?mehr (?:informationen|kontext)",
        r"kann ich (?:sonst|dir|ihnen) [^.]*helfen",
    ),
    r"(?:es )?tut mir (?:sehr )?leid|leider|entschuldigung|(?:ich )?fürchte|nein",
)

_ASKED_ES = (
    r"(?: (?:quién|quien|qué|que|cuándo|cuando|dónde|donde|cómo|como|si|cuál|cual|por qué)\b[^,]*)?"
)
_TEXT_ES = (
    r"(?:en )?(?:el|la|los|las|este|esta|estos|estas) "
    r"(?:textos?|contexto|pasajes?|documentos?|fragmentos?|fuentes?|artículos?|información)"
    r"(?: (?:dad[oa]s?|proporcionad[oa]s?))?"
)
_SPANISH = _Rules(
    (
        rf"(?:yo )?no (?:lo )?sé{_ASKED_ES}",
        r"no (?:sé|conozco|tengo) la respuesta",
        rf"no (?:puedo|podría) (?:responder|contestar|decir(?:lo|te|le)?|saber(?:lo)?"
        rf"|ayudar(?:te|le)?|determinar(?:lo)?|encontrar(?:lo)?)(?: a)?"
        rf"(?: (?:esa|esta|la) pregunta| eso| con eso)?{_ASKED_ES}",
        r"no tengo (?:\w+ )?(?:información|datos|idea|detalles|acceso)(?: (?:sobre|de|a)\b[^,]*)?",
        r"no (?:hay|existe|dispongo de|se dispone de) (?:\w+ )?(?:información|datos|respuesta)"
        r"(?: [^,]*)?",
        rf"{_TEXT_ES} no (?:lo )?(?:menciona|dice|indica|especifica|aclara|contiene|da|incluye)n?"
        r"(?: [^,]*)?",
        rf"(?:eso |esto |la respuesta )?no (?:se|está|aparece|figura) (?:\w+ )?{_TEXT_ES}",
        rf"no (?:aparece|figura|se menciona|se indica|se dice) {_TEXT_ES}",
        r"(?:eso |esto )?(?:se desconoce|es desconocido|no se sabe)" + _ASKED_ES,
        r"ni idea|desconocido|sin información|no disponible|no especificado|no mencionado",
    ),
    (
        r"lo siento(?: mucho)?",
        r"(?:perdón|disculpa|disculpe|lamentablemente|por desgracia)",
        r"¿?(?:puedo|en qué puedo) ayudarte? [^.]*",
        r"(?:por favor,? )?(?:dame|deme|proporciona) más (?:información|contexto|detalles)",
    ),
    r"lo siento(?: mucho)?(?: pero)?|lamentablemente|por desgracia|perdón|disculpe?|me temo que|no",
)

_ASKED_FR = (
    r"(?: (?:qui|que|quand|où|comment|si|quel(?:le)?s?|pourquoi|combien)\b[^,]*| ce qu[ei'][^,]*)?"
)
_TEXT_FR = (
    r"(?:dans )?(?:le|la|les|ce|cet|cette|ces|l')\s?"
    r"(?:textes?|contexte|passages?|documents?|extraits?|sources?|articles?)"
    r"(?: (?:fourni|donné)e?s?)?"
)
_FRENCH = _Rules(
    (
        rf"je (?:ne )?(?:le )?sais pas{_ASKED_FR}",
        r"je (?:ne )?(?:connais|sais|trouve) pas la réponse",
        rf"je n(?:e |')?(?:peux|pourrais|suis) pas (?:en mesure de )?(?:y |le |vous |te )?"
        rf"(?:répondre|dire|savoir|aider|déterminer|trouver)(?: à (?:cette|la) question| cela)?"
        rf"{_ASKED_FR}",
        r"je n'ai (?:pas|aucune|aucun) (?:\w+ )?(?:d')?(?:informations?|idée|données?|réponse"
        r"|connaissance|détails?)(?: (?:sur|à|de|pour)\b[^,]*)?",
        r"il n'y a (?:pas|aucune) (?:\w+ )?(?:d')?(?:informations?|réponse|données?)(?: [^,]*)?",
        rf"{_TEXT_FR} n(?:e |')\s?(?:le |l')?(?:mentionn|di|indiqu|précis|contien|donn|fourni)\w*"
        r"(?: pas| rien| aucune?)(?: [^,]*)?",
        rf"(?:cela |ce |la réponse )?n(?:e |')(?:est|figure|se trouve|apparaît)(?: pas)?"
        rf"(?: mentionné| indiqué| précisé)?e? {_TEXT_FR}",
        r"(?:cela |c')?(?:est inconnu|n'est pas (?:connu|précisé|indiqué|mentionné))",
        r"on (?:ne|n') ?(?:le )?sait pas" + _ASKED_FR,
        r"aucune idée|inconnue?|non (?:précisé|mentionné|spécifié|disponible)e?|pas d'information",
    ),
    (
        r"(?:je suis )?(?:vraiment )?désolée?",
        r"(?:pardon|malheureusement|excusez-moi)",
        r"(?:merci de |veuillez )?(?:me )?(?:donne[rz]|fourni[rs]) plus "
        r"(?:d'informations|de contexte)",
        r"puis-je vous aider [^.]*",
    ),
    r"(?:je suis )?(?:vraiment )?désolée?(?: mais)?|malheureusement|pardon|hélas|non",
)

_CHINESE = _Rules(
    (
        r"(?:我|本人)?(?:真的|也|目前|暂时|现在)?(?:不|并不)(?:知道|清楚|了解|确定)(?:答案|这个问题的答案|这一点)?",
        r"(?:我|本人)?不(?:知道|清楚|确定)(?:谁|什么|哪|何时|怎么|为什么|是否|他|她|它|这)[^,，]*",
        r"(?:我)?(?:无法|不能|没法|没办法)(?:回答|确定|判断|告诉你|提供|得知|知道|找到|给出)[^,，]*",
        r"(?:我)?没有(?:足够的|相关的?|这方面的?|任何|更多)?(?:信息|资料|数据|答案)[^,，]*",
        r"(?:根据)?(?:上述|以上|给定的?|该|这段|所给|提供的)?(?:文中|文章|文本|段落|上下文|文档|资料|原文)(?:中|里)?"
        r"(?:并)?(?:没有|未)(?:提到|提及|说明|指出|给出|提供|包含|写)[^,，]*",
        r"(?:答案)?(?:未知|不详|不明|不得而知|未提及|未提供|无从得知)",
    ),
    (
        r"(?:很|非常|十分)?(?:抱歉|对不起|遗憾|不好意思)",
        r"请(?:提供|给我)更多(?:的)?(?:信息|资料|上下文)",
    ),
    r"(?:很|非常|十分)?(?:抱歉|对不起|遗憾|不好意思)|遗憾的是",
)

_LANGUAGES = tuple(rules.compile() for rules in (_GERMAN, _SPANISH, _FRENCH, _CHINESE))
_CUT = re.compile(r"[.!?;\n。！？；]+")
_EDGES = " \t,，:：\"'“”«»„‚‘’*_()（）¿¡"


def abstains_abroad(text: str) -> bool:
    """Whether a German, Spanish, French or Chinese answer declines to answer."""
    plain = " ".join(text.casefold().replace("’", "'").split())
    sentences = [one for part in _CUT.split(plain) if (one := part.strip(_EDGES))]
    return any(_abstains(sentences, *language) for language in _LANGUAGES)


def _abstains(
    sentences: list[str],
    abstention: re.Pattern[str],
    idle: re.Pattern[str],
    opener: re.Pattern[str],
) -> bool:
    found = False
    for sentence in sentences:
        bare = opener.sub("", sentence).strip(_EDGES)
        if abstention.fullmatch(sentence) or (bare and abstention.fullmatch(bare)):
            found = True
        elif bare and not idle.fullmatch(sentence) and not idle.fullmatch(bare):
            return False
    return found
