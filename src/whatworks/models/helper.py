"""The helper: a second model that methods may ask while they adapt the first one.

It writes instructions, paraphrases, criticisms; it never answers a task's row in a score. Every
answer is kept in the store and charged to the arm's ledger, apart from the model's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.store import Store
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, Generation, ModelFiles
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.version import __version__

DECODING = Decoding(max_tokens=512)
"""How the helper answers unless the method says otherwise: greedy."""

REMEDY = "name one in the study file: `helper: MODEL` (an endpoint, a Hugging Face id, a folder)"


@dataclass(frozen=True)
class HelperModel:
    """A study's helper: which engine, which weights.

    Attributes:
        engine: Runs it.
        weights: What it is.
        files: Where trained weights lie, of a candidate that is asked to write; None for a model as
            it comes.
    """

    engine: Engine
    weights: Weights
    files: ModelFiles | None = None

    @property
    def key(self) -> str:
        """What decides its answers."""
        return hash_content([self.weights.key, self.engine.identity])


class Helper:
    """The helper as one arm sees it: metered, its answers kept.

    Args:
        model: The engine and the weights.
        store: Where answers are kept.
        meter: Counts against the arm's budget.
    """

    def __init__(self, model: HelperModel, store: Store, meter: Meter) -> None:
        self._model = model
        self._store = store
        self._meter = meter

    def ask(
        self, prompts: Sequence[Sequence[Message]], decoding: Decoding = DECODING
    ) -> list[Generation]:
        """One answer per prompt, in order.

        The same prompt with the same decoding has the same answer in every run; within one call,
        a prompt that stands twice is drawn twice. Another ``decoding.seed`` draws anew.

        Raises:
            ArmFailure: If a prompt is too long, or the helper cannot be reached.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        self._meter.require(len(prompts))
        keys = self._keys(prompts, decoding)
        records = {key: self._store.read("helper", key) for key in keys}
        answers = {key: Generation(**record) for key, record in records.items() if record}
        self._meter.charge(list(answers.values()))
        todo = [at for at, key in enumerate(keys) if key not in answers]
        weights = self._model.weights
        files = self._model.files or ModelFiles(base=weights.base, template=weights.template)
        engine = self._model.engine
        lengths = engine.prompt_tokens(files, [prompts[at] for at in todo])
        most = [(length, decoding.max_tokens) for length in lengths]
        while todo:
            count = self._meter.admit(most)
            now, todo, most = todo[:count], todo[count:], most[count:]
            names = [keys[at] for at in now]
            with self._meter.failing():
                fresh = engine.generate(files, [prompts[at] for at in now], decoding, keys=names)
            self._meter.charge(fresh)
            for name, generation in zip(names, fresh, strict=True):
                self._store.write("helper", name, asdict(generation))
                answers[name] = generation
        return [answers[key] for key in keys]

    def _keys(self, prompts: Sequence[Sequence[Message]], decoding: Decoding) -> list[str]:
        """One key per prompt; the second time that one stands there it is another request."""
        times = Counter[str]()
        keys: list[str] = []
        for messages in prompts:
            key = hash_content(
                [self._model.key, decoding.key, [m.key for m in messages], __version__]
            )
            times[key] += 1
            keys.append(key if times[key] == 1 else hash_content([key, times[key]]))
        return keys


def require_helper(helper: Helper | None, what: str) -> Helper:
    """The helper, or the failure of an arm that cannot do without.

    Raises:
        ArmFailure: If the study has none.
    """
    if helper is None:
        raise ArmFailure(f"{what} needs a helper model, and the study names none", remedy=REMEDY)
    return helper
