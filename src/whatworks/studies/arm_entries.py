"""Arms as a study file writes them, and those of a learning curve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatworks.base.errors import InputError
from whatworks.base.validation import explain
from whatworks.methods.registry import Chain, build_chain
from whatworks.methods.settings_search import MOST_TRIALS
from whatworks.studies.decoding_section import DecodingSection


class Arm(BaseModel):
    """A named chain of a study.

    Attributes:
        name: Unique within the study.
        chain: Its methods.
        rows: Train rows that it is given; all by default. The rows of a smaller number are among
            those of a larger one, for the same seed.
        decoding: What stands over the study's decoding.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    chain: Chain
    rows: int | None = None
    decoding: DecodingSection | None = None

    def located(self, root: Path) -> Arm:
        """The arm with the files that its settings name, relative to ``root``.

        Raises:
            InputError: If one cannot be read.
        """
        try:
            return self.model_copy(update={"chain": self.chain.located(root)})
        except InputError as error:
            place = f"arm {self.name!r}" + (f", {error.place}" if error.place else "")
            raise InputError(error.cause, place=place, remedy=error.remedy) from error


class CurveSection(BaseModel):
    """How much data an arm needs: the arm at so many train rows, against the best k-shot.

    Attributes:
        arm: Written as in ``arms``.
        rows: Numbers of train rows, or ``all``, which is the arm as it stands: where the study has
            it anyway, it is not run twice.
        shots: The k of the few-shot arms that are added. Those that the study has anyway (few-shot,
            knn) count too; dev decides which is the best.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: str | dict[str, Any] = "sft"
    rows: tuple[Annotated[int, Field(ge=1)] | Literal["all"], ...] = (10, 50, 200, 500, "all")
    shots: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8)

    @property
    def arms(self) -> list[Arm]:
        """The arm at each number of rows."""
        arm = read_arm(self.arm)
        return [
            arm if n == "all" else arm.model_copy(update={"name": f"{arm.name}@{n}", "rows": n})
            for n in dict.fromkeys(self.rows)
        ]

    @property
    def arm_name(self) -> str:
        """Name of the arm whatever its number of rows."""
        return read_arm(self.arm).name

    @property
    def demonstrations(self) -> list[Arm]:
        """The few-shot arms that are added."""
        return [
            Arm(name=f"few-shot@{k}", chain=build_chain("few-shot", {"few-shot": {"k": k}}))
            for k in dict.fromkeys(self.shots)
        ]


def read_arm(entry: str | dict[str, Any]) -> Arm:
    """An arm as a study file writes it.

    ``rag+sft``; ``{few-shot: {k: 8}}``; or, with settings for several steps, a name of its own,
    fewer train rows or another decoding, ``{arm: rag+sft, name: small, rows: 50, rag: {k: 5}, sft:
    {epochs: 5}, decoding: {constraint: auto}}``.

    Raises:
        InputError: If its method, or one of its settings, is unknown or unfit.
    """
    if isinstance(entry, str):
        return Arm(name=entry, chain=build_chain(entry))
    fields = dict(entry)
    if "arm" not in fields:
        if len(fields) != 1:
            raise InputError(
                f"an arm with keys {', '.join(fields)} does not say which chain it is",
                remedy="write {arm: rag+sft, name: ..., rag: {...}, sft: {...}}",
            )
        spec, settings = next(iter(fields.items()))
        nested = settings if "+" in spec else {spec: settings}
        return Arm(name=spec, chain=build_chain(spec, _read_mappings(spec, nested)))
    spec = str(fields.pop("arm"))
    name = str(fields.pop("name", spec))
    rows = _take_number(fields, "rows", spec)
    trials = _take_number(fields, "trials", spec) or MOST_TRIALS
    decoding = _read_decoding(fields.pop("decoding", None), spec)
    steps = build_chain(spec, _read_mappings(spec, fields), trials)
    return Arm(name=name, chain=steps, rows=rows, decoding=decoding)


def _read_decoding(given: Any, spec: str) -> DecodingSection | None:
    try:
        return None if given is None else DecodingSection.model_validate(given)
    except ValidationError as error:
        remedy = f"known: {', '.join(DecodingSection.model_fields)}"
        of, place = "the decoding of the arm", f"arm {spec!r}"
        raise explain(error, DecodingSection, of=of, place=place, remedy=remedy) from error


def _take_number(fields: dict[str, Any], name: str, spec: str) -> int | None:
    """Take a number of 1 or more out of an arm's keys, None where it is not given."""
    value = fields.pop(name, None)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise InputError(
        f"{name} is {value!r}", place=f"arm {spec!r}", remedy=f"give 1 or more: {{{name}: 8}}"
    )


def _read_mappings(spec: str, settings: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(settings, dict) or any(
        value is not None and not isinstance(value, dict) for value in settings.values()
    ):
        raise InputError(
            "settings are a mapping", place=f"arm {spec!r}", remedy="{few-shot: {k: 8}}"
        )
    return {str(name): dict(value or {}) for name, value in settings.items()}
