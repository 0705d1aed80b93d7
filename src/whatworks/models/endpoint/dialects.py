"""How servers are asked to keep to a form: each in its own words.

===================== ============================================================================
``response_format``   a JSON Schema, as OpenAI, llama.cpp and most servers have it; categories are
                      an ``enum`` and expressions a ``pattern`` in an object that is taken off again
                      (https://platform.openai.com/docs/guides/structured-outputs)
``structured_outputs`` vLLM from 0.12 and ``whatworks serve``
                      (https://docs.vllm.ai/en/latest/features/structured_outputs/)
``guided``            ``guided_choice``, ``guided_regex``, ... of vLLM before
                      (https://docs.vllm.ai/en/v0.9.1/features/structured_outputs.html)
``grammar``           llama.cpp's GBNF, or llguidance's Lark where it was built with it
                      (https://github.com/ggml-org/llama.cpp/tree/master/tools/server)
``format``            Ollama's own ``/api/chat`` with a JSON Schema
                      (https://docs.ollama.com/api/chat)
===================== ============================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from whatworks.models.constraint import Constraint
from whatworks.models.endpoint.replies import ServerReply, Unusable, read_complaint, read_reply

ANSWER = "answer"
"""Key of the object that a category or an expression is put into where only objects can be held."""
NATIVE_CHAT = "/api/chat"
"""Ollama's own address, beside its ``/v1``."""


