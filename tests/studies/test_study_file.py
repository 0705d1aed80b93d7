from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import Results
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.models.constraint import Constraint
from whatworks.prompts.candidate import Candidate
from whatworks.studies.checks.clean_copy import clean
from whatworks.studies.open_study import open_study
from whatworks.studies.study_file import read_arms, read_study
from whatworks.studies.study_task import read_task

MINIMAL = "task: {train: rows.jsonl, metric: exact}\narms: [zero-shot, few-shot]\n"


def write(folder: Path, text: str, rows: int = 20) -> Path:
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    lines = [json.dumps({"input": f"say {i * 7919}", "target": f"{i}"}) for i in range(rows)]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return path


def refused(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        study = read_study(write(folder, text))
        read_arms(study)
        read_task(study, folder)
    assert len(str(caught.value).splitlines()) <= 2
    return caught.value


def test_minimal_study(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, MINIMAL))
    assert study.model == "lab"
    assert [arm.name for arm in read_arms(study)] == ["zero-shot", "few-shot"]
    task = read_task(study, tmp_path)
    assert task.splits.counts() == {"train": 12, "dev": 4, "test": 4}
    assert task.key == read_task(study, tmp_path).key


def test_yaml_numbers_and_words(tmp_path: Path) -> None:
    text = """
task: {train: rows.jsonl, metric: exact, instructions: no}
arms:
- {sft: {learning_rate: 1e-4}}
- {arm: few-shot, name: one-shot, few-shot: {k: 1}}
"""
    study = read_study(write(tmp_path, text))
    assert study.task.instructions == "no"
    sft, few = read_arms(study)
    assert sft.chain.steps[0].model_dump()["learning_rate"] == 1e-4
    assert (few.name, few.chain.steps[0].model_dump()["k"]) == ("one-shot", 1)


WITH_FILES = """
task: {train: rows.jsonl, metric: {json: {schema: schema.json}}}
model: "fake:script.json"
arms:
- {constrained: {to: {json_schema: schema.json}}}
- {arm: constrained, name: grammar, constrained: {to: {lark: form.lark}}}
- {best-of-n: {n: 2, reward: {json: {schema: schema.json}}}}
- {dpo: {pairs: {json: {schema: schema.json}}}}
- {arm: knn, knn: {search: {embedder: [lexical, encoder]}}}
- {rag: {embedder: encoder, index: {rerank: encoder, store: "lancedb:kept"}}}
"""
CHANGES = {
    "schema.json": ('{"required": ["b"]}', {"constrained", "best-of-n", "dpo"}),
    "form.lark": ('start: "no"', {"grammar"}),
    "encoder/model.safetensors": ("other weights", {"knn", "rag"}),
}


