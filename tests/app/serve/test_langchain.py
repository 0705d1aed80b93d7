"""LangChain's own client: tools bound, structured output in its three ways, streams."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

langchain = pytest.importorskip("langchain_openai")
messages = pytest.importorskip("langchain_core.messages")
ASK = "Where does Alma Reed live?"


class Place(BaseModel):
    """Where somebody lives."""

    town: Literal["Porto", "Bergen"]


@pytest.fixture
def model(http: Any) -> Any:
    return langchain.ChatOpenAI(
        base_url="http://testserver/v1", api_key="none", model="lab", temperature=0,
        max_retries=0, http_client=http,
    )  # fmt: skip


@pytest.mark.parametrize("choice", ["any", "Place"])
def test_tools_are_bound_called_and_given_back(model: Any, choice: str) -> None:
    bound = model.bind_tools([Place], tool_choice=choice)
    said = bound.invoke(ASK)
    [call] = said.tool_calls
    assert call["name"] == "Place" and Place.model_validate(call["args"])
    turns = [
        messages.HumanMessage(ASK),
        said,
        messages.ToolMessage("yes", tool_call_id=call["id"]),
    ]
    assert model.bind_tools([Place]).invoke(turns, max_tokens=4).response_metadata
    pieces = list(bound.stream(ASK))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    assert [one["args"] for one in whole.tool_calls] == [call["args"]]


@pytest.mark.parametrize("way", ["json_schema", "function_calling"])
def test_structured_output(model: Any, way: str) -> None:
    assert isinstance(model.with_structured_output(Place, method=way).invoke(ASK), Place)


def test_structured_output_by_any_object(model: Any) -> None:
    read = model.with_structured_output(None, method="json_mode")
    assert isinstance(read.invoke(f"{ASK} Answer as JSON."), dict)


def test_answers_and_streams_are_the_same(model: Any) -> None:
    said = model.invoke(ASK, max_tokens=6)
    assert "".join(one.content for one in model.stream(ASK, max_tokens=6)) == said.content
    assert said.usage_metadata["output_tokens"] == 6


def test_responses(http: Any) -> None:
    model = langchain.ChatOpenAI(
        base_url="http://testserver/v1", api_key="none", model="lab", temperature=0,
        max_retries=0, http_client=http, use_responses_api=True, max_tokens=6,
    )  # fmt: skip
    assert model.invoke(ASK).content[0]["text"]
