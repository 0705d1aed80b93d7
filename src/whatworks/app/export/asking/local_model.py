"""The arm's weights, run by ``transformers`` (and ``peft``)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatworks.app.export.asking.held_form import HeldForm
from whatworks.models import reasoning


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        text: Without what the model wrote for itself before it.
        likelihood: Mean log-probability of its tokens; None where unknown.
    """

    text: str
    likelihood: float | None = None


class LocalModel:
    """Answers messages with the exported weights.

    Args:
        root: Folder of the export.
        spec: What ``ask.json`` says of model, decoding and form.
    """

    def __init__(self, root: Path, spec: dict[str, Any]) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        self._spec: dict[str, Any] = spec["model"]
        self._decoding: dict[str, Any] = spec["decoding"]
        half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
        name = str(self._spec["weights"])
        weights = str(root / name) if (root / name).is_dir() else name
        own = str(root / self._spec["tokenizer"])
        self._tokenizer: Any = AutoTokenizer.from_pretrained(own)
        self._config: Any = GenerationConfig.from_pretrained(own)
        model: Any = AutoModelForCausalLM.from_pretrained(
            weights, dtype=torch.bfloat16 if half else torch.float32
        )
        if self._spec["adapter"]:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(root / self._spec["adapter"]))
        self._model: Any = model.to("cuda" if half else "cpu").eval()
        self._form = None
        if spec["form"] is not None:
            size = int(model.get_input_embeddings().weight.shape[0])
            self._form = HeldForm(self._tokenizer, size, self._config.eos_token_id, spec["form"])

    def answer(self, messages: Sequence[dict[str, str]], draw: int = 0) -> Answer:
        """One answer.

        Args:
            messages: What the model reads.
            draw: Which of several answers, where they are drawn at random.
        """
        import torch

        # Prompts are made by the template alone: no further special tokens.
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if self._form is not None:
            ids = ids + self._spec["closing"]
        asked = torch.tensor([ids], device=self._model.device)
        torch.manual_seed(zlib.crc32(f"{self._decoding['seed']} {draw} {text}".encode()))
        held = {} if self._form is None else self._form.hold(len(ids))
        with torch.inference_mode():
            out = self._model.generate(
                input_ids=asked,
                attention_mask=torch.ones_like(asked),
                generation_config=self._config,
                tokenizer=self._tokenizer,
                output_logits=True,
                return_dict_in_generate=True,
                **held,
            )
        written = out.sequences[0, len(ids) :].tolist()
        chances = torch.stack([step[0].float().log_softmax(-1) for step in out.logits])
        at = torch.tensor(written[: len(chances)], device=chances.device)[:, None]
        return Answer(self._read(written), float(chances.gather(-1, at).mean()))

    def _read(self, ids: list[int]) -> str:
        """The answer in what was written."""
        spec, text, begin = self._spec, "", 0
        for at, one in enumerate(ids):
            if mark := spec["special_marks"].get(str(one)):
                text += self._decode(ids[begin:at]) + mark
                begin = at + 1
        text = (text + self._decode(ids[begin:])).removeprefix(spec["lead"])
        if self._form is not None:
            return text
        marks = [(opening, closing) for opening, closing in spec["marks"]]
        answer = reasoning.split(text, opened=spec["opened"], marks=marks).answer
        for stop in self._config.stop_strings or ():
            answer = answer.split(stop)[0]
        return answer

    def _decode(self, ids: list[int]) -> str:
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )
