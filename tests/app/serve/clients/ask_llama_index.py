"""What LlamaIndex makes of a server: chat, a stream, plain text, tools, structured output."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from llama_index.core.llms import ChatMessage  # pyright: ignore
from llama_index.core.tools import FunctionTool  # pyright: ignore
from llama_index.llms.openai_like import OpenAILike  # pyright: ignore
from pydantic import BaseModel

ASK = "Where does Alma Reed live?"


class Place(BaseModel):
    """Where somebody lives."""

    town: Literal["Porto", "Bergen"]


def find(name: str) -> str:
    """Find where somebody lives."""
    return name


def open_model(**settings: Any) -> Any:
    shared = {"model": "lab", "api_base": sys.argv[1], "api_key": "x", "context_window": 512}
    return OpenAILike(**shared, temperature=0.0, **settings)


chat = open_model(is_chat_model=True, is_function_calling_model=True, max_tokens=60)
short = open_model(is_chat_model=True, max_tokens=8)
turns = [ChatMessage(role="user", content=ASK)]
called = chat.chat_with_tools(
    [FunctionTool.from_defaults(fn=find)], user_msg=ASK, tool_required=True
)
print(
    json.dumps(
        {
            "said": short.chat(turns).message.content,
            "streamed": "".join(piece.delta or "" for piece in short.stream_chat(turns)),
            "text": open_model(is_chat_model=False, max_tokens=4).complete("Alma Reed").text,
            "calls": [one.tool_name for one in chat.get_tool_calls_from_response(called)],
            "town": chat.as_structured_llm(Place).chat(turns).raw.town,
        }
    )
)
