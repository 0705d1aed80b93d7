"""The model in memory: one base, its tokenizer per template, and many adapters on it."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, get_first_line
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.local import batching as batch
from whatworks.models.local.grammar import Grammars
from whatworks.models.local.prefix_cache import Prefix

_REMEDY = "give the folder of a PEFT adapter (adapter_config.json and its weights)"


@dataclass(frozen=True)
class Active:
    """The weights that a call runs with.

    Attributes:
        model: What to call.
        key: Tells these weights from others of the same base, for prefixes kept between calls.
        fast: Whether the batched loop suits it.
        virtual: Positions that a soft prompt takes up in front of the prompt.
        soft: What the batched loop reads in these positions.
    """

    model: Any
    key: str
    fast: bool
    virtual: int = 0
    soft: Prefix | None = None

    @property
    def read(self) -> int:
        """Positions that stand before each prompt in the batched loop."""
        return self.soft.length if self.soft else 0


class Resident:
    """One base model with the adapters that were used on it.

    Args:
        folder: The base model's folder.
        dtype: Number type of its weights.
        device: Where it runs.
        adapters: Most adapters kept loaded; the one not used for longest goes first.

    Raises:
        InputError: If the folder does not hold a causal language model.
    """

    def __init__(self, folder: Path, *, dtype: Any, device: str, adapters: int) -> None:
        self.folder = folder
        self.identity = models.read_identity(folder)
        self.prefixes = batch.Prefixes()
        self._dtype, self._device, self._most = dtype, device, adapters
        self._chats: dict[str, Any] = {}
        self._grammars: dict[str, Grammars] = {}
        self._load()

    def _load(self) -> None:
        from transformers import GenerationConfig

        self.model = models.load_model(self.folder, dtype=self._dtype, device=self._device)
        own = getattr(self.model, "generation_config", None)
        ends = [getattr(own, "eos_token_id", None), self.config.eos_token_id]
        flat = [i for end in ends for i in (end if isinstance(end, list) else [end])]
        self.stop_ids = frozenset(int(i) for i in flat if i is not None)
        # Decoding belongs to the candidate: no sampling or penalties that the folder asks for.
        self.model.generation_config = GenerationConfig()
        self.fast = batch.prepare(self.model)
        self.parameters = sum(weight.numel() for weight in self.model.parameters())
        self._peft: Any = None
        self._kind: object = None
        self._adapters: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._softs: dict[str, Prefix] = {}
        self._loaded = 0
        self._active: str | None = None
        self.prefixes.clear()

    @cached_property
    def config(self) -> Any:
        """The configuration of the text model."""
        return self.model.config.get_text_config()

    def tokenizer(self, template: str) -> Any:
        """The tokenizer with a chat template, by the template's name."""
        if template not in self._chats:
            self._chats[template] = templates.use(models.load_tokenizer(self.folder), template)
        return self._chats[template]

    def grammars(self, template: str) -> Grammars:
        """Constraints for the tokenizer with this chat template.

        Raises:
            InputError: If llguidance is missing, or cannot use the tokenizer.
        """
        if template not in self._grammars:
            tokenizer = self.tokenizer(template)
            ends = templates.find_ending(tokenizer).stop_ids | self.stop_ids
            self._grammars[template] = Grammars(tokenizer, self.config.vocab_size, ends)
        return self._grammars[template]

    def use(self, adapter: Path | None) -> Active:
        """Switch to an adapter, loading it at first use, or to the base alone.

        Raises:
            InputError: If the folder holds no adapter for this base.
        """
        if adapter is None:
            self._switch(None)
            return Active(self.model, "", self.fast)
        stamp = _read_stamp(adapter)
        if stamp not in self._adapters:
            self._add(adapter, stamp)
        self._adapters.move_to_end(stamp)
        name = self._adapters[stamp]
        self._switch(name)
        config = self._peft.peft_config[name]
        if config.is_prompt_learning:
            count = int(config.num_virtual_tokens)
            soft = self._soft(name, config.peft_type) if self.fast else None
            if soft is None:
                return Active(self._peft, name, False, count)
            return Active(self.model, name, True, count, soft)
        by_position = config.is_adaption_prompt or getattr(config, "alora_invocation_tokens", None)
        if by_position:  # acts through PEFT's own forward
            return Active(self._peft, name, False)
        # These adapters live inside the base model's layers: calling it directly is the same.
        return Active(self.model, name, self.fast)

    def _soft(self, name: str, kind: str) -> Prefix | None:
        """A soft prompt as keys and values, computed once; None where only PEFT can run it."""
        import torch

        if kind not in ("PROMPT_TUNING", "PREFIX_TUNING"):
            return None
        if name not in self._softs:
            with torch.inference_mode():
                learned = self._peft.get_prompt(1)
                if kind == "PROMPT_TUNING":
                    self._softs[name] = batch.read_soft_prompt(self.model, learned)
                else:
                    layers = [(layer.keys, layer.values) for layer in learned.layers]
                    self._softs[name] = Prefix(layers, learned.get_seq_length())
        return self._softs[name]

    def _add(self, adapter: Path, stamp: tuple[str, int]) -> None:
        from peft import PeftConfig, PeftModel

        try:
            kind = PeftConfig.from_pretrained(str(adapter)).peft_type
        except Exception as error:
            raise _make_adapter_error(adapter, error) from error
        if self._kind not in (None, kind):
            self._load()  # PEFT holds one kind of adapter on a model
        name = f"adapter{self._loaded}"
        self._loaded += 1
        self._active = None
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(
                        self.model, str(adapter), adapter_name=name, autocast_adapter_dtype=False
                    )
                else:
                    self._peft.load_adapter(
                        str(adapter), adapter_name=name, autocast_adapter_dtype=False
                    )
        except Exception as error:
            self._load()  # a half-loaded adapter would stay inside the layers
            raise _make_adapter_error(adapter, error) from error
        lacking = [str(w.message) for w in caught if "missing adapter keys" in str(w.message)]
        if lacking:
            self._load()
            raise _make_adapter_error(
                adapter, ValueError("its weights do not cover the layers it names")
            )
        self._kind = kind
        self._adapters[stamp] = name
        while len(self._adapters) > self._most:
            _, oldest = self._adapters.popitem(last=False)
            self._switch(name)
            self._peft.delete_adapter(oldest)
            self._softs.pop(oldest, None)

    def _switch(self, name: str | None) -> None:
        if self._peft is None or self._active == (name or ""):
            return
        self._active = None  # unknown, should an interrupt fall into the middle
        soft = self._peft.active_peft_config.is_prompt_learning
        if name is not None:
            self._peft.set_adapter(name, inference_mode=True)
        if not soft:  # a soft prompt stands outside the base model
            self._peft.base_model.disable_adapter_layers() if name is None else (
                self._peft.base_model.enable_adapter_layers()
            )
        self._active = name or ""


def _read_stamp(adapter: Path) -> tuple[str, int]:
    """Tells an adapter folder from the same folder trained again."""
    files = sorted(adapter.glob("adapter_*")) if adapter.is_dir() else []
    if not (adapter / "adapter_config.json").is_file() or len(files) < 2:
        raise InputError("not an adapter folder", place=str(adapter), remedy=_REMEDY)
    return str(adapter.resolve()), max(f.stat().st_mtime_ns for f in files)


def _make_adapter_error(adapter: Path, error: Exception) -> InputError:
    return InputError(
        f"the adapter cannot be loaded on this base model: {get_first_line(error)}",
        place=str(adapter),
        remedy=_REMEDY,
    )
