"""Category ids from unlabelled texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt
from whatworks.app.cli.data import require_absent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whatworks.data import Data
    from whatworks.data.task import Example
    from whatworks.studies.clustering import Clusters


@app.command()
def cluster(
    texts: Annotated[Path, typer.Argument(help="A file of rows, or of one text a line (.txt).")],
    out: Annotated[Path, typer.Option(help="File for the rows with their category ids (JSONL).")],
    k: Annotated[
        int | None,
        typer.Option(help="Number of clusters (k-means), or least size of one (hdbscan).", min=2),
    ] = None,
    method: Annotated[
        Literal["k-means", "hdbscan"], typer.Option(help="How clusters are made.")
    ] = "k-means",
    most: Annotated[int | None, typer.Option(help="Most clusters tried.", min=2)] = None,
    embedder: Annotated[
        str, typer.Option(help="auto, lexical, minilm, or an encoder's folder or id.")
    ] = "auto",
    column: Annotated[
        str | None, typer.Option(help="Column of the text, where it is not recognised.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the clusters.")] = 0,
    force: Annotated[bool, typer.Option(help="Replace the file if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find categories in unlabelled texts, and write rows that a classification study runs on.

    Where the rows have a category of their own, it is taken out and kept as meta.category, and the
    agreement is shown: V-measure and adjusted Rand index.
    """
    from whatworks.data import write
    from whatworks.prompts.retrieval import resolve_embedder
    from whatworks.studies.clustering import categorise, measure_agreement

    require_absent(out, force=force)
    with catch_interrupt():
        rows = _read(texts, column).examples
        chosen = resolve_embedder(embedder)
        examples, clusters = categorise(
            rows, embedder=chosen, method=method, k=k, most=most, seed=seed
        )
        if not as_json:
            _show(clusters, rows, chosen, method)
        count = write(examples, out)
    if as_json:
        from whatworks.app.programs.command_records import describe_clusters
        from whatworks.app.programs.records import print_record

        truth = [row.target for row in rows]
        agreement = measure_agreement(truth, clusters.labels) if any(truth) else None
        print_record(describe_clusters(clusters, agreement, out))
        return
    print(f"{count} rows with {len(clusters.names)} category ids: {out}")
    print(f"a study of them: task: {{train: {out.name}, metric: category}}")


def _read(path: Path, column: str | None) -> Data:
    """The texts as examples; whatever they have as target is their true category."""
    from whatworks.data import read

    if column is not None:
        return read(path, columns={"input": column})
    if path.suffix == ".txt":
        return _read_lines(path)
    data = read(path)
    # Rows of text alone are a corpus to other commands, and cut in two; here they are the texts.
    return (
        read(path, columns={"input": "text", "target": ""}) if data.format == "passages" else data
    )


def _read_lines(path: Path) -> Data:
    from whatworks.data import Data
    from whatworks.data.file_text import read_lines
    from whatworks.data.task import Example

    texts = [line.strip() for _, line in read_lines(path) if line.strip()]
    rows = [
        Example(id=f"{path.stem}-{n}", inputs={"text": t}) for n, t in enumerate(texts, start=1)
    ]
    return Data(tuple(rows), (), "lines", {"input": "text"})


def _show(clusters: Clusters, rows: Sequence[Example], embedder: str, method: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from whatworks.studies.clustering import measure_agreement, measure_purity

    console = Console(highlight=False)
    unit = "clusters" if method == "k-means" else "least size"
    tried = Table(title=f"silhouette by {unit} ({method}, embedder {embedder})")
    for heading in (unit, "found", "silhouette", "in clusters"):
        tried.add_column(heading, justify="right")
    for one in clusters.tried:
        mark = "bold" if one is clusters.chosen else ""
        cells = (f"{one.silhouette:.3f}", f"{one.clustered:.0%}")
        tried.add_row(str(one.setting), str(one.clusters), *cells, style=mark)
    console.print(tried)
    known = any(row.target for row in rows)
    truth = [row.target for row in rows]
    table = Table(title=f"{len(clusters.names)} clusters, chosen by the best silhouette")
    for heading in ("name", "texts", "for example", *(["mostly"] if known else [])):
        table.add_column(heading, overflow="fold")
    mostly = measure_purity(truth, clusters.labels) if known else []
    for at, name in enumerate(clusters.names):
        middle = [" ".join(rows[i].text.split())[:60] for i in clusters.central[at][:2]]
        cells = [name, str(len(clusters.central[at])), "\n".join(dict.fromkeys(middle))]
        table.add_row(*cells, *([f"{mostly[at][0]} ({mostly[at][1]:.0%})"] if known else []))
    console.print(table)
    if clusters.between:
        console.print(f"{clusters.between} texts lie between clusters and were put to the nearest.")
    if known:
        figures = measure_agreement(truth, clusters.labels)
        console.print(
            f"against the {len(set(truth))} true categories: V-measure "
            f"{figures['v_measure']:.3f}, adjusted Rand index {figures['adjusted_rand']:.3f}"
        )
