"""Write the data of the example studies anew: ``python examples/make.py``.

Everything comes from the generator of the embedded model, from material that its training text
never contained. The same command gives the same files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from whatworks.lab import studies

HERE = Path(__file__).parent
Rows = list[dict[str, Any]]


def write(folder: str, name: str, rows: Rows) -> None:
    """Write one JSONL file."""
    path = HERE / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows):5} {path.relative_to(HERE)}")


def main() -> None:
    """Write all of them."""
    write("json", "messages.jsonl", studies.json_rows(400))
    write("mr", "messages.jsonl", studies.mr_rows(700))
    write("category", "messages.jsonl", studies.category_rows(700))
    rows, documents = studies.facts_rows(450)
    for part in ("train", "test"):
        picked = [row for row in rows if row["split"] == part]
        kept = [{k: v for k, v in row.items() if k != "split"} for row in picked]
        write("facts", f"{part}.jsonl", kept)
    write("facts", "documents.jsonl", documents)


if __name__ == "__main__":
    main()
