"""Files in the exact shapes of public data sets, with rows of our own.

Each writer makes a folder's files and returns what somebody would give to ``whatworks init``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

N = 40
TOWNS = [f"{a}{b}" for a in ("Ar", "Bel", "Cor", "Dun", "Esk")
         for b in ("holm", "wick", "stad", "mere", "ford", "lund", "by", "dal")]  # fmt: skip
TRADES = ("baker", "smith", "weaver", "miller")


def ask(i: int) -> str:
    return f"Which trade did the people of {TOWNS[i]} learn in the year {1200 + i * 17}?"


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def document(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def table(path: Path, rows: list[list[Any]], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def gsm8k(folder: Path) -> list[Path]:
    def row(i: int) -> dict[str, str]:
        shown = f"{TOWNS[i]} has {i} mills.\nEach grinds 3 sacks: {i}*3=<<{i}*3={i * 3}>>{i * 3}."
        return {"question": f"{TOWNS[i]} has {i} mills of 3 sacks. How many sacks?",
                "answer": f"{shown}\n#### {i * 3}"}  # fmt: skip

    rows = [row(i) for i in range(N)]
    return [
        lines(folder / "gsm_train.jsonl", rows[:28]),
        lines(folder / "gsm_test.jsonl", rows[28:]),
    ]


def _article(numbers: range, title: str) -> dict[str, Any]:
    paragraphs: list[Any] = []
    for i in numbers:
        text = f"The people of {TOWNS[i]} learned the trade of the {TRADES[i % 4]} early."
        answer = {"text": TRADES[i % 4], "answer_start": text.index(TRADES[i % 4])}
        asked = [{"id": f"q{i}", "question": ask(i), "answers": [answer], "is_impossible": False}]
        if i % 5 == 0:
            asked.append({"id": f"n{i}", "question": f"Who founded {TOWNS[i]} on the hill?",
                          "answers": [], "plausible_answers": [answer],
                          "is_impossible": True})  # fmt: skip
        paragraphs.append({"context": text, "qas": asked})
    return {"title": title, "paragraphs": paragraphs}


def squad(folder: Path) -> list[Path]:
    articles = [_article(range(at, at + 4), f"Towns {at}") for at in range(0, N, 4)]
    return [
        document(folder / "train-v2.0.json", {"version": "v2.0", "data": articles[:8]}),
        document(folder / "dev-v2.0.json", {"version": "v2.0", "data": articles[8:]}),
    ]


def mmlu(folder: Path) -> list[Path]:
    def row(i: int) -> list[str]:
        return [ask(i), *TRADES, "ABCD"[i % 4]]

    table(folder / "dev" / "old_trades_dev.csv", [row(i) for i in range(5)])
    table(folder / "test" / "old_trades_test.csv", [row(i) for i in range(5, N)])
    return [folder]


def mmlu_rows(folder: Path) -> list[Path]:
    rows = [
        {"question": ask(i), "subject": "old_trades", "choices": list(TRADES), "answer": i % 4}
        for i in range(N)
    ]
    return [lines(folder / "mmlu.jsonl", rows)]


def hotpotqa(folder: Path) -> list[Path]:
    def paragraph(i: int) -> list[Any]:
        return [TOWNS[i], [f"{TOWNS[i]} is a town.", f" Its trade is that of the {TRADES[i % 4]}."]]

    rows = [
        {"_id": f"5a{i:04x}", "question": ask(i), "answer": TRADES[i % 4], "type": "bridge",
         "level": "easy", "supporting_facts": [[TOWNS[i], 1]],
         "context": [paragraph(i), paragraph((i + 1) % N), paragraph((i + 7) % N)]}
        for i in range(N)
    ]  # fmt: skip
    return [document(folder / "hotpot_train_v1.1.json", rows)]


def clinc(folder: Path) -> list[Path]:
    def rows(numbers: range, label: str = "") -> list[list[str]]:
        return [[f"tell me of the {TRADES[i % 4]} in {TOWNS[i]}", label or f"ask_{TRADES[i % 4]}"]
                for i in numbers]  # fmt: skip

    def outside(numbers: range) -> list[list[str]]:
        return [[f"what is the weather like on moon number {i * 31}", "oos"] for i in numbers]

    value = {"oos_val": outside(range(2)), "val": rows(range(20, 28)), "train": rows(range(20)),
             "oos_test": outside(range(2, 6)), "test": rows(range(28, N)),
             "oos_train": outside(range(6, 9))}  # fmt: skip
    return [document(folder / "data_full.json", value)]


def beir(folder: Path) -> list[Path]:
    place = folder / "towns"
    lines(place / "corpus.jsonl", [
        {"_id": f"d{i}", "title": TOWNS[i], "text": f"Its people learned to be a {TRADES[i % 4]}.",
         "metadata": {}} for i in range(N)
    ])  # fmt: skip
    lines(place / "queries.jsonl",
          [{"_id": f"q{i}", "text": ask(i), "metadata": {}} for i in range(N)])  # fmt: skip
    head = ["query-id", "corpus-id", "score"]
    for name, numbers in (("train", range(28)), ("test", range(28, N))):
        table(place / "qrels" / f"{name}.tsv",
              [head, *([f"q{i}", f"d{i}", 1] for i in numbers), [f"q{numbers[0]}", "d9", 0]],
              "\t")  # fmt: skip
    return [place]


def mt_bench(folder: Path) -> list[Path]:
    rows = [
        {"question_id": 81 + i, "category": "writing",
         "turns": [f"Write of {TOWNS[i]} and its {TRADES[i % 4]}.", "Now in one line."],
         "reference": [f"In {TOWNS[i]} there once lived a {TRADES[i % 4]} who was poor.", "So."]}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "question.jsonl", rows)]


def bfcl(folder: Path) -> list[Path]:
    name = "BFCL_v3_simple.json"
    function = {"name": "find_trade", "description": "The trade of a town.", "parameters": {
        "type": "dict", "properties": {"town": {"type": "string"}, "year": {"type": "integer"},
                                       "unit": {"type": "string"}},
        "required": ["town"]}}  # fmt: skip
    lines(folder / name, [
        {"id": f"simple_{i}", "question": [[{"role": "user", "content": ask(i)}]],
         "function": [function]} for i in range(N)
    ])  # fmt: skip
    lines(folder / "possible_answer" / name, [
        {"id": f"simple_{i}", "ground_truth": [
            {"find_trade": {"town": [TOWNS[i]], "year": [1200 + i * 17], "unit": ["", "AD"]}}]}
        for i in range(N)
    ])  # fmt: skip
    return [folder / name, folder / "possible_answer" / name]


def dolly(folder: Path) -> list[Path]:
    rows = [
        {"instruction": ask(i), "category": "closed_qa" if i % 2 else "open_qa",
         "context": f"{TOWNS[i]} lies by the sea." if i % 2 else "",
         "response": f"As far as anybody can tell, the people there were all {TRADES[i % 4]}s."}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "databricks-dolly-15k.jsonl", rows)]


def oasst(folder: Path) -> list[Path]:
    rows: list[dict[str, Any]] = []
    for i in range(N):
        tree = f"tree-{i}"
        said = f"The people of {TOWNS[i]} were known far and wide for their {TRADES[i % 4]}s."
        base = {"message_tree_id": tree, "lang": "en", "deleted": False, "user_id": f"u{i}"}
        rows += [
            {**base, "message_id": f"{tree}-a", "parent_id": None, "role": "prompter",
             "text": ask(i), "rank": None},
            {**base, "message_id": f"{tree}-b", "parent_id": f"{tree}-a", "role": "assistant",
             "text": "No idea, sorry.", "rank": 1},
            {**base, "message_id": f"{tree}-c", "parent_id": f"{tree}-a", "role": "assistant",
             "text": said, "rank": 0},
        ]  # fmt: skip
    return [lines(folder / "oasst_messages.jsonl", rows)]


def ultrachat(folder: Path) -> list[Path]:
    rows = [
        {"id": str(i), "data": [ask(i), f"They were {TRADES[i % 4]}s, most of them, in those days.",
                                f"And after that, in {TOWNS[i]}?",
                                f"After that they left {TOWNS[i]} for the towns along the coast."]}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "train_0.jsonl", rows)]


def ultrachat_200k(folder: Path) -> list[Path]:
    rows = [
        {"prompt": ask(i), "prompt_id": f"{i:064x}", "messages": [
            {"role": "user", "content": ask(i)},
            {"role": "assistant",
             "content": f"The people of {TOWNS[i]} were {TRADES[i % 4]}s, as the books say."}]}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "train_sft.jsonl", rows)]


def own_names(folder: Path) -> list[Path]:
    rows = [
        {"conversation_key": i, "user_query": ask(i), "model_name": f"m{i % 2}",
         "chatgpt_response": f"It is told that they were {TRADES[i % 4]}s and well liked by all."}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "export.jsonl", rows)]


def child_parent(folder: Path) -> list[Path]:
    rows = [
        ["child", "parent"],
        *([f"{TOWNS[i]} {TRADES[i % 4]}", TRADES[i % 4]] for i in range(N)),
    ]
    return [table(folder / "taxonomy.csv", rows)]


def arc(folder: Path) -> list[Path]:
    rows = [
        {"id": f"Mercury_{i}", "question": {"stem": ask(i), "choices": [
            {"text": trade, "label": label} for label, trade in zip("ABCD", TRADES, strict=True)]},
         "answerKey": "ABCD"[i % 4]}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "ARC-Easy-Train.jsonl", rows)]


def nli(folder: Path) -> list[Path]:
    rows = [
        {"premise": f"The {TRADES[i % 4]} of {TOWNS[i]} is up at five in the morning.",
         "hypothesis": f"In {TOWNS[i]} somebody sleeps until nine.",
         "gold_label": ("neutral", "entailment", "contradiction")[i % 3], "pairID": f"p{i}"}
        for i in range(N)
    ]  # fmt: skip
    return [lines(folder / "nli_train.jsonl", rows)]


Shape = tuple[Callable[[Path], list[Path]], str, str, Mapping[str, int]]

SHAPES: dict[str, Shape] = {
    "gsm8k": (gsm8k, "generic", "numeric", {"train": 23, "dev": 5, "test": 12}),
    "squad": (squad, "squad", "facts", {}),
    "mmlu": (mmlu, "multiple-choice", "category", {}),
    "mmlu rows": (mmlu_rows, "multiple-choice", "category", {"train": 24, "dev": 8, "test": 8}),
    "hotpotqa": (hotpotqa, "hotpotqa", "facts", {"train": 24, "dev": 8, "test": 8}),
    "clinc150": (clinc, "generic", "category", {"train": 23, "dev": 10, "test": 16}),
    "beir": (beir, "beir", "facts", {"test": 12}),
    "mt-bench": (mt_bench, "mt-bench", "chat", {"train": 24}),
    "bfcl": (bfcl, "bfcl", "", {"train": 24, "dev": 8, "test": 8}),
    "dolly": (dolly, "generic", "chat", {"train": 24}),
    "oasst": (oasst, "openai", "chat", {"train": 24}),
    "ultrachat": (ultrachat, "ultrachat", "chat", {"train": 24}),
    "ultrachat_200k": (ultrachat_200k, "openai", "chat", {"train": 24}),
    "own names": (own_names, "generic", "chat", {"train": 24}),
    "child and parent": (child_parent, "generic", "category", {"train": 24}),
    "arc": (arc, "multiple-choice", "category", {"train": 24}),
    "nli": (nli, "generic", "category", {"train": 24}),
}
"""Writer, format, metric ("" where it is another task's), and rows by split as far as settled."""
