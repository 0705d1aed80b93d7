"""Public data below ``$WHATWORKS_DATA``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whatworks.base.paths import find_public_data
from whatworks.data.task import Example, MetricSpec, Task
from whatworks_claims import real_facts
from whatworks_claims.fact_sheet import Sheet
from whatworks_claims.material import STRICT_FACTS, allow_unknown, make_task, read_files_task
from whatworks_claims.source import Passes, Play


@dataclass(frozen=True)
class PublicSource:
    """Material of others.

    Attributes:
        quick: For a quick run.
    """

    quick: bool = False
    facts: MetricSpec = STRICT_FACTS

    @property
    def passes(self) -> Passes:
        """Fewer in a quick run."""
        return Passes(facts=self._n(8, 5), known=self._n(6, 4))

    def _n(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def _choose_sizes(self) -> tuple[int, int, int]:
        return self._n(400, 100), self._n(60, 16), self._n(200, 40)

    def _read(
        self,
        name: str,
        folder: str,
        section: Mapping[str, Any],
        sizes: tuple[int, int, int] | None = None,
    ) -> Task:
        limit = dict(zip(("train", "dev", "test"), sizes or self._choose_sizes(), strict=True))
        split = {"split": {"on_overlap": "drop"}}
        return read_files_task(name, find_public_data(folder), {**split, **section, "limit": limit})

    def limit_answers(self, task: Task, longest: int) -> int:
        """No limit of its own: answers have the room of every study."""
        del task, longest
        return 0

    def make_structured(self) -> Task:
        """Sentences to meaning representations: ViGGO."""
        section = {"train": "train.csv", "dev": "valid.csv", "test": "test.csv", "metric": "mr"}
        sizes = self._n(400, 120), self._n(60, 20), self._n(240, 48)
        return self._read("structured", "viggo", section, sizes)

    def make_labelled(self) -> Task:
        """BANKING77."""
        section = {
            **{"train": "train.csv", "test": "test.csv", "metric": "category"},
            "split": {"dev": 200, "on_overlap": "drop"},
        }
        sizes = self._n(480, 120), self._n(60, 24), self._n(240, 60)
        return self._read("category", "banking77", section, sizes)

    def make_queries(self) -> Task:
        """Questions about the geography of the United States."""
        section = {
            "train": "geography_sqlctx.jsonl",
            "metric": {"sql": {"database": "geography.sqlite"}},
            "columns": {"input": ["context", "question"], "target": "answer"},
        }
        return self._read("sql", "sql_geography", section)

    def make_conversations(self) -> Task:
        """FastChat's conversations."""
        return self._read("chat", "chat", {"train": "dummy_conversation.json", "metric": "chat"})

    def make_instructions(self) -> Task:
        """Alpaca, cleaned."""
        return self._read_written("instructions", "alpaca", "alpaca_data_cleaned_1000.json")

    def make_lima(self) -> Task:
        """A thousand chosen instructions with long answers (Zhou et al. 2023)."""
        return self._read_written("lima", "lima", "lima.json")

    def _read_written(self, name: str, folder: str, file: str) -> Task:
        """Answers written by people; what an answer must show is read off them."""
        metric = {"instructions": {"from_target": True}}
        return self._read(name, folder, {"train": file, "metric": metric})

    def make_calls(self) -> Task:
        """Calls logged from a program of others; they need a model with room for 1,500 tokens."""
        limit = dict(zip(("train", "dev", "test"), self._choose_sizes(), strict=True))
        section = {"train": "hotpot_rag_calls.jsonl", "metric": "normalised", "limit": limit}
        return read_files_task("calls", find_public_data("logs"), section)

    def make_styled(self) -> Task:
        """Speeches, the second half to be written after the first; other English as contrast."""
        import lzma

        whole = find_public_data("tinyshakespeare/input.txt").read_text(encoding="utf-8")
        speeches = [s.split("\n", 1)[1] for s in whole.split("\n\n") if s.count("\n") > 3]
        with lzma.open(
            find_public_data("english/english_100mb.txt.xz"), "rt", encoding="utf-8"
        ) as file:
            plain = [line for line in file.read(400_000).splitlines() if len(line) > 200]
        half = len(speeches) // 2
        rows = [
            Example(id=f"speech-{i}", inputs={"input": "\n".join(lines[:2])},
                    target="\n".join(lines[2:4]))
            for i, speech in enumerate(speeches[half:])
            if len(lines := speech.splitlines()) >= 4
        ]  # fmt: skip
        task = make_task("style", rows, self._choose_sizes(), "style", "Go on.")
        options = {"wanted": speeches[:200], "others": plain[:200], "content": "none"}
        return task.replace(metric=MetricSpec(name="style", options=options))

    def read_play(self) -> Play:
        """Speeches of Romeo's and about him, of tiny Shakespeare."""
        whole = find_public_data("tinyshakespeare/input.txt").read_text(encoding="utf-8")
        speeches = [part.strip() for part in whole.split("\n\n") if "ROMEO" in part.upper()]
        pieces = [one for one in speeches if len(one) < 600]
        return Play(tuple(pieces[: self._n(80, 30)]))

    def make_sheet(self) -> Sheet:
        """Facts of EntityQuestions."""
        return real_facts.make_real_sheet(self._n(100, 20))

    def make_notes(self) -> Task:
        """EntityQuestions with paragraphs of Wikipedia."""
        sizes = self._n(300, 72), self._n(60, 18), self._n(210, 48)
        return real_facts.make_questions_task(*sizes)

    def make_silent_notes(self) -> Task:
        """The same beside questions of SelfAware, which have no answer and no gold passage."""
        task, count = self.make_notes(), self._n(40, 20)
        rows = (*task.splits.test[:count], *real_facts.read_unanswerable(count))
        return allow_unknown(task, "silent-notes", rows)

    def read_questions(self) -> list[Example]:
        """EntityQuestions without their paragraphs."""
        return real_facts.read_closed_book(self._n(400, 200))

    def count_known(self) -> tuple[int, int, int]:
        """Known questions for train, dev and test."""
        return self._n(100, 32), self._n(20, 10), self._n(70, 22)

    def write_unanswerable(self, count: int) -> list[Example]:
        """Questions of SelfAware."""
        return real_facts.read_unanswerable(count)

    def count_unanswerable(self) -> int:
        """Those of test."""
        return self._n(100, 30)
