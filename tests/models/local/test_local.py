"""The local engine against `transformers.generate`, one prompt at a time, in float32."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.file_digest import compute_digest
from whatworks.data.task import Message
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.local import batching as batch
from whatworks.models.local.engine import LocalEngine
from whatworks.models.open_engine import open_engine

# PEFT 0.21 asks transformers for it.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")

GREEDY = Decoding(max_tokens=16)
WORDS = [
    "sky",
    "blue",
    "Alma",
    "Reed",
    "lives",
    "in",
    "Porto",
    "card_lost",
    "new",
    "one",
    "please",
    "7",
    "4",
    "[1]",
    "?",
    "colour",
]


def asked(text: str, system: str = "") -> list[Message]:
    head = [Message(role="system", content=system)] if system else []
    return [*head, Message(role="user", content=text)]


def prompts(count: int = 9, *, shared: bool = False, seed: int = 1) -> list[list[Message]]:
    """Questions of 1 to 30 words, after the same system text or without one."""
    draw = random.Random(seed)

    def words(length: int) -> str:
        return " ".join(draw.choice(WORDS) for _ in range(length))

    system = words(25) if shared else ""
    return [asked(words(draw.randint(1, 30)), system) for _ in range(count)]


def greedy(model: Any, tokenizer: Any, prompt: Sequence[Message], limit: int) -> list[int]:
    """New ids by `transformers.generate`, up to the first end token."""
    ids = torch.tensor([templates.encode_prompt(tokenizer, prompt)])
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=limit,
        do_sample=False,
        pad_token_id=0,
    )
    return out[0, ids.shape[1] :].tolist()


def expected(
    folder: Path, given: Sequence[Sequence[Message]], limit: int = 16, wrap: Any = None
) -> list[tuple[str, int]]:
    """Text and number of tokens of each answer; the header of a next turn cuts the text."""
    model = models.load_model(folder, dtype=torch.float32, device="cpu")
    model = wrap(model).eval() if wrap else model
    tokenizer = templates.use(models.load_tokenizer(folder))
    end = templates.find_ending(tokenizer)
    answers: list[tuple[str, int]] = []
    for prompt in given:
        ids = greedy(model, tokenizer, prompt, limit)
        text = templates.decode(tokenizer, ids)
        assert not any(mark in text for mark in end.stop_texts), "choose other prompts"
        answers.append((text, len(ids)))
    return answers


def brief(answers: Sequence[Generation]) -> list[tuple[str, int]]:
    return [(answer.text, answer.completion_tokens) for answer in answers]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("size", [1, 4, 32])
def test_greedy_is_what_generate_says(model: Path, shared: bool, size: int) -> None:
    given = prompts(shared=shared)
    tokenizer = templates.use(models.load_tokenizer(model))
    length = batch.measure_shared_length(
        [templates.encode_prompt(tokenizer, prompt) for prompt in given]
    )
    assert (length > batch.MIN_SHARED) == shared
    engine = LocalEngine(dtype="float32", device="cpu", batch_size=size, threads=1)
    assert brief(engine.generate(ModelFiles(str(model)), given, GREEDY)) == expected(model, given)


@pytest.mark.parametrize("name", ["tiny_model", "tiny_llama", "stories"])
def test_these_models_take_the_quick_path(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    assert batch.prepare(models.load_model(folder, dtype=torch.float32, device="cpu"))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_depend_on_the_request_alone(
    engine: LocalEngine, model: Path, temperature: float
) -> None:
    files, given = ModelFiles(str(model)), prompts(shared=True)
    how = Decoding(max_tokens=16, temperature=temperature, top_p=0.9, seed=3)
    keys = [f"row {i}" for i in range(len(given))]
    together = brief(engine.generate(files, given, how, keys=keys))
    backwards = brief(engine.generate(files, given[::-1], how, keys=keys[::-1]))
    assert backwards[::-1] == together
    alone = [
        engine.generate(files, [p], how, keys=[k])[0] for p, k in zip(given, keys, strict=True)
    ]
    assert brief(alone) == together
    other = engine.generate(files, [given[4], *prompts(3, seed=9)], how, keys=[keys[4], *"abc"])
    assert brief(other)[0] == together[4]


def test_sampling_follows_seed_and_key(engine: LocalEngine, stories: Path) -> None:
    files, given = ModelFiles(str(stories)), prompts(3)

    def drawn(seed: int, keys: Sequence[str]) -> list[str]:
        how = Decoding(max_tokens=16, temperature=1.0, seed=seed)
        return [g.text for g in engine.generate(files, given, how, keys=keys)]

    assert drawn(0, "abc") == drawn(0, "abc")
    assert all(x != y for x, y in zip(drawn(0, "abc"), drawn(1, "abc"), strict=True))
    assert all(x != y for x, y in zip(drawn(0, "abc"), drawn(0, "def"), strict=True))


def test_a_narrow_nucleus_is_greedy(engine: LocalEngine, stories: Path) -> None:
    files, given = ModelFiles(str(stories)), prompts(4)
    narrow = Decoding(max_tokens=16, temperature=1.0, top_p=1e-6)
    assert brief(engine.generate(files, given, narrow)) == brief(
        engine.generate(files, given, GREEDY)
    )


def test_sampling_draws_as_often_as_the_model_says(engine: LocalEngine, stories: Path) -> None:
    files, given = ModelFiles(str(stories)), [asked("Once upon a time")] * 400
    how = Decoding(max_tokens=1, temperature=1.0)
    texts = [g.text for g in engine.generate(files, given, how)]
    tokenizer = templates.use(models.load_tokenizer(stories))
    reference = models.load_model(stories, dtype=torch.float32, device="cpu")
    ids = torch.tensor([templates.encode_prompt(tokenizer, given[0])])
    with torch.inference_mode():
        chances = reference(input_ids=ids).logits[0, -1].softmax(-1)
    wanted: dict[str, float] = {}
    for token, chance in enumerate(chances.tolist()):
        text = templates.decode(tokenizer, [token])
        wanted[text] = wanted.get(text, 0.0) + chance
    for text, chance in sorted(wanted.items(), key=lambda item: -item[1])[:3]:
        error = 4 * math.sqrt(chance * (1 - chance) / len(texts))
        assert abs(texts.count(text) / len(texts) - chance) < error


def test_max_tokens_cuts_and_says_so(engine: LocalEngine, stories: Path) -> None:
    files, given = ModelFiles(str(stories)), [asked("Once upon a time")]
    long = engine.generate(files, given, Decoding(max_tokens=20))[0]
    short = engine.generate(files, given, Decoding(max_tokens=5))[0]
    assert (short.finish, short.completion_tokens) == ("length", 5)
    assert long.text.startswith(short.text)
    assert len(long.text) > len(short.text)


def test_a_stop_string_ends_the_answer_and_is_not_in_it(engine: LocalEngine, stories: Path) -> None:
    files, given = ModelFiles(str(stories)), [asked("Once upon a time"), asked("The sky")]
    free = engine.generate(files, given, Decoding(max_tokens=24))
    mark = free[0].text[6:9]
    ended = engine.generate(files, given, Decoding(max_tokens=24, stop=(mark,)))
    for whole, cut in zip(free, ended, strict=True):
        assert cut.text == whole.text.partition(mark)[0]
        assert (cut.finish == "stop") == (mark in whole.text)
    assert ended[0].completion_tokens < free[0].completion_tokens


def test_the_templates_lead_is_no_part_of_the_answer(engine: LocalEngine, tiny_model: Path) -> None:
    files = ModelFiles(str(tiny_model), template="vicuna")  # answers begin with a space
    given = prompts(12)
    free = engine.generate(files, given, GREEDY)
    for whole, cut in zip(
        free, engine.generate(files, given, GREEDY.replace(stop=(" ",))), strict=True
    ):
        assert cut.text == whole.text.partition(" ")[0]
        assert " " in whole.text or cut.completion_tokens == whole.completion_tokens


def test_an_end_token_ends_the_answer(build: Callable[..., Path], tmp_path: Path) -> None:
    folder = build(tmp_path / "m")
    given = prompts(6, shared=True)
    files = ModelFiles(str(folder))
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    free = engine.generate(files, given, GREEDY)
    tokenizer = models.load_tokenizer(folder)
    reference = models.load_model(folder, dtype=torch.float32, device="cpu")
    written = greedy(reference, templates.use(tokenizer), given[0], 16)
    reference.generation_config.eos_token_id = [written[3], 2]
    reference.save_pretrained(folder)
    ended = engine.generate(files, given, GREEDY)  # the folder changed: it is loaded anew
    assert ended[0].finish == "stop"
    assert ended[0].completion_tokens == written.index(written[3]) + 1
    assert all(w.text.startswith(e.text) for w, e in zip(free, ended, strict=True))


def lora(folder: Path, to: Path, seed: int) -> Path:
    """A PEFT adapter with random weights that matter."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    base = models.load_model(folder, dtype=torch.float32, device="cpu")
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj"], task_type="CAUSAL_LM")
    tuned = get_peft_model(base, config)
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.5)
    tuned.save_pretrained(str(to))
    return to


