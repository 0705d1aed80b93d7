"""Exact and near duplicates in a large file: rows per second, and memory that only signatures take.

Rows are synthetic messages; planted among them are exact copies (other case and spacing) and
near-duplicates (a letter or a word changed), so that what is found can be counted. Each size is
checked in a process of its own, whose peak memory is compared with that of a small file; the
signatures take 136 bytes a row. ``datasketch``, where it is installed, hashes a share of the same
rows for comparison (the usual MinHash and LSH, 128 hashes).

    python benchmarks/data.py                # 250,000 and 1,000,000 rows
    python benchmarks/data.py --rows 50000

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from whatworks.data import stream
from whatworks.data.duplicates import HASHES, find

SMALL = 5_000
COPIES, NEAR = 0.02, 0.03
KEY = 8


def texts(count: int) -> Iterator[tuple[str, str]]:
    """So many texts with what they are: new, copy or near; planted ones follow their original."""
    rng = random.Random(0)
    words = [
        "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 9))) for _ in range(20_000)
    ]
    said = ""
    for _ in range(count):
        chance = rng.random()
        if said and chance < COPIES:
            yield f"  {said.upper()} ", "copy"
        elif said and chance < COPIES + NEAR:
            at = rng.randrange(len(said))
            yield said[:at] + rng.choice(string.digits) + said[at + 1 :], "near"
        else:
            said = " ".join(rng.choices(words, k=rng.randint(12, 20)))
            yield said, "new"


def write(path: Path, count: int) -> dict[str, int]:
    """A file of so many rows; how many of each kind."""
    kinds = {"new": 0, "copy": 0, "near": 0}
    with path.open("w", encoding="utf-8") as file:
        for number, (text, kind) in enumerate(texts(count)):
            kinds[kind] += 1
            file.write(json.dumps({"input": text, "target": f"class {number % 50}"}) + "\n")
    return kinds


def checked(path: Path) -> dict[str, float]:
    """Check a file in this process: counts, seconds and peak memory in bytes."""
    began = time.perf_counter()
    found = find(lambda: stream(path))
    return {
        "seconds": time.perf_counter() - began,
        "exact": sum(len(group) - 1 for group in found.exact),
        "near": sum(len(group) - 1 for group in found.near),
        "compared": found.compared,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def apart(path: Path) -> dict[str, float]:
    """``checked`` in a process of its own."""
    command = [sys.executable, __file__, "--check", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def datasketch_pace(count: int) -> float:
    """Rows per second of the usual MinHash and LSH of datasketch."""
    from datasketch import MinHash, MinHashLSH

    began = time.perf_counter()
    index = MinHashLSH(threshold=0.85, num_perm=HASHES)
    for number, (text, _) in enumerate(texts(count)):
        made = MinHash(num_perm=HASHES)
        made.update_batch([text[i : i + 5].encode() for i in range(len(text) - 4)])
        index.query(made)
        index.insert(number, made)
    return count / (time.perf_counter() - began)


def reading_pace(path: Path, count: int) -> float:
    """Rows per second of reading alone."""
    began = time.perf_counter()
    read = sum(1 for _ in islice(stream(path), count))
    return read / (time.perf_counter() - began)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, nargs="+", default=[250_000, 1_000_000])
    arguments.add_argument("--check", type=Path, help="check one file in this process")
    chosen = arguments.parse_args()
    if chosen.check:
        print(json.dumps(checked(chosen.check)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write(path, SMALL)
        base = apart(path)["peak"]
        print(f"a process with {SMALL} rows: peak {base / 1e6:.0f} MB")
        for count in chosen.rows:
            planted = write(path, count)
            size = path.stat().st_size
            got = apart(path)
            grown = (got["peak"] - base) / (count - SMALL)
            print(
                f"{count} rows, {size / 1e6:.0f} MB: {got['seconds']:.0f} s, "
                f"{count / got['seconds']:.0f} rows/s; peak {got['peak'] / 1e6:.0f} MB, "
                f"{grown:.0f} bytes a row more, of which signatures {HASHES + KEY}"
            )
            print(
                f"  exact {got['exact']:.0f} of {planted['copy']} planted, near {got['near']:.0f} "
                f"of {planted['near']}; {got['compared']:.0f} pairs compared"
            )
        print(f"reading alone: {reading_pace(path, 20_000):.0f} rows/s")
        if importlib.util.find_spec("datasketch"):
            print(f"datasketch: {datasketch_pace(SMALL):.0f} rows/s without reading")


if __name__ == "__main__":
    main()
