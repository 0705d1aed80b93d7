"""Personal data in imported calls: e-mail addresses, telephone numbers, accounts, cards, ids.

The recognisers of Microsoft's presidio that go by pattern, checksum or numbering plan (extra
``personal``); those that need a language model of spaCy's are not used, since such models would be
downloaded: names and places of people are not found. Each recogniser is shown bounded pieces of a
text, so that none takes longer than the text is long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data.contents import Data
from whatworks.data.task import Example

KINDS = {
    "EMAIL_ADDRESS": "e-mail address",
    "PHONE_NUMBER": "telephone number",
    "IBAN_CODE": "bank account",
    "CREDIT_CARD": "payment card",
    "IP_ADDRESS": "IP address",
    "MAC_ADDRESS": "MAC address",
    "CRYPTO": "wallet",
    "US_SSN": "social security number",
    "UK_NINO": "social security number",
    "ES_NIF": "tax number",
    "IT_FISCAL_CODE": "tax number",
    "FI_PERSONAL_IDENTITY_CODE": "identity number",
}
"""What is looked for: presidio's name, and ours."""

_SURE = 0.3
"""Presidio's score from which a match counts: of what a checksum or numbering plan confirms, or
what has a shape of its own. Below are runs of digits that only the words around them could tell."""
_PIECE, _OVERLAP = 2000, 200

Found = tuple[int, int, str]
"""Begin, end and kind of one place in a text."""


class Redactor:
    """Replaces personal data by its kind; equal values of one example by the same words."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self._hidden: dict[str, str] = {}

    def redact(self, example: Example) -> Example:
        """The example without personal data, in its input, its answer and its meta."""
        self._names.clear()
        self._numbers.clear()
        return example.replace(
            id=self._hide(example.id) or "",
            group=self._hide(example.group),
            inputs={name: self._clean(text) for name, text in example.inputs.items()},
            messages=tuple(m.replace(content=self._clean(m.content)) for m in example.messages),
            target=self._clean(example.target),
            meta=self._clean_value(dict(example.meta)),
        )

    def _clean(self, text: str) -> str:
        parts: list[str] = []
        begin = 0
        for start, end, kind in find_personal(text):
            parts += [text[begin:start], self._name(kind, text[start:end])]
            self.counts[kind] += 1
            begin = end
        return "".join([*parts, text[begin:]])

    def _name(self, kind: str, value: str) -> str:
        """``<e-mail address>``, of a second one in the same example ``<e-mail address 2>``."""
        key = (kind, "".join(value.split()).casefold())
        if key not in self._names:
            self._numbers[kind] += 1
            number = self._numbers[kind]
            self._names[key] = f"<{kind}>" if number == 1 else f"<{kind} {number}>"
        return self._names[key]

    def _clean_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._clean(value)
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return {self._clean(str(key)): self._clean_value(one) for key, one in items}
        if isinstance(value, list | tuple):
            return [self._clean_value(one) for one in cast("list[Any]", value)]
        return value

    def _hide(self, name: str | None) -> str | None:
        """An id or a group by its number, where it holds personal data: equal ones stay equal."""
        if name is None or not find_personal(name):
            return name
        return self._hidden.setdefault(name, f"hidden-{len(self._hidden) + 1}")


def redact_personal(data: Data) -> Data:
    """The calls with personal data replaced by its kind; a note counts it.

    Raises:
        InputError: If presidio is not installed.
    """
    redactor = Redactor()
    examples = tuple(map(redactor.redact, data.examples))
    return _note(data, examples, redactor.counts, "personal data replaced by its kind")


def drop_personal(data: Data) -> Data:
    """The calls without personal data; a note counts those dropped, by the kinds that they hold.

    Raises:
        InputError: If presidio is not installed.
    """
    kinds: Counter[str] = Counter()
    kept: list[Example] = []
    for example in data.examples:
        redactor = Redactor()
        redactor.redact(example)
        kinds.update(redactor.counts.keys())
        if not redactor.counts:
            kept.append(example)
    dropped = len(data.examples) - len(kept)
    return _note(data, tuple(kept), kinds, f"{dropped} calls hold personal data: dropped")


TREATMENTS: Mapping[str, Callable[[Data], Data]] = {
    "redact": redact_personal,
    "drop": drop_personal,
}


def find_personal(text: str) -> list[Found]:
    """Where a text holds personal data, in order, no two overlapping; of two, the longer.

    Raises:
        InputError: If presidio is not installed.
    """
    finds: list[Found] = []
    for offset, piece in _split_pieces(text):
        for recogniser in _load_recognisers():
            for match in recogniser.analyze(piece, recogniser.supported_entities, None) or ():
                if match.score >= _SURE:
                    kind = KINDS[match.entity_type]
                    finds.append((offset + match.start, offset + match.end, kind))
    finds.sort(key=lambda one: (one[0] - one[1], one[0]))
    apart: list[Found] = []
    for start, end, kind in finds:
        if all(end <= other[0] or start >= other[1] for other in apart):
            apart.append((start, end, kind))
    return sorted(apart)


def _split_pieces(text: str) -> Iterator[tuple[int, str]]:
    """Pieces with their places; what stands at a seam is whole in one of them."""
    for start in range(0, max(1, len(text) - _OVERLAP), _PIECE - _OVERLAP):
        yield start, text[start : start + _PIECE]


def _note(data: Data, examples: tuple[Example, ...], kinds: Counter[str], what: str) -> Data:
    if not kinds:
        return replace(data, examples=examples)
    counted = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    return replace(data, examples=examples, notes=(*data.notes, f"{what}; {counted}"))


@lru_cache(maxsize=1)
def _load_recognisers() -> tuple[Any, ...]:
    try:
        import presidio_analyzer.predefined_recognizers as found  # pyright: ignore
    except ImportError as error:
        raise InputError(
            f"finding personal data needs the package presidio-analyzer ({error.name})",
            remedy="pip install 'whatworks[personal]'",
        ) from error
    known: Any = found
    email = known.EmailRecognizer()
    # By their shape alone: presidio would look their domains up in a list from the net, and an
    # address within a company, of no public domain, is one too.
    email.validate_result = _give_no_verdict
    return (
        email,
        known.PhoneRecognizer(),
        known.IbanRecognizer(),
        known.CreditCardRecognizer(),
        known.IpRecognizer(),
        known.MacAddressRecognizer(),
        known.CryptoRecognizer(),
        known.UsSsnRecognizer(),
        known.UkNinoRecognizer(),
        known.EsNifRecognizer(),
        known.ItFiscalCodeRecognizer(),
        known.FiPersonalIdentityCodeRecognizer(),
    )


def _give_no_verdict(text: str) -> None:
    del text
