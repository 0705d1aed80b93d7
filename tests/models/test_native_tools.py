"""Functions, calls and results as templates and servers have them, asked and trained alike."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from endpoint_server import Handler, Server

from whatworks.data.formats.turns import expand_turns
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.data.tools import SHOWN, read_native, split_calls
from whatworks.metrics.registry import load
from whatworks.models import chat_templates as templates
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.files import load_tokenizer, resolve
from whatworks.models.template_rendering import TOOLS_AS_TEXT, takes_tools, write_calls
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.render import render
from whatworks.training.rows import make_training_rows
from whatworks.training.tokenise import tokenise

FIND = {
    "name": "find_trade",
    "description": "The trade of a town.",
    "parameters": {"type": "dict", "properties": {"town": {"type": "string"}}},
}
HERMES = (
    "{% for m in messages %}{% if loop.first and tools %}<s>system\n"
    "{% if m.role == 'system' %}{{ m.content }}\n{% endif %}"
    "<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools></s>\n{% endif %}"
    "{% if m.role == 'system' and not tools %}<s>system\n{{ m.content }}</s>\n"
    "{% elif m.role == 'tool' %}<s>tool\n{{ m.name }}: {{ m.content }}</s>\n"
    "{% elif m.role != 'system' %}<s>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{% if m.content or not loop.first %}\n{% endif %}"
    "<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}</s>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
LLAMA = (
    "{% if tools %}{{ tools[0] | tojson }}{% endif %}{% for m in messages %}"
    "{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}"
    "{{ raise_exception('one call at once') }}{% endif %}"
    '<{{ m.role }}>{"name": "{{ m.tool_calls[0].function.name }}", '
    '"parameters": {{ m.tool_calls[0].function.arguments | tojson }}}</s>'
    "{% else %}<{{ m.role }}>{{ m.content }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def call(*towns: str) -> str:
    return json.dumps([{"name": "find_trade", "arguments": {"town": town}} for town in towns])


TALK = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="The trade of Arholm?"),
    Message(role="assistant", content="I look.\n" + call("Arholm")),
    Message(role="tool", content="weaving"),
    Message(role="assistant", content="It is weaving."),
    Message(role="user", content="And of Belholm and Cholm?"),
)
ROW = Example(
    id="r", messages=TALK, target=call("Belholm", "Cholm"), meta={"tools": [FIND]}, group="g"
)


def make_tokenizer(template: str) -> Any:
    tokenizer = copy.copy(load_tokenizer(resolve("lab")))
    tokenizer.chat_template = template
    return templates.use(tokenizer)


def read(tokenizer: Any, row: Example = ROW) -> tuple[str, str]:
    """What is asked and what is learned of a row, as training has them."""
    tokens = tokenise(make_training_rows(Prompt(instructions="Help."), [row]), tokenizer, None)
    ids, labels = tokens.columns["input_ids"][0], tokens.columns["labels"][0]
    start = next(at for at, label in enumerate(labels) if label != -100)
    assert all(label == -100 for label in labels[:start]), "more than the answer is learned"
    assert labels[start:] == ids[start:]
    request = render(Prompt(instructions="Help."), row, exclude=[row]).messages
    assert templates.encode_prompt(tokenizer, request) == ids[:start]
    return tokenizer.decode(ids[:start]), tokenizer.decode(ids[start:])


def squeeze(text: str) -> str:
    return "".join(text.split())


def test_a_template_shows_functions_calls_and_results_itself() -> None:
    tokenizer = make_tokenizer(HERMES)
    asked, learned = read(tokenizer)
    shown = {**FIND, "parameters": {"type": "object", "properties": {"town": {"type": "string"}}}}
    wanted = (
        f"<s>system\nHelp.\nBe brief.\n<tools>{json.dumps({'type': 'function', 'function': shown})}"
        "</tools></s>\n<s>user\nThe trade of Arholm?</s>\n"
        '<s>assistant\nI look.\n<tool_call>\n{"name": "find_trade", "arguments": '
        '{"town": "Arholm"}}'
        "\n</tool_call></s>\n<s>tool\nfind_trade: weaving</s>\n<s>assistant\nIt is weaving.</s>\n"
        "<s>user\nAnd of Belholm and Cholm?</s>\n<s>assistant\n"
    )
    assert squeeze(asked) == squeeze(wanted) and SHOWN[:20] not in asked
    text = learned.partition("<|end|>")[0]
    assert text.count("<tool_call>") == 2 and text.startswith("<tool_call>")
    metric = load(MetricSpec(name="tool_call"))
    assert metric(ROW, text).value == 1.0 and metric(ROW, ROW.target).value == 1.0


def test_every_turn_of_the_assistant_is_a_row_that_learns_its_own_turn_alone() -> None:
    tokenizer = make_tokenizer(HERMES)
    learned = [squeeze(read(tokenizer, row)[1]) for row in expand_turns([ROW])]
    assert len(learned) == 3
    assert learned[0].startswith("Ilook.<tool_call>") and "Arholm" in learned[0]
    assert learned[1].startswith("Itisweaving.") and "tool_call" not in learned[1]
    assert "Belholm" in learned[2] and "Arholm" not in learned[2]


@pytest.mark.parametrize("template", [LLAMA, HERMES.replace("tools", "nothing"), "text"])
def test_what_a_template_cannot_show_is_text(template: str) -> None:
    """Two calls at once that it refuses; no functions known; or it is told to leave them text."""
    if template == "text":
        tokenizer = templates.use(make_tokenizer(HERMES), templates.switch_tools("auto", False))
        assert str(tokenizer.chat_template).startswith(TOOLS_AS_TEXT)
    else:
        tokenizer = make_tokenizer(template)
    talk = (*TALK[:2], TALK[2].replace(content=call("Arholm", "Dholm")), *TALK[3:])
    asked, learned = read(tokenizer, ROW.replace(messages=talk))
    assert squeeze(SHOWN + json.dumps([FIND])) in squeeze(asked)
    assert squeeze(learned).startswith(squeeze(ROW.target))


def test_one_call_where_a_template_knows_one() -> None:
    tokenizer = make_tokenizer(LLAMA)
    row = ROW.replace(messages=TALK[:2], target=call("Arholm"))
    asked, learned = read(tokenizer, row)
    assert SHOWN[:20] not in asked
    text = learned.partition("<|end|>")[0]
    assert squeeze(text) == '{"name":"find_trade","parameters":{"town":"Arholm"}}'
    assert load(MetricSpec(name="tool_call"))(row, text).value == 1.0
    messages = render(Prompt(), row, exclude=()).messages
    for plain in ("It is weaving.", '{"town": "Arholm"}', ""):
        assert write_calls(tokenizer, messages, plain) == plain


def test_what_is_no_function_is_left_text() -> None:
    for tools in ("{oh", "[]", '["find"]', '[{"description": "no name"}]'):
        messages = (Message(role="system", content=SHOWN + tools, tools=tools), *TALK[1:])
        assert read_native(messages) is None
    assert read_native(TALK) is None and not takes_tools(make_tokenizer("{{ messages }}"))
    assert split_calls('{"name": "Alma", "age": 3}') is None and split_calls("[]") is None


def test_keys_of_what_has_no_functions_are_what_they_were() -> None:
    assert TALK[1].model_dump() == {"role": "user", "content": "The trade of Arholm?"}
    assert (
        Message(role="system", content="x", tools="[]").key
        != Message(role="system", content="x").key
    )


def test_a_server_gets_them_in_fields_of_their_own(server: Server) -> None:
    def reply(handler: Handler, prompt: str, times: int) -> bool:
        del prompt, times
        calls = [{"id": "x", "type": "function", "function": json.loads(call("Belholm"))[0]},
                 {"id": "y", "type": "function", "function": {
                     "name": "find_trade", "arguments": '{"town": "cholm"}'}}]  # fmt: skip
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        choice = {"message": message, "finish_reason": "tool_calls"}
        return handler.reply(200, json.dumps({"choices": [choice]}).encode())

    server.misbehave = reply
    shown = Example(id="d", messages=TALK[1:2], target=call("Arholm"), meta={"tools": [FIND]})
    prompt = Prompt(instructions="Help.", demos=Demos(pool=(shown,), k=1))
    messages = render(prompt, ROW, exclude=[ROW]).messages
    engine = EndpointEngine(server.url, "m", backoff=0.01)
    (generation,) = engine.generate(engine.files, [messages], Decoding())
    assert load(MetricSpec(name="tool_call"))(ROW, generation.text).value == 1.0
    body = server.bodies[-1]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["find_trade"]
    assert SHOWN[:20] not in json.dumps(body["messages"])
    # No result follows what the demonstration calls: it stays text, which every server takes.
    demo, called, result = body["messages"][2], body["messages"][4], body["messages"][5]
    assert demo == {"role": "assistant", "content": shown.target}
    assert called["content"] == "I look."
    assert json.loads(called["tool_calls"][0]["function"]["arguments"]) == {"town": "Arholm"}
    assert result["tool_call_id"] == called["tool_calls"][0]["id"] and result["role"] == "tool"
    text = ModelFiles(engine.identity, template=templates.switch_tools("auto", False))
    engine.generate(text, [messages], Decoding())
    assert "tools" not in server.bodies[-1]
    assert SHOWN in server.bodies[-1]["messages"][0]["content"]
