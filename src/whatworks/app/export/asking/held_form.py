"""The form that every answer has, held token by token.

``transformers`` has no means for it: ``llguidance`` says which tokens may come next.
"""

from __future__ import annotations

from typing import Any


class HeldForm:
    """Masks what would leave the form.

    Args:
        tokenizer: Of the model.
        size: Width of the model's logits.
        ends: Ids of tokens that end an answer.
        form: What ``ask.json`` says of it.
    """

    def __init__(self, tokenizer: Any, size: int, ends: Any, form: dict[str, Any]) -> None:
        try:
            from llguidance.hf import from_tokenizer
        except ModuleNotFoundError:
            raise SystemExit(
                "this arm's answers have a fixed form, which transformers alone cannot hold: "
                "pip install llguidance"
            ) from None
        self._size = max(size, len(tokenizer))
        every = sorted(ends if isinstance(ends, list) else [ends])
        self._tokens = from_tokenizer(tokenizer, n_vocab=self._size, eos_token=every)
        self._grammar: str = form["grammar"]

    def hold(self, prompt: int) -> dict[str, Any]:
        """Arguments of ``generate`` for one answer after so many tokens."""
        import numpy as np
        import torch
        from llguidance import LLMatcher
        from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
        from transformers import LogitsProcessorList, StoppingCriteriaList

        matcher = LLMatcher(self._tokens, LLMatcher.grammar_from_lark(self._grammar), log_level=0)
        read = prompt

        def follow(ids: Any) -> None:
            nonlocal read
            for token in ids[0, read:].tolist():
                matcher.consume_token(token)
            read = ids.shape[1]

        def mask(ids: Any, scores: Any) -> Any:
            follow(ids)
            bits = allocate_token_bitmask(1, self._size)
            fill_next_token_bitmask(matcher, bits, 0)
            flags = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")
            allowed = torch.from_numpy(flags[:, : scores.shape[-1]].astype(bool))
            return scores.masked_fill(~allowed.to(scores.device), float("-inf"))

        def is_over(ids: Any, scores: Any, **_: Any) -> Any:
            del scores
            follow(ids)
            return torch.full((1,), matcher.is_stopped(), device=ids.device)

        return {
            "logits_processor": LogitsProcessorList([mask]),
            "stopping_criteria": StoppingCriteriaList([is_over]),
        }
