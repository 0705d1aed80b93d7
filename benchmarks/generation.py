"""Tokens per second of the local engine against ``transformers.generate``.

The same model, prompts and greedy decoding three ways: ``generate`` one prompt at a time,
``generate`` in plain left-padded batches (the better of two sizes), and ``LocalEngine``. Two
cases: prompts that share their first 500 tokens, as prompts with instructions and demonstrations
do, and unrelated prompts of 50 to 200 tokens. The outputs must be identical, token for token.

    python benchmarks/generation.py            # a random Llama-shaped model of 5M parameters
    python benchmarks/generation.py --quick    # fewer prompts
    python benchmarks/generation.py --model smollm2 --prompts 16

Prompts are cut by tokens from the messages of the example study ``json``, or are random words of a
random model. Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes
the threads.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.local.engine import LocalEngine

PLAIN_SIZES = (8, 32)
SHARED, LENGTHS, ENDINGS = 500, (50, 200), (10, 50)
"""Tokens of a shared beginning, of unrelated prompts, and of what follows a shared beginning."""
MESSAGES = Path(__file__).resolve().parents[1] / "examples" / "json" / "messages.jsonl"


def random_model(folder: Path, *, hidden: int, layers: int, words: int) -> None:
    """Write an untrained model and a tokenizer of one token per word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=words,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=max(1, hidden // 64),
        head_dim=32,
        intermediate_size=hidden * 11 // 4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        # Wide, so that logits lie apart and rounding does not decide between two tokens.
        initializer_range=0.15,
        bos_token_id=None,
        eos_token_id=1,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    vocabulary = {"<unk>": 0, "</s>": 1} | {f"w{i}": i for i in range(2, words)}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] + ' ' }}"
        "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    )
    tokenizer.save_pretrained(folder)


def pieces(tokenizer: Any, real: bool) -> Callable[[int], str]:
    """What gives a text of so many tokens, another one each time."""
    draw = random.Random(1)
    if not real:
        return lambda length: " ".join(f"w{draw.randrange(2, 2000)}" for _ in range(length))
    lines = [json.loads(line)["input"] for line in MESSAGES.read_text("utf-8").splitlines()]
    draw.shuffle(lines)
    ids = tokenizer(" ".join(lines), add_special_tokens=False)["input_ids"]

    def cut(length: int) -> str:
        start = draw.randrange(len(ids) - length)
        return str(tokenizer.decode(ids[start : start + length]))

    return cut


def texts(case: str, count: int, piece: Callable[[int], str]) -> list[list[Message]]:
    """The prompts of a case."""
    draw = random.Random(1)
    if case == "shared":
        system = Message(role="system", content=piece(SHARED))
        lengths = [draw.randint(*ENDINGS) for _ in range(count)]
        return [[system, Message(role="user", content=piece(n))] for n in lengths]
    return [[Message(role="user", content=piece(draw.randint(*LENGTHS)))] for _ in range(count)]


def plain(model: Any, prompts: Sequence[list[int]], tokens: int, size: int) -> list[list[int]]:
    """``generate`` as its documentation shows it: left padding, batches in the order given."""
    new: list[list[int]] = []
    pad = model.generation_config.eos_token_id
    pad = pad[0] if isinstance(pad, list) else pad
    for at in range(0, len(prompts), size):
        group = prompts[at : at + size]
        width = max(map(len, group))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in group])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in group])
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=pad,
        )
        new.extend(_until(row[width:].tolist(), pad) for row in out)
    return new


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end) + 1] if end in ids else ids


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = run()
    return result, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a model by name or folder instead of a random one")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--words", type=int, default=4096, help="vocabulary of the random model")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--quick", action="store_true", help="48 prompts")
    args = parser.parse_args()
    count = 48 if args.quick else args.prompts
    with tempfile.TemporaryDirectory() as scratch:
        folder = models.resolve(args.model) if args.model else Path(scratch)
        if not args.model:
            random_model(folder, hidden=args.hidden, layers=args.layers, words=args.words)
        compare(folder, count, args.tokens, real=bool(args.model))


def compare(folder: Path, count: int, tokens: int, *, real: bool) -> None:
    """Print the table; raises AssertionError if the outputs differ."""
    reference = models.load_model(folder, dtype=torch.float32, device="cpu")
    tokenizer = templates.use(models.load_tokenizer(folder))
    size = sum(p.numel() for p in reference.parameters())
    engine = LocalEngine(dtype="float32", device="cpu")
    files = ModelFiles(str(folder))
    piece = pieces(tokenizer, real)
    engine.generate(files, texts("unrelated", 2, piece), Decoding(max_tokens=2))  # load
    print(f"{size / 1e6:.1f}M parameters, {count} prompts, {tokens} new tokens each, greedy, fp32")
    print(f"{'case':<10} {'way':<16} {'tokens/s':>9} {'requests/s':>11} {'engine is':>10}")
    for case in ("shared", "unrelated"):
        prompts = texts(case, count, piece)
        ids = [templates.encode_prompt(tokenizer, p) for p in prompts]
        plain(reference, ids[:2], 2, 2)
        ways: dict[str, tuple[list[list[int]], float]] = {}
        with torch.inference_mode():
            ways["one by one"] = timed(lambda i=ids: plain(reference, i, tokens, 1))
            batches = [
                timed(lambda i=ids, s=s: plain(reference, i, tokens, s)) for s in PLAIN_SIZES
            ]
        best = min(range(len(batches)), key=lambda i: batches[i][1])
        ways[f"batches of {PLAIN_SIZES[best]}"] = batches[best]
        answers, seconds = timed(
            lambda p=prompts: engine.generate(files, p, Decoding(max_tokens=tokens))
        )
        wanted = ways["one by one"][0]
        check(tokenizer, wanted, answers)
        written = sum(map(len, wanted))
        for way, (_, taken) in (*ways.items(), ("LocalEngine", (wanted, seconds))):
            print(
                f"{case:<10} {way:<16} {written / taken:>9.0f} {count / taken:>11.1f} "
                f"{taken / seconds:>9.1f}x"
            )


def check(tokenizer: Any, wanted: Sequence[list[int]], got: Sequence[Generation]) -> None:
    end = templates.find_ending(tokenizer).stop_ids
    for at, (ids, answer) in enumerate(zip(wanted, got, strict=True)):
        text = templates.decode(tokenizer, [i for i in ids if i not in end])
        assert text == answer.text, f"prompt {at}:\n  {text}\n  {answer.text}"
        assert len(ids) == answer.completion_tokens, f"prompt {at}"


if __name__ == "__main__":
    main()
