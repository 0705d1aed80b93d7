"""Whole conversations with a scripted user and scripted tools, all rows turn by turn together.

As in tau-bench (Yao et al. 2024, arXiv 2406.12045) what counts is the state in the end. Its users
are played by a model; here they say the lines of the row, so that two arms hear the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from whatworks.data.scripted_tools import ToolWorld, read_script
from whatworks.data.task import Message
from whatworks.metrics.tool_call import is_call, read_calls
from whatworks.models.engine import Generation
from whatworks.prompts.render import Rendering

MOST = 20
"""Requests of one conversation; it ends with them."""


@dataclass
class _Played:
    """A conversation as it goes on."""

    request: Rendering
    world: ToolWorld
    waiting: list[str]
    turns: list[Message] = field(default_factory=list[Message])
    generations: list[Generation] = field(default_factory=list[Generation])
    over: bool = False

    def hear(self, generation: Generation) -> None:
        """Take an answer, and go on with what comes back or what the user says next."""
        self.generations.append(generation)
        self.turns.append(Message(role="assistant", content=generation.text))
        if generation.finish != "stop" or len(self.generations) == MOST:
            self.over = True
        elif is_call(generation.text):
            self.turns += [
                Message(role="tool", content=self.world.call(one.name, one.arguments))
                for one in read_calls(generation.text)
            ]
        elif self.waiting:
            self.turns.append(Message(role="user", content=self.waiting.pop(0)))
        else:
            self.over = True

    def finish(self) -> Generation:
        """The end state and the turns as one answer, with what all of them took."""
        said = [f"<{turn.role}> {turn.content}" for turn in self.turns]
        text = json.dumps({"state": self.world.state, "turns": said}, ensure_ascii=False)
        every, last = self.generations, self.generations[-1]
        return Generation(
            text="" if last.finish == "overflow" and len(every) == 1 else text,
            prompt_tokens=sum(one.prompt_tokens for one in every),
            completion_tokens=sum(one.completion_tokens for one in every),
            seconds=sum(one.seconds for one in every),
            finish="overflow" if last.finish == "overflow" and len(every) == 1 else "stop",
            cached_tokens=sum(one.cached_tokens for one in every),
        )


def play(
    requests: Sequence[Rendering], ask: Callable[[Sequence[Rendering]], list[Generation]]
) -> list[Generation]:
    """Play the conversation of each row to its end.

    Args:
        requests: The first request of each; its row brings the script.
        ask: Answers one turn of each.

    Raises:
        InputError: If a script cannot be read.
    """
    scripts = [read_script(request.example) for request in requests]
    played = [
        _Played(request, ToolWorld(script), list(script.user))
        for request, script in zip(requests, scripts, strict=True)
    ]
    while going := [one for one in played if not one.over]:
        now = [replace(one.request, messages=(*one.request.messages, *one.turns)) for one in going]
        for one, generation in zip(going, ask(now), strict=True):
            one.hear(generation)
    return [one.finish() for one in played]
