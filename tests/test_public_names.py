"""What `import whatworks` promises, and that it stays light."""

from __future__ import annotations

import subprocess
import sys

import whatworks


def test_every_public_name_is_there_and_is_what_its_home_says():
    for name in whatworks.__all__:
        found = getattr(whatworks, name)
        if name != "__version__":
            assert found.__module__.startswith("whatworks.") and found.__name__ == name


def test_the_names_are_these_and_no_others():
    assert sorted(whatworks.__all__) == dir(whatworks)
    assert set(whatworks.__all__) == {
        "ArmFailure", "Candidate", "Chain", "Decoding", "Document", "Engine", "Example",
        "Generation", "InputError", "Message", "Method", "Metric", "Prompt", "Result", "Score",
        "Summary", "Task", "Weights", "WhatworksError", "__version__", "method", "metric",
        "open_result", "report_study", "run", "run_study", "study",
    }  # fmt: skip


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(whatworks, "no_such_name")


def test_importing_it_imports_nothing_heavy():
    heavy = ("torch", "numpy", "pydantic", "rich")
    code = f"import sys, whatworks; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
