"""What the records of the other commands hold: about methods, data, answers, exports, claims."""

from __future__ import annotations

from whatworks.app.programs.study_shapes import Shape


class MethodSetting(Shape):
    """What can be set."""

    name: str
    default: str
    meaning: str


class MethodDocs(Shape):
    """A method."""

    name: str
    what: str
    settings: list[MethodSetting]


class Docs(Shape):
    """`docs`: what methods do, and what can be set."""

    methods: list[MethodDocs]


class SlicedArm(Shape):
    """An arm within a slice."""

    arm: str
    score: float
    difference: float
    low: float
    high: float
    verdict: str


class SlicedRows(Shape):
    """The test rows with one value of a column."""

    column: str
    value: str
    rows: int
    baseline: float
    """Its score there."""
    arms: list[SlicedArm]


class Slices(Shape):
    """`slices`: every arm for parts of the test rows; intervals hold together."""

    baseline: str
    slices: list[SlicedRows]
    notes: list[str]
    """What was left out."""


class CountedPattern(Shape):
    """Mistakes of one kind."""

    name: str
    count: int


class CountedChanges(Shape):
    """What became of answers since another run."""

    against: str
    fixed: int
    broken: int
    still_wrong: int


class ArmErrors(Shape):
    """An arm's mistakes."""

    arm: str
    answers: int
    wrong: int
    """Not fully right."""
    patterns: list[CountedPattern]
    changes: CountedChanges | None
    """None where there is nothing to compare with."""


class Errors(Shape):
    """`errors`: mistakes by pattern, and what was fixed and broken."""

    arms: list[ArmErrors]


class Known(Shape):
    """`known`: how well a model knows the facts of a task."""

    model: str
    facts: int
    shares: dict[str, float]
    folder: str
    """Of the rows with their class."""


class PeopleAgree(Shape):
    """Two people's verdicts on the rows that both judged."""

    people: list[str]
    rows: int
    same: float
    kappa: float
    low: float
    high: float


class Label(Shape):
    """`label`: what people said of two arms' answers, by rows."""

    arms: list[str]
    judged: int
    first: int
    """Rows where the first arm's answer is better."""
    second: int
    same: int
    """Both are good."""
    neither: int
    agreements: list[PeopleAgree]
    written: list[str]
    """Files."""


class ExportParity(Shape):
    """What came of asking again through what was written."""

    rows: int
    same: int
    """Answers that are the recorded ones."""
    recorded: float
    again: float
    margin: float
    error: str


class Bootstrap(Shape):
    """`bootstrap`: rows that a model wrote about documents."""

    folder: str
    asked: int
    """Questions that were written."""
    passages: int
    rows: dict[str, int]
    """By split; those for review are not test yet."""
    left_out: dict[str, int]
    """By reason."""


class Review(Shape):
    """`label` of a folder of `bootstrap`: which rows a person kept for test."""

    proposed: int
    reviewed: int
    kept: int
    changed: int
    """With another answer."""
    written: str | None
    """The file, once all are reviewed."""


class Export(Shape):
    """`export`: the folder that was written."""

    folder: str
    arm: str
    seed: int
    holds: bool
    parity: ExportParity | None
    """None where it was left out."""


class Import(Shape):
    """`import`: the rows that logs gave."""

    out: str
    formats: list[str]
    rows: int
    notes: list[str]
    meta: dict[str, int]
    """How many rows have a score, a model, seconds, a time."""


class TriedClusters(Shape):
    """A number of clusters that was tried."""

    setting: int
    clusters: int
    silhouette: float
    clustered: float


class Cluster(Shape):
    """`cluster`: category ids for unlabelled texts."""

    out: str
    rows: int
    clusters: dict[str, int]
    """Texts by category id."""
    between: int
    """Texts that lay between clusters."""
    tried: list[TriedClusters]
    agreement: dict[str, float] | None
    """V-measure and adjusted Rand index; None where there are no true categories."""


class Contrast(Shape):
    """A comparison that a claim rests on."""

    what: str
    difference: float
    low: float
    high: float
    smallest: float
    items: int
    groups: int
    seeds: int


class ClaimFound(Shape):
    """What was found of one claim."""

    claim: str
    answer: str
    reason: str
    contrasts: list[Contrast]


class Claims(Shape):
    """`claims`: the article's claims on a model."""

    command: str
    seconds: float
    announced: float
    version: str
    findings: list[ClaimFound]


class ListedClaim(Shape):
    """A claim and how it is measured."""

    claim: str
    says: str
    protocol: str
    literature: str


class ClaimsList(Shape):
    """`claims --list`: the claims, explained."""

    claims: list[ListedClaim]


class LabGate(Shape):
    """One ability of the embedded model."""

    ability: str
    gate: str
    value: float
    items: int
    met: bool | None
    """None for figures that are only printed."""


class LabCheck(Shape):
    """`lab check`: the embedded model's gates."""

    model: str
    gates: list[LabGate]


class LabTrain(Shape):
    """`lab train`: where the weights lie."""

    folder: str
