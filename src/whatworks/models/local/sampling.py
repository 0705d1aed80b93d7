"""What happens to one row between two forward passes: draw a token, see whether it ends.

Shared by the batched loop and the plain ``generate`` path, so that both draw the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from whatworks.base.frozen import hash_content
from whatworks.models import chat_templates as templates
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, OnToken, Token
from whatworks.models.local.grammar import Grammars, advance
from whatworks.models.local.request import RequestRow
from whatworks.models.local.token_chances import count_kept, list_likeliest, steer
from whatworks.models.reasoning import Split
from whatworks.models.token_pieces import PieceReader


class Draw:
    """Tokens from logits: greedy, or nucleus sampling with a random stream per request.

    Nucleus sampling (Holtzman et al. 2020, section 3.1): the smallest set of most likely tokens
    whose mass reaches ``top_p``, renormalised; one is drawn by inverting the cumulative sum.

    Args:
        decoding: How to draw.
        grammars: Whose matchers the rows carry; None without a constraint.
    """

    def __init__(self, decoding: Decoding, grammars: Grammars | None = None) -> None:
        self.decoding = decoding
        self._grammars = grammars

    def __call__(self, logits: torch.Tensor, rows: Sequence[RequestRow]) -> list[int]:
        """One token per row; what it adds to the row's log-probability is noted there.

        Args:
            logits: [rows, vocabulary].
            rows: The requests, for their random streams.
        """
        rules = self.decoding.rules
        open_to = logits if rules is None else steer(logits, rows, rules)
        if self._grammars is not None:
            allowed = self._grammars.allow(rows, logits)
            open_to = open_to.masked_fill(~allowed, float("-inf"))
        drawn = self._draw(open_to, rows)
        at = torch.tensor(drawn, device=logits.device)[:, None]
        chances = logits.float().log_softmax(dim=-1).gather(-1, at).squeeze(-1).tolist()
        for row, chance in zip(rows, chances, strict=True):
            if row.finish is None:
                row.logprob, row.last = row.logprob + chance, chance
        if rules is not None and rules.alternatives:
            for row, tops in zip(rows, list_likeliest(logits, rules.alternatives), strict=True):
                row.tops = tops
        if self._grammars is not None:
            for row, token in zip(rows, drawn, strict=True):
                if row.finish is None:
                    advance(row, token)
        return drawn

    def _draw(self, logits: torch.Tensor, rows: Sequence[RequestRow]) -> list[int]:
        temperature = self.decoding.temperature
        if temperature <= 0:
            return logits.argmax(dim=-1).tolist()
        mass = torch.softmax(logits.float() / temperature, dim=-1)
        mass, order = mass.sort(dim=-1, descending=True, stable=True)
        upto = mass.cumsum(dim=-1)
        count = count_kept(mass, self.decoding.top_p, self.decoding.rules)
        total = upto.gather(-1, count - 1)
        uniform = torch.stack([torch.rand(1, generator=self._stream(row)) for row in rows])
        at = torch.searchsorted(upto, uniform.to(upto) * total, right=True)
        return order.gather(-1, torch.minimum(at, count - 1)).squeeze(-1).tolist()

    def _stream(self, row: RequestRow) -> torch.Generator:
        if row.generator is None:
            seed = int(hash_content([self.decoding.seed, row.key]), 16)
            row.generator = torch.Generator().manual_seed(seed)
        return row.generator


class Ends:
    """When an answer ends, and its text.

    Args:
        tokenizer: One that ``templates.use`` returned.
        stop_ids: The model's own end tokens, beside the template's.
        decoding: Its stop strings count beside the template's; under a constraint neither do.
        on_token: Told of every token.
    """

    def __init__(
        self,
        tokenizer: Any,
        stop_ids: Collection[int],
        decoding: Decoding,
        on_token: OnToken | None = None,
    ) -> None:
        self._on_token = on_token
        ending = templates.find_ending(tokenizer)
        self.ids = ending.stop_ids | frozenset(stop_ids)
        texts = () if decoding.constraint else (*decoding.stop, *ending.stop_texts)
        self.texts = tuple(text for text in texts if text)
        self._tokenizer = tokenizer
        self._pieces = PieceReader(tokenizer)
        self._held = decoding.constraint is not None
        self._last = {text[-1] for text in self.texts}
        # A token other than a special one holds at least one byte.
        self._tail = max((len(text.encode()) for text in self.texts), default=0) + 8
        self._may_close: dict[int, bool] = {}

    def add(self, row: RequestRow, token: int) -> bool:
        """Append a token; whether the row is finished with it."""
        row.new.append(token)
        complete = row.matcher is not None and row.matcher.is_stopped()
        if complete or token in self.ids or (self.texts and self._closes(row)):
            row.finish = "stop"
        elif len(row.new) >= row.limit:
            row.finish = "length"
        if self._on_token is not None:
            self._on_token(row.position, self._token(row, token))
        return row.finish is not None

    def _token(self, row: RequestRow, token: int) -> Token:
        own = "" if token in self.ids else self._pieces.read(token)
        so_far = self.generation(row).text
        if row.finish is None:
            so_far = so_far.rstrip("\ufffd")  # half a character
            lengths = (n for s in self.texts for n in range(1, len(s)) if so_far.endswith(s[:n]))
            so_far = so_far[: len(so_far) - max(lengths, default=0)]
        tops = tuple((self._pieces.read(one), chance) for one, chance in row.tops)
        lead = self._pieces.find_lead(token) if own and len(row.new) == 1 else ""
        return Token(own, row.last, so_far, tops, lead)

    def generation(self, row: RequestRow) -> Generation:
        """The finished row as the engine's answer."""
        ids = row.new[:-1] if row.new and row.new[-1] in self.ids else row.new
        parts = self._split(row, ids)
        count = len(self._tokenizer(parts.reasoning, add_special_tokens=False)["input_ids"])
        return Generation(
            text=templates.cut_at_stop(parts.answer, self.texts),
            prompt_tokens=len(row.prompt),
            completion_tokens=len(row.new),
            seconds=row.seconds,
            finish=row.finish or "length",
            logprob=row.logprob,
            ids=tuple(row.new),
            reasoning=parts.reasoning,
            reasoning_tokens=count if parts.reasoning else 0,
        )

    def _split(self, row: RequestRow, ids: Sequence[int]) -> Split:
        """Reasoning and answer; a form holds no reasoning."""
        text = templates.decode(self._tokenizer, ids)
        return (
            Split("", text)
            if self._held
            else templates.split_answer(self._tokenizer, text, row.prompt)
        )

    def _closes(self, row: RequestRow) -> bool:
        """Whether the last token completed a stop string."""
        ids = row.new
        token = ids[-1]
        if token not in self._may_close:
            # Twice, since decoders drop a space at the beginning of a text.
            text = templates.decode(self._tokenizer, [token, token])
            # Part of a character decodes to the replacement character: cannot tell, so look.
            self._may_close[token] = "\ufffd" in text or any(c in text for c in self._last)
        if not self._may_close[token]:
            return False
        tail = templates.decode(self._tokenizer, ids[-self._tail :])
        if not any(text in tail for text in self.texts):
            return False
        # Stop strings end answers; in reasoning they are words like any other.
        parts = self._split(row, ids)
        return any(text in parts.answer for text in self.texts)


def gather_logprobs(logits: torch.Tensor, ids: Sequence[int]) -> tuple[float, ...]:
    """Log-probability of each id under the last logits.

    Args:
        logits: [positions, vocabulary]; the last of them belong to ``ids``.
        ids: The tokens.
    """
    index = torch.tensor(ids, device=logits.device)
    chances = logits[-len(ids) :].float().log_softmax(dim=-1)
    return tuple(chances.gather(-1, index[:, None]).squeeze(-1).tolist())


def gather_likeliest(logits: torch.Tensor, ids: Sequence[int]) -> tuple[tuple[int, float], ...]:
    """The likeliest token in the place of each id, with its log-probability."""
    chances = logits[-len(ids) :].float().log_softmax(dim=-1)
    top = chances.max(dim=-1)
    return tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True))


Gather = Callable[[torch.Tensor, Sequence[int]], tuple[Any, ...]]
"""What is taken of the logits ([positions, vocabulary]) at the places of some ids."""
