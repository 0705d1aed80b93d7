"""Shapes of strings that must not end up in a model: keys, tokens, passwords.

The rules of detect-secrets, where it is installed (extra ``import``), beside our own, which know
shapes that it does not. Its rules by entropy and by the word ``secret`` are left out: they take
ordinary talk. A pattern only says that a shape is there and need not match to its end: each takes
bounded time from where it begins, and detect-secrets is shown bounded pieces of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

SECRETS: dict[str, re.Pattern[str]] = {
    "API key": re.compile(
        r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|lf|or)?[-_]?[A-Za-z0-9_-]{20}"
        r"|\bAIza[A-Za-z0-9_-]{35}|\bhf_[A-Za-z0-9]{30}|\blsv2_[a-z]{2}_[A-Za-z0-9_]{30}"
        r"|\bgsk_[A-Za-z0-9]{40}|\bxai-[A-Za-z0-9]{40}|\bSG\.[\w-]{16,64}\.[\w-]{20}"
        r"|\bpat-(?:na|eu|ap)\d-[0-9a-f]{8}-[0-9a-f]{4}|\bdo[opr]_v1_[0-9a-f]{60}"
    ),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "Azure account key": re.compile(r"(?i)\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40}"),
    "GitHub or GitLab token": re.compile(
        r"\bgh[pousr]_[A-Za-z0-9]{30}|\bgithub_pat_\w{30}|\bglpat-[\w-]{20}"
    ),
    "npm or PyPI token": re.compile(r"\bnpm_[A-Za-z0-9]{30}|\bpypi-[A-Za-z0-9_-]{50}"),
    "Slack token or hook": re.compile(
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10}|\bhooks\.slack\.com/[a-z]{4,12}/[A-Za-z0-9/]{20}"
    ),
    "Telegram token": re.compile(r"(?<!\d)\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    "private key": re.compile(r"-----BEGIN (?:[A-Z]{1,20} ){0,4}PRIVATE KEY-----"),
    "web token": re.compile(r"\beyJ[\w-]{10,2000}+\.[\w-]{10,4000}+\.[\w-]{5}"),
    "bearer token": re.compile(r"\b[Bb]earer\s{1,4}[A-Za-z0-9._~+/-]{20}"),
    "basic authorization": re.compile(
        r"(?i)\bauthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?basic\s{1,4}[A-Za-z0-9+/]{8}"
    ),
    "signed address": re.compile(
        r"(?i)[?&](?:x-amz-signature|x-goog-signature|x-amz-security-token|signature|sig)="
        r"[A-Za-z0-9%+/_-]{16}"
    ),
    "password in an address": re.compile(
        r"\b[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{1,100}:[^\s:/@]{3,200}@"
        # user:pass@host alone; not mailto:name@host or "E-mail:name@host".
        r"|(?<![\w./:@-])(?!(?i:mailto|e-?mail|mail|to|cc|bcc|from|reply-to|contact|sip|acct|name):)"
        r"[A-Za-z0-9_][\w.-]{1,40}:[^\s:/@\"',]{4,100}@[A-Za-z0-9][\w.-]"
    ),
    "password in a sentence": re.compile(
        r"(?i)\b(?:password|passwd|passcode|passphrase|pwd)\s{1,4}(?:is|was|=)\s{0,4}:?\s{0,4}"
        r"[\"'`]?(?=[^\s\"'`,;]{0,60}[0-9])[^\s\"'`,;]{6}"
    ),
    "password or key in a setting": re.compile(
        # DB_PASSWORD=..., "clientSecret": "...", AWS_SECRET_ACCESS_KEY=...; not a date beside it.
        r"(?i)(?:(?<![a-z0-9])|(?-i:(?<=[a-z])(?=[A-Z])))"
        r"(?:password|passwd|secret|api[_-]?key|(?:access|auth|api|refresh)[_-]?token)"
        r"\d{0,4}(?:[_-][\w-]{0,60})?[\"']?\s{0,8}[:=]\s{0,8}"
        r"[\"']?(?!\d{4}-\d\d-\d\d)(?=\S{0,200}[0-9])[^\s\"',;]{8}"
    ),
}
"""Our own rules, by kind."""

_NOISY = ("Entropy", "Keyword", "PublicIP", "IPPublic")
_PIECE, _OVERLAP = 1000, 200


def find_kind(text: str) -> str:
    """The kind of the first secret that a text seems to hold, "" if none."""
    for kind, shape in SECRETS.items():
        if shape.search(text):
            return kind
    for piece in _split_pieces(text):
        for detector in _load_detectors():
            if next(iter(detector.analyze_string(piece)), None) is not None:
                return str(detector.secret_type)
    return ""


def _split_pieces(text: str) -> Iterator[str]:
    for line in text.splitlines():
        for start in range(0, max(1, len(line) - _OVERLAP), _PIECE - _OVERLAP):
            yield line[start : start + _PIECE]


@lru_cache(maxsize=1)
def _load_detectors() -> tuple[Any, ...]:
    """The detectors of detect-secrets that go by shape; none where it is not installed."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError:
        return ()
    kinds: Any = get_mapping_from_secret_type_to_class().values()
    return tuple(kind() for kind in kinds if not any(word in kind.__name__ for word in _NOISY))
