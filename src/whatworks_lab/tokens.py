"""The tokenizer (byte-level BPE, digits one by one) and documents as arrays of token ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from whatworks_lab.document import Doc

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VOCABULARY = 2304
PAD, END, SYSTEM, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL = (PAD, END, SYSTEM, USER, ASSISTANT)

# Words with the space before them, numbers digit by digit, every sign by itself.
_SPLIT = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train_tokenizer(texts: Iterable[str], out: Path, vocabulary: int = VOCABULARY) -> None:
    """Learn the merges from `texts` and save a Hugging Face tokenizer in `out`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe: Any = Tokenizer(models.BPE())
    # A space is put before every stretch of text and taken away when decoding, so that a word has
    # the same tokens after a special token as in the middle of a passage: copying stays copying.
    bpe.normalizer = normalizers.Prepend(" ")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    save_tokenizer(tokenizer, out)


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save in Hugging Face form, under the class name that every version of transformers knows."""
    tokenizer.save_pretrained(str(folder))
    path = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    for key in ("backend", "is_local", "local_files_only"):
        config.pop(key, None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
    return tokenizer


@dataclass(frozen=True)
class Encoded:
    """Documents end to end: ids, what predicting each id is worth, and where documents end."""

    ids: np.ndarray
    weights: np.ndarray
    ends: np.ndarray


def encode(tokenizer: Any, docs: list[Doc]) -> Encoded:
    """Token ids and loss weights of many documents, in one pass through the tokenizer."""
    special = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    parts = [part for doc in docs for part in ([doc.text] if doc.text else _list_texts(doc))]
    coded = iter(tokenizer(parts, add_special_tokens=False)["input_ids"])
    ids: list[int] = []
    weights: list[float] = []
    ends: list[int] = []
    for doc in docs:
        if doc.text:
            piece = next(coded)
            ids += [*piece, special[END]]
            weights += [1.0] * (len(piece) + 1)
        for turn in doc.turns:
            piece = next(coded)
            ids += [special[f"<|{turn.role}|>"], *piece]
            # The role marker itself is always given, never generated.
            weights += [0.0] + [turn.weight] * len(piece)
            if turn.role == "assistant":
                ids.append(special[END])
                weights.append(turn.weight)
        ends.append(len(ids))
    return Encoded(
        np.asarray(ids, np.int32), np.asarray(weights, np.float32), np.asarray(ends, np.int64)
    )


def _list_texts(doc: Doc) -> list[str]:
    return [turn.text for turn in doc.turns]