def with_files(folder: Path) -> Path:
    (folder / "encoder").mkdir(parents=True)
    (folder / "encoder" / "config.json").write_text("{}")
    (folder / "encoder" / "model.safetensors").write_text("weights")
    (folder / "schema.json").write_text('{"required": ["a"]}')
    (folder / "form.lark").write_text('start: "yes"')
    (folder / "script.json").write_text(json.dumps({"default": '{"a": 1, "b": 2}'}))
    path = write(folder, WITH_FILES)
    rows = [{"input": f"say {i * 7919}", "target": '{"a": 1, "b": 2}'} for i in range(20)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.parametrize("changed", CHANGES)
def test_files_of_arms_lie_beside_the_study_and_count_by_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    paths = [with_files(tmp_path / name) for name in ("one", "other")]
    monkeypatch.chdir(tmp_path)

    def keys(path: Path) -> dict[str, str]:
        arms = read_arms(read_study(path), root=path.parent)
        return {arm.name: arm.chain.key for arm in arms}

    before = keys(paths[0])
    assert before == keys(paths[1]) == keys(Path("other/study.yaml"))
    metric = read_task(read_study(paths[0]), paths[0].parent).metric.key
    content, arms = CHANGES[changed]
    (paths[0].parent / changed).write_text(content)
    assert {name for name, key in keys(paths[0]).items() if key != before[name]} == arms
    now = read_task(read_study(paths[0]), paths[0].parent).metric.key
    assert (now != metric) == (changed == "schema.json")


def test_a_changed_file_is_not_answered_from_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_files(tmp_path / "study")
    path.write_text(path.read_text().replace("{json: {schema: schema.json}}}", "json}", 1))
    monkeypatch.chdir(tmp_path)

    def run() -> set[str]:
        run_study(path, out=tmp_path / "out", only=["constrained"])
        rows = Results(tmp_path / "out" / "results.jsonl").rows()
        return {row.candidate for row in rows if row.status == "scored"}

    assert len(run()) == 1 and run() == run()
    (path.parent / "schema.json").write_text('{"required": ["b"]}')
    run()
    texts = [json.loads(p.read_text()) for p in tmp_path.glob("out/store/candidates/*/*.json")]
    said = {candidate["decoding"]["constraint"]["text"] for candidate in texts}
    assert said == {'{"required": ["a"]}', '{"required": ["b"]}'}


def test_a_file_that_is_not_there_is_told_with_its_arm(tmp_path: Path) -> None:
    path = with_files(tmp_path / "study")
    (path.parent / "schema.json").unlink()
    with pytest.raises(InputError, match=r"arm 'constrained', .*schema\.json"):
        read_arms(read_study(path), root=path.parent)


def test_settings_of_chains(tmp_path: Path) -> None:
    text = MINIMAL.replace("few-shot]", "{rag+sft: {rag: {k: 2}, sft: {epochs: 1}}}]")
    (arm,) = read_arms(read_study(write(tmp_path, text)), only=["rag+sft"])
    assert [step.name for step in arm.chain.steps] == ["rag", "sft"]
    assert arm.chain.steps[1].model_dump()["epochs"] == 1


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("", "empty study file", "task"),
        ("task: [", "broken YAML", ""),
        ("- a\n- b\n", "mapping", "task"),
        (MINIMAL + "modle: lab\n", "unknown key 'modle'", "model"),
        (MINIMAL.replace("metric", "metrik"), "unknown key 'task.metrik'", "metric"),
        ("arms: [zero-shot]\n", "'task' is missing", ""),
        (MINIMAL + "seeds: many\n", "'seeds'", ""),
        (MINIMAL + "seeds: 1\nseeds: 2\n", "stands twice", ""),
        (MINIMAL.replace("few-shot", "fewshot"), "unknown method 'fewshot'", "few-shot"),
        (MINIMAL.replace("few-shot", "zero-shot"), "two arms", "name"),
        (MINIMAL.replace("few-shot", "{few-shot: {kk: 1}}"), "unknown setting 'kk'", "k"),
        (MINIMAL.replace("few-shot", "{few-shot: {k: 0}}"), "setting 'k'", ""),
        (
            MINIMAL.replace("few-shot", "prompt"),
            "'variants' of prompt is missing",
            "variants",
        ),
        (MINIMAL + "baseline: knn\n", "unknown arm 'knn'", "zero-shot"),
        (MINIMAL.replace("rows.jsonl", "none.jsonl"), "no such file", ""),
        (MINIMAL.replace("rows.jsonl, ", "rows.jsonl, test: rows.jsonl, "), "share", "overlap"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, cause: str, remedy: str) -> None:
    error = refused(tmp_path, text)
    assert cause in str(error)
    assert remedy in error.remedy


def test_missing_study_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such study file"):
        read_study(tmp_path / "none.yaml")


def test_what_stands_in_an_earlier_split_is_dropped_with_its_group(tmp_path: Path) -> None:
    def rows(name: str, *said: tuple[str, str | None]) -> None:
        lines = [json.dumps({"input": i, "target": "x", "group": g}) for i, g in said]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))

    files = "train: train.jsonl, dev: dev.jsonl, test: test.jsonl, split: {on_overlap: drop}"
    study = read_study(write(tmp_path, MINIMAL.replace("train: rows.jsonl", files)))
    rows("train", ("a", "1"), ("b", None), ("c", "2"))
    rows("dev", ("a", "3"), ("d", "4"), ("e", None))
    rows("test", ("f", "1"), ("b", None), ("g", "4"), ("h", None), ("i", "5"))
    splits = read_task(study, tmp_path).splits
    assert [row.text for row in splits.dev] == ["d", "e"]
    assert [row.text for row in splits.test] == ["h", "i"]
    rows("test", ("j", "1"), ("k", "2"))
    with pytest.raises(InputError, match="all 2 rows of test"):
        read_task(study, tmp_path)