def test_adapters_are_peft_and_leave_the_base_alone(
    engine: LocalEngine, model: Path, tmp_path: Path
) -> None:
    from peft import PeftModel

    given = prompts(5, shared=True)
    adapters = [lora(model, tmp_path / str(seed), seed) for seed in (1, 2)]

    def answers(adapter: Path | None) -> list[tuple[str, int]]:
        return brief(engine.generate(ModelFiles(str(model), adapter), given, GREEDY))

    base = answers(None)
    wanted = [
        expected(model, given, wrap=lambda m, a=a: PeftModel.from_pretrained(m, str(a)))
        for a in adapters
    ]
    assert [answers(a) for a in adapters] == wanted
    assert wanted[0] != base
    assert wanted[0] != wanted[1]
    assert answers(None) == base == expected(model, given)
    assert answers(adapters[0]) == wanted[0]


def test_more_adapters_than_are_kept(tiny_model: Path, tmp_path: Path) -> None:
    engine = LocalEngine(dtype="float32", device="cpu", threads=1, adapters=1)
    given = prompts(3)
    folders = [lora(tiny_model, tmp_path / str(seed), seed) for seed in (1, 2)]
    files = [ModelFiles(str(tiny_model), adapter) for adapter in folders]
    first = [brief(engine.generate(f, given, GREEDY)) for f in files]
    assert [brief(engine.generate(f, given, GREEDY)) for f in files] == first
    assert first[0] != first[1]


