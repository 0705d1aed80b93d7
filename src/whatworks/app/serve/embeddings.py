"""Vectors of texts: those that an arm retrieves by, or of an embedder that comes with the package.

A client names no folder of this machine and nothing to be fetched.
"""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from whatworks.app.serve.neutral_fields import drop_neutral_fields
from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.prompts.retrieval.embedding import load_embedder
from whatworks.prompts.retrieval.words import split_words

OWN = ("auto", "minilm", "lexical")
"""Embedders that come with the package."""


class EmbeddingRequest(BaseModel):
    """``POST /v1/embeddings``."""

    model_config = ConfigDict(extra="forbid")

    model: str
    input: str | list[str] = Field(min_length=1)
    encoding_format: Literal["float", "base64"] = "float"

    _drop = model_validator(mode="before")(drop_neutral_fields)

    @property
    def texts(self) -> list[str]:
        """What is embedded.

        Raises:
            RequestRefusal: If a text is empty.
        """
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not all(text.strip() for text in texts):
            raise RequestRefusal("an empty text", param="input")
        return texts


def choose_embedder(name: str, served: Served) -> str:
    """The embedder behind a name: that of the served arm under its own, else one of the package.

    Raises:
        RequestRefusal: If it is neither.
    """
    if name == served.name:
        context, demos = served.candidate.prompt.context, served.candidate.prompt.demos
        held = next((one for one in (context, demos) if one is not None and one.embedder), None)
        return str(held.embedder) if held is not None else "auto"
    if name not in OWN:
        raise RequestRefusal(
            f"The model {name!r} does not exist; embeddings are of {served.name!r}, "
            f"{' or '.join(map(repr, OWN))}",
            status=404,
            code="model_not_found",
            param="model",
        )
    return name


def embed(body: EmbeddingRequest, served: Served) -> dict[str, Any]:
    """The reply: a unit vector for each text. ``usage`` counts words, not a model's tokens."""
    texts = body.texts
    embedder = load_embedder(choose_embedder(body.model, served))
    vectors = np.asarray(embedder.embed(texts), np.float32)
    data = [
        {"object": "embedding", "index": at, "embedding": _write(vector, body.encoding_format)}
        for at, vector in enumerate(vectors)
    ]
    read = sum(len(split_words(text)) for text in texts)
    usage = {"prompt_tokens": read, "total_tokens": read}
    return {"object": "list", "data": data, "model": body.model, "usage": usage}


def _write(vector: Any, form: str) -> Any:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return vector.tolist()
