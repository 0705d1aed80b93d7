"""BFCL's questions with their accepted values, from the files to the score."""

from __future__ import annotations

from pathlib import Path

import pytest
from public_shapes import SHAPES

from whatworks.metrics.registry import load
from whatworks.studies.first_files import sort_files
from whatworks.studies.first_metric import guess_metric


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("", "", True),
        ("1200", "1201", False),
        ('"year"', '"unit": "AD", "year"', True),
        ('"year"', '"unit": "BC", "year"', False),
        ("Arholm", "Belholm", False),
        ("find_trade", "find_town", False),
    ],
)
def test_every_accepted_value_is_right_and_no_other(
    tmp_path: Path, old: str, new: str, right: bool
) -> None:
    files = sort_files(SHAPES["bfcl"][0](tmp_path))
    guess = guess_metric(files)
    assert guess.metric.name == "tool_call"
    row = files.rows[0]
    answer = row.target.replace(old, new, 1) if old else row.target
    assert (load(guess.metric)(row, answer).value == 1.0) == right
