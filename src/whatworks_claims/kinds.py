"""Kinds of data and of arms that a claim asks for."""

from __future__ import annotations

from typing import Any, Literal

ArmEntry = str | dict[str, Any]


DataKind = Literal["generated", "real", "english"]