def test_labels_have_even_shares_of_what_is_cut_and_limited(tmp_path: Path) -> None:
    said = "train: rows.jsonl, split: {dev: 12, test: 12, stratify: true}, limit: {train: 30}"
    study = read_study(write(tmp_path, MINIMAL.replace("train: rows.jsonl", said)))
    lines = [json.dumps({"input": f"say {i * 7919}", "target": "abc"[i % 3]}) for i in range(90)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    splits = read_task(study, tmp_path).splits
    counts = [
        Counter(row.target for row in part) for part in (splits.dev, splits.test, splits.train)
    ]
    assert counts == [{"a": 4, "b": 4, "c": 4}] * 2 + [{"a": 10, "b": 10, "c": 10}]


def test_whole_groups_stay_in_one_split(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, MINIMAL))
    lines = [
        json.dumps({"input": f"say {i * 7919}", "target": f"{i}", "group": f"g{i % 7}"})
        for i in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    splits = read_task(study, tmp_path).splits
    where: dict[str | None, set[str]] = {}
    for name in ("train", "dev", "test"):
        for example in getattr(splits, name):
            where.setdefault(example.group, set()).add(name)
    assert len(where) == 7
    assert all(len(names) == 1 for names in where.values())


def test_splits_that_the_rows_name(tmp_path: Path) -> None:
    study = read_study(write(tmp_path, MINIMAL))
    parts = ["train"] * 30 + ["dev"] * 6 + ["test"] * 4
    lines = [
        json.dumps({"input": f"say {i * 7919}", "target": f"{i}", "split": part})
        for i, part in enumerate(parts)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    splits = read_task(study, tmp_path).splits
    assert splits.counts() == {"train": 30, "dev": 6, "test": 4}
    assert [e.target for e in splits.test] == ["36", "37", "38", "39"]


def test_limits_are_reproducible(tmp_path: Path) -> None:
    text = MINIMAL.replace("metric: exact", "metric: exact, limit: {train: 5, test: 2}")
    study = read_study(write(tmp_path, text))
    one, two = (read_task(study, tmp_path).splits for _ in range(2))
    assert (len(one.train), len(one.dev), len(one.test)) == (5, 4, 2)
    assert one == two


def test_near_duplicates_of_one_file_stay_in_one_split(tmp_path: Path) -> None:
    rows = [{"input": f"where is my parcel number {i * 7919}", "target": "t"} for i in range(40)]
    rows += [{**row, "input": f"{row['input'].upper()}!"} for row in rows]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "task: {train: rows.jsonl, metric: exact, split: {dev: 15, test: 20}}\narms: [knn]\n"
    (tmp_path / "study.yaml").write_text(text)
    splits = read_task(read_study(tmp_path / "study.yaml"), tmp_path).splits
    for part in (splits.train, splits.dev, splits.test):
        texts = {example.text.casefold().rstrip("!") for example in part}
        assert len(part) == 2 * len(texts)
    assert splits.counts() == {"train": 44, "dev": 16, "test": 20}


def test_bad_answers_without_a_partner_are_preferences_of_train(tmp_path: Path) -> None:
    def row(number: int, label: bool, split: str = "") -> dict[str, object]:
        asked = {"prompt": f"say {number * 7919}", "completion": f"{number}", "label": label}
        return {**asked, "split": split} if split else asked

    def preferences(rows: list[dict[str, object]], **more: object) -> list[tuple[str, str]]:
        (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        task = {"train": "rows.jsonl", "metric": "exact", **more}
        (tmp_path / "study.yaml").write_text(json.dumps({"task": task, "arms": ["dpo"]}))
        read = read_task(read_study(tmp_path / "study.yaml"), tmp_path)
        held = {e.text for e in (*read.splits.dev, *read.splits.test)}
        assert not held & {pair.example.text for pair in read.preferences}
        return [(pair.chosen, pair.rejected) for pair in read.preferences]

    rows = [row(i, label=i < 20) for i in range(40)]
    found = preferences(rows)
    assert len([good for good, _ in found if good]) == 12
    assert [bad for _, bad in found if bad] == [f"{i}" for i in range(20, 40)]
    few = preferences(rows, limit={"train": 5})
    assert [sum(map(bool, side)) for side in zip(*few, strict=True)] == [5, 5]
    # A bad answer to what dev or test asks is held out with it.
    again = preferences([*rows, *({**row, "label": False, "completion": "x"} for row in rows[:20])])
    assert [good for good, bad in again if bad == "x"] == [good for good, _ in again if good]
    named = [row(i, label=i % 2 == 0, split=("train", "test")[i >= 20]) for i in range(40)]
    assert [bad for _, bad in preferences(named) if bad] == [f"{i}" for i in range(1, 20, 2)]


def test_decoding_of_a_study_and_of_an_arm(tmp_path: Path) -> None:
    rows = [{"input": f"say {i * 7919}", "output": "ab"[i % 2]} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "say.json").write_text(json.dumps({"default": "a"}))
    (tmp_path / "form.json").write_text(json.dumps({"type": "string"}))
    study = tmp_path / "study.yaml"
    text = """
    task: {train: rows.jsonl, metric: category}
    model: fake:say.json
    decoding: {constraint: auto, max_tokens: 9}
    arms:
      - zero-shot
      - {arm: zero-shot, name: free, decoding: {constraint: {json_schema: form.json}, samples: 2}}
    """
    study.write_text(text)
    run_study(study, out=tmp_path / "out")
    kept = [
        Candidate.model_validate_json(path.read_text())
        for path in (tmp_path / "out" / "store" / "candidates").rglob("*.json")
    ]
    held, own = sorted((c.decoding for c in kept), key=lambda d: d.samples)
    assert held.constraint == Constraint(kind="choices", choices=("a", "b"))
    assert own.constraint == Constraint.from_schema({"type": "string"})
    assert (held.max_tokens, own.max_tokens, own.samples) == (9, 9, 2)
    study.write_text(text.replace("category", "exact"))
    with pytest.raises(InputError, match="wants no form"):
        run_study(study, out=tmp_path / "other")
    study.write_text(text.replace("samples: 2", "sample: 2"))
    with pytest.raises(InputError, match="decoding of the arm"):
        run_study(study, out=tmp_path / "third")


def test_every_turn_of_a_train_conversation_is_a_row(tmp_path: Path) -> None:
    def said(speaker: str, text: str) -> dict[str, str]:
        return {"from": speaker, "value": text}

    talks = [
        [turn for n in range(3) for turn in (said("human", f"ask {i * 7919 + n}"),
                                             said("gpt", f"say {i} {n}"))]
        for i in range(20)
    ]  # fmt: skip
    path = write(tmp_path, MINIMAL)
    lines = [json.dumps({"id": f"talk {i}", "conversations": talk}) for i, talk in enumerate(talks)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    last = read_task(read_study(path), tmp_path).splits
    path.write_text(MINIMAL.replace("metric: exact", "metric: exact, turns: every"))
    every = read_task(read_study(path), tmp_path).splits
    assert (every.dev, every.test) == (last.dev, last.test)
    assert len(last.train) == 12 and len(every.train) == 36
    path.write_text(MINIMAL.replace("metric: exact", "metric: exact, turns: asked"))
    asked = read_task(read_study(path), tmp_path).splits
    assert asked.train == every.train
    for rows, whole in ((asked.dev, last.dev), (asked.test, last.test)):
        assert len(rows) == 3 * len(whole)
        assert {row.group for row in rows} == {row.id for row in whole}
        assert all(row.messages[-1].role == "user" for row in rows)
    path.write_text(MINIMAL.replace("metric: exact", "metric: exact, turns: every"))
    assert {row.group for row in every.train} == {row.id for row in last.train}
    assert {row.target for row in every.train} >= {row.target for row in last.train}
    assert {len(row.messages) for row in every.train} == {1, 3, 5}
    summary, _ = run_study(path, model="fake:", out=tmp_path / "run")
    assert not any(arm.failures for arm in summary.arms)
    opened = open_study(path, model="fake:")
    clean(path, opened.task, [])
    cleaned = read_task(read_study(tmp_path / "study-clean.yaml"), tmp_path).splits
    assert cleaned.train == every.train

    leaked = next(row for row in every.train if row.id.endswith("-t1"))
    test = [{"input": one, "target": leaked.target} for one in (leaked.text, "else")]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, test)))
    text = MINIMAL.replace("metric: exact", "test: test.jsonl, metric: exact, turns: every")
    path.write_text(text)
    with pytest.raises(InputError, match="train and test share 1 rows"):
        read_task(read_study(path), tmp_path)
    path.write_text(text.replace("every", "every, split: {dev: 1, on_overlap: drop}"))
    assert len(read_task(read_study(path), tmp_path).splits.test) == 1
