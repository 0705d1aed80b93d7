"""What CONTRIBUTING shows: its diffs apply, and its four additions run, inside and outside."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
STUDY = """
task: {train: rows.jsonl, metric: capitals, split: {dev: 6, test: 12}, instructions: Answer}
model: 'echo:'
arms: [zero-shot, shout]
seeds: 1
"""


def added() -> dict[str, str]:
    """The files that the diffs make, by path."""
    files: dict[str, list[str]] = {}
    path = ""
    for block in re.findall(r"```diff\n(.*?)```", TEXT, re.S):
        for line in block.splitlines():
            if line.startswith("+++ b/"):
                path = line.removeprefix("+++ b/")
            elif line.startswith("--- "):
                path = ""
            elif path and not path.endswith(("registry.py", "__init__.py", "open_engine.py")):
                files.setdefault(path, []).extend([line[1:]] if line.startswith("+") else [])
    return {path: "\n".join(lines) + "\n" for path, lines in files.items()}


def apply_diffs(root: Path) -> None:
    """Write the new files, and insert each added line behind the one that the diff shows."""
    for path, text in added().items():
        assert not (root / path).exists(), f"{path} is there already"
        (root / path).write_text(text)
    for block in re.findall(r"```diff\n(.*?)```", TEXT, re.S):
        shown = block[block.index("--- a/") :]
        path = root / re.findall(r"\+\+\+ b/(\S+)", shown)[0]
        for hunk in re.split(r"@@ .*? @@\n", shown)[1:]:
            context, *new = hunk.splitlines()
            source = path.read_text()
            assert source.count(f"\n{context[1:]}\n") == 1, f"{path.name} has no {context[1:]!r}"
            lines = "".join(f"{line[1:]}\n" for line in new)
            path.write_text(source.replace(f"{context[1:]}\n", f"{context[1:]}\n{lines}", 1))


def run(folder: Path, *places: Path) -> None:
    """A study with all four in another process; every one of them counts."""
    rows = [{"riddle": f"What is it, word{i * 7919}?", "solution": f"word{i * 7919}"}
            for i in range(40)]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "study.yaml").write_text(STUDY)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}
    out = folder / "out"
    command = [sys.executable, "-m", "whatworks", "run", str(folder / "study.yaml")]
    done = subprocess.run(
        [*command, "--out", str(out)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    records = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    values = {
        arm: [r["value"] for r in records if r["arm"] == arm] for arm in ("shout", "zero-shot")
    }
    assert values == {"shout": [1.0] * 12, "zero-shot": [0.0] * 12}
    assert {r["output"] for r in records if r["arm"] == "shout"} <= {
        row["solution"].upper() for row in rows
    }
    summary = json.loads((out / "summary.json").read_text())
    (shout,) = [arm for arm in summary["arms"] if arm["name"] == "shout"]
    assert {"says"} == {one["name"] for one in shout["outcomes"][0]}


def test_the_diffs_apply_and_a_study_runs_with_all_four(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    apply_diffs(tmp_path)
    run(tmp_path, tmp_path / "src")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The same files as an installed package of somebody else's."""
    place = tmp_path / "site"
    (place / "mypackage").mkdir(parents=True)
    for path, text in added().items():
        (place / "mypackage" / Path(path).name).write_text(text)
    info = place / "mypackage-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1.0\n")
    (toml,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    entries = re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", toml).replace('"', "")
    (info / "entry_points.txt").write_text(entries)
    return place


def test_another_package_registers_all_four(tmp_path: Path, package: Path) -> None:
    run(tmp_path, package, ROOT / "src")


def test_another_version_of_a_package_runs_its_method_anew(tmp_path: Path, package: Path) -> None:
    """Its metric is another one as well: scores of two versions never stand in one folder."""
    (package / "mypackage" / "capitals.py").unlink()  # here only the method is the package's
    entries = package / "mypackage-1.0.dist-info" / "entry_points.txt"
    text = entries.read_text()
    entries.write_text(re.sub(r"\[whatworks.metrics\]\n.*\n", "", text))
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.replace("capitals", "exact"))
    rows = [{"riddle": f"What is it, word{i * 7919}?", "solution": f"WORD{i}"} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (package, ROOT / "src")))}
    out = tmp_path / "out"
    command = [sys.executable, "-m", "whatworks", "run", str(study), "--out", str(out)]

    def count_steps() -> int:
        subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        return len(list(out.glob("store/steps/*/*.json")))

    first = count_steps()
    assert count_steps() == first
    metadata = package / "mypackage-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert count_steps() == first + 1  # shout; zero-shot is of this package
    entries.write_text(text)
    (package / "mypackage" / "capitals.py").write_text(added()["src/whatworks/metrics/capitals.py"])
    study.write_text(STUDY)
    out = tmp_path / "scored"
    command[-1] = str(out)
    count_steps()
    metadata.write_text(metadata.read_text().replace("Version: 1.1", "Version: 1.2"))
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "(another task)" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("group", "entry", "said"),
    [
        ("whatworks.methods", "shout = mypackage.shout:nothing", "cannot be imported"),
        ("whatworks.methods", "sft = mypackage.shout:Shout", "'sft' is taken"),
        ("whatworks.methods", "louder = mypackage.shout:Shout", "no method of that name"),
        ("whatworks.formats", "riddle = mypackage.shout:Shout", "no format of that name"),
    ],
)
def test_what_is_none_is_refused(
    tmp_path: Path, package: Path, group: str, entry: str, said: str
) -> None:
    (package / "mypackage-1.0.dist-info" / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (tmp_path / "rows.jsonl").write_text('{"input": "a", "target": "b"}\n' * 3)
    text = STUDY.replace("capitals", "exact").replace("echo:", "fake:").replace(", shout", "")
    (tmp_path / "study.yaml").write_text(text)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (package, ROOT / "src")))}
    command = [sys.executable, "-m", "whatworks", "check", str(tmp_path / "study.yaml")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and said in done.stderr and group in done.stderr, done.stderr
