"""What asks an exported arm: ``ask.py``, the folder ``asking/``, ``ask.json`` and ``index/``.

The code is the package's own, copied with its imports renamed; only what it reads is made here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatworks.app.export import asking
from whatworks.app.export.index_files import copy_encoder, write_index
from whatworks.base.errors import InputError
from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import reasoning
from whatworks.models.chat_templates import read_thinking
from whatworks.models.constraint import Constraint
from whatworks.models.endpoint.api_keys import list_variables
from whatworks.models.endpoint.dialects import RESPONSE_FORMAT, STRUCTURED_OUTPUTS
from whatworks.models.files import load_config, read_context_length
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import BALANCED, MMR, RERANKED, Demos, Prompt
from whatworks.prompts.render import list_turns
from whatworks.prompts.retrieval import mapping, ordering, word_vectors, words
from whatworks.prompts.retrieval.reranking import BATCH, load_reranker

ASK = '''"""Ask this arm: `python ask.py "..."`, or a line of standard input each; see README.md."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from asking.command import main  # noqa: E402

if __name__ == "__main__":
    main(HERE)
'''

_HOME = "whatworks.app.export.asking"
_CARRIED = (reasoning, mapping, ordering, word_vectors, words)
"""Modules that are copied as they stand, beside those of the folder itself."""


def write_ask_files(candidate: Candidate, layout: Mapping[str, str], out: Path) -> None:
    """Write what asks the arm.

    Args:
        candidate: The arm.
        layout: The parts of the weights, as ``export.write_weights`` named them; their tokenizer
            is there already.
        out: Folder of the export.

    Raises:
        InputError: If the encoder that the arm searches with is not here any more.
    """
    prompt, decoding = candidate.prompt, candidate.decoding
    context = prompt.context
    system = [prompt.instructions] if prompt.instructions else []
    system += context.asks if context else []
    own = layout.get("model") or layout.get("adapter") or layout.get("tokenizer")
    model: dict[str, Any]
    if own:
        model, lead = _describe_model(candidate, layout, out / own, own)
    else:
        model, lead = _describe_server(candidate), ""
    spec = {
        "prompt": {
            "system": "\n".join(system),
            "demonstrations": _write_demonstrations(prompt.demos, out),
            "passages": _write_passages(prompt, out),
        },
        "model": model,
        "decoding": decoding.model_dump(mode="json", exclude={"constraint", "reward"}),
        "form": _describe_form(decoding.constraint, lead),
    }
    (out / "ask.json").write_text(json.dumps(spec, indent=1, ensure_ascii=False), "utf-8")
    (out / "ask.py").write_text(ASK, "utf-8")
    _copy_code(out / "asking")


def _describe_model(
    candidate: Candidate, layout: Mapping[str, str], folder: Path, own: str
) -> tuple[dict[str, Any], str]:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    ending, marks = templates.find_ending(tokenizer), reasoning.list_marks(tokenizer)
    if "gguf" in layout:
        stops = [*candidate.decoding.stop, *ending.stop_texts]
        context = read_context_length(load_config(folder)) or 0
        file = {"kind": "gguf", "file": layout["gguf"], "context": context, "stops": stops}
        return file, ending.lead
    special = templates.find_special_marks(tokenizer)
    model = {
        "kind": "transformers",
        "weights": layout.get("model") or layout["base"],
        "tokenizer": own,
        "adapter": layout.get("adapter", ""),
        "lead": ending.lead,
        "marks": marks,
        "opened": reasoning.find_state(ending.header, marks)[0] == "open",
        "special_marks": {str(token): text for token, text in special.items()},
        "closing": templates.close_reasoning(tokenizer),
    }
    return model, ending.lead


def _describe_server(candidate: Candidate) -> dict[str, Any]:
    url, _, name = candidate.weights.base.partition("#")
    thinks = read_thinking(candidate.weights.template)
    fields = {} if thinks is None else {"chat_template_kwargs": {"enable_thinking": thinks}}
    keys = list(list_variables(url))
    return {"kind": "server", "url": url, "name": name, "keys": keys, "fields": fields}


def _describe_form(constraint: Constraint | None, lead: str) -> dict[str, Any] | None:
    if constraint is None:
        return None
    # What most servers have for a schema, and vLLM and this package's own for the others.
    words = RESPONSE_FORMAT if constraint.kind == "json_schema" else STRUCTURED_OUTPUTS
    return {"grammar": constraint.lark(lead), "fields": words.write(constraint)}


def _write_demonstrations(demos: Demos | None, out: Path) -> dict[str, Any] | None:
    if demos is None or not demos.pool or demos.k < 1:
        return None
    shown = demos.pool[: demos.k] if demos.select == "fixed" else demos.pool
    if demos.select == "nearest":
        write_index(out, "demonstrations", demos.texts, "vector", str(demos.embedder))
    turns = [[*list_turns(one), Message(role="assistant", content=one.target)] for one in shown]
    return {
        "turns": [[message.model_dump() for message in each] for each in turns],
        "k": demos.k,
        "select": demos.select,
        "fixed": demos.fixed,
        "balance": demos.balance,
        "among": BALANCED if demos.balance else 1,
        "diversity": demos.diversity,
    }


def _write_passages(prompt: Prompt, out: Path) -> dict[str, Any] | None:
    context = prompt.context
    if context is None or not context.chunks or context.k < 1:
        return None
    if context.query is not None:
        raise InputError(
            f"an export cannot write queries (`index: {{query: {context.query.way}}}`)",
            place="arm with rag",
            remedy="serve the run, `whatworks serve RUN`, or export an arm that searches for the "
            "request",
        )
    diversity = MMR if context.rerank == "mmr" else 0.0
    write_index(
        out,
        "passages",
        context.texts,
        context.search,
        str(context.embedder),
        diverse=diversity > 0,
        query_map=prompt.query_map,
    )
    reranker = None
    if context.rerank not in ("", "mmr"):
        source = copy_encoder(str(context.rerank), out, "reranker")
        longest = load_reranker(str(context.rerank)).max_tokens
        reranker = {"source": source, "max_tokens": longest, "batch": BATCH}
    return {
        "texts": list(context.texts),
        "k": context.k,
        "among": RERANKED if reranker else 1,
        "diversity": diversity,
        "reranker": reranker,
    }


def _copy_code(out: Path) -> None:
    out.mkdir()
    paths = [Path(str(module.__file__)) for module in _CARRIED]
    for path in [*sorted(Path(str(asking.__file__)).parent.glob("*.py")), *paths]:
        text = path.read_text("utf-8").replace(_HOME, "asking")
        for module in _CARRIED:
            room, _, name = module.__name__.rpartition(".")
            text = text.replace(module.__name__, f"asking.{name}")
            text = text.replace(f"from {room} import {name}\n", f"from asking import {name}\n")
        (out / path.name).write_text(text, "utf-8")
