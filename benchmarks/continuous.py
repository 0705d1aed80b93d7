"""transformers' own continuous batching on a CPU against the local engine: 32 requests at once.

``OMP_NUM_THREADS=1 python benchmarks/continuous.py lab``: greedy answers of 24 tokens; processor
time, and whether the answers are the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import ModelFiles
from whatworks.models.local.engine import LocalEngine

REQUESTS, TOKENS = 32, 24
BLOCKS, BATCH_TOKENS = 64, 512
"""The size of their cache and of a pass: with their defaults, which fill the memory, lab takes 18
times as long."""


def measure(function: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the processor time that it took, in seconds."""
    began = time.process_time()
    return function(), time.process_time() - began


def main() -> None:
    """Print both times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    name = parser.parse_args().model
    torch.set_num_threads(1)
    folder = models.resolve(name)
    tokenizer = templates.use(models.load_tokenizer(folder), "auto")
    asked = [
        [Message(role="user", content=f"Write about the number {at} and the town of Porto.")]
        for at in range(REQUESTS)
    ]
    engine, decoding = LocalEngine(dtype="float32", device="cpu", threads=1), Decoding
    engine.generate(ModelFiles(name), asked[:2], decoding(max_tokens=2))
    ours, seconds = measure(
        lambda: engine.generate(ModelFiles(name), asked, decoding(max_tokens=TOKENS))
    )
    print(f"local engine: {seconds:.2f} s")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    config = GenerationConfig(
        max_new_tokens=TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted(templates.find_ending(tokenizer).stop_ids),
    )  # fmt: skip
    theirs, seconds = measure(
        lambda: model.generate_batch(
            inputs=[templates.encode_prompt(tokenizer, one) for one in asked],
            generation_config=config,
            continuous_batching_config=ContinuousBatchingConfig(
                num_blocks=BLOCKS, max_batch_tokens=BATCH_TOKENS
            ),
            warmup=False,
        )
    )
    print(f"transformers: {seconds:.2f} s")
    ordered = sorted(theirs.items(), key=lambda one: int(one[0].split("_")[-1]))
    texts = [tokenizer.decode(one.generated_tokens, skip_special_tokens=True) for _, one in ordered]
    same = sum(one.text.strip() == text.strip() for one, text in zip(ours, texts, strict=True))
    print(f"the same answers: {same} of {REQUESTS}")


if __name__ == "__main__":
    main()
