"""What is done to a disk that misbehaves: studies, reports, exports, imports, ... and what remains.

Each scenario writes what it needs into a new folder, runs one command there as a user would, and
says what came of it without what differs from run to run (times, paths).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from whatworks.analysis.result_rows import Results
from whatworks.base.store import Journal
from whatworks.studies.study_folder import StudyFolder

WHATWORKS = (sys.executable, "-m", "whatworks")
TIMES = ("seconds", "usd", "created", "machine", "command", "at")


@dataclass(frozen=True)
class Scenario:
    """One command and what it leaves.

    Attributes:
        prepare: Writes what the command reads into a new folder.
        words: The command, seen from the folder.
        again: The same, where it is run once more after it was cut short.
        outcome: What is there in the end.
        environment: Of the command.
        steps: What the command does to the folder, phase by phase: part of a path to a name.
    """

    name: str
    prepare: Callable[[Path], None]
    words: Callable[[Path], list[str]]
    outcome: Callable[[Path], Any]
    phases: Mapping[str, str] = field(default_factory=dict[str, str])
    again: Callable[[Path], list[str]] | None = None
    environment: Callable[[Path], dict[str, str]] = lambda _: {}
    slow: bool = False

    def command(self, folder: Path, *, again: bool = False) -> list[str]:
        """The whole command line."""
        words = self.again if again and self.again else self.words
        return [*WHATWORKS, *words(folder)]

    def name_phase(self, folder: Path, what: str) -> str:
        """In which phase something was done to a file of the folder."""
        for part, name in self.phases.items():
            if part in what:
                return _tell_split(folder, name) if name == "answers" else name
        return self.name


def _tell_split(folder: Path, name: str) -> str:
    out = StudyFolder(folder / "out")
    if not out.decisions():
        return "dev answers"
    arms = {one.arm for one in out.decisions()}
    done = {row.arm for row in out.results.rows()}
    return "retention" if arms <= done else f"test {name}"


def read_study(out: Path) -> Any:
    """Rows, decisions and what is known beside them of a study that ran."""
    folder = StudyFolder(out)
    results = Results(out / "results.jsonl")
    rows = [asdict(replace(r, seconds=0.0)) for r in (*results.rows(), *results.constant())]
    finished = folder.read_finished()
    return {
        "rows": sorted(rows, key=lambda row: (row["arm"], row["seed"], row["example"])),
        "decisions": [asdict(one) for one in folder.decisions()],
        "openings": folder.openings,
        "forgetting": {arm.name: _drop_times(_plain(arm.forgetting)) for arm in finished.arms},
        "dev": {arm.name: arm.dev_score for arm in finished.arms},
        "report": (out / "report.html").exists(),
        "left": sorted(path.name for path in out.rglob("*.tmp")),
    }


def count_rows(folder: Path) -> int:
    """Whole lines of all journals of rows below a folder."""
    paths = [*folder.rglob("results.jsonl"), *folder.rglob("test_openings.jsonl")]
    return sum(1 for path in paths for _ in Journal(path).read())


def read_files(folder: Path) -> dict[str, str]:
    """The files below a folder by their content; JSON without times."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_read_content(path)).hexdigest()[:16]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _read_content(path: Path) -> bytes:
    if path.suffix == ".json":
        return json.dumps(_drop_times(json.loads(path.read_text("utf-8")))).encode()
    return path.read_bytes()


def _plain(value: Any) -> Any:
    return None if value is None else asdict(value)


def _drop_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _drop_times(v) for k, v in value.items() if not any(t in k for t in TIMES)}
    return [_drop_times(one) for one in value] if isinstance(value, list) else value


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _make_rows(count: int) -> list[dict[str, Any]]:
    colours = ("amber", "basalt", "cedar", "dorado", "ermine", "fennel", "garnet", "hazel")
    return [
        {
            "id": f"row-{i}",
            "input": f"Where is {colours[i % 8]} crate {i * 7919} of {colours[i // 8 % 8]} street?",
            "target": f"shelf {i * 31}",
        }
        for i in range(count)
    ]


_FAKE = {
    "answers": [{"contains": "crate", "answer": "shelf 31", "chance": 0.3}],
    "default": "I do not know",
}


def _write_study(folder: Path, rows: int, text: str) -> None:
    _write_lines(folder / "rows.jsonl", _make_rows(rows))
    (folder / "script.json").write_text(json.dumps(_FAKE))
    (folder / "study.yaml").write_text(text)


def _write_answers(folder: Path) -> None:
    _write_study(
        folder,
        220,
        "name: answers\nseeds: 2\nmodel: fake:script.json\n"
        "task: {train: rows.jsonl, metric: exact, split: {dev: 20, test: 140}}\n"
        "arms: [zero-shot, {few-shot: {k: 2}}, {knn: {k: 2, embedder: lexical}}, "
        "{self-consistency: {n: 2}}]\n",
    )


def _write_training(folder: Path) -> None:
    _write_study(
        folder,
        44,
        "name: training\nseeds: 1\nmodel: lab\nretention: prompts.txt\n"
        "task: {train: rows.jsonl, metric: exact, split: {dev: 6, test: 14}}\n"
        "arms: [zero-shot, {sft: {epochs: 2}}, {arm: knn+sft, knn: {k: 1, embedder: lexical}, "
        "sft: {epochs: 1}}]\n",
    )
    (folder / "prompts.txt").write_text("What is red?\nName a bird.\nCount to three.\n")


