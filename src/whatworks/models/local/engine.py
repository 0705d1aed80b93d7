"""Models in this process, through transformers.

One base model stays in memory with its adapters; requests of a call share the computation of the
tokens they all begin with. The same request gives the same answer alone or in any company: exactly
so in ``float32``, up to near-ties between two tokens in half precision. So ``dtype="auto"`` is
``float32`` on a CPU and ``bfloat16`` on a GPU that has it, and a study keeps to one of them.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from whatworks.base.errors import ArmFailure, InputError, get_first_line, suggest_nearest
from whatworks.base.memory import is_out_of_memory
from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models import request_templates
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Answers, Generation, Habits, ModelFiles, OnToken, Prompts
from whatworks.models.prices import FREE
from whatworks.models.template_rendering import takes_tools
from whatworks.models.token_pieces import PieceReader

if TYPE_CHECKING:
    from whatworks.models.local.loaded_model import Active, Resident
    from whatworks.models.local.request import RequestRow
    from whatworks.models.local.sampling import Gather

DTYPES = ("auto", "float32", "bfloat16", "float16")

T = TypeVar("T")


class LocalEngine:
    """An ``Engine`` on this machine.

    Args:
        dtype: Number type of the weights: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device: ``auto`` (a CUDA GPU, else the CPU), or a torch device name.
        batch_size: Most requests in one forward pass; by default 32 on a CPU, 128 on a GPU. It is
            halved for the rest of a call when memory runs out.
        threads: CPU threads; by default what suits the model's size and, at each call, the cores
            that other processes leave free, up to torch's own number.
        adapters: Most adapters kept loaded on the base model.

    Attributes:
        lock: Held by whoever uses the model.

    Raises:
        InputError: If an option is unknown, or the device is not there.
    """

    def __init__(
        self,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int | None = None,
        threads: int | None = None,
        adapters: int = 16,
    ) -> None:
        if dtype not in DTYPES:
            raise InputError(f"unknown dtype {dtype!r}", remedy=suggest_nearest(dtype, DTYPES))
        for name, value in (("batch_size", batch_size), ("threads", threads)):
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}", remedy="give 1 or more")
        self._dtype, self._device = dtype, device
        self._size, self._threads, self._adapters = batch_size, threads, adapters
        self._resident: Resident | None = None
        self.lock = threading.RLock()

    price = FREE

    @property
    def identity(self) -> str:
        """Kind of device and number format, which decide the last bits of an answer."""
        device = self._choose_device()
        return f"local {device} {self._choose_dtype(device)}"

    def generate(
        self,
        model: ModelFiles,
        prompts: Prompts,
        decoding: Decoding,
        *,
        keys: Sequence[str] = (),
        on_done: Callable[[int], None] | None = None,
    ) -> list[Generation]:
        """One generation per prompt, in the order given; see ``Engine.generate``."""
        if not prompts:
            return []
        with self.lock:
            tokenizer = self.ready(model)[2]
            closed = self.close_reasoning(model) if decoding.constraint else []
            ids = [templates.encode_prompt(tokenizer, messages) + closed for messages in prompts]
            return self.complete(model, ids, decoding, keys=keys, on_done=on_done)

    def complete(
        self,
        model: ModelFiles,
        ids: Sequence[Sequence[int]],
        decoding: Decoding,
        *,
        keys: Sequence[str] = (),
        on_done: Callable[[int], None] | None = None,
        on_token: OnToken | None = None,
    ) -> list[Generation]:
        """``generate`` after prompts that are tokens already; also tells of every token."""
        from whatworks.models.local import batching as batch
        from whatworks.models.local import one_by_one as plain
        from whatworks.models.local import room
        from whatworks.models.local.sampling import Draw, Ends

        with self.lock:
            resident, active, tokenizer = self.ready(model)
            rows = room.make_rows(ids, decoding, keys, resident, active)
            # A soft prompt's positions count as read; their ids are never looked at.
            for row in rows:
                row.prompt = [0] * active.read + row.prompt

            def finish(row: RequestRow) -> None:
                del row
                if on_done is not None:
                    on_done(1)

            grammars = resident.grammars(model.template) if decoding.constraint else None
            if grammars is not None and decoding.constraint is not None:
                for row in rows:
                    row.matcher = grammars.matcher(decoding.constraint)
            draw = Draw(decoding, grammars)
            ends = Ends(tokenizer, resident.stop_ids, decoding, on_token)

            def attempt(size: int) -> None:
                going = [row for row in rows if row.finish is None]
                for row in going:
                    row.restart()
                if not active.fast:
                    plain.generate(active.model, going, draw, ends, done=finish)
                    return
                started = time.perf_counter()
                prefix = _compute_prefix(resident, active, [row.prompt for row in rows])
                share = (time.perf_counter() - started) / len(rows)
                for row in rows:
                    row.seconds += share
                batch.generate(active.model, prefix, going, draw, ends, size=size, done=finish)

            self._run(resident, attempt)
            return [ends.generation(row) for row in rows]

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        """Log-probability of each token of each answer, in nats; see ``Engine.logprobs``."""
        with self.lock:
            tokenizer = self.ready(model)[2]
            pairs = [
                templates.encode_training(tokenizer, messages, answer)
                if isinstance(answer, str)
                else (templates.encode_prompt(tokenizer, messages), list(answer))
                for messages, answer in zip(prompts, answers, strict=True)
            ]
            return self.echo(model, pairs)

    def echo(
        self, model: ModelFiles, pairs: Sequence[tuple[list[int], list[int]]]
    ) -> list[tuple[float, ...]]:
        """Log-probability of each token of the second part of each pair after the first."""
        from whatworks.models.local.sampling import gather_logprobs

        return self._gather(model, pairs, gather_logprobs)

    def find_likeliest(
        self, model: ModelFiles, pairs: Sequence[tuple[list[int], list[int]]]
    ) -> list[tuple[tuple[int, float], ...]]:
        """The likeliest token in the place of each of those, with its log-probability."""
        from whatworks.models.local.sampling import gather_likeliest

        return self._gather(model, pairs, gather_likeliest)

    def _gather(
        self, model: ModelFiles, pairs: Sequence[tuple[list[int], list[int]]], gather: Gather
    ) -> list[tuple[Any, ...]]:
        if not pairs:
            return []
        from whatworks.models.local import batching as batch
        from whatworks.models.local import one_by_one as plain
        from whatworks.models.local import room

        with self.lock:
            resident, active, _ = self.ready(model)
            most = room.measure_room(resident, active)
            for at, (before, after) in enumerate(pairs):
                room.check_length(len(before) + len(after), most, f"prompt {at} and its answer")
            pairs = [([0] * active.read + before, after) for before, after in pairs]

            def attempt(size: int) -> list[tuple[Any, ...]]:
                if not active.fast:
                    return plain.measure_logprobs(active.model, pairs, gather=gather)
                prefix = _compute_prefix(resident, active, [before for before, _ in pairs])
                return batch.measure_logprobs(active.model, prefix, pairs, size=size, gather=gather)

            return self._run(resident, attempt)

    def encode(
        self, model: ModelFiles, content: str | Sequence[Message], answer: str | None = None
    ) -> list[int]:
        """Tokens of a plain text, or of rendered messages, with their answer if one is given."""
        with self.lock:
            tokenizer = self.ready(model)[2]
            if isinstance(content, str):
                return templates.encode_plain(tokenizer, content)
            if answer is None:
                return templates.encode_prompt(tokenizer, content)
            before, after = templates.encode_training(tokenizer, content, answer)
            return [*before, *after]

    def encode_request(
        self, model: ModelFiles, turns: Sequence[dict[str, Any]], options: Mapping[str, Any]
    ) -> list[int]:
        """Tokens of turns with tools or settings of the template; see ``request_templates``."""
        with self.lock:
            return request_templates.encode_request(self.ready(model)[2], turns, options)

    def takes_tools(self, model: ModelFiles) -> bool:
        """Whether the model's template shows tools."""
        tokenizer = models.load_tokenizer(models.resolve(model.base))
        return takes_tools(templates.use(tokenizer, model.template))

    def close_reasoning(self, model: ModelFiles) -> list[int]:
        """Tokens that close a block of reasoning which the template leaves open.

        What a form holds has no room for reasoning: they stand before it.
        """
        with self.lock:
            return templates.close_reasoning(self.ready(model)[2])

    def pieces(self, model: ModelFiles, ids: Sequence[int]) -> list[str]:
        """The text of each token, special ones included."""
        with self.lock:
            return PieceReader(self.ready(model)[2]).read_all(ids)

    def count_tokens(self, model: ModelFiles, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each plain text, without special tokens."""
        tokenizer = models.load_tokenizer(models.resolve(model.base))
        return [len(templates.encode_plain(tokenizer, text)) for text in texts]

    def prompt_tokens(self, model: ModelFiles, prompts: Prompts) -> list[int]:
        """Number of tokens of each rendered prompt, chat template included."""
        with self.lock:
            tokenizer = self.ready(model)[2]
            return [len(templates.encode_prompt(tokenizer, messages)) for messages in prompts]

    def context_length(self, model: ModelFiles) -> int | None:
        """Most tokens of prompt and answer together, None when the model does not say.

        The positions of a soft prompt are taken off.
        """
        limit = models.read_context_length(models.load_config(models.resolve(model.base)))
        return None if limit is None else limit - models.count_virtual_tokens(model.adapter)

    def vocabulary(self, model: ModelFiles) -> int:
        """How many tokens there are; their ids are smaller."""
        return int(models.load_config(models.resolve(model.base)).vocab_size)

    def habits(self, model: ModelFiles) -> Habits:
        """How the model answers: as its template says, the embedded ones in targets alone."""
        if models.is_shipped(model.base):
            return Habits(sentences=False, reasons=False)
        tokenizer = models.load_tokenizer(models.resolve(model.base))
        return Habits(reasons=templates.may_reason(templates.use(tokenizer, model.template)))

    def close(self) -> None:
        """Free the model."""
        with self.lock:
            self._resident = None
            gc.collect()

    def ready(self, model: ModelFiles) -> tuple[Resident, Active, Any]:
        """The base model in memory, switched to the adapter, and the tokenizer."""
        from whatworks.models.local.loaded_model import Resident

        folder = models.resolve(model.base)
        resident = self._resident
        if resident is None or resident.identity != models.read_identity(folder):
            self.close()  # two models at a time may not fit
            device = self._choose_device()
            try:
                resident = Resident(
                    folder,
                    dtype=self._choose_dtype(device),
                    device=device,
                    adapters=self._adapters,
                )
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise ArmFailure(
                    "not enough memory to load the model",
                    place=str(folder),
                    remedy="take a smaller model, another device, or dtype bfloat16",
                ) from error
            self._resident = resident
        return resident, resident.use(model.adapter), resident.tokenizer(model.template)

    def _run(self, resident: Resident, attempt: Callable[[int], T]) -> T:
        """Run with as many rows at a time as memory allows."""
        import torch

        size = self.batch_size(resident)
        with torch.inference_mode(), self.using_threads(resident):
            while True:
                try:
                    return attempt(size)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    reason = get_first_line(error)
                # Outside the handler: the traceback would keep the failed batch alive.
                resident.prefixes.clear()
                gc.collect()
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                if size == 1:
                    raise ArmFailure(
                        f"out of memory on a single request: {reason}",
                        place=str(resident.folder),
                        remedy="shorten the prompt (fewer demonstrations or passages), lower "
                        "max_tokens, or take a smaller model or dtype bfloat16",
                    )
                size //= 2

    @contextlib.contextmanager
    def using_threads(self, resident: Resident) -> Generator[None]:
        """Compute with as many threads as suit the model and the cores that are free."""
        if resident.model.device.type != "cpu":
            yield
            return
        import torch

        from whatworks.models.local import threads

        most = min(threads.choose_threads(resident.parameters), torch.get_num_threads())
        with threads.use_threads(
            self._threads or min(most, threads.count_free_cores() if most > 1 else 1)
        ):
            yield

    def batch_size(self, resident: Resident) -> int:
        """Most requests in one forward pass."""
        return self._size or (32 if resident.model.device.type == "cpu" else 128)

    def _choose_device(self) -> str:
        import torch

        if self._device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"no device {self._device!r}: {get_first_line(error)}",
                remedy="give `auto`, `cpu`, or the name of a device that torch sees",
            ) from error
        return self._device

    def _choose_dtype(self, device: str) -> Any:
        import torch

        if self._dtype != "auto":
            return getattr(torch, self._dtype)
        half = device.startswith("cuda") and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if half else torch.float32


def _compute_prefix(resident: Resident, active: Active, prompts: Sequence[Sequence[int]]) -> Any:
    """What all prompts begin with, computed or kept from an earlier call."""
    from whatworks.models.local import batching as batch

    shared = batch.measure_shared_length(prompts)
    if len(prompts) == 1:  # nothing to share it with: use what an earlier call shared
        shared = resident.prefixes.longest(active.key, prompts[0])
    shared = max(shared, active.read)
    return resident.prefixes.get(active.model, active.key, prompts[0][:shared], active.soft)
