"""Kills, full disks, failing disks and slow ones, in every phase: is anything lost?

    python benchmarks/kills.py                            # 200 kills, and the disks
    python benchmarks/kills.py --kills 40 --seed 3        # a part of it
    python benchmarks/kills.py --only answers,import --disks 0
    python benchmarks/kills.py --minutes 4                # what can be done in that time

Each scenario of ``disk_scenarios.py`` runs undisturbed first, which says what is to come out and
how many operations on the disk it takes. Then it is disturbed and run again, to its end:

- **kill**: SIGKILL at a random moment, in three of four cases in the midst of a random operation on
  the disk (half of a write is written), in one after a random time; of the process that writes, or
  of that and the command. Up to three kills follow one another before it may end.
- **full**: nothing more can be written after a random number of bytes; then there is room again.
- **error**: every hundredth operation fails with EIO, for as long as the command is tried.
- **slow**: every operation takes 5 ms longer.
- **tmpfs**: a real file system that is too small and then grows (needs root, Linux).

What came out in the end must be equal, and on the way no row may vanish, no command may hang, and
every refusal must be two lines with exit code 2. Exit code 1 where anything was not so. Two things
may differ. A training process that is killed alone, or finds no room for its state, is a failed arm
of a run that goes on to its end; the next run trains it and counts one more opening of test. And
numbers are equal to the fifth digit: answers that are asked again stand in a batch with others than
before, which moves the last digits of their log-probability.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from disk_scenarios import SCENARIOS, Scenario, count_rows
from faulty_disk import Ended, build, run

MOST_IN_A_ROW = 3
TRIES = 40
"""How often a command is tried on a disk that fails: each try gets further."""
EVERY = 100
SLOW = 5000
"""Microseconds that an operation takes longer."""


@dataclass
class Findings:
    """What came of it."""

    done: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])

    def blame(self, what: str, how: object = "") -> None:
        """Write down what broke."""
        self.broken.append(f"{what}: {str(how)[-900:]}")
        print(f"BROKEN {self.broken[-1]}", flush=True)


class Trial:
    """One scenario below one folder, with what came of it undisturbed."""

    def __init__(self, scenario: Scenario, base: Path, findings: Findings) -> None:
        self.scenario, self.base, self.findings = scenario, base, findings
        self.library = build(base)
        folder = self.make_folder()
        whole = self.run(folder)
        assert whole.code in (0, 1), whole.said[1]
        self.operations, self.bytes, self.seconds = whole.operations, whole.bytes, whole.seconds
        self.ended = 0  # runs of a folder that came to their end though they were disturbed
        self.outcome = scenario.outcome(folder)

    def make_folder(self) -> Path:
        """The folder with what the command reads; always of one name, which counts in keys."""
        self.ended = 0
        folder = self.base / self.scenario.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.scenario.prepare(folder)
        return folder

    def run(
        self,
        folder: Path,
        mode: str = "count",
        *,
        again: bool = False,
        after: float | None = None,
        counted: int = 0,
    ) -> Ended:
        """The command on the folder."""
        return run(
            self.scenario.command(folder, again=again),
            folder,
            self.library,
            mode,
            environment={"OMP_NUM_THREADS": "1", **self.scenario.environment(folder)},
            kill_after=after,
            counted=counted,
        )

    def finish(self, folder: Path, what: str) -> None:
        """Run it to its end, undisturbed, and compare."""
        rows = count_rows(folder)
        last = self.run(folder, again=True)
        name = f"{self.scenario.name}, {what}"
        if last.code == 2 and "there already" in last.said[1]:
            pass  # the copy was whole before it was cut short: compared below
        elif last.code not in (0, 1) or "Traceback" in last.said[1]:
            self.findings.blame(name, last.said[1])
            return
        if count_rows(folder) < rows:
            self.findings.blame(name, "rows were lost")
        found, wanted = self.scenario.outcome(folder), self.outcome
        if isinstance(found, dict) and "openings" in found:
            more = found["openings"] - wanted["openings"]  # each run that ended may have failed one
            wanted = {**wanted, "openings": wanted["openings"] + min(max(more, 0), self.ended)}
        if not _is_same(found, wanted):
            self.findings.blame(name, f"another outcome: {_tell_difference(found, wanted)}")

    def kill(self, rng: random.Random, wanted: int) -> int:
        """Kills that follow one another in one folder; how many there were."""
        folder, kills, phases = self.make_folder(), 0, list[str]()
        for _ in range(min(wanted, MOST_IN_A_ROW)):
            rows = count_rows(folder)
            if rng.random() < 0.75:
                everyone = rng.choice(["", " all"])
                at = rng.randint(1, max(1, round(self.operations * 0.98)))
                ended = self.run(folder, f"kill {at}{everyone}", again=kills > 0)
                hit, phase = ended.faults > 0, self.scenario.name_phase(folder, ended.what)
            else:
                late = rng.uniform(0.2, 1.0) * self.seconds
                ended = self.run(folder, again=kills > 0, after=late)
                hit, phase = ended.code < 0, f"{self.scenario.name}, any moment"
            self.ended += ended.code in (0, 1)
            if not hit:
                break
            kills += 1
            phases.append(f"{phase} ({ended.what})")
            self.findings.done[f"kill: {phase}"] += 1
            if count_rows(folder) < rows:
                self.findings.blame(f"{self.scenario.name}, {phases}", "rows were lost")
            if ended.code == 2 and not _is_refusal(ended):
                self.findings.blame(f"{self.scenario.name}, {phases}", ended.said[1])
        self.finish(folder, f"killed at {', '.join(phases)}")
        return kills

    def fill(self, rng: random.Random) -> None:
        """A disk that has no more room, and then has."""
        folder = self.make_folder()
        ended = self.run(folder, f"full {rng.randint(1, max(1, self.bytes))}")
        self._judge(ended, "full disk")
        self.finish(folder, f"full disk at {ended.what}")

    def fail(self, every: int = EVERY, counted: int = 0) -> None:
        """A disk that fails every so many operations, however often the command is tried."""
        folder, tries = self.make_folder(), 0
        ended: Ended | None = None
        while tries < TRIES:
            tries += 1
            counted = ended.operations if ended else counted
            ended = self.run(folder, f"error {every}", again=tries > 1, counted=counted)
            self._judge(ended, f"every {every}th operation fails")
            if ended.code != 2:
                break
        self.finish(folder, f"every {every}th operation failed, {tries} tries")

    def slow_down(self) -> None:
        """A disk that takes its time."""
        folder = self.make_folder()
        self._judge(self.run(folder, f"slow {SLOW}"), "slow disk")
        self.finish(folder, "slow disk")

    def grow(self, rng: random.Random) -> None:
        """A real file system that is too small, and then is not."""
        folder = self.make_folder()
        input_size = sum(path.stat().st_size + 8192 for path in folder.rglob("*"))
        size = input_size // 1024 + self.bytes // 1024 // rng.randint(2, 6)
        shutil.rmtree(folder)
        with small_disk(folder, size) as there:
            if not there:
                self.findings.done["tmpfs: not allowed here"] += 1
                return
            self.scenario.prepare(folder)
            self._judge(self.run(folder), "tmpfs")
            subprocess.run(["mount", "-o", "remount,size=400m", str(folder)], check=True)
            self.finish(folder, "a file system that was too small")

    def _judge(self, ended: Ended, how: str) -> None:
        """A disturbed command either got through or says why not; its arms too."""
        refused = ended.code == 2
        self.ended += ended.code in (0, 1)
        self.findings.done[f"{how}: {self.scenario.name} {'refused' if refused else 'ended'}"] += 1
        said = "\n".join(ended.said)
        if "Traceback" in said or "fault of whatworks" in said:
            self.findings.blame(f"{self.scenario.name}, {how} at {ended.what}", said)
        elif ended.code not in (0, 1, 2) or (refused and not _is_refusal(ended)):
            self.findings.blame(f"{self.scenario.name}, {how}, exit {ended.code}", said)


def _is_refusal(ended: Ended) -> bool:
    return 1 <= len(ended.complaint) <= 2


def _is_same(found: Any, wanted: Any) -> bool:
    """Whether two outcomes are equal, numbers with a point to the fifth digit."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_is_same(found[k], wanted[k]) for k in found)
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(_is_same, found, wanted))
    if isinstance(found, float) and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-5)
    return bool(found == wanted)


