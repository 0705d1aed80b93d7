"""The terminal table and the page, on a made-up study; the page in a real browser where one is."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from sample_summary import failure, infos, study, summary
from whatworks.analysis.figures import ArmInfo
from whatworks.analysis.method_outcomes import Losses, Note, ReinforcementStep, Trace
from whatworks.analysis.summarise import summarise
from whatworks.app.report import training_charts as learning
from whatworks.app.report.html import render_page, write_html
from whatworks.app.report.progress import RichWatcher
from whatworks.app.report.terminal import print_summary

HOSTILE = "</script><script>document.title='owned'</script>\"'&<b>\ud800\u2028" + "x" * 3000


def printed(width: int) -> str:
    out = io.StringIO()
    print_summary(
        summary(200)[0], Console(file=out, width=width, force_terminal=True, color_system=None)
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_table_fits_and_says_everything(width: int) -> None:
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    for part in (
        "zero-shot",
        "rag+sft",
        "works",
        "out of memory",
        "lower batch_size",
        "opened once",
        "3 seeds",
        "train",
        "kept",
        "71%",
        "0.34",
    ):
        assert part in text, part


def test_without_a_terminal_bars_are_plain_lines() -> None:
    out = io.StringIO()
    with RichWatcher(Console(file=out, width=80)) as watcher:
        watcher.start("sft", 10)
        for _ in range(10):
            watcher.advance("sft", 1, "training")
        watcher.done("sft")
    lines = out.getvalue().splitlines()
    assert lines[-1] == "sft: done"
    assert "\x1b" not in out.getvalue()
    assert len(lines) < 10


def test_the_page_is_small_and_self_contained(tmp_path: Path) -> None:
    found, made, items = summary(200)
    write_html(found, made, items, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    assert "out of memory" in text and "rag+sft" in text
    assert "Kept" in text and "KL 0.34" in text


def hostile() -> str:
    found, made, items = summary(20)
    made = [replace(r, output=HOSTILE, feedback=HOSTILE) for r in made]
    items = [e.replace(inputs={"q": HOSTILE}, target=HOSTILE) for e in items]
    arms = [
        replace(arm.info, prompt=HOSTILE, outcomes=[[Note(method=HOSTILE, value=HOSTILE)]])
        for arm in found.arms
    ]
    bad = replace(failure(), cause=HOSTILE, remedy=HOSTILE)
    return render_page(summarise([*made, bad], arms=arms, study=study(name=HOSTILE)), made, items)


def test_hostile_text_stays_text() -> None:
    text = hostile()
    assert "<script>document.title" not in text
    assert text.count("<script") == text.count("</script>") == 2
    assert "\\ud800" not in text  # a lone surrogate would break readers of the page's data
    text.encode("utf-8")


@pytest.mark.slow
def test_in_a_browser(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    (tmp_path / "hostile.html").write_text(hostile(), encoding="utf-8")
    found, made, items = summary(30)
    write_html(found, made, items, tmp_path / "report.html")
    seen = {}
    for name in ("report", "hostile"):
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-sync", "--dump-dom"]
        command += [f"--user-data-dir={tmp_path / name}", "--virtual-time-budget=3000"]
        done = subprocess.run(
            [*command, f"file://{tmp_path / name}.html"], capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr[-500:]
        seen[name] = done.stdout
    # The predictions are drawn by the page's own script.
    assert all(e.id in seen["report"] for e in items[:5])
    assert all(e.id in seen["hostile"] for e in items[:5])
    assert "<title>owned" not in seen["hostile"]
    assert seen["hostile"].count("<script") == seen["report"].count("<script") == 2


def test_infos_are_json() -> None:
    made = TypeAdapter(list[ArmInfo]).dump_python(infos(["rag", "sft"]), mode="json")
    again = json.loads(json.dumps(made))
    assert TypeAdapter(list[ArmInfo]).validate_python(again) == infos(["rag", "sft"])


def over_optimised(steps: int) -> Trace:
    """A reward that rises with the divergence while the metric falls from its middle on."""
    seen = [
        {"step": i + 1, "kl": i / 10, "reward": 2.0 + i, "gold": 0.5 - abs(i - steps / 2) / steps}
        for i in range(steps)
    ]
    return Trace(method="rlhf", steps=tuple(ReinforcementStep(**step, spread=0.1) for step in seen))


def test_the_page_draws_losses_and_the_metric_against_divergence() -> None:
    made, rows, items = summary(20)
    first = made.arms[0]
    told = [*first.info.outcomes, [over_optimised(24)]]
    arms = [replace(first, info=replace(first.info, outcomes=told))]
    text = render_page(replace(made, arms=(*arms, *made.arms[1:])), rows, items)
    assert "Training loss: from 2 to 0.4 in 3 steps; from 2.1 to 0.5 in 3 steps" in text
    chart = str(learning.draw_leash(over_optimised(24)))
    assert chart in text
    said = re.findall(r"metric ([\d.]+)%, reward ([\d.]+) at KL ([\d.]+)", chart)
    gold, reward, kl = (list(map(float, column)) for column in zip(*said, strict=True))
    assert len(said) == learning.STAGES
    assert kl == sorted(kl)
    assert reward == sorted(reward)
    assert gold[-1] < max(gold) > gold[0]
    assert (
        learning.draw_leash(over_optimised(1))
        == learning.draw_losses([Losses(values=(1.0,))])
        == ""
    )
