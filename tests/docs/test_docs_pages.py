"""What the documentation shows is so: links lead somewhere, code runs, commands are there."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml
from doc_pages import (
    PAGES,
    ROOT,
    Block,
    list_anchors,
    list_blocks,
    list_code,
    list_links,
)

from whatworks.app.cli import app
from whatworks.base.yaml_file import parse_yaml
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.study_file import StudyFile

PYTHON = list_blocks("python", "pycon")
YAML = list_blocks("yaml")
SHELL = list_blocks("bash", "sh", "shell")
_BARE: dict[str, Any] = {"task": {"train": "rows.jsonl", "metric": "exact"}, "arms": ["zero-shot"]}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in list_links(page):
        target, _, anchor = link.partition("#")
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in list_anchors(there), f"{link}: {sorted(list_anchors(there))}"


@pytest.mark.parametrize("block", [b for b in PYTHON if ">>>" not in b.text], ids=str)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({b.page for b in PYTHON if ">>>" in b.text}), ids=name)
def test_sessions_run_as_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, in a folder with the examples; a block with a title is a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    names: dict[str, Any] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for block in (b for b in PYTHON if b.page == page):
        if title := re.search(r'title="(\w+)\.py"', block.info):
            (tmp_path / f"{title[1]}.py").write_text(block.text)
            importlib.invalidate_caches()
            monkeypatch.delitem(sys.modules, title[1], raising=False)
        elif ">>>" in block.text:
            test = doctest.DocTestParser().get_doctest(
                block.text, names, str(block), name(page), block.line
            )
            test.globs = names  # what one block makes the next one has
            failed = runner.run(test, clear_globs=False).failed
            assert failed == 0, f"{block}: the output above"
    assert runner.tries


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_of_a_study(block: Block) -> None:
    """A study file, keys of one, or arms; or steps of a workflow, whose commands are checked."""
    lines = block.text.splitlines()
    if len({line.partition(":")[0] for line in lines}) < len(lines) and all(
        re.match(r"\w+: ", line) for line in lines
    ):
        contents = [parse_yaml(line, block.page) for line in lines]  # one key, in several ways
    else:
        contents = [parse_yaml(block.text, block.page)]
    for content in contents:
        if isinstance(content, list) and {"run", "uses"} & cast("Any", content[0]).keys():
            for step in cast("list[dict[str, str]]", content):
                check_shell(re.sub(r"\$\{\{.*?\}\}", "X", step.get("run", "")), str(block))
            continue
        keys = {"arms": content} if isinstance(content, list) else cast("dict[str, Any]", content)
        study = StudyFile.model_validate({**_BARE, **keys})
        for arm in study.arms:
            read_arm(arm)


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_names_commands_and_options_that_exist(block: Block) -> None:
    for line in block.text.replace("\\\n", " ").splitlines():
        check_shell(line, str(block))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_a_sentence_exist(page: Path) -> None:
    for code in list_code(page):
        if re.match(r"(whatworks|make) [a-z]", code):
            check_shell(code, name(page))


def check_shell(line: str, place: str) -> None:
    """Commands of a line, each with its options."""
    words = shlex.split(line.replace("'", '"') if line.count("'") % 2 else line, comments=True)
    for command in " ".join(words).replace(", whatworks", " && whatworks").split(" && "):
        if command:
            check_command(command.split(), place)


def check_command(words: list[str], place: str) -> None:
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words = words[1:]
    match words:
        case ["whatworks", *rest]:
            check_own(rest, place)
        case ["make", *targets]:
            known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
            assert {t for t in targets if "=" not in t} <= {*known}, f"{place}: make {targets}"
        case ["python" | "pytest" | ".venv/bin/python", *rest]:
            files = [one for one in rest if one.endswith(".py")]
            assert all((ROOT / one).is_file() or "benchmarks" not in one for one in files), place
        case [tool, *_]:
            tools = ("pip", "pipx", "uvx", "uv", "docker", "export", "ray", "gh", "git", "curl",
                     "npm", "ollama", "cd")  # fmt: skip
            assert tool in tools, f"{place}: {tool}"
        case _:
            pass


@lru_cache
def find_root() -> Any:
    return typer.main.get_command(app)


def check_own(words: list[str], place: str) -> None:
    command = find_root()
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        known = command.commands
        if words[0].isupper() or words[0] == "...":
            return  # COMMAND stands for any
        assert words[0] in known, f"{place}: no command {words[0]!r} among {[*known]}"
        command, words = known[words[0]], words[1:]
    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
    options |= {"--install-completion", "--show-completion"}
    for word in words:
        option = word.strip("[]()|.,;").partition("=")[0]
        if option.startswith("--"):
            assert option in options, f"{place}: {command.name} has no {option}"


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    for wrong in ("whatworks rum x", "whatworks run x --onyl y", "make demoo", "rm -rf /"):
        with pytest.raises(AssertionError):
            check_shell(wrong, "here")
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c!\n\n[x](gone.md) [y](#a-b-c) [z](https://x.org)\n\n```yaml\na: 1\n```\n"
    )
    assert list_anchors(page) == {"a-b-c"} and list_links(page) == ["gone.md", "#a-b-c"]
    (block,) = list_blocks("yaml", pages=[page])
    assert yaml.safe_load(block.text) == {"a": 1} and block.line == 5 and os.sep not in block.info
