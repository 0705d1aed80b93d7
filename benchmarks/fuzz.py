"""100,000 inputs over every reader, importer, metric, template, chunker and the study file.

    python benchmarks/fuzz.py                                   # all of them, in one piece
    python benchmarks/fuzz.py --inputs 25000 --offset 75000     # the last quarter of the same ones
    python benchmarks/fuzz.py --only "study file,read json" --inputs 2000 --seed 7
    python benchmarks/fuzz.py --only "read json" --guided 60    # by coverage, if atheris is there

Input number N goes to target N modulo their number (``fuzz_targets.py``) and is made from seed and
number alone: nine of ten by mutating real inputs (``fuzz_mutations.py``), one by hypothesis from
strategies that know none. A target may refuse with an error of ours. Anything else is broken: a
foreign exception, more than 2 seconds of processor time (or ten times that by the clock), more than
256 MB beside what the process holds anyway, a dead process. A worker process tries the inputs; one
that hangs is killed and its input named. What broke is made as short as it can be and printed;
exit code 1 then.
"""

from __future__ import annotations

import argparse
import json
import math
import mmap
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzz_mutations import PIECES, mutate, mutate_bytes

from whatworks.base.errors import WhatworksError

if TYPE_CHECKING:
    from fuzz_targets import Target

HYPOTHESIS = 10
"""One in so many inputs is drawn by hypothesis."""
BATCH = 25
"""Inputs that hypothesis draws at a time: its first ones are the simplest of all."""
PATIENCE = 10.0
"""How many times its seconds an input may take by the clock: other processes run here too."""
SHORTEN_SECONDS = 5.0
BEAT = struct.Struct("=qd")
"""What a worker shares: the number of its input, its processor time when that began."""


def make_input(target: Target, seed: int, number: int, targets: int) -> str | bytes:
    """Input of a number; the same one for the same seed and number of targets."""
    rng = random.Random(f"{seed} {number}")
    turn = number // targets
    binary = isinstance(target.seeds[0], bytes)
    if turn % HYPOTHESIS == HYPOTHESIS - 1:
        batch, place = divmod(turn // HYPOTHESIS, BATCH)
        drawn = draw(binary, seed * 1_000_003 + batch * targets + number % targets)
        return drawn[place % len(drawn)]
    if binary:
        return mutate_bytes([bytes(one) for one in target.seeds], rng)  # pyright: ignore
    return mutate([str(one) for one in target.seeds], rng)


@lru_cache(maxsize=256)
def draw(binary: bool, number: int) -> list[Any]:
    """Some inputs of hypothesis' strategies."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
    pieces = st.lists(st.sampled_from(PIECES), max_size=30)
    texts = st.one_of(
        st.text(st.characters(codec=None)),
        st.text(alphabet="[]{}()<>:,-?&*!|'\"%@`#~ \n\t.ab01\\/=_"),
        pieces.map("".join),
        pieces.map(" ".join),
        values.map(json.dumps),
    )
    drawn: list[Any] = []

    @seed(number)
    @settings(
        max_examples=BATCH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],  # pyright: ignore
    )
    @given(st.binary(max_size=4000) if binary else texts)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn


def find_break(call: Callable[[Any], object], content: Any) -> str:
    """What is wrong with how a target took an input; "" where nothing is."""
    try:
        call(content)
    except WhatworksError:
        return ""
    except MemoryError:
        return "MemoryError"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        own = [
            one for one in traceback.extract_tb(error.__traceback__) if "whatworks" in one.filename
        ]
        at = own[-1] if own else place
        return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}: {str(error)[:120]}"
    return ""


def shorten(call: Callable[[Any], object], content: Any, broken: str) -> Any:
    """A shorter input that breaks in the same place, as far as a few seconds go."""
    kind, until = broken.split(":")[0], time.monotonic() + SHORTEN_SECONDS
    size = len(content) // 2
    while size and time.monotonic() < until:
        at = 0
        while at < len(content) and time.monotonic() < until:
            fewer = content[:at] + content[at + size :]
            if find_break(call, fewer).split(":")[0] == kind:
                content = fewer
            else:
                at += size
        size //= 2
    return content


def work(chosen: argparse.Namespace) -> None:
    """Try inputs in this process; one JSON line for each that broke."""
    targets = choose_targets(chosen.only)
    names = list(targets)
    beat = mmap.mmap(os.open(chosen.beat, os.O_RDWR), BEAT.size)
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for target in targets.values():  # what is imported and built once is not the input's
        find_break(target.call, target.seeds[0])
        draw(isinstance(target.seeds[0], bytes), 0)
    with open("/proc/self/status") as status:
        held = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
    most = held * 1024 + chosen.mib * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    for number in range(chosen.offset, chosen.offset + chosen.inputs):
        name = names[number % len(names)]
        target = targets[name]
        content = make_input(target, chosen.seed, number, len(names))
        BEAT.pack_into(beat, 0, number, time.process_time())
        broken = find_break(target.call, content)
        if broken:
            BEAT.pack_into(beat, 0, -1, 0.0)
            content = shorten(target.call, content, broken)
            line = {"number": number, "target": name, "broken": broken, "input": repr(content)}
            channel.write(json.dumps(line) + "\n")
            channel.flush()
    BEAT.pack_into(beat, 0, -2, 0.0)


def choose_targets(only: str) -> dict[str, Target]:
    """The targets of these names, all where none is named; imported here, to be instrumented."""
    from fuzz_targets import list_targets

    targets = dict(list_targets())
    names = [name.strip() for name in only.split(",")] if only else list(targets)
    unknown = [name for name in names if name not in targets]
    if unknown:
        sys.exit(f"no target {unknown[0]!r}; there are: {', '.join(targets)}")
    return {name: targets[name] for name in names}


def fuzz(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What broke, input by input; a worker that hangs or dies is replaced.

    When its minutes are over, ``chosen.inputs`` says how many were tried.
    """
    offset, end = chosen.offset, chosen.offset + chosen.inputs
    until = time.monotonic() + 60 * chosen.minutes
    from fuzz_targets import FOLDER, find_memory_disk

    with (
        tempfile.NamedTemporaryFile() as shared,
        tempfile.TemporaryFile("w+") as log,
        tempfile.TemporaryDirectory(prefix="fuzz-", dir=find_memory_disk()) as files,
    ):
        while offset < end:
            shared.seek(0)
            shared.write(BEAT.pack(-1, 0.0))
            shared.flush()
            words = [
                sys.executable, __file__, "--worker", "--beat", shared.name, "--only", chosen.only,
                "--seed", str(chosen.seed), "--offset", str(offset), "--inputs", str(end - offset),
                "--mib", str(chosen.mib),
            ]  # fmt: skip
            with subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=log, env={**os.environ, FOLDER: files}
            ) as worker:
                try:
                    stopped = yield from _watch(worker, shared.name, chosen.seconds, until)
                finally:
                    worker.kill()
            if stopped is None:
                return
            number, why = stopped
            if not why:
                chosen.inputs = max(0, number - chosen.offset)
                return
            log.seek(0)
            said = log.read().strip().rpartition("\n")[2][:200]
            if number < 0:
                sys.exit(f"the worker ended before its first input: {why} {said}")
            log.truncate(0)
            yield {"number": number, "broken": f"{why} {said}".strip()}
            offset = number + 1


