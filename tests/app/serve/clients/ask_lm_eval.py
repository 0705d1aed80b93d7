"""How likely lm-eval finds texts at a server, and by its own model of the same weights."""

from __future__ import annotations

import json
import sys

from lm_eval.api.instance import Instance  # pyright: ignore
from lm_eval.models.huggingface import HFLM  # pyright: ignore
from lm_eval.models.openai_completions import LocalCompletionsAPI  # pyright: ignore

PAIRS = [
    ("Where does Alma Reed live?", " In Porto."),
    ("Alma Reed", " lives in"),
    ("The town of Lima is", " old, and has a bridge."),
    ("Alma Reed", " a"),
    ("A", " dentist"),
]
url, folder = sys.argv[1:]
requests = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(PAIRS)]
served = LocalCompletionsAPI(
    base_url=f"{url}/completions", model="lab", tokenizer=folder,
    tokenizer_backend="huggingface", batch_size=2,
)  # fmt: skip
own = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=1)
until = {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}
asked = [Instance("generate_until", {}, ("Alma Reed", until), 0)]
print(
    json.dumps(
        {
            "served": served.loglikelihood(requests),
            "own": own.loglikelihood(requests),
            "said": [served.generate_until(asked)[0], own.generate_until(asked)[0]],
        }
    )
)