def _write_index(folder: Path) -> None:
    _write_study(
        folder,
        60,
        "name: index\nmodel: fake:script.json\n"
        "task: {train: rows.jsonl, metric: exact, documents: pages, split: {dev: 6, test: 24}}\n"
        "arms: [zero-shot, {rag: {k: 2, embedder: minilm, index: {store: 'lancedb:vectors'}, "
        "size: 20}}]\n",
    )
    (folder / "pages").mkdir()
    for i, row in enumerate(_make_rows(30)):
        text = f"{row['input']} It stands on {row['target']}.\n\n" * 3
        (folder / "pages" / f"{i}.txt").write_text(text)


def _write_import(folder: Path) -> None:
    calls = [
        {"messages": [{"role": "user", "content": row["input"]},
                      {"role": "assistant", "content": row["target"]}], "id": row["id"]}
        for row in _make_rows(600)
    ]  # fmt: skip
    _write_lines(folder / "log.jsonl", calls)
    (folder / "out").mkdir()


def _write_check(folder: Path) -> None:
    rows = _make_rows(120)
    _write_lines(folder / "rows.jsonl", [*rows, *({**r, "id": r["id"] + "b"} for r in rows[:9])])
    (folder / "out").mkdir()
    (folder / "out" / "study.yaml").write_text(
        "model: 'fake:'\narms: [zero-shot]\n"
        "task: {train: ../rows.jsonl, metric: exact, split: {dev: 20, test: 40}}\n"
    )


def _write_claims(folder: Path) -> None:
    script = {"answers": [{"contains": "[1]", "answer": "Rome"}], "default": "I don't know"}
    (folder / "script.json").write_text(json.dumps(script))


def _read_claims(folder: Path) -> Any:
    found = json.loads((folder / "out" / "claims.json").read_text())["findings"]
    studies = sorted((folder / "out" / "studies").iterdir())
    return {
        "findings": [[one["claim"], one["answer"], one["reason"]] for one in found],
        "rows": [read_study(path / "run")["rows"] for path in studies],
    }


def _copy_finished(write: Callable[[Path], None]) -> Callable[[Path], None]:
    """A study that has run; it runs once, every folder gets a copy."""
    kept: list[Path] = []

    def prepare(folder: Path) -> None:
        import subprocess
        import tempfile

        if not kept:
            kept.append(Path(tempfile.mkdtemp(dir=folder.parent)))
            write(kept[0])
            words = [*WHATWORKS, "run", str(kept[0] / "study.yaml"), "--out", str(kept[0] / "run")]
            subprocess.run(words, check=True, capture_output=True)
        shutil.copytree(kept[0], folder, dirs_exist_ok=True)
        (folder / "out").mkdir()

    return prepare


def _run_words(folder: Path) -> list[str]:
    return ["run", str(folder / "study.yaml"), "--out", str(folder / "out")]


def _import_words(folder: Path) -> list[str]:
    return ["import", str(folder / "log.jsonl"), "--out", str(folder / "out" / "data.jsonl")]


def _check_words(folder: Path) -> list[str]:
    return ["check", str(folder / "out" / "study.yaml"), "--fix"]


STUDY = {
    "/unfinished/": "training",
    "/artifacts": "training",
    "/store/answers": "answers",
    "/store/logprobs": "retention",
    "/results.jsonl": "rows",
    "/decisions": "decisions",
    "/test_openings": "decisions",
    "/report.html": "report",
    "vectors": "index building",
    "embeddings": "index building",
    "/summary": "summary and prompts",
    "/prompts": "summary and prompts",
    "/store": "steps and candidates",
}

SCENARIOS = (
    Scenario(
        "answers", _write_answers, _run_words, lambda f: read_study(f / "out"), phases=STUDY
    ),
    Scenario(
        "index",
        _write_index,
        _run_words,
        lambda f: read_study(f / "out"),
        phases=STUDY,
        environment=lambda f: {"WHATWORKS_EMBEDDINGS": str(f / "embeddings")},
        slow=True,
    ),
    Scenario(
        "training",
        _write_training,
        _run_words,
        lambda f: read_study(f / "out"),
        phases=STUDY,
        slow=True,
    ),
    Scenario(
        "report",
        _copy_finished(_write_answers),
        lambda f: ["report", str(f / "run")],
        lambda f: read_study(f / "run"),
    ),
    Scenario(
        "export",
        _copy_finished(_write_training),
        lambda f: ["export", str(f / "run"), "sft", "--out", str(f / "out" / "sft"), "--no-check"],
        lambda f: read_files(f / "out"),
        slow=True,
    ),
    Scenario(
        "import",
        _write_import,
        _import_words,
        lambda f: read_files(f / "out"),
        again=lambda f: [*_import_words(f), "--force"],
    ),
    Scenario("check", _write_check, _check_words, lambda f: read_files(f / "out")),
    Scenario(
        "claims",
        _write_claims,
        lambda f: ["claims", "examples", "--quick", "--jobs", "1", "--model",
                   f"fake:{f / 'script.json'}", "--out", str(f / "out")],
        _read_claims,
        phases={"/claims.": "claims", "/store/answers": "claims", "/study.yaml": "claims"},
        slow=True,
    ),
)  # fmt: skip
"""The name of a scenario is the phase where its own table names none."""
