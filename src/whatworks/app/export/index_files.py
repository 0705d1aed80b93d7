"""The pool that an arm searches, as files that ``asking/searching.py`` reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from whatworks.base.file_digest import compute_digest
from whatworks.prompts.retrieval import Search, load_embedder
from whatworks.prompts.retrieval.embedding import resolve_embedder, resolve_source
from whatworks.prompts.retrieval.encoder import Encoder
from whatworks.prompts.retrieval.hashed import count_holding
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.ranking import ByWords

LEXICAL = "lexical"


def write_index(
    out: Path,
    name: str,
    texts: tuple[str, ...],
    search: Search,
    embedder: str,
    *,
    diverse: bool = False,
    query_map: QueryMap | None = None,
) -> None:
    """Write what a pool is searched by below ``index/``.

    Args:
        out: Folder of the export.
        name: Of the index.
        texts: The pool.
        search: How it is searched.
        embedder: Behind ``vector`` and ``hybrid``.
        diverse: Whether hits are spread out, for which words alone need vectors too.
        query_map: Moves the vectors of requests.

    Raises:
        InputError: If the embedder is not here.
    """
    folder = out / "index" / name
    folder.mkdir(parents=True)
    how: dict[str, Any] = {"search": search, "size": len(texts)}
    if search != "lexical":
        rows = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        _save(folder / "vectors", load_embedder(embedder).over(texts).embed(list(rows)))
        if len(rows) < len(texts):
            how["rows"] = [rows[text] for text in texts]
        if resolve_embedder(embedder) == LEXICAL:
            how["frequencies"] = count_holding(texts)
        else:
            source = copy_encoder(embedder, out, "encoder")
            how["encoder"] = {"source": source, "max_tokens": Encoder(_locate(embedder)).max_tokens}
        if query_map is not None:
            for part, values in zip(("down", "up"), query_map.matrices, strict=True):
                _save(folder / f"map_{part}", values)
    elif diverse:
        _save(folder / "vectors", load_embedder(LEXICAL).embed(texts))
    if search != "vector":
        columns, parts = ByWords(texts).weights()
        (folder / "words.json").write_text(json.dumps(columns, ensure_ascii=False), "utf-8")
        names = {"data": "data", "indices": "indices", "indptr": "starts"}
        for part, values in parts.items():
            _save(folder / f"words_{names[part]}", values)
    (folder / "index.json").write_text(json.dumps(how, ensure_ascii=False), "utf-8")


def copy_encoder(name: str, out: Path, folder: str) -> str:
    """Put an encoder's folder into the export, once; the name of one on the Hugging Face hub stays.

    Returns:
        Where ``asking/embedding.py`` finds it.
    """
    source = Path(_locate(name))
    if not source.is_dir():
        return str(source)
    target = folder
    at = 1
    while (out / target).exists():  # demonstrations and passages may have an encoder each
        if compute_digest(out / target) == compute_digest(source):
            return target
        at += 1
        target = f"{folder}-{at}"
    shutil.copytree(source, out / target)
    return target


def _locate(name: str) -> str:
    return resolve_source(resolve_embedder(name))


def _save(path: Path, values: Any) -> None:
    np.save(path.with_suffix(".npy"), np.asarray(values))
