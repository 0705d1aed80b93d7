"""Arms as a study file writes them, and those of a learning curve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.base.errors import InputError
from whatworks.base.validation import explain
from whatworks.methods.method import Method
from whatworks.methods.registry import Chain, build_chain, list_methods
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
        model: What it begins with in place of the study's model, as ``model`` of a study names it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    chain: Chain
    rows: int | None = None
    decoding: DecodingSection | None = None
    model: str | None = None

    def locate(self, root: Path) -> Arm:
        """The arm with the files that its settings name, relative to ``root``.

        Raises:
            InputError: If one cannot be read.
        """
        try:
            return self.model_copy(update={"chain": self.chain.locate(root)})
        except InputError as error:
            place = f"arm {self.name!r}" + (f", {error.place}" if error.place else "")
            raise InputError(error.cause, place=place, remedy=error.remedy) from error


class CurveSection(BaseModel):
    """How much data an arm needs: the arm at so many train rows, against the best k-shot.

    Attributes:
        arm: Written as in ``arms``.
        rows: Numbers of train rows, or ``all``, which is the arm as it stands: where the study has
            it anyway, it is not run twice.
        tokens: Instead of rows, most tokens of what a data step writes (``augment``), where the arm
            has one that takes them.
        shots: The k of the few-shot arms that are added. Those that the study has anyway (few-shot,
            knn) count too; dev decides which is the best.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: str | dict[str, Any] = "sft"
    rows: tuple[Annotated[int, Field(ge=1)] | Literal["all"], ...] = (10, 50, 200, 500, "all")
    tokens: tuple[Annotated[int, Field(ge=1)], ...] = ()
    shots: tuple[Annotated[int, Field(ge=1)], ...] = (1, 2, 4, 8)

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.tokens and "rows" in self.model_fields_set:
            raise ValueError("takes `rows` or `tokens`, not both")
        return self

    def list_arms(self, own: Mapping[str, type[Method]] | None = None) -> list[Arm]:
        """The arm at each number of rows, or of tokens.

        Args:
            own: Methods that only this study knows.

        Raises:
            InputError: If there are tokens, and no step of the arm writes so many.
        """
        arm = read_arm(self.arm, own)
        if self.tokens:
            return [
                arm.model_copy(update={"name": name, "chain": _write_at_most(arm, n)})
                for name, n in self.sizes.items()
            ]
        rows = (None if n == "all" else n for n in dict.fromkeys(self.rows))
        return [
            arm if n is None else arm.model_copy(update={"name": name, "rows": n})
            for name, n in zip(self.names, rows, strict=True)
        ]

    @property
    def arm_name(self) -> str:
        """Name of the arm whatever its number of rows."""
        if isinstance(self.arm, str):
            return self.arm
        return str(self.arm.get("name", self.arm.get("arm", next(iter(self.arm)))))

    @property
    def names(self) -> list[str]:
        """Names of the arms at each number of rows, or of tokens."""
        name = self.arm_name
        if self.tokens:
            return list(self.sizes)
        return [name if n == "all" else f"{name}@{n}" for n in dict.fromkeys(self.rows)]

    @property
    def sizes(self) -> dict[str, int]:
        """Tokens by name of the arm; empty where it is a curve by rows."""
        return {f"{self.arm_name}@{n}t": n for n in self.tokens}

    @property
    def demonstrations(self) -> list[Arm]:
        """The few-shot arms that are added."""
        return [
            Arm(name=f"few-shot@{k}", chain=build_chain("few-shot", {"few-shot": {"k": k}}))
            for k in dict.fromkeys(self.shots)
        ]


def _write_at_most(arm: Arm, tokens: int) -> Chain:
    """The chain with its writing step held to so many tokens."""
    steps = [
        step.replace(tokens=tokens) if step.makes and "tokens" in type(step).model_fields else step
        for step in arm.chain.steps
    ]
    if steps == list(arm.chain.steps):
        raise InputError(
            "no step writes as many tokens as it is told",
            place=f"curve of {arm.name!r}",
            remedy="take an arm with a step that does, `augment+sft`, or give `rows`",
        )
    return Chain(steps=tuple(steps))


def read_arm(entry: str | dict[str, Any], own: Mapping[str, type[Method]] | None = None) -> Arm:
    """An arm as a study file writes it.

    ``rag+sft``; ``{few-shot: {k: 8}}``; or, with settings for several steps, a name of its own,
    fewer train rows, another decoding or model, ``{arm: rag+sft, name: small, rows: 50, model:
    smollm2, rag: {k: 5}, sft: {epochs: 5}, decoding: {constraint: auto}}``. The settings of a
    single method may stand beside its name: ``{arm: given, predictions: theirs.jsonl}``.

    Args:
        entry: The arm.
        own: Methods that only this study knows.

    Raises:
        InputError: If its method, or one of its settings, is unknown or unfit.
    """
    if isinstance(entry, str):
        return Arm(name=entry, chain=build_chain(entry, own=own))
    fields = dict(entry)
    if "arm" not in fields:
        if len(fields) != 1:
            raise InputError(
                f"an arm with keys {', '.join(fields)} does not say which chain it is",
                remedy="write {arm: rag+sft, name: ..., rag: {...}, sft: {...}}",
            )
        spec, settings = next(iter(fields.items()))
        nested = settings if "+" in spec else {spec: settings}
        return Arm(name=spec, chain=build_chain(spec, _read_mappings(spec, nested), own=own))
    spec = str(fields.pop("arm"))
    name = str(fields.pop("name", spec))
    rows = _take_number(fields, "rows", spec)
    trials = _take_number(fields, "trials", spec) or MOST_TRIALS
    model = _take_model(fields, spec)
    decoding = _read_decoding(fields.pop("decoding", None), spec)
    steps = build_chain(spec, _read_mappings(spec, gather_own(spec, fields)), trials, own)
    return Arm(name=name, chain=steps, rows=rows, decoding=decoding, model=model)


def gather_own(spec: str, fields: dict[str, Any]) -> dict[str, Any]:
    """An arm's keys with the settings of its single method under that method's name."""
    methods = list_methods()
    kind = methods.get(spec)
    own = [name for name in fields if kind and name in kind.model_fields and name not in methods]
    if not own:
        return fields
    others = {name: value for name, value in fields.items() if name not in own}
    nested = others.get(spec) or {}
    return {**others, spec: {**nested, **{name: fields[name] for name in own}}}


def _read_decoding(value: Any, spec: str) -> DecodingSection | None:
    try:
        return None if value is None else DecodingSection.model_validate(value)
    except ValidationError as error:
        remedy = f"known: {', '.join(DecodingSection.model_fields)}"
        subject, place = "the decoding of the arm", f"arm {spec!r}"
        raise explain(
            error, DecodingSection, subject=subject, place=place, remedy=remedy
        ) from error


def _take_model(fields: dict[str, Any], spec: str) -> str | None:
    """Take the model out of an arm's keys, None where it is not given."""
    model = fields.pop("model", None)
    if model is None or (isinstance(model, str) and model):
        return model
    raise InputError(
        f"model is {model!r}", place=f"arm {spec!r}", remedy="name one: {model: smollm2}"
    )


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