def test_an_adapter_trained_again_is_read_again(tiny_model: Path, tmp_path: Path) -> None:
    import os

    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    files = ModelFiles(str(tiny_model), lora(tiny_model, tmp_path / "a", 1))
    before = brief(engine.generate(files, prompts(3), GREEDY))
    lora(tiny_model, tmp_path / "a", 2)
    later = (tmp_path / "a" / "adapter_config.json").stat().st_mtime + 10
    os.utime(tmp_path / "a" / "adapter_model.safetensors", (later, later))
    assert brief(engine.generate(files, prompts(3), GREEDY)) != before


def test_a_folder_that_is_no_adapter(engine: LocalEngine, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an adapter folder"):
        engine.generate(ModelFiles(str(tiny_model), tmp_path), prompts(1), GREEDY)


def test_an_adapter_of_another_shape_is_a_user_error(
    tiny_model: Path, stories: Path, tmp_path: Path
) -> None:
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    wrong = lora(stories, tmp_path / "a", 1)
    base = brief(engine.generate(ModelFiles(str(tiny_model)), prompts(3), GREEDY))
    with pytest.raises(InputError, match="cannot be loaded on this base"):
        engine.generate(ModelFiles(str(tiny_model), wrong), prompts(1), GREEDY)
    assert brief(engine.generate(ModelFiles(str(tiny_model)), prompts(3), GREEDY)) == base


def test_another_base_takes_the_place_of_the_first(tiny_model: Path, tiny_llama: Path) -> None:
    engine, given = LocalEngine(dtype="float32", device="cpu", threads=1), prompts(3)
    for folder in (tiny_model, tiny_llama, tiny_model):
        got = brief(engine.generate(ModelFiles(str(folder)), given, GREEDY))
        assert got == expected(folder, given)


@pytest.fixture
def gpt2(tiny_model: Path, tmp_path: Path) -> Path:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    tokenizer = models.load_tokenizer(tiny_model)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=4,
        initializer_range=0.2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


@pytest.fixture
def windowed(tiny_model: Path, tmp_path: Path) -> Path:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(4)
    tokenizer = models.load_tokenizer(tiny_model)
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, sliding_window=8,
        max_position_embeddings=512, initializer_range=0.2, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path / "windowed")
    tokenizer.save_pretrained(tmp_path / "windowed")
    return tmp_path / "windowed"


