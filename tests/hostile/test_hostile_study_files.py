"""Study files of any content: read, or refused in two lines, each in under a second."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatworks.app.cli import main
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.base.yaml_file import LARGEST, read_mapping
from whatworks.studies.open_study import open_study
from whatworks.studies.study_file import read_study

GOOD = "task: {train: rows.jsonl, metric: exact}\nmodel: 'fake:'\narms: [zero-shot]\n"

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
)
HOSTILE = {
    "a key that is a list": ("? [1, 2]\n: 3", "a key is a list or mapping"),
    "a key that is a mapping": ("{{ name }}: 3", "template"),
    "brackets": ("a: " + "[" * 3000, "nested deeper"),
    "braces": ("{a: " * 3000, "nested deeper"),
    "dashes": ("- " * 200_000, "nested deeper"),
    "indents": ("".join(" " * i + "a:\n" for i in range(400)), "nested deeper"),
    "an endless integer": (f"seeds: {'9' * 5000}", "is no int"),
    "no bool": ("a: !!bool xyz", "'xyz' is no bool"),
    "no timestamp": ("a: !!timestamp xyz", "'xyz' is no timestamp"),
    "no date": ("a: !!timestamp 2024-13-45", "is no timestamp"),
    "no int": ("a: !!int xyz", "'xyz' is no int"),
    "no float": ("a: !!float xyz", "'xyz' is no float"),
    "no bytes": ("a: !!binary é", "broken YAML"),
    "no set": ("a: !!set [1]", "broken YAML"),
    "no mapping": ("a: !!map [1]", "broken YAML"),
    "no ordered mapping": ("a: !!omap 3", "broken YAML"),
    "an object": ("a: !!python/object/apply:os.system [ls]", "broken YAML"),
    "NUL": ('a: "\\0"', "no text can hold"),
    "half a character": ('a: "\\ud800"', "broken YAML"),
    "no character": ('a: "\\UFFFFFFFF"', "broken YAML"),
    "aliases without end": (BOMB, "more than 100000 values"),
    "an alias in itself": ("a: &a [*a]", "nothing whole is called 'a'"),
    "an alias of nothing": ("a: *b", "nothing whole is called 'b'"),
    "10 MB of a word": ("a: " + "x" * 10_000_000, "more than 1 MiB"),
    "10 MB of digits": ("seeds: " + "9" * 10_000_000, "more than 1 MiB"),
    "a million signs": (GOOD + "name: " + "x" * 1_000_000 + "\nmodle: x", "unknown key 'modle'"),
    "two documents": ("a: 1\n---\nb: 2", "another document"),
    "a date for a number": (GOOD + "seeds: 2024-01-01", "'seeds'"),
    "keys that are numbers": (GOOD + "3: x", "unknown key '3'"),
    "keys that are no numbers": (GOOD + ".nan: x", "nan"),
    "a merge": (GOOD + "<<: {a: 1}", "unknown key '<<'"),
}


def refusal(path: Path) -> InputError:
    begun = time.process_time()
    with pytest.raises(InputError) as caught:
        open_study(path)
    assert time.process_time() - begun < 1.0
    assert len(str(caught.value).splitlines()) == 2 and len(str(caught.value)) < 600
    return caught.value


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_in_two_lines(tmp_path: Path, kind: str) -> None:
    text, cause = HOSTILE[kind]
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    assert cause in str(refusal(path))


@pytest.mark.parametrize("name", ['"a\\tb"', "$ABSENT/a", "a" * 5000, "a/" * 2500])
@pytest.mark.parametrize("key", ["train", "documents", "preferences", "model", "retention"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str, key: str) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(f'{{"input": "say {i * 7919}", "target": "{i}"}}' for i in range(20))
    )
    path = tmp_path / "study.yaml"
    if key in ("model", "retention"):
        path.write_text(f"{GOOD.replace('model', 'name')}{key}: {name}\n")
    elif key == "train":
        path.write_text(GOOD.replace("rows.jsonl", name))
    else:
        path.write_text(GOOD.replace("metric: exact", f"metric: exact, {key}: {name}"))
    with pytest.raises(InputError) as caught:
        run_study(path, out=tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"\xff\xfe\x00", "cannot be read as text"), (b"\x00" * 99, "broken YAML"), (b"", "empty")],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, cause: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    assert cause in str(refusal(path))


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull), tmp_path / "a\0b", Path("a" * 5000)):
        assert refusal(path).remedy


def test_the_command_says_it_in_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("{{ name }}: 3")
    monkeypatch.setattr("sys.argv", ["whatworks", "run", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e-4", 1e-4), ("no", "no"), ("on", "on"), ("2024-13-45", "2024-13-45"), ("010", 10),
        ("2024-01-01", "2024-01-01"), ("190:20:30", "190:20:30"), ("0x1F", 31), ("0o17", 15),
        ("true", True), ("~", None), ("", None), ("'5'", "5"), (".5", 0.5), ("1_000", "1_000"),
        ("-3", -3), ("=", "="), ("é", "é"), ("&x 3", 3), ("[1, a]", [1, "a"]),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, written: str, read: object) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(f"a: {written}\n", encoding="utf-8")
    assert read_mapping(path, "file", "a") == {"a": read}


def test_aliases_and_marks_of_editors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("\ufeffa: &a {b: [1, 2]}\nc: *a\r\nd: [*a, *a]\n", encoding="utf-8")
    content = read_mapping(path, "file", "a")
    assert content == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}] * 2}


def test_the_largest_file_is_read_in_under_a_second(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("a: |\n" + "  some words\n" * (LARGEST // 14))
    begun = time.process_time()
    assert len(read_mapping(path, "file", "a")["a"]) > LARGEST // 2
    assert time.process_time() - begun < 1.0


@settings(
    max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "replace"))
    | st.tuples(st.text(alphabet="[]{}:,-?&*!|>'\"%@`#~ \nab0", max_size=60), st.booleans()).map(
        lambda parts: (GOOD * parts[1] + parts[0]).encode()
    )
)
def test_any_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    try:
        read_study(path)
    except InputError as error:
        assert len(str(error).splitlines()) == 2
