"""Records exhaustive studies as scores alone, from which ``regret.py`` replays a race in seconds.

The tasks are the example studies, made-up ones by the generators of the embedded model (rows, and
how many of them there are to learn from, differ), the shop's, which run on SmolLM2, and, where
``$WHATWORKS_DATA`` has them, public rows on SmolLM2 in the study that ``init`` writes. Each is run
with every arm, every seed, every row of dev and test. What is kept of it: for every arm and seed
the scores of its dev and test rows, and how many answers each part of it took.

    python benchmarks/regret_record.py --out DIR            # all that are not recorded yet
    python benchmarks/regret_record.py --out DIR --only mr  # those whose name holds this

A run that is stopped goes on where it was. Recording on the shop takes minutes a study, the others
one or two.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

import whatworks
from whatworks.base.progress import Silent
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Examiner
from whatworks.prompts.candidate import Candidate
from whatworks.studies.decisions import ArmRun
from whatworks.studies.open_study import Opened, open_study
from whatworks_lab import make_category_rows, make_facts_rows, make_json_rows, make_mr_rows

HERE = Path(__file__).parent
RUNS = HERE / "regret_runs.jsonl"
EXAMPLES = HERE.parent / "examples"
OWN = (
    *("from_logs", "cluster", "category", "json", "chat", "style", "instructions", "facts"),
    *("sql", "preferences", "mr"),
)
SHOP = ("tickets", "handbook", "forms")
MAKERS = {"mr": make_mr_rows, "json": make_json_rows, "category": make_category_rows}
SAID = {
    "mr": "Write the message as a meaning representation.",
    "json": "Write the message as JSON.",
    "category": "Label the message.",
    "facts": "Answer the question from the text.",
}
OTHER = {
    "mr": "What does the message mean, as act(slot[value])?",
    "json": "Which JSON object says the same as the message?",
    "category": "Which label fits the message?",
    "facts": "Answer in as few words as you can.",
}
TRAINED = {"category": (16, 24), "mr": (24, 60, 150), "facts": (30,), "json": (24,)}
"""Train rows of the made-up studies with arms that train."""
PROMPTED = {"category": (40, 60, 120, 90, 200), "facts": (60, 120, 90), "json": (60,), "mr": (100,)}
"""Those of the made-up studies without."""
DEV, TEST = 60, 100
INTENTS = 12


def list_tasks(out: Path) -> Iterator[tuple[str, str, Path]]:
    """Name, source and study file of each task; files of made-up ones are written to ``out``."""
    for sizes, trained in ((PROMPTED, False), (TRAINED, True)):
        for kind, own in sizes.items():
            for number, train in enumerate(own):
                folder, seed = out / "made" / f"{kind}-{train}", 110 - 10 * trained + number
                yield folder.name, "made up", write_study(folder, kind, train, seed, trained)
    for name in SHOP:
        yield f"shop-{name}", "smollm2", EXAMPLES / "shop" / f"{name}.yaml"
    for name in OWN:
        yield f"example-{name}", "example", EXAMPLES / name / "study.yaml"
    table = Path(os.environ.get("WHATWORKS_DATA", "")) / "banking77" / "train.csv"
    if table.is_file():
        yield f"banking-{INTENTS}", "smollm2", write_intents(table, out / "public")


def write_intents(table: Path, out: Path) -> Path:
    """``init``'s study of some intents of banking77: 240 train, 60 dev and 100 test rows."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    some = sorted({row["category"] for row in rows})[:INTENTS]
    rows = [row for row in rows if row["category"] in some]
    rows = random.Random("intents").sample(rows, 240 + DEV + TEST)
    split = {"dev": DEV, "test": TEST, "stratify": True}
    out.mkdir(parents=True, exist_ok=True)
    folder = out / f"banking-{INTENTS}"
    return whatworks.study(rows, model="smollm2", folder=folder, split=split, race=False)


