"""The findings of one measurement of the claims."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from whatworks_claims.claim import Claim
from whatworks_claims.evidence import ClaimFinding
from whatworks_claims.run_studies import Request


@dataclass(frozen=True)
class Report:
    """Everything the page and the table show."""

    request: Request
    claims: tuple[Claim, ...]
    findings: tuple[ClaimFinding, ...]
    folders: dict[str, Path]
    announced: float
    seconds: float
