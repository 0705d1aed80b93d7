"""What steps share that teach a refusal in place of an answer."""

from __future__ import annotations

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench


def check_refusal(bench: Bench, row: Example, says: str, method: str) -> None:
    """Refuse a refusal that the metric has no room for.

    Raises:
        ArmFailure: If it is malformed as an answer to the row.
    """
    metric = bench.examiner.metric
    if not metric.asks and metric(row, says).kind == "malformed":
        raise ArmFailure(
            f"to the metric {metric.name!r} {says!r} is no answer at all",
            remedy=f"set `{method}: {{says: ...}}` to what your form has for an unknown answer",
        )


def make_lesson(row: Example, target: str, says: str) -> Example:
    """The row with what it teaches; a refusal, in whatever words, stands in no passage."""
    refused = {"answerable": False} if target == says else {}
    return row.replace(target=target, meta={**row.meta, **refused})
