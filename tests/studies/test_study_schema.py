"""The schema of the study file: what reads is valid, what is refused is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.base.errors import InputError
from whatworks.methods.registry import list_methods
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_schema import make_schema

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
SCHEMA = make_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TASK = {"train": "rows.jsonl", "metric": "exact"}


def test_it_is_a_schema_and_says_what_every_setting_means() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for name, kind in list_methods().items():
        fields = SCHEMA["$defs"][f"settings-of-{name}"]["properties"]
        assert set(kind.model_fields) <= set(fields)
        without = [f for f in kind.model_fields if not fields[f].get("description")]
        assert not without, (name, without)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_example_conforms(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize(
    ("arm", "reads"),
    [
        ("sft", True),
        ("rag+sft", True),
        ("rag + sft", True),
        ({"sft": {"epochs": 2}}, True),
        ({"sft": None}, True),
        ({"rag+sft": {"rag": {"k": 1}, "sft": {"epochs": 2}}}, True),
        ({"arm": "sft", "name": "few", "rows": 20, "decoding": {"temperature": 0.5}}, True),
        ({"sft": {"search": {"rank": [8, 32]}}}, True),
        ({"best-of-n": {"n": 2, "reward": "exact"}}, True),
        ("sfft", False),
        ("sft+", False),
        ({"sft": {"epoch": 2}}, False),
        ({"sft": {"epochs": "many"}}, False),
        ({"arm": "sft", "row": 20}, False),
        ({"arm": "sft", "rows": 0}, False),
        ({"sft": {}, "rag": {}}, False),
        ({"arm": "sft", "decoding": {"temprature": 1}}, False),
        (3, False),
    ],
    ids=str,
)
def test_an_arm_conforms_where_it_is_read(arm: Any, reads: bool, tmp_path: Path) -> None:
    study = {"task": TASK, "arms": [arm]}
    assert VALIDATOR.is_valid(study) == reads
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    if reads:
        read_arms(read_study(path))
    else:
        with pytest.raises(InputError):
            read_arms(read_study(path))


@pytest.mark.parametrize(
    "more", [{"seed": 3}, {"seeds": 0}, {"score": "loose"}, {"race": "perhaps"}, {"task": {}}]
)
def test_other_keys_and_values_do_not_conform(more: dict[str, Any], tmp_path: Path) -> None:
    study = {"task": TASK, "arms": ["sft"], **more}
    assert not VALIDATOR.is_valid(study)


def test_the_command_writes_it_and_init_names_it(tmp_path: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "schema.json"
    ran = runner.invoke(app, ["schema", "--out", str(out)])
    assert ran.exit_code == 0 and json.loads(out.read_text("utf-8")) == SCHEMA
    assert json.loads(runner.invoke(app, ["schema"]).output) == SCHEMA
    rows = [{"text": f"row {i}", "label": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = tmp_path / "study.yaml"
    ran = runner.invoke(app, ["init", str(tmp_path / "rows.jsonl"), "--out", str(study)])
    assert ran.exit_code == 0, ran.output
    first, *_ = study.read_text("utf-8").splitlines()
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / named).read_text("utf-8")) == SCHEMA
    VALIDATOR.validate(yaml.safe_load(study.read_text("utf-8")))


def test_docs_say_what_a_method_does_and_every_setting() -> None:
    runner = CliRunner()
    every = runner.invoke(app, ["docs"]).output
    for name, kind in list_methods().items():
        assert name in every
        ran = runner.invoke(app, ["docs", name])
        assert ran.exit_code == 0, ran.output
        first = (kind.__doc__ or "").split("\n")[0][:30].replace("``", "")
        assert first.split("``")[0] in ran.output
        assert all(field in ran.output for field in kind.model_fields)
    wrong = runner.invoke(app, ["docs", "stf"])
    assert isinstance(wrong.exception, InputError) and "sft" in wrong.exception.remedy


def test_a_shell_completes_commands() -> None:
    ran = CliRunner().invoke(app, ["--show-completion", "bash"])
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output, ran.output