def write_study(folder: Path, kind: str, train: int, seed: int, trained: bool) -> Path:
    """A made-up study of ten arms (nine without training), four of them with three seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    task: dict[str, Any] = {"train": "train.jsonl", "metric": kind, "instructions": SAID[kind]}
    near = {"embedder": "lexical"}
    shared = [
        "zero-shot",
        {"prompt": {"variants": [SAID[kind], OTHER[kind]]}},
        {"few-shot": {"k": 2}},
        {"arm": "knn", "name": "knn-1", "knn": {"k": 1, **near}},
    ]
    if kind == "facts":
        rows, documents = make_facts_rows((train + DEV + TEST) * 10 // 7, seed)
        learn = [row for row in rows if row["split"] == "train"][: train + DEV]
        ask = [row for row in rows if row["split"] == "test"][:TEST]
        _write(folder / "documents.jsonl", documents)
        _write(folder / "test.jsonl", ask)
        task |= {"test": "test.jsonl", "documents": "documents.jsonl", "split": {"dev": DEV}}
        arms = [
            *shared,
            *({"arm": "rag", "name": f"rag-{k}", "rag": {"k": k}} for k in (1, 2, 3)),
            {"arm": "rag+few-shot", "name": "rag+few", "rag": {"k": 1}, "few-shot": {"k": 1}},
        ]
        tuned = [{"sft": {"epochs": 2}}, {"rag+sft": {"rag": {"k": 1}, "sft": {"epochs": 1}}}]
    else:
        learn = MAKERS[kind](train + DEV + TEST, seed)
        task |= {"split": {"dev": DEV, "test": TEST}}
        arms = [
            *shared,
            {"arm": "knn", "name": "knn-2", "knn": {"k": 2, **near}},
            {"arm": "knn", "name": "knn-3", "knn": {"k": 3, **near}},
            "constrained",
            {"arm": "few-shot", "name": "one-shot", "few-shot": {"k": 1}},
        ]
        tuned = [
            {"arm": "sft", "name": f"sft-{epochs}", "sft": {"epochs": epochs}} for epochs in (1, 3)
        ]
    few = [{"arm": "few-shot", "name": "four-shot", "few-shot": {"k": 4}}]
    arms += tuned if trained else few
    for row in learn:
        row.pop("split", None)
    _write(folder / "train.jsonl", learn)
    study = {"name": folder.name, "task": task, "model": "lab", "seeds": 3, "retention": "none"}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**study, "arms": arms}, sort_keys=False), "utf-8")
    return path


def _write(path: Path, rows: Sequence[Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


class Counted:
    """Counts the answers that each call of an examiner took, those asked before left out."""

    def __init__(self, examiner: Examiner) -> None:
        self.calls: list[int] = []
        self._seen: set[tuple[str, str]] = set()
        self._ask = examiner.ask
        examiner.ask = self.ask  # type: ignore[method-assign]

    def ask(self, candidate: Candidate, examples: Sequence[Example], **more: Any) -> Any:
        asked = [(candidate.asked.key, example.id) for example in examples]
        fresh = [one for one in asked if one not in self._seen]
        self._seen.update(fresh)
        self.calls.append(len(fresh) * candidate.decoding.samples)
        return self._ask(candidate, examples, **more)


def record(name: str, source: str, path: Path, out: Path) -> dict[str, Any]:
    """Run a study exhaustively and keep its scores."""
    opened = open_study(path, out=out / "runs" / name)
    study = opened.study()
    parts = out / "parts" / name
    parts.mkdir(parents=True, exist_ok=True)
    study.leave_room()
    counted = Counted(study.examiner)
    arms: dict[str, list[dict[str, Any]]] = {}
    for arm in study.arms:
        arms[arm.name] = []
        for seed in study.seeds_of(arm):
            part = parts / f"{arm.name.replace('/', '_')}-{seed}.json"
            if not part.exists():
                counted.calls.clear()
                began = time.monotonic()
                run = study.run_whole(arm, seed, Silent())
                adapting, dev = sum(counted.calls[:-1]), (counted.calls or [0])[-1]
                if not adapting and run.ledger.requests:  # made before this process
                    adapting, dev = run.ledger.requests, 0
                one = _score(opened, study.examiner, run, adapting, dev, counted)
                one |= {"seed": seed, "seconds": round(time.monotonic() - began, 1)}
                one["oracle"] = bool(run.candidate and run.candidate.prompt.oracle)
                part.write_text(json.dumps(one))
                print(f"{name}: {arm.name} {seed}, {one['seconds']} s", flush=True)
            arms[arm.name].append(json.loads(part.read_text()))
    splits = opened.task.splits
    opened.close()
    return {
        "task": name,
        "source": source,
        "model": opened.file.model,
        "groups": {
            "dev": [e.group or e.id for e in splits.dev],
            "test": [e.group or e.id for e in splits.test],
        },
        "curve": [a.name for a in opened.file.curve.arms] if opened.file.curve else [],
        "min_effect": opened.file.min_effect,
        "arms": arms,
    }


def _score(
    opened: Opened, examiner: Examiner, run: ArmRun, adapting: int, dev: int, counted: Counted
) -> dict[str, Any]:
    candidate, splits = run.candidate, opened.task.splits
    one: dict[str, Any] = {"adapting": adapting, "fresh": dev, "trained": False}
    if candidate is None:
        return {**one, "failed": run.failure.cause if run.failure else "?"}
    counted.calls.clear()
    test = examiner.ask(candidate, splits.test)
    again = examiner.ask(candidate, splits.dev)
    one |= {
        "trained": bool(candidate.weights.stages),
        "training": round(run.ledger.training_seconds, 2),
        "samples": candidate.decoding.samples,
        "tokens": round(run.dev_tokens),
        "asked": counted.calls[0],
        "dev": _shorten([a.score.counted for a in again]),
        "test": _shorten([a.score.counted for a in test]),
    }
    return one


def _shorten(values: Sequence[float]) -> str | list[float]:
    """0/1 scores as a string of digits, others as numbers."""
    if all(value in (0.0, 1.0) for value in values):
        return "".join(str(int(value)) for value in values)
    return [round(value, 3) for value in values]


def gather(done: Path, names: Sequence[str]) -> int:
    """Write what was recorded now beside what was recorded before; how many tasks there are."""
    before = {json.loads(line)["task"]: line for line in RUNS.read_text("utf-8").splitlines()}
    now = {path.stem: path.read_text("utf-8") for path in done.glob("*.json")}
    lines = {**before, **now}
    order = [*(name for name in names if name in lines), *(set(lines) - set(names))]
    RUNS.write_text("".join(lines[name] + "\n" for name in order), "utf-8")
    return len(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the studies")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    parser.add_argument("--gather", action="store_true", help=f"add what is there to {RUNS.name}")
    args = parser.parse_args()
    done = args.out / "done"
    done.mkdir(parents=True, exist_ok=True)
    tasks = list(list_tasks(args.out))
    if args.gather:
        print(f"{gather(done, [name for name, _, _ in tasks])} of {len(tasks)} tasks")
        return
    for name, source, path in tasks:
        if args.only in name and not (done / f"{name}.json").exists():
            kept = record(name, source, path, args.out)
            (done / f"{name}.json").write_text(json.dumps(kept, separators=(",", ":")), "utf-8")
            print(f"{name}: recorded", flush=True)


if __name__ == "__main__":
    main()
