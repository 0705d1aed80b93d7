"""Short names, whose key goes where, and what tokens cost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from endpoint_server import Server, answer

from whatworks.base.errors import InputError
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint import api_keys
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.open_engine import is_served, open_engine, runs_here
from whatworks.models.prices import FREE, Price, find_price
from whatworks.models.providers import PROVIDERS, expand_name

PROMPT = [[Message(role="user", content="say n1")]]
FILES = ModelFiles(base="any")
ADDRESSES = {
    "openai:gpt-5-mini": "https://api.openai.com/v1#gpt-5-mini",
    "anthropic:claude-opus-4-6": "https://api.anthropic.com/v1#claude-opus-4-6",
    "azure:my-deployment": "https://me.openai.azure.com/openai/v1#my-deployment",
    "openrouter:openai/gpt-4o": "https://openrouter.ai/api/v1#openai/gpt-4o",
    "ollama:llama3.2:3b": "http://localhost:11434/v1#llama3.2:3b",
    "vllm:org/model": "http://localhost:8000/v1#org/model",
    "gemini:gemini-3-flash": "https://generativelanguage.googleapis.com/v1beta/openai#gemini-3-flash",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "_HOLDERS", {})
    for provider in PROVIDERS:
        for name in (*provider.keys, provider.moved):
            if name:
                monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("WHATWORKS_API_KEY", raising=False)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com/")


@pytest.mark.parametrize("name", ADDRESSES)
def test_short_names(name: str) -> None:
    assert expand_name(name) == ADDRESSES[name] and is_served(name) and not runs_here(name)


def test_names_that_are_none() -> None:
    for name in ("lab", "./openai:x", "org/openai", "fake:x.json", "https://h/v1#openai:x"):
        assert expand_name(name) == name
    with pytest.raises(InputError, match="names no model"):
        expand_name("openai:")


def test_an_address_that_only_the_environment_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    with pytest.raises(InputError, match="azure") as caught:
        expand_name("azure:d")
    assert "AZURE_OPENAI_ENDPOINT" in caught.value.remedy
    for written in ("0.0.0.0:9999", "http://127.0.0.1:9999", "http://127.0.0.1:9999/v1/"):
        monkeypatch.setenv("OLLAMA_HOST", written)
        assert expand_name("ollama:m") == "http://127.0.0.1:9999/v1#m"


KEYS = {
    "https://api.openai.com/v1": "OPENAI_API_KEY",
    "https://eu.api.openai.com/v1": "OPENAI_API_KEY",
    "https://api.anthropic.com/v1": "ANTHROPIC_API_KEY",
    "https://me.openai.azure.com/openai/v1": "AZURE_OPENAI_API_KEY",
    "https://openrouter.ai/api/v1": "OPENROUTER_API_KEY",
    "https://generativelanguage.googleapis.com/v1beta/openai": "GEMINI_API_KEY",
    "http://127.0.0.1:11434/v1": "OLLAMA_API_KEY",
    "http://localhost:8000/v1": "VLLM_API_KEY",
    "http://api.openai.com/v1": "",
    "https://api.openai.com.evil.example/v1": "",
    "https://evil-openrouter.ai/v1": "",
    "https://openai.azure.com.evil.example/v1": "",
    "http://127.0.0.1:8001/v1": "",
}


@pytest.mark.parametrize("url", KEYS)
def test_each_key_goes_to_its_own_hosts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS:
        monkeypatch.setenv(provider.keys[0], f"secret-of-{provider.name}")
    assert api_keys.find_key(url).source == KEYS[url]


def test_the_general_key_has_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHATWORKS_API_KEY", "general-secret")
    first, second = "https://one.example/v1", "https://two.example:8443/v1"
    assert api_keys.find_key(first).source == api_keys.find_key(first).source != ""
    other = api_keys.find_key(second)
    assert (other.source, other.wanted) == ("", "WHATWORKS_API_KEY_TWO_EXAMPLE_8443")
    # A provider has its own alone.
    assert api_keys.find_key("https://api.openai.com/v1").wanted == "OPENAI_API_KEY"
    monkeypatch.setenv("WHATWORKS_API_KEY_TWO_EXAMPLE", "second-secret")
    assert api_keys.find_key(second).headers == {"Authorization": "Bearer second-secret"}
    assert "secret" not in repr(vars(other))


def test_a_model_and_a_helper_have_different_keys(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    with Server() as other:
        import threading

        threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.02}).start()
        monkeypatch.setenv("VLLM_BASE_URL", other.url)
        monkeypatch.setenv("VLLM_API_KEY", "key-of-vllm")
        for name in ("openai:m", "vllm:m"):
            engine, weights = open_engine(name)
            assert weights.base.startswith("http://127.0.0.1")
            engine.generate(FILES, PROMPT, Decoding())
            engine.close()
        other.shutdown()
        assert (server.keys, other.keys) == ({"Bearer key-of-openai"}, {"Bearer key-of-vllm"})


def test_prices_of_the_public_table() -> None:
    pytest.importorskip("genai_prices")
    url = "https://api.openai.com/v1"
    assert find_price(url, "gpt-4o-mini") == Price(input=0.15, output=0.6, cached=0.075)
    batched = find_price(url, "gpt-4o-mini", batch=True)
    assert batched and (batched.input, batched.output) == (0.075, 0.3)
    tuned = find_price(url, "ft:gpt-4o-mini-2024-07-18:me::x")
    assert tuned and (tuned.input, tuned.output) == (0.3, 1.2)
    assert find_price("https://nowhere.example/v1", "gpt-4o-mini") is None
    assert find_price(url, "no-such-model") is None


def test_who_says_a_price_and_of_when(tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    engine = EndpointEngine("https://api.openai.com/v1", "gpt-4o-mini", cache=tmp_path)
    words = r"Prices are genai-prices [\d.]+, last checked 20\d\d-\d\d-\d\d: "
    wanted = words + r"\$0\.15 \(\$0\.075 from the cache\) in, \$0\.6 out per million tokens\."
    assert re.fullmatch(wanted, engine.price_words)
    engine.close()
    own = {"m": {"hour": 2.5}}
    mine = EndpointEngine("http://127.0.0.1:9/v1", "m", prices=own)
    assert mine.price_words == "Prices are your own: $2.5 an hour."
    free = EndpointEngine("http://127.0.0.1:9/v1", "other")
    assert free.price_words == ""
    for one in (mine, free):
        one.close()


def test_a_local_server_is_free_unless_the_user_says_otherwise() -> None:
    assert find_price("http://localhost:8000/v1", "gpt-4o-mini") is FREE
    own = {"gpt-4o-mini": {"input": 1, "output": 2, "batch": 0.5, "cached": 0.25}}
    assert find_price("http://localhost:8000/v1", "gpt-4o-mini", own) == Price(**own["gpt-4o-mini"])
    halved = find_price("http://localhost:8000/v1", "gpt-4o-mini", own, batch=True)
    assert halved == Price(input=0.5, output=1, cached=0.125)


def test_what_a_price_costs() -> None:
    price = Price(input=2, output=8, cached=0.5)
    assert price.compute_cost(1_000_000, 0, cached=400_000) == pytest.approx(1.2 + 0.2)
    assert Price(input=2, output=8).compute_cost(1_000_000, 0, cached=400_000) == 2
    hourly = Price.model_validate({"hour": 3.6})
    assert hourly.compute_cost(10**9, 10**9, seconds=10) == pytest.approx(0.01)
    assert hourly.per_token is None and price.per_token == (2, 8)
    assert "hour" not in price.model_dump()  # keys of studies are what they were


CACHED = [
    ({"prompt_tokens_details": {"cached_tokens": 5}}, 5),
    ({"prompt_cache_hit_tokens": 6}, 6),
    ({"prompt_tokens_details": {"cached_tokens": 99}}, 7),  # more than were read
    ({"prompt_tokens_details": None}, 0),
    ({"prompt_tokens_details": {"cached_tokens": -1}}, 0),
]


@pytest.mark.parametrize(("said", "cached"), CACHED)
def test_cached_tokens_are_paid_as_such(
    server: Server, said: dict[str, object], cached: int, tmp_path: Path
) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, **said}
    server.misbehave = lambda handler, *_: handler.reply(200, answer("a b c", usage=usage))
    prices = {"m": {"input": 1_000_000, "output": 0, "cached": 100_000}}
    engine = EndpointEngine(server.url, "m", cache=tmp_path, prices=prices)
    for _ in ("asked", "kept"):
        [got] = engine.generate(FILES, PROMPT, Decoding())
        assert got.cached_tokens == cached
        assert engine.cost([got]) == pytest.approx(7 - cached + 0.1 * cached)
    assert engine.spent == pytest.approx(7 - cached + 0.1 * cached)
    engine.close()
