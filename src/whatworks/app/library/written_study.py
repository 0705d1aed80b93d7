"""A study file, and the data beside it, written from what a program holds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack, cast

import yaml

from whatworks.app.library.own_parts import simplify_keys
from whatworks.app.library.rows_file import Rows, find_path, list_parts, write_rows
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.paths import make_slug
from whatworks.base.store import explain_disk_errors, sync_tree
from whatworks.base.yaml_file import parse_yaml
from whatworks.methods.method import Method
from whatworks.studies.first_columns import Ambiguous
from whatworks.studies.first_files import Files, sort_files
from whatworks.studies.first_metric import guess_metric
from whatworks.studies.first_study_file import render_study
from whatworks.studies.study_file import StudyFile, TaskSection, read_arms, read_study

FOLDER = Path("studies")
"""Where studies are written by default."""
_DATA = ("train", "dev", "test", "documents", "preferences")


class StudyKeys(TypedDict, total=False):
    """The keys of a study file (docs/study-file.md), those of ``task:`` among them.

    ``dev``, ``test``, ``documents`` and ``preferences`` may be rows as well as paths; ``metric``
    may be a function ``(example, text) -> float or Score`` in a file, and so may its name be in
    ``{metric: {option: ...}}``. An arm may be a method declared by ``ww.method`` in a file;
    ``plugins`` names those that stand in a chain such as ``shout+sft``.
    """

    dev: Rows
    test: Rows
    documents: Rows
    preferences: Rows
    metric: Any
    instructions: str
    format: str
    columns: Mapping[str, str | list[str]]
    split: Mapping[str, Any]
    limit: Mapping[str, int]
    where: Mapping[str, Any]
    turns: str
    cluster: Mapping[str, Any]
    missing: str
    model: str
    arms: Sequence[str | Mapping[Any, Any] | type[Method]]
    name: str
    baseline: str
    race: bool
    keep: Sequence[str]
    score: str
    seeds: int
    min_effect: float
    requests_per_month: int
    choose_on: str
    template: str
    enable_thinking: bool
    helper: str
    prices: Mapping[str, Any]
    decoding: Mapping[str, Any]
    budget: Mapping[str, Any]
    retention: str
    curve: Mapping[str, Any]
    slices: Sequence[str]
    track: Sequence[str]
    batch: bool
    diagnose: bool
    plugins: Sequence[str | Path | type[Method]]


def study(train: Rows, *, folder: str | Path | None = None, **keys: Unpack[StudyKeys]) -> Path:
    """Write a study for rows in memory or in files; what is not said is guessed, as by ``init``.

    Args:
        train: Rows with what is asked and the wanted answer: mappings, a data frame, a
            ``datasets.Dataset``, a path, or a mapping of splits to any of these.
        folder: Where to write; by default below ``studies``, named by what it holds, so that the
            same rows and keys are the same study, and another is another.
        keys: The keys of a study file; those of its ``task:`` stand beside the others.

    Returns:
        The study file, for ``run`` or the command line.

    Raises:
        InputError: If a key, a value or the rows cannot be used; nothing is written then.

    Example:
        >>> import whatworks as ww
        >>> rows = [{"text": f"{n} is even?", "answer": "no" if n % 2 else "yes"}
        ...         for n in range(40)]
        >>> path = ww.study(rows, arms=["zero-shot", "few-shot"], folder="even")
        >>> print(path.as_posix())
        even/study.yaml
    """
    known = (*TaskSection.model_fields, *StudyFile.model_fields)
    for key in keys:
        if key not in known or key in ("task", "train"):
            raise InputError(f"unknown key {key!r}", remedy=suggest_nearest(key, known))
    data = list_parts(train)
    data |= {name: keys[name] for name in _DATA if name in keys}  # type: ignore[literal-required]
    paths = {name: path for name, rows in data.items() if (path := find_path(rows))}
    texts = {name: write_rows(rows, name) for name, rows in data.items() if name not in paths}
    values = simplify_keys({key: value for key, value in keys.items() if key not in _DATA})
    content = json.dumps([values, texts, sorted(map(str, paths.values()))], default=str)
    digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:8]
    name = make_slug(str(keys.get("name", "study")))
    values.setdefault("name", name if folder is not None else f"{name}-{digest}")
    out = Path(folder) if folder is not None else FOLDER / f"{name}-{digest}"
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with explain_disk_errors(draft):
            draft.mkdir(parents=True)
            for part, text in texts.items():
                (draft / f"{part}.jsonl").write_text(text, encoding="utf-8")
            where = {part: paths.get(part, draft / f"{part}.jsonl") for part in data}
            _write_file(draft / "study.yaml", where, values)
            _check(draft / "study.yaml")
            sync_tree(draft)
            _publish(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return out / "study.yaml"


def _publish(draft: Path, out: Path) -> None:
    """Give the draft its name; what stands there already must be the same.

    Raises:
        InputError: If something else stands there.
    """
    if out.exists():
        same = all(
            (out / path.name).is_file() and (out / path.name).read_bytes() == path.read_bytes()
            for path in draft.iterdir()
        )
        if not same:
            raise InputError(
                "the folder holds something else", place=str(out), remedy="name another: folder=..."
            )
        return
    draft.rename(out)


def _write_file(path: Path, where: Mapping[str, Path], keys: Mapping[str, Any]) -> None:
    """The study file: what ``init`` would write for the files, with what was said in its place."""
    # Files of dev and test are what they were called here, whatever their own names say.
    rows = [where[part] for part in ("train", "preferences") if part in where]
    named = cast("dict[str, str | list[str]]", dict(keys.get("columns", {})))
    metric = keys.get("metric", "")
    files = _sort(rows, named, where.get("documents"))
    guess = guess_metric(files, metric if isinstance(metric, str) else "")
    text = render_study(files, guess, path.parent, keys.get("model", "lab"))
    values = cast("dict[str, Any]", parse_yaml(text, path))
    task = {key: value for key, value in keys.items() if key in TaskSection.model_fields}
    values = {**values, **{key: value for key, value in keys.items() if key not in task}}
    values["task"] = {**values["task"], **task}
    for part in {"dev", "test"} & where.keys():
        values["task"][part] = os.path.relpath(where[part], path.parent)
        values["task"].setdefault("split", {}).setdefault("on_overlap", "drop")
    if "arms" in keys:
        values["race"] = keys.get("race", False)  # arms that somebody names are all run
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
    path.write_text(f"# Written by whatworks.study.\n{body}", encoding="utf-8")


def _sort(rows: Sequence[Path], named: Mapping[str, Any], documents: Path | None) -> Files:
    try:
        return sort_files(rows, named, documents)
    except Ambiguous as unclear:
        raise InputError(
            f"which columns are input and target is not plain; there are "
            f"{', '.join(unclear.columns[:20])}",
            remedy='name them: columns={"input": ..., "target": ...}',
        ) from unclear


def _check(path: Path) -> None:
    read_arms(read_study(path), root=path.parent)
