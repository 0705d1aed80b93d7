"""A short form of benchmarks/fuzz.py: some inputs for each target, in a process with its limits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)

import fuzz  # noqa: E402
import fuzz_targets  # noqa: E402
from fuzz_mutations import mutate  # noqa: E402

from whatworks.base.errors import InputError  # noqa: E402

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


def chosen(inputs: int, **more: object) -> argparse.Namespace:
    plain = {
        "inputs": inputs,
        "offset": 0,
        "seed": 99,
        "only": "",
        "seconds": 2.0,
        "mib": 256,
        "minutes": 9.0,
    }
    return argparse.Namespace(**{**plain, **more})


@needs_proc
def test_nothing_breaks_on_some_inputs_of_each_target() -> None:
    assert list(fuzz.fuzz(chosen(160))) == []


@needs_proc
@pytest.mark.slow
def test_nothing_breaks_on_many() -> None:
    assert list(fuzz.fuzz(chosen(5000, seed=98))) == []


def test_an_input_is_known_by_its_number() -> None:
    target = fuzz_targets.Target(("a b c", "{}"), len)
    first = [fuzz.make_input(target, 3, number, 1) for number in range(60)]
    assert first == [fuzz.make_input(target, 3, number, 1) for number in range(60)]
    assert len(set(first)) > 30
    assert first != [fuzz.make_input(target, 4, number, 1) for number in range(60)]


def test_what_breaks_is_told_apart_from_what_is_refused() -> None:
    def call(text: str) -> None:
        if "x" in text:
            raise InputError("no x here")
        if "yz" in text:
            raise KeyError("yz")

    assert fuzz.find_break(call, "a") == fuzz.find_break(call, "xyz") == ""
    broken = fuzz.find_break(call, "aaaayzaaa")
    assert broken.startswith("KeyError at")
    assert fuzz.shorten(call, "aaaayzaaa" * 20, broken) == "yz"


def test_inputs_reach_far_from_their_seeds() -> None:
    import random

    texts = {mutate(['{"a": [1, 2]}'], random.Random(seed)) for seed in range(300)}
    assert len(texts) > 250 and max(map(len, texts)) > 5000
    assert any("\ud800" in text for text in texts) and any(not text for text in texts)
