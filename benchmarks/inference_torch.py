"""Greedy answers of 64 tokens by our torch executor and by `transformers`, at several batch sizes.

Both sides have the same weights, dtype, prompts and number of threads; the prompts' time counts.
The peer gets all prompts of a batch at once and pads them; ours takes them as requests.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial

import torch
from _results import Row, alternate, write
from _sides import side
from _smollm import NAME, base, pad, peer, prepare, prompts

NEW = 64  # tokens of each answer
LEVELS = (1, 4, 16)
Answers = tuple[float, list[list[int]]]


def ours(home: str) -> Callable[[int], Answers]:
    from openhearth.inference import Engine, Request, Sampling
    from openhearth.store import Store

    prepare(home)
    engine = Engine.open(Store(), [NAME], executor="torch")
    stop = engine.tokenizer(NAME).end_of_turn
    sampling = Sampling(max_tokens=NEW, temperature=0, logit_bias={stop: -100})
    asked = prompts(max(LEVELS))

    def answer(count: int) -> Answers:
        start = time.perf_counter()
        streams = [engine.submit(Request(NAME, prompt, sampling)) for prompt in asked[:count]]
        tokens = [[t for delta in stream for t in delta.tokens] for stream in streams]
        return sum(map(len, tokens)) / (time.perf_counter() - start), tokens

    return answer


def theirs(home: str) -> Callable[[int], Answers]:
    from openhearth.data import Tokenizer

    prepare(home)
    model, asked = peer().eval(), prompts(max(LEVELS))
    stop = Tokenizer.load(base()).end_of_turn
    settings = {"do_sample": False, "min_new_tokens": NEW, "max_new_tokens": NEW}

    @torch.inference_mode()
    def answer(count: int) -> Answers:
        start = time.perf_counter()
        ids = pad(asked[:count], 0, left=True)
        mask = pad([[1] * len(prompt) for prompt in asked[:count]], 0, left=True)
        found = model.generate(
            ids, attention_mask=mask, eos_token_id=stop, pad_token_id=0, **settings
        )
        tokens = found[:, ids.shape[1] :].tolist()
        return sum(map(len, tokens)) / (time.perf_counter() - start), tokens

    return answer


def agreement(one: list[list[int]], other: list[list[int]]) -> float:
    """The share of answers that begin with the same eight tokens."""
    return sum(a[:8] == b[:8] for a, b in zip(one, other, strict=True)) / len(one)


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        prepare(home)
        us, them = side(partial(ours, home)), side(partial(theirs, home))
        rows = []
        for count in LEVELS:
            same = agreement(us(count)[1], them(count)[1])
            speeds = alternate(lambda n=count: us(n)[0], lambda n=count: them(n)[0], rounds=5)
            print(f"batch {count}: {same:.0%} of the answers begin alike")
            work = f"{NEW} tokens each, batch {count}"
            rows.append(Row(work, "tokens/s", *speeds, "transformers generate", goal=1.0))
        write("inference_torch", rows)


if __name__ == "__main__":
    main()
