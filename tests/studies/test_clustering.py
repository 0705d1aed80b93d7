"""Clusters of texts: the number that is planted, names from members, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.base.errors import InputError
from whatworks.data import read
from whatworks.metrics.registry import load_task_metric
from whatworks.studies.clustering import (
    Method,
    cluster,
    measure_agreement,
    measure_purity,
    name_clusters,
)
from whatworks.studies.study_file import ClusterSection, StudyFile, TaskSection
from whatworks.studies.study_task import read_task

TOPICS = {
    "card": ("my card was stolen", "block the lost card", "the card is gone"),
    "loan": ("apply for a loan", "what does the loan cost", "lend me money, a loan"),
    "hours": ("opening hours of the office", "office hours on Sunday", "the office hours please"),
}


def planted(
    k: int, each: int = 20, spread: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, list[int]]:
    """Unit vectors around k directions at right angles."""
    rng = np.random.default_rng(seed)
    labels = [i % k for i in range(k * each)]
    vectors = np.eye(12)[labels] + spread * rng.standard_normal((len(labels), 12))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


@pytest.mark.parametrize("method", ["k-means", "hdbscan"])
@pytest.mark.parametrize("k", [2, 3, 7])
def test_the_planted_number_is_found(method: Method, k: int):
    vectors, truth = planted(k)
    texts = [f"word{'abcdefg'[label]}" for label in truth]
    found = cluster(texts, vectors, method=method)
    assert len(found.names) == k == found.chosen.clusters
    figures = measure_agreement([str(label) for label in truth], found.labels)
    assert figures == {"v_measure": pytest.approx(1.0), "adjusted_rand": pytest.approx(1.0)}
    assert found.chosen == max(found.tried, key=lambda tried: tried.criterion)
    again = cluster(texts, vectors, method=method)
    assert again == found
    for at, own in enumerate(found.central):
        assert {found.labels[i] for i in own} == {at}
        assert "word" in found.names[at]


def test_texts_between_clusters_are_put_to_the_nearest_and_counted():
    vectors, _ = planted(2, each=30, spread=0.02)
    strays = np.eye(12)[[5, 6, 7]]
    found = cluster(["a text"] * 63, np.concatenate([vectors, strays]), method="hdbscan", k=8)
    assert found.between == 3 and found.chosen.clustered == pytest.approx(60 / 63)
    assert set(found.labels[-3:]) <= {0, 1}


def test_a_number_that_is_asked_for_is_made():
    vectors, _ = planted(4)
    found = cluster(["x"] * 80, vectors, k=5)
    assert len(found.names) == 5 and len(found.tried) == 1
    assert len(set(found.names)) == 5


def test_too_few_texts_are_said():
    with pytest.raises(InputError, match="are too few"):
        cluster(["a"] * 9, np.ones((9, 3)) / np.sqrt(3))


@pytest.mark.parametrize("method", ["k-means", "hdbscan"])
def test_more_clusters_than_texts_are_said(method: Method):
    vectors, _ = planted(3, each=4)
    with pytest.raises(InputError, match=r"50.* cannot be made of 12 texts.*\n.*at most 6"):
        cluster(["x"] * 12, vectors, method=method, k=50)
    vectors[:4] = vectors[0]
    with pytest.raises(InputError, match="12 texts, 9 of them different"):
        cluster(["x"] * 12, vectors, k=10)


def test_names_are_the_words_that_stand_out():
    texts = ["the lost card", "a lost card", "a new card", "the new card, new", "1 2", "3"]
    assert name_clusters(texts, [0, 0, 1, 1, 2, 2]) == ("lost_card", "new_card", "cluster")
    assert name_clusters(["red lamp"] * 2 + ["red lamp"], [0, 0, 1]) == ("lamp_red", "lamp_red_2")


def test_purity_names_the_commonest_category():
    assert measure_purity(["a", "a", "b", "b"], [0, 0, 0, 1]) == [("a", 2 / 3), ("b", 1.0)]


def messages() -> list[dict[str, str]]:
    return [
        {"text": f"{before}{phrase}{after}", "category": topic}
        for topic, phrases in TOPICS.items()
        for phrase in phrases
        for before in ("", "Hello, ", "Well, ")
        for after in ("", ".")
    ]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["cluster", *arguments])
    assert result.exit_code == 0, result.output or result.exception
    return result.output


def test_the_command_writes_rows_ready_for_a_study(tmp_path: Path):
    source, out = tmp_path / "rows.jsonl", tmp_path / "data.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in messages()))
    said = run(str(source), "--out", str(out), "--embedder", "lexical", "--k", "3")
    rows = read(out).examples
    truth = [row.meta["category"] for row in rows]
    clusters = sorted({row.target for row in rows})
    figures = measure_agreement(truth, [clusters.index(row.target) for row in rows])
    assert figures["v_measure"] > 0.3
    for figure in figures.values():
        assert f"{figure:.3f}" in said
    assert len(rows) == len(messages())
    assert len({row.target for row in rows}) == 3
    assert {row.meta["category"] for row in rows} == set(TOPICS)
    section = TaskSection(train="data.jsonl", metric="category")
    task = read_task(StudyFile(task=section, arms=["zero-shot"]), tmp_path)
    metric = load_task_metric(task)
    assert all(metric(row, row.target).value == 1.0 for row in task.splits.test)
    section = TaskSection(
        train="rows.jsonl",
        metric="category",
        where={"kept": True},
        cluster=ClusterSection(k=3, embedder="lexical"),
    )
    kept = [{**row, "meta": {"kept": at % 9 > 0}} for at, row in enumerate(messages())]
    source.write_text("\n".join(json.dumps(row) for row in kept))
    task = read_task(StudyFile(task=section, arms=["zero-shot"]), tmp_path)
    both = (*task.splits.train, *task.splits.dev, *task.splits.test)
    assert len(both) == 48 and len({row.target for row in both}) == 3
    with pytest.raises(InputError, match="already"):
        CliRunner().invoke(app, ["cluster", str(source), "--out", str(out)], catch_exceptions=False)


@pytest.mark.parametrize("shape", ["txt", "jsonl"])
def test_texts_alone_are_not_cut_in_two(tmp_path: Path, shape: str):
    said = [row["text"] for row in messages()]
    source, out = tmp_path / f"texts.{shape}", tmp_path / "data.jsonl"
    lines = said if shape == "txt" else [json.dumps({"text": text}) for text in said]
    source.write_text("\n".join(lines) + "\n")
    text = run(str(source), "--out", str(out), "--embedder", "lexical", "--method", "hdbscan")
    assert "silhouette" in text and "true categories" not in text
    rows = read(out).examples
    assert [row.text for row in rows] == said
    assert all(row.target for row in rows)
