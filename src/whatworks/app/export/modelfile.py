"""An Ollama ``Modelfile``: the arm's prompt, template and decoding in Ollama's words.

See https://docs.ollama.com/modelfile. A chat template is a Go template there. It is put together
from what the arm's own template writes around each role, and left out where that cannot say it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models.decoding import Decoding
from whatworks.models.template_limits import render_within
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import list_turns


def write_modelfile(candidate: Candidate, file: str, tokenizer: Any, context: int | None) -> str:
    """The Modelfile of an arm.

    Args:
        candidate: The arm.
        file: Name of its GGUF file.
        tokenizer: With the arm's chat template.
        context: Most tokens of prompt and answer.
    """
    prompt, decoding = candidate.prompt, candidate.decoding
    lines = [f"FROM ./{file}"]
    template = write_go_template(tokenizer)
    if template is None:
        lines.append("# The chat template has no counterpart in Go: Ollama's own guess is used.")
    else:
        lines.append(f"TEMPLATE {_quote(template)}")
    ending = templates.find_ending(tokenizer)
    lines += _list_parameters(decoding, ending.stop_texts, context)
    system = [prompt.instructions, *(prompt.context.asks if prompt.context else ())]
    if any(system):
        lines.append(f"SYSTEM {_quote(chr(10).join(one for one in system if one))}")
    demos = prompt.demos
    if demos is not None and demos.select == "fixed":
        for one in demos.pool[: demos.k]:
            shown = [*list_turns(one), Message(role="assistant", content=one.target)]
            lines += [f"MESSAGE {turn.role} {_quote(turn.content)}" for turn in shown]
    elif demos is not None:
        lines.append("# Demonstrations are chosen for each request: ask.py does, Ollama cannot.")
    if prompt.context is not None:
        lines.append("# Passages are found for each request: ask.py does, Ollama cannot.")
    if decoding.constraint is not None:
        lines.append("# Answers have a fixed form: send it as `format` with each request.")
    return "\n".join(lines) + "\n"


def write_go_template(tokenizer: Any) -> str | None:
    """The chat template in Ollama's Go; None where it does more than to wrap each turn.

    Args:
        tokenizer: With the chat template.
    """
    probe = [("system", "$one"), ("user", "$two"), ("assistant", "$three"), ("user", "$four"),
             ("assistant", "$five")]  # fmt: skip
    whole = _render(tokenizer, probe)
    parts = re.split(r"\$(?:one|two|three|four|five)", whole)
    if len(parts) != len(probe) + 1 or "{{" in whole:
        return None
    behind_answer = parts[5]
    before_user = parts[3].removeprefix(behind_answer)
    behind_user = _render(tokenizer, probe[:2]).partition("$two")[2]
    header = _render(tokenizer, probe[:2], ask=True).partition("$two")[2].removeprefix(behind_user)
    around = {
        "system": (parts[0], parts[1].removesuffix(before_user)),
        "user": (before_user, behind_user),
        "assistant": (parts[2].removeprefix(behind_user), behind_answer),
    }
    if "".join(around[role][0] + text + around[role][1] for role, text in probe) != whole:
        return None
    if templates.is_bos_added(tokenizer):  # llama.cpp adds it, too
        first = around["system"][0].removeprefix(str(tokenizer.bos_token))
        around["system"] = (first, around["system"][1])
    branches = "".join(
        f'{{{{- {word} eq .Role "{role}" }}}}{_keep(before)}{{{{ .Content }}}}{_keep(behind)}\n'
        for word, (role, (before, behind)) in zip(
            ("if", "else if", "else if"), around.items(), strict=True
        )
    )
    each = f"{{{{- range .Messages }}}}\n{branches}{{{{- end }}}}{{{{- end }}}}"
    return each + _keep(header)


def _keep(text: str) -> str:
    """Text whose blanks a Go template does not trim."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{{ "{escaped}" }}}}' if text else ""


def _render(tokenizer: Any, turns: Sequence[tuple[str, str]], *, ask: bool = False) -> str:
    return render_within(tokenizer, [{"role": r, "content": text} for r, text in turns], ask=ask)


def _list_parameters(decoding: Decoding, ends: Sequence[str], context: int | None) -> list[str]:
    values: dict[str, float | int | None] = {
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "top_k": 0,
        "min_p": 0,
        "repeat_penalty": 1,
        "num_predict": decoding.max_tokens,
        "num_ctx": context,
    }
    lines = [f"PARAMETER {name} {value}" for name, value in values.items() if value is not None]
    return [*lines, *(f"PARAMETER stop {_quote(stop)}" for stop in (*decoding.stop, *ends))]


def _quote(text: str) -> str:
    return f'"""{text}"""'