@pytest.mark.parametrize("name", ["gpt2", "windowed"])
def test_other_kinds_of_positions(
    engine: LocalEngine, name: str, request: pytest.FixtureRequest
) -> None:
    folder, given = request.getfixturevalue(name), prompts(4, shared=True)
    files = ModelFiles(str(folder))
    assert brief(engine.generate(files, given, GREEDY)) == expected(folder, given)
    alone = [engine.logprobs(files, [p], ["Porto"])[0] for p in given]
    for value, single in zip(engine.logprobs(files, given, ["Porto"] * 4), alone, strict=True):
        assert value == pytest.approx(single, abs=1e-4)


def test_a_prompt_beyond_the_context_names_the_numbers(
    engine: LocalEngine, build: Callable[..., Path], tmp_path: Path
) -> None:
    files = ModelFiles(str(build(tmp_path, context=64)))
    given = [asked("hello"), asked("0 1 2 3 4 " * 40)]
    tokens = engine.prompt_tokens(files, given)
    with pytest.raises(ArmFailure, match=rf"prompt 1 .* {tokens[1] + 1} tokens.* 64"):
        engine.generate(files, given, GREEDY)
    with pytest.raises(ArmFailure, match="context has 64"):
        engine.logprobs(files, given, ["a", "b"])


def test_an_answer_ends_with_the_context(
    engine: LocalEngine, build: Callable[..., Path], tmp_path: Path
) -> None:
    files = ModelFiles(str(build(tmp_path, context=64)))
    given = [asked("hello"), asked("what is the colour of the sky")]
    answers = engine.generate(files, given, Decoding(max_tokens=500))
    for answer in answers:
        if answer.finish == "length":
            assert answer.prompt_tokens + answer.completion_tokens == 64
    assert "length" in {answer.finish for answer in answers}


def test_counts(engine: LocalEngine, model: Path) -> None:
    files, given = ModelFiles(str(model)), prompts(4)
    tokenizer = templates.use(models.load_tokenizer(model))
    wanted = [len(templates.encode_prompt(tokenizer, prompt)) for prompt in given]
    assert engine.prompt_tokens(files, given) == wanted
    assert [g.prompt_tokens for g in engine.generate(files, given, GREEDY)] == wanted
    texts = ["", "The sky is blue.", "Porto"]
    plain = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert engine.count_tokens(files, texts) == plain
    assert engine.context_length(files) == 512


def test_progress_and_time_are_reported_once_per_prompt(
    engine: LocalEngine, tiny_model: Path
) -> None:
    told: list[int] = []
    answers = engine.generate(ModelFiles(str(tiny_model)), prompts(5), GREEDY, on_done=told.append)
    assert told == [1] * 5
    assert all(answer.seconds > 0 for answer in answers)


def test_no_prompts_no_answers(engine: LocalEngine, tiny_model: Path) -> None:
    assert engine.generate(ModelFiles(str(tiny_model)), [], GREEDY) == []
    assert engine.logprobs(ModelFiles(str(tiny_model)), [], []) == []


def test_identity_names_the_number_format() -> None:
    kinds = {LocalEngine(dtype=d, device="cpu").identity for d in ("float32", "bfloat16")}
    assert len(kinds) == 2
    assert LocalEngine(device="cpu").identity == LocalEngine("float32", "cpu").identity


