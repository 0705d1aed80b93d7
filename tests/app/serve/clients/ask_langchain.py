"""What LangChain makes of a server: structured output in its three ways, tools bound, streams."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from langchain_core.messages import HumanMessage, ToolMessage  # pyright: ignore
from langchain_openai import ChatOpenAI  # pyright: ignore
from pydantic import BaseModel

ASK = "Where does Alma Reed live?"


class Place(BaseModel):
    """Where somebody lives."""

    town: Literal["Porto", "Bergen"]


model: Any = ChatOpenAI(
    base_url=sys.argv[1], api_key="x", model="lab", temperature=0, max_retries=0
)
ways = {
    way: model.with_structured_output(Place, method=way).invoke(ASK).town
    for way in ("json_schema", "function_calling")
}
loose = model.with_structured_output(None, method="json_mode").invoke(f"{ASK} Answer as JSON.")
bound = model.bind_tools([Place], tool_choice="any")
said = bound.invoke(ASK)
[call] = said.tool_calls
turns = [HumanMessage(ASK), said, ToolMessage("yes", tool_call_id=call["id"])]
back = model.bind_tools([Place]).invoke(turns, max_tokens=4)
pieces = list(bound.stream(ASK))
whole = pieces[0]
for piece in pieces[1:]:
    whole += piece
short = model.bind(max_tokens=6)
print(
    json.dumps(
        {
            **ways,
            "json_mode": type(loose).__name__,
            "call": call["name"],
            "back": back.response_metadata["finish_reason"],
            "streamed": [one["args"] for one in whole.tool_calls] == [call["args"]],
            "said": short.invoke(ASK).content,
            "pieces": "".join(piece.content for piece in short.stream(ASK)),
        }
    )
)
