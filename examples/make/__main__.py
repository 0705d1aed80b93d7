"""Write the data of the example studies anew: ``python examples/make``.

Everything comes from the generator of the embedded model, from material that its training text
never contained. The same command gives the same files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import chat
import cluster
import instructions
import logs
import preferences
import sql
import style

from whatworks_lab import study_rows as studies

EXAMPLES = Path(__file__).parents[1]
Rows = list[dict[str, Any]]


def files() -> dict[str, Rows]:
    """What is written: path below ``examples/`` to rows."""
    facts, documents = studies.make_facts_rows(450)
    parts = {
        part: [
            {k: v for k, v in row.items() if k != "split"} for row in facts if row["split"] == part
        ]
        for part in ("train", "test")
    }
    return {
        "json/messages.jsonl": studies.make_json_rows(400),
        "mr/messages.jsonl": studies.make_mr_rows(500),
        "category/messages.jsonl": studies.make_category_rows(700),
        "facts/train.jsonl": parts["train"],
        "facts/test.jsonl": parts["test"],
        "facts/documents.jsonl": documents,
        "chat/conversations.jsonl": chat.rows(160),
        "instructions/instructions.jsonl": instructions.rows(300),
        "style/statements.jsonl": style.rows(320),
        "sql/questions.jsonl": sql.rows(330),
        "cluster/texts.jsonl": cluster.rows(360),
        "from_logs/logs.jsonl": logs.rows(150),
        "preferences/questions.jsonl": preferences.rows(180, 140),
        "preferences/pairs.jsonl": preferences.pairs(120, 120),
    }


def main() -> None:
    """Write all of them."""
    for name, rows in files().items():
        path = EXAMPLES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8")
        print(f"{len(rows):5} rows {len(text) / 1000:6.0f} kB  {name}")


if __name__ == "__main__":
    main()
