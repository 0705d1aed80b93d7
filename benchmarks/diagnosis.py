"""Record what a model answers when the demo's studies are diagnosed, for a test to replay.

python benchmarks/diagnosis.py OUT.json [--model smollm2]

Studies of ``examples`` (form, facts): zero-shot on dev, and the three experiments of the
diagnosis. OUT holds the answers by the digest of their prompts. Test rows are not asked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from whatworks.base.frozen import hash_content
from whatworks.base.progress import Silent
from whatworks.data.task import Example, format_transcript
from whatworks.methods.bench.examiner import Answer
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import render_each
from whatworks.studies.diagnosis import diagnose_arm
from whatworks.studies.open_study import open_study

STUDIES = {
    "smollm2": {"shop/forms": 21, "shop/handbook": 24},
    "lab": {"facts/study": 90},
}
"""Studies of ``examples`` by model, with the answers that a diagnosis may take."""


def record(name: str, model: str, work: Path) -> dict[str, str]:
    """Run zero-shot and its diagnosis; prompts (digests) to answers."""
    opened = open_study(Path(f"examples/{name}.yaml"), model=model, out=work / model / name)
    study = opened.study()
    answers: dict[str, str] = {}
    ask: Callable[..., list[Answer]] = study.examiner.ask

    def note(candidate: Candidate, examples: Sequence[Example], **more: Any) -> list[Answer]:
        found = ask(candidate, examples, **more)
        form = candidate.decoding.constraint is not None
        for request, answer in zip(render_each(candidate.prompt, examples), found, strict=True):
            key = hash_content([format_transcript(request.messages), form])
            answers[key] = answer.generation.text
        return found

    study.examiner.ask = note
    zero = next(arm for arm in study.arms if arm.name == "zero-shot")
    run = study.run_whole(zero, 0, Silent())
    print(name, diagnose_arm(study, run, STUDIES[model][name], Silent()).headline, flush=True)
    opened.close()
    return answers


def main() -> None:
    """Record both studies."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--work", type=Path, default=Path("runs/diagnosis"))
    given = parser.parse_args()
    recorded = {name: record(name, given.model, given.work) for name in STUDIES[given.model]}
    given.out.write_text(json.dumps(recorded, indent=0, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
