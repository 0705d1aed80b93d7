"""What every command prints under `--json` holds its published schema, to the key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.app.programs.record_shapes import list_shapes, make_record_schema
from whatworks.base.errors import InputError
from whatworks_claims.findings import Report
from whatworks_claims.page import as_data
from whatworks_claims.run_studies import Request

ROOT = Path(__file__).parents[3]
SERVERS = {"serve", "mcp", "watch"}
"""Commands that print nothing to be read: they answer while they run."""


def close(schema: Any) -> Any:
    """The schema without further keys: what is printed here is documented."""
    if isinstance(schema, dict):
        inner = {key: close(value) for key, value in schema.items()}
        return {**inner, "additionalProperties": False} if "properties" in schema else inner
    return [close(one) for one in schema] if isinstance(schema, list) else schema


def validate(text: str) -> dict[str, Any]:
    record = json.loads(text)
    name = record["schema"].removeprefix("whatworks.").removesuffix("/1")
    jsonschema.Draft202012Validator(close(make_record_schema(name))).validate(record)
    return record


def ask(*words: str, code: int = 0) -> dict[str, Any]:
    ran = CliRunner().invoke(app, [*words])
    assert ran.exit_code == code, ran.output
    return validate(ran.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of the scripted engine that has run."""
    folder = tmp_path_factory.mktemp("json")
    rows = [
        {"id": f"row{n}", "input": f"Question {n * 37}, please?", "target": "ab"[n % 2],
         "meta": {"town": ("Oslo", "Rome")[n % 2]}}
        for n in range(90)
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = {"answers": [{"contains": "Briefly", "answer": "a"}], "default": "c"}
    (folder / "script.json").write_text(json.dumps(script))
    (folder / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact, split: {dev: 12, test: 60}}\n"
        "model: fake:script.json\nseeds: 1\narms: [zero-shot, {prompt: {variants: [Briefly]}}]\n"
    )
    ran = CliRunner().invoke(
        app, ["run", str(folder / "study.yaml"), "--out", str(folder / "out"), "--json"]
    )
    assert ran.exit_code == 0, ran.output
    validate(ran.stdout)
    return folder


def test_commands_about_a_study_and_its_run(place: Path) -> None:
    study, out = str(place / "study.yaml"), str(place / "out")
    assert len(ask("check", study, "--json")["findings"]) > 5
    assert [arm["name"] for arm in ask("plan", study, "--out", out, "--json")["arms"]] == [
        "zero-shot", "prompt",
    ]  # fmt: skip
    assert ask("report", out, "--json")["best"] == "prompt"
    pair = ask("compare", f"{out}/zero-shot", f"{out}/prompt", "--json")
    right = round(pair["difference"] * pair["rows"])  # the script knows every second answer
    assert pair["rows"] == 60 and 15 < right < 45
    gate = ask("gate", f"{out}/zero-shot", "--against", f"{out}/prompt", "--json", "-", code=3)
    assert not gate["passed"] and gate["difference"] == -pair["difference"]
    towns = ask("slices", out, "--by", "town", "--json")
    assert {one["value"]: one["baseline"] for one in towns["slices"]} == {
        "Oslo": 1.0, "Rome": 0.0,
    }  # fmt: skip
    (prompt,) = ask("errors", out, "prompt", "--against", "zero-shot", "--json")["arms"]
    assert (prompt["answers"], prompt["wrong"], prompt["changes"]["fixed"]) == (
        60,
        60 - right,
        right,
    )
    assert sum(one["count"] for one in prompt["patterns"]) == 60 - right
    assert ask("label", out, "--show", "--json")["judged"] == 0


def test_commands_that_make_data(place: Path, tmp_path: Path) -> None:
    rows = str(place / "rows.jsonl")
    written = ask("init", rows, "--out", str(tmp_path / "new.yaml"), "--json")
    assert written["study"] == str(tmp_path / "new.yaml")
    call = {
        "messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Ho"}]
    }
    (tmp_path / "log.jsonl").write_text(json.dumps(call) + "\n")
    made = ask("import", str(tmp_path / "log.jsonl"), "--out", str(tmp_path / "o.jsonl"), "--json")
    assert made["rows"] == 1 and made["formats"]
    texts = [f"{w} {w} number {n}" for n in range(8) for w in ("parcel lost", "refund money")]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    words = ("cluster", str(tmp_path / "texts.txt"), "--embedder", "lexical", "--k", "2", "--json")
    groups = ask(*words, "--out", str(tmp_path / "c.jsonl"))
    assert sorted(groups["clusters"].values()) == [8, 8] and groups["agreement"] is None


def test_what_a_model_knows(place: Path, tmp_path: Path) -> None:
    study = str(place / "study.yaml")
    known = ask("known", study, "--out", str(tmp_path / "known"), "--json")
    assert known["facts"] > 0
    assert sum(known["shares"].values()) == pytest.approx(1.0)


def test_claims_and_methods(tmp_path: Path) -> None:
    assert len(ask("claims", "--list", "--json")["claims"]) > 15
    assert [one["name"] for one in ask("docs", "sft", "--json")["methods"]] == ["sft"]
    request = Request((), "lab", "generated", False, tmp_path, 1)
    record = {"schema": "whatworks.claims/1", **as_data(Report(request, (), (), {}, 1.0, 2.0))}
    assert validate(json.dumps(record))["findings"] == []


@pytest.mark.slow
def test_an_export(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"input": f"Say {n}", "target": f"{n}"} for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact, split: {dev: 4, test: 6}}\nseeds: 1\n"
        f"model: {tiny_model}\narms: [zero-shot]\ndecoding: {{max_tokens: 4}}\nretention: none\n"
    )
    ask("run", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "run"), "--json")
    words = ("export", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--json")
    assert ask(*words)["parity"]["rows"] == 6


def test_every_command_has_it() -> None:
    """Or prints JSON anyway, or serves."""
    without: set[str] = set()
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        for inner in getattr(command, "commands", {"": command}).values():
            if not any("--json" in option.opts for option in inner.params):
                without.add(name)
    assert without <= {*SERVERS, "schema"}


def test_every_record_is_documented_and_has_a_schema() -> None:
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    for name in list_shapes():
        schema = make_record_schema(name)
        jsonschema.Draft202012Validator.check_schema(schema)
        (row,) = re.findall(rf"^\| `whatworks\.{name}/1` \|.*$", page, re.M)
        missing = [key for key in schema["properties"] if key != "schema" and f"`{key}`" not in row]
        assert not missing, (name, missing)
    ran = CliRunner().invoke(app, ["schema", "verdict"])
    assert json.loads(ran.stdout) == make_record_schema("verdict")
    wrong = CliRunner().invoke(app, ["schema", "verdikt"])
    assert isinstance(wrong.exception, InputError) and "verdict" in wrong.exception.remedy


def test_a_missing_key_and_a_wrong_value_are_found() -> None:
    good = {"schema": "whatworks.init/1", "study": "s.yaml", "metric": "exact"}
    validate(json.dumps(good))
    for wrong in ({"metric": 3}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validate(json.dumps({**good, **wrong}))
    with pytest.raises(jsonschema.ValidationError):
        validate(json.dumps({"schema": "whatworks.init/1", "study": "s.yaml"}))
