"""What is fuzzed: every reader, importer, metric, template, chunker, and the study file.

A target has real inputs to begin from and a call that takes one; it may refuse with an error of
ours, and nothing else may come out of it.
"""

from __future__ import annotations

import atexit
import copy
import gzip
import io
import json
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whatworks import data
from whatworks.data.logs.secret_shapes import find_kind
from whatworks.data.meaning_representation import find as find_representation
from whatworks.data.task import Document, Example, Message, MetricSpec
from whatworks.metrics.citations import strip_citations
from whatworks.metrics.names_and_numbers import find_entities
from whatworks.metrics.registry import NAMES, find_refused, load
from whatworks.models import reasoning
from whatworks.models.constraint import make_constraint
from whatworks.models.endpoint.replies import count_tokens, read_complaint, read_reply, split_reply
from whatworks.models.json_schema import Schema
from whatworks.prompts.retrieval.chunking import chunk
from whatworks.prompts.retrieval.words import split_words
from whatworks.studies.study_file import read_arms, read_study

ROOT = Path(__file__).resolve().parents[1]
for _tests in ("data", "hostile", "metrics", "studies"):
    sys.path.append(str(ROOT / "tests" / _tests))

Call = Callable[[Any], object]


@dataclass(frozen=True)
class Target:
    """One thing that takes input.

    Attributes:
        seeds: Real inputs, texts or bytes.
        call: Takes one.
    """

    seeds: tuple[str, ...] | tuple[bytes, ...]
    call: Call


FOLDER = "WHATWORKS_FUZZ_FOLDER"
"""The variable that names the folder for files, which whoever sets it removes."""


@cache
def _folder() -> Path:
    if FOLDER in os.environ:
        return Path(os.environ[FOLDER])
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=find_memory_disk()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def find_memory_disk() -> str | None:
    """A disk in memory, where there is one."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _save(name: str, content: str | bytes) -> Path:
    path = _folder() / name
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    return path


def _read(name: str) -> Call:
    return lambda content: data.read(_save(name, content))


def _read_documents(name: str) -> Call:
    return lambda content: chunk(data.read_documents(_save(name, content)))


def _import(name: str) -> Call:
    return lambda content: data.import_logs(_save(name, content))


def _read_study(content: str) -> None:
    study = read_study(_save("study.yaml", content))
    read_arms(study, root=_folder())


def _chunk(content: str) -> None:
    documents = [Document(id="d", text=content)]
    for size in (20, 200):
        chunk(documents, size=size)
    split_words(content[:5000])


def _head(path: Path, count: int = 4) -> str:
    with path.open(encoding="utf-8") as file:
        return "".join(line for line, _ in zip(file, range(count), strict=False))


@cache
def _list_examples() -> dict[str, tuple[str, ...]]:
    """Beginnings of the files of examples/, by their endings."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "examples").rglob("*")):
        if path.suffix in (".jsonl", ".yaml", ".md", ".txt"):
            found.setdefault(path.suffix, []).append(
                _head(path, 60 if path.suffix != ".jsonl" else 4)
            )
    return {ending: tuple(texts) for ending, texts in found.items()}


def _list_shapes() -> dict[str, list[str]]:
    """The shapes of public data sets that the tests have, by their endings."""
    import public_shapes

    found: dict[str, list[str]] = {}
    for writer, *_ in public_shapes.SHAPES.values():
        for path in writer(Path(tempfile.mkdtemp(dir=_folder()))):
            for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if one.is_file():
                    text = one.read_text("utf-8")
                    few = (
                        text[:60_000] if one.suffix == ".json" else "\n".join(text.split("\n")[:5])
                    )
                    found.setdefault(one.suffix, []).append(few)
    return found