def _watch(
    worker: subprocess.Popen[bytes], shared: str, seconds: float, until: float
) -> Generator[dict[str, Any], None, tuple[int, str] | None]:
    """What a worker finds; returns the number of the input that ended it, None at the end.

    With no reason beside the number, its time was over.
    """
    assert worker.stdout is not None
    os.set_blocking(worker.stdout.fileno(), False)
    last, since, rest = -1, time.monotonic(), b""
    while True:
        time.sleep(0.05)
        code = worker.poll()
        rest += worker.stdout.read() or b""
        *lines, rest = rest.split(b"\n")
        yield from map(json.loads, lines)
        number, began = BEAT.unpack(Path(shared).read_bytes())
        if code is not None:
            return None if code == 0 else (number, f"the process died ({code})")
        if time.monotonic() > until and number >= 0:
            worker.kill()
            return number, ""
        if number != last:
            last, since = number, time.monotonic()
        elif number >= 0:
            used = _read_processor_time(worker.pid) - began
            if used > seconds or time.monotonic() - since > PATIENCE * seconds:
                worker.kill()
                worker.wait()
                return number, f"it took more than {seconds:g} s"


def _read_processor_time(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def guide(chosen: argparse.Namespace) -> None:
    """Inputs by what they cover, for so many seconds; needs the package atheris."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        sys.exit("by coverage needs atheris: pip install atheris")
    with atheris.instrument_imports(include=["whatworks"]):
        targets = choose_targets(chosen.only)
    for name, target in targets.items():
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            print(f"{name}: {'nothing broke' if status == 0 else 'BROKEN, see above'}", flush=True)
            continue
        corpus = Path(tempfile.mkdtemp())
        for number, one in enumerate(target.seeds):
            data = one if isinstance(one, bytes) else one.encode("utf-8", "surrogatepass")
            (corpus / str(number)).write_bytes(data)
        binary = isinstance(target.seeds[0], bytes)

        def try_one(data: bytes, target: Target = target, binary: bool = binary) -> None:
            content = data if binary else data.decode("utf-8", "replace")
            broken = find_break(target.call, content)
            if broken:
                short = shorten(target.call, content, broken)
                raise RuntimeError(f"{broken}; input {short!r}")

        atheris.Setup(
            [sys.argv[0], f"-max_total_time={chosen.guided}", f"-timeout={chosen.seconds:.0f}",
             "-max_len=4096", "-verbosity=0", "-print_final_stats=1", str(corpus)],
            try_one,
        )  # fmt: skip
        atheris.Fuzz()


def name_input(chosen: argparse.Namespace, number: int) -> tuple[str, str]:
    """Target and input of a number, as a worker has them."""
    targets = choose_targets(chosen.only)
    name = list(targets)[number % len(targets)]
    return name, repr(make_input(targets[name], chosen.seed, number, len(targets)))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=100_000)
    arguments.add_argument("--offset", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default="", help="names of targets, commas between")
    arguments.add_argument("--seconds", type=float, default=2.0)
    arguments.add_argument("--mib", type=int, default=256)
    arguments.add_argument("--minutes", type=float, default=math.inf)
    arguments.add_argument("--guided", type=int, default=0, help="seconds a target, by coverage")
    arguments.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("--beat", help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.worker:
        work(chosen)
        return
    if chosen.guided:
        guide(chosen)
        return
    began, kinds = time.monotonic(), Counter[str]()
    for found in fuzz(chosen):
        if "target" not in found:
            found["target"], found["input"] = name_input(chosen, found["number"])
        kinds[f"{found['target']}: {found['broken']}"] += 1
        print(f"BROKEN {found['number']} {found['target']}: {found['broken']}\n"
              f"  {found['input'][:1500]}", flush=True)  # fmt: skip
    count = len(choose_targets(chosen.only))
    came = f"{sum(kinds.values())} broke" if kinds else "nothing broke"
    print(f"{chosen.inputs} inputs from number {chosen.offset} on (seed {chosen.seed}), {count} "
          f"targets, {time.monotonic() - began:.0f} s: {came}")  # fmt: skip
    for kind, times in kinds.most_common():
        print(f"  {times:4}  {kind}")
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