def test_wrong_options() -> None:
    with pytest.raises(InputError, match="float32"):
        LocalEngine(dtype="float23")
    with pytest.raises(InputError, match="batch_size is 0"):
        LocalEngine(batch_size=0)
    with pytest.raises(InputError, match="no device"):
        _ = LocalEngine(device="abacus").identity


def test_a_batch_that_memory_cannot_hold_is_halved(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(dtype="float32", device="cpu", threads=1, batch_size=8)
    files, given = ModelFiles(str(tiny_model)), prompts(9, shared=True)
    wanted, told, real = brief(engine.generate(files, given, GREEDY)), list[int](), batch.generate

    def small(*args: Any, size: int, **rest: Any) -> None:
        if size > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        real(*args, size=size, **rest)

    monkeypatch.setattr(batch, "generate", small)
    most = 2
    assert brief(engine.generate(files, given, GREEDY, on_done=told.append)) == wanted
    assert sum(told) == 9
    most = 0
    with pytest.raises(ArmFailure, match="out of memory"):
        engine.generate(files, given, GREEDY)


def test_close_frees_and_the_engine_goes_on(tiny_model: Path) -> None:
    engine, files = (
        LocalEngine(dtype="float32", device="cpu", threads=1),
        ModelFiles(str(tiny_model)),
    )
    before = brief(engine.generate(files, prompts(2), GREEDY))
    engine.close()
    assert brief(engine.generate(files, prompts(2), GREEDY)) == before


def test_open_engine_runs_the_lab_model() -> None:
    engine, weights = open_engine("lab")
    assert weights.digest == compute_digest(models.resolve("lab"))
    answer = engine.generate(ModelFiles("lab"), [asked("Who are you?")], Decoding(max_tokens=4))
    assert answer[0].completion_tokens <= 4


def soft(folder: Path, to: Path, form: str, tokens: int = 20) -> Path:
    """A soft prompt with random values that matter."""
    from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model

    torch.manual_seed(3)
    base = models.load_model(folder, dtype=torch.float32, device="cpu")
    kind = PromptTuningConfig if form == "prompt" else PrefixTuningConfig
    tuned = get_peft_model(base, kind(task_type="CAUSAL_LM", num_virtual_tokens=tokens))
    for name, weight in tuned.named_parameters():
        if "prompt_encoder" in name:
            torch.nn.init.normal_(weight, std=1.0)
    tuned.save_pretrained(str(to))
    return to


@pytest.mark.filterwarnings("ignore:Position ids are not supported:UserWarning")  # PEFT's generate
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("form", ["prompt", "prefix"])
def test_soft_prompts_answer_as_peft_does(
    engine: LocalEngine, model: Path, tmp_path: Path, form: str, shared: bool
) -> None:
    """In the batched loop, computed once; with the base and a LoRA adapter in between."""
    from peft import PeftModel

    given = prompts(7, shared=shared)
    adapter = soft(model, tmp_path / form, form)
    files = ModelFiles(str(model), adapter)
    wanted = expected(model, given, wrap=lambda m: PeftModel.from_pretrained(m, str(adapter)))
    base = brief(engine.generate(ModelFiles(str(model)), given, GREEDY))
    answers = engine.generate(files, given, GREEDY)
    assert brief(answers) == wanted
    texts = [answer.text for answer in answers]
    chances = engine.logprobs(files, given, texts)
    assert chances != engine.logprobs(ModelFiles(str(model)), given, texts)
    asked = engine.prompt_tokens(files, given)
    assert [a.prompt_tokens for a in answers] == [20 + n for n in asked], "they are read, too"
    other = lora(model, tmp_path / "lora", 5)
    engine.generate(ModelFiles(str(model), other), given, GREEDY)
    assert brief(engine.generate(files, given[:1], GREEDY)) == wanted[:1]
    assert brief(engine.generate(ModelFiles(str(model)), given, GREEDY)) == base
    for answer, tokens in zip(answers, chances, strict=True):
        if answer.finish == "stop":
            assert sum(tokens) == pytest.approx(answer.logprob, abs=1e-3)