def _make_parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    table = pa.table({"input": ["a", "b", None], "target": ["x", "y", "z"], "n": [1, 2, 3]})
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _make_pdf() -> bytes:
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, NameObject

    writer = PdfWriter()
    for number in range(2):
        page = writer.add_blank_page(200, 200)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 100 Td (A page of text {number}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


HTML = (
    "<html><head><title>A</title></head><body><h1>H</h1><p>One &amp; two.</p><table><tr><td>a"
    "</td></tr></table><ul><li>x<li>y</ul><pre>a\n b</pre><!-- c --></body></html>",
)


def _list_readers() -> dict[str, Target]:
    shapes, examples = _list_shapes(), _list_examples()
    lines = (*examples[".jsonl"], *shapes.get(".jsonl", ()))
    documents = tuple(shapes.get(".json", ())) or ('[{"input": "a", "target": "b"}]',)
    tables = tuple(shapes.get(".csv", ())) or ("input,target\na,b\nc,d\n",)
    texts = (*examples.get(".md", ()), "One.\n\nTwo: three.\n", *examples.get(".txt", ()))
    packed = tuple(gzip.compress(text.encode()) for text in lines[:4])
    return {
        "read jsonl": Target(lines, _read("a.jsonl")),
        "read json": Target(documents, _read("a.json")),
        "read csv": Target((*tables, 'input,target\n"a ""b""",c\n'), _read("a.csv")),
        "read tsv": Target(("input\ttarget\na\tb\n", *tables), _read("a.tsv")),
        "read text": Target(texts, _read("a.txt")),
        "read gz": Target(packed, _read("a.jsonl.gz")),
        "read xz": Target((lzma.compress(lines[0].encode()),), _read("a.jsonl.xz")),
        "read parquet": Target((_make_parquet(),), _read("a.parquet")),
        "documents html": Target(HTML, _read_documents("a.html")),
        "documents text": Target(texts, _read_documents("a.md")),
        "documents jsonl": Target(lines, _read_documents("a.jsonl")),
        "documents pdf": Target((_make_pdf(),), _read_documents("a.pdf")),
        "study file": Target(examples[".yaml"], _read_study),
        "chunker": Target((*texts, *lines), _chunk),
        "secrets": Target((*lines, "Use https://u:p4ssw0rd@h.org, password is hunter2"), find_kind),
    }


def _list_importers() -> dict[str, Target]:
    import log_samples

    logs = tuple(json.dumps(log) for log, *_ in log_samples.LOGS.values())
    example = _head(ROOT / "examples" / "from_logs" / "logs.jsonl")
    yaml = "prompts: ['Say {{a}}']\ntests:\n- vars: {a: b}\n  assert: [{type: equals, value: c}]\n"
    return {
        "import json": Target(logs, _import("a.json")),
        "import jsonl": Target((example, *(f"{log}\n{log}" for log in logs)), _import("a.jsonl")),
        "import yaml": Target((yaml,), _import("a.yaml")),
        "import csv": Target(("id,input,output\n1,a,b\n",), _import("a.csv")),
    }


def _list_metrics() -> dict[str, Target]:
    import test_metric_properties as known

    answers = [(ROOT / "tests" / "metrics" / "answers.txt").read_text("utf-8").split("\n")]
    said = tuple(line for line in answers[0] if line)[:200]
    found: dict[str, Target] = {}
    for name in NAMES:
        if name not in known.METRICS:
            continue  # a model that is learned
        metric, example = known.METRICS[name], known.EXAMPLES[name]
        seeds = (example.target, *known.CODE, *known.ODD, *said)

        def score(text: str, metric: Any = metric, example: Example = example) -> None:
            known.check(metric(example, text))
            metric.label(text)

        found[f"metric {name}"] = Target(seeds, score)
    return found


def _list_rows() -> dict[str, Target]:
    """Targets, meta and options of metrics, which may be refused as an error of the row."""
    import test_metric_properties as known

    found: dict[str, Target] = {}
    for name in NAMES:
        if name not in known.METRICS or name in ("judge", "style", "python"):
            continue
        example = known.EXAMPLES[name]
        row = {"target": example.target, "meta": dict(example.meta)}

        def refuse(text: str, name: str = name) -> None:
            try:
                fields = json.loads(text)
            except (ValueError, RecursionError):
                fields = {"target": text, "meta": {}}
            if not isinstance(fields, dict):
                return
            meta = fields.get("meta")
            row = Example(
                id="e",
                target=str(fields.get("target")),
                meta=meta if isinstance(meta, dict) else {"context": str(meta)},
            )
            find_refused(load(MetricSpec(name=name), [row]), [row])

        found[f"row {name}"] = Target((json.dumps(row),), refuse)
    return found


@cache
def _load_tokenizer() -> Any:
    from whatworks.models import files

    return files.load_tokenizer(files.resolve("lab"))


def _render(text: str) -> None:
    from whatworks.models import chat_templates as templates

    tokenizer = copy.copy(_load_tokenizer())
    tokenizer.chat_template = text
    asked = [Message(role="system", content="Be brief."), Message(role="user", content="Who?")]
    templates.encode_training(tokenizer, asked, "Bo")


def _ask_template(text: str) -> None:
    from whatworks.models import chat_templates as templates

    asked = [Message(role="user", content=text)]
    for name in ("chatml", "plain"):
        templates.encode_training(templates.use(_load_tokenizer(), name), asked, text[:500])


def _list_templates() -> dict[str, Target]:
    from whatworks.models.template_styles import STYLES, write_jinja

    seeds = tuple(write_jinja(s, end="</s>", bos=b) for s in STYLES.values() for b in (False, True))
    return {
        "template": Target(seeds, _render),
        "template messages": Target(
            ("Who is Bo?", "<|im_start|>user\nhi<|im_end|>"), _ask_template
        ),
    }


def _check_schema(text: str) -> None:
    try:
        contents = json.loads(text)
    except (ValueError, RecursionError):
        contents = {"type": "string", "pattern": text[:300]}
    if isinstance(contents, dict | bool):
        Schema(contents).errors({"name": "Bo", "age": 3, "tags": ["a" * 300 + "!"]})


def _constrain(text: str) -> None:
    from whatworks.base.errors import InputError

    for kind in ("regex", "grammar", "choices", "json_schema"):
        value: Any = text[:2000]
        if kind == "choices":
            value = text.split("\n")[:20]
        elif kind == "json_schema":
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                continue
        try:
            make_constraint(kind, value)
        except InputError:
            continue


def _reply(payload: str) -> None:
    encoded = payload.encode("utf-8", "surrogatepass")
    read_complaint(encoded)
    try:
        reply = read_reply(encoded)
    except ValueError:
        return
    body = {"messages": [{"content": "Who is Bo?"}], "max_tokens": 64}
    count_tokens(reply, body)
    split_reply(reply)


def _read_answer(text: str) -> None:
    strip_citations(text)
    find_entities(text, text[:500])
    find_representation(text)
    reasoning.split(text)


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]\\w+$"}, "age": {"type": "integer"},
                   "tags": {"type": "array", "items": {"$ref": "#/$defs/t"}}},
    "required": ["name"], "patternProperties": {"^x_": {}}, "$defs": {"t": {"enum": ["a", "b"]}},
}  # fmt: skip
REPLY = {
    "choices": [{"message": {"role": "assistant", "content": "Bo", "reasoning_content": "so"},
                 "finish_reason": "stop", "logprobs": {"content": [{"logprob": -0.1}]}}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3,
              "completion_tokens_details": {"reasoning_tokens": 1}},
}  # fmt: skip


def _list_others() -> dict[str, Target]:
    complaint = json.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}})
    return {
        "schema": Target((json.dumps(SCHEMA), "^(a+)+$"), _check_schema),
        "constraint": Target(
            ("[a-z]+", 'start: "a" | b\nb: /x+/', "yes\nno", json.dumps(SCHEMA)), _constrain
        ),
        "server's reply": Target((json.dumps(REPLY), complaint, "<html><title>x"), _reply),
        "answer": Target(
            ("As [1] says, Bo.", "inform(name[Bo])", "<think>a</think>b"), _read_answer
        ),
    }


def list_targets() -> Mapping[str, Target]:
    """Every target by its name."""
    parts: Sequence[dict[str, Target]] = (
        _list_readers(),
        _list_importers(),
        _list_metrics(),
        _list_rows(),
        _list_templates(),
        _list_others(),
    )
    return {name: target for part in parts for name, target in part.items()}