def _tell_difference(found: Any, wanted: Any) -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [k for k in {**found, **wanted} if not _is_same(found.get(k), wanted.get(k))]
        return "; ".join(f"{k}: {_tell_difference(found.get(k), wanted.get(k))}" for k in keys)
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = [(a, b) for a, b in zip(found, wanted, strict=True) if not _is_same(a, b)]
        return f"{len(pairs)} differ, the first {_tell_difference(*pairs[0])}"
    return f"{str(found)[:150]} and not {str(wanted)[:150]}"


@contextmanager
def small_disk(disk: Path, kibibytes: int) -> Iterator[bool]:
    """A tmpfs of so many KiB at a new folder; False where none can be mounted."""
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def measure(
    names: Sequence[str],
    base: Path,
    kills: int,
    disks: int,
    seed: int,
    minutes: float = math.inf,
    findings: Findings | None = None,
) -> Findings:
    """Disturb the scenarios of these names.

    Args:
        names: Of scenarios.
        base: A new folder for all of it.
        kills: SIGKILLs, shared out among the scenarios.
        disks: Full disks for each scenario; with any, also a failing, a slow and a small one.
        seed: Of the moments.
        minutes: Nothing more is begun after so many.
        findings: Where to write down what comes of it.
    """
    rng, findings = random.Random(seed), findings or Findings()
    until = time.monotonic() + 60 * minutes
    chosen = [one for one in SCENARIOS if one.name in names]
    for number, scenario in enumerate(chosen):
        if time.monotonic() > until:
            break
        trial = Trial(scenario, base, findings)
        print(f"{scenario.name}: {trial.operations} operations on the disk, "
              f"{trial.bytes:,} bytes, {trial.seconds:.1f} s", flush=True)  # fmt: skip
        share = kills * (number + 1) // len(chosen) - kills * number // len(chosen)
        while share > 0 and time.monotonic() < until:
            share -= max(trial.kill(rng, share), 0)
        steps = [lambda t=trial: t.fill(rng)] * disks
        if disks:
            steps += [trial.fail, trial.slow_down, lambda t=trial: t.grow(rng)]
        for step in steps:
            if time.monotonic() < until:
                step()
    return findings


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--disks", type=int, default=4, help="full disks for each scenario")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default=",".join(one.name for one in SCENARIOS))
    arguments.add_argument("--minutes", type=float, default=math.inf)
    chosen = arguments.parse_args()
    findings = Findings()
    with tempfile.TemporaryDirectory() as base:
        try:
            measure(
                chosen.only.split(","),
                Path(base),
                chosen.kills,
                chosen.disks,
                chosen.seed,
                chosen.minutes,
                findings,
            )
        except KeyboardInterrupt:
            print("stopped early")
    for what, count in sorted(findings.done.items()):
        print(f"  {count:4}  {what}")
    total = sum(count for what, count in findings.done.items() if what.startswith("kill"))
    print(f"{total} kills; {len(findings.broken)} outcomes that were not equal or clear")
    sys.exit(bool(findings.broken))


if __name__ == "__main__":
    main()
