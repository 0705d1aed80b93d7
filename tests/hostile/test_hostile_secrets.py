"""The scan for secrets on texts that one sign fills, and without the scanner of others."""

from __future__ import annotations

import time

import pytest

from whatworks.data.logs import secret_shapes
from whatworks.data.logs.secret_shapes import SECRETS, find_kind


@pytest.mark.parametrize(
    "part",
    [
        ".", "a", "-", "/", "=", "x:", "A1", "eyJ", "eyJ-", "a-", "a.", "_a", "password", "token=",
        "a:b@", "https://", "Basic ", "1:", "SG.", "sk-", "password is ", " ", "authorization:",
    ],
)  # fmt: skip
def test_one_sign_without_end(part: str) -> None:
    begun = time.process_time()
    find_kind(part * (40_000 // len(part)))
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        ("npm" + "_a1B2" * 9, ""), ("npm" + "_" + "a1B2" * 9, "npm or PyPI token"),
        ("gsk" + "_" + "a1B2c3" * 8, "API key"), ("xai" + "-" + "a1B2c3D4" * 10, "API key"),
        ("SG" + "." + "a1" * 11 + "." + "b" * 43, "API key"),
        ("dop" + "_v1_" + "a1" * 32, "API key"),
        ("12345678" + ":AAF" + "a1" * 16, "Telegram token"),
        ("hooks.slack" + ".com/services/T0000000/B0000000/XXXXXXXX", "Slack token or hook"),
        ("Account" + "Key=" + "a1" * 43 + "==", "Azure account key"),
        ("Authorization: Ba" + "sic dXNlcjpwYXNz", "basic authorization"),
        ("/k?X-Amz-" + "Signature=" + "a1" * 32, "signed address"),
        ("pass" + "word is hunter2go", "password in a sentence"),
        ("user:" + "pass@host", "password in an address"),
    ],
)  # fmt: skip
def test_our_own_rules_stand_alone(monkeypatch: pytest.MonkeyPatch, secret: str, kind: str) -> None:
    monkeypatch.setattr(secret_shapes, "_load_detectors", tuple)
    assert find_kind(f"Use {secret} now") == kind
    assert not kind or kind in SECRETS


def test_what_only_the_scanner_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a1" * 16 + "-" + "us5"  # Mailchimp
    assert find_kind(f"first line\nkey {key}") == "Mailchimp Access Key"
    padded = "word " * 400 + key + " word" * 400
    assert find_kind(padded) == "Mailchimp Access Key"
    monkeypatch.setattr(secret_shapes, "_load_detectors", tuple)
    assert find_kind(padded) == ""