@dataclass(frozen=True)
class Dialect:
    """One way of asking for a form.

    Attributes:
        name: As in the table above.
        write: The fields that ask for a form; None where it has no words for it.
        wrapped: Kinds of forms whose answer comes in an object or in quotes.
    """

    name: str
    write: Callable[[Constraint], dict[str, Any] | None]
    wrapped: frozenset[str] = frozenset()

    def place(self, url: str) -> str:
        """The whole address that is asked."""
        if self.name == "format":
            return url.removesuffix("/v1") + NATIVE_CHAT
        return f"{url}/chat/completions"

    def translate(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A request as the server has it."""
        return _write_native(body) if self.name == "format" else dict(body)

    def read(self, payload: bytes) -> ServerReply:
        """The server's answer.

        Raises:
            Unusable: If it is none.
        """
        return _read_native(payload) if self.name == "format" else read_reply(payload)

    def unwrap(self, reply: ServerReply, kind: str) -> ServerReply:
        """The answer itself, where it comes in an object; any other as it stands."""
        if kind not in self.wrapped:
            return reply
        try:
            content: Any = json.loads(reply.text)
        except (ValueError, RecursionError):
            return reply
        inner = content.get(ANSWER) if isinstance(content, Mapping) else content
        return replace(reply, text=inner) if isinstance(inner, str) else reply


def _ask_response_format(form: Constraint) -> dict[str, Any] | None:
    schema = _make_schema(form)
    if schema is None:
        return None
    described = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


def _make_schema(form: Constraint) -> Any | None:
    """A form as a JSON Schema whose root is what OpenAI's strict mode takes: an object."""
    if form.kind == "json_schema":
        return form.contents
    if form.kind == "choices":
        inner: dict[str, Any] = {"type": "string", "enum": list(form.choices)}
    elif form.kind == "regex":
        inner = {"type": "string", "pattern": _anchor(form.text)}
    else:
        return None
    return {
        "type": "object",
        "properties": {ANSWER: inner},
        "required": [ANSWER],
        "additionalProperties": False,
    }


def _anchor(pattern: str) -> str:
    """An expression for the whole text; llama.cpp takes none without its anchors."""
    bare = pattern.removeprefix("^").removesuffix("$")
    return f"^({bare})$" if "|" in bare else f"^{bare}$"


_VLLM = {"choices": "choice", "regex": "regex", "lark": "grammar", "json_schema": "json"}


def _ask_structured_outputs(form: Constraint) -> dict[str, Any]:
    return {"structured_outputs": {_VLLM[form.kind]: _get_value(form)}}


def _ask_guided(form: Constraint) -> dict[str, Any]:
    return {f"guided_{_VLLM[form.kind]}": _get_value(form)}


def _get_value(form: Constraint) -> Any:
    if form.kind == "choices":
        return list(form.choices)
    return form.contents if form.kind == "json_schema" else form.text


def _ask_grammar(form: Constraint) -> dict[str, Any] | None:
    if form.kind == "choices":
        choices = " | ".join(json.dumps(one, ensure_ascii=False) for one in form.choices)
        return {"grammar": f"root ::= {choices}"}
    return {"grammar": f"%llguidance {{}}\n{form.text}"} if form.kind == "lark" else None


def _ask_format(form: Constraint) -> dict[str, Any] | None:
    schema = _make_schema(form)
    return None if schema is None else {"format": schema}


_IN_OBJECTS = frozenset({"choices", "regex"})
RESPONSE_FORMAT = Dialect("response_format", _ask_response_format, _IN_OBJECTS)
STRUCTURED_OUTPUTS = Dialect("structured_outputs", _ask_structured_outputs)
GUIDED = Dialect("guided", _ask_guided)
GRAMMAR = Dialect("grammar", _ask_grammar)
FORMAT = Dialect("format", _ask_format, _IN_OBJECTS)
DIALECTS = {one.name: one for one in (RESPONSE_FORMAT, STRUCTURED_OUTPUTS, GUIDED, GRAMMAR, FORMAT)}

_ORDERS: Mapping[str, Sequence[Dialect]] = {
    "vllm": (STRUCTURED_OUTPUTS, GUIDED, RESPONSE_FORMAT),
    "whatworks": (STRUCTURED_OUTPUTS, RESPONSE_FORMAT),
    "llamacpp": (GRAMMAR, RESPONSE_FORMAT),
    "library": (FORMAT, RESPONSE_FORMAT),
}
"""Which to try, by what a server's list of models says of who has them."""


def list_dialects(owner: str, form: Constraint) -> list[Dialect]:
    """Those that have words for a form, the likeliest first.

    Args:
        owner: ``owned_by`` of a model in the server's list (``/v1/models``), which names the
            server's program: ``vllm``, ``llamacpp``, ``library`` (Ollama's) or ``whatworks``.
        form: What is asked for.
    """
    usual = (RESPONSE_FORMAT, STRUCTURED_OUTPUTS, GUIDED, GRAMMAR)
    order = _ORDERS.get(owner, usual)
    if form.kind == "json_schema" and RESPONSE_FORMAT in order:
        order = (RESPONSE_FORMAT, *(one for one in order if one is not RESPONSE_FORMAT))
    return [one for one in order if one.write(form) is not None]


def _write_native(body: Mapping[str, Any]) -> dict[str, Any]:
    """A chat completion's request as Ollama's own address has it."""
    names = {"max_tokens": "num_predict", "temperature": "temperature", "top_p": "top_p",
             "seed": "seed", "stop": "stop"}  # fmt: skip
    options = {own: body[name] for name, own in names.items() if name in body}
    thinking = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
    return {
        "model": body["model"],
        "messages": body["messages"],
        "stream": False,
        "options": options,
        **({} if thinking is None else {"think": thinking}),
        **{name: body[name] for name in ("format",) if name in body},
    }


def _read_native(payload: bytes) -> ServerReply:
    try:
        body = json.loads(payload)
        message = body["message"]
        usage = {
            "prompt_tokens": body.get("prompt_eval_count"),
            "completion_tokens": body.get("eval_count"),
        }
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Unusable(
            f"the server's JSON holds no `message`: {read_complaint(payload)[0]}"
        ) from None
    # The same shape under other names.
    thoughts = {"reasoning_content": message["thinking"]} if message.get("thinking") else {}
    choice = {"message": {**message, **thoughts}, "finish_reason": body.get("done_reason")}
    return read_reply(json.dumps({"choices": [choice], "usage": usage}).encode())
