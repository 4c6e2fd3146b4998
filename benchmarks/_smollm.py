"""SmolLM2-135M-Instruct for both sides from the same file, and real examples to train and ask."""

from __future__ import annotations

import os
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from openhearth.data import CurateRecipe, TokenShards, curate, tokenize
from openhearth.models import load_model, pull
from openhearth.models.names import HF_LLAMA, translate
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


def peer(dtype: str = "auto") -> Any:
    """The same weights in `transformers`, dense, in a dtype, by default that which is faster here.

    Not read from the GGUF by `transformers` itself: it keeps them packed, which is slower.
    """
    ours = load_model(base(), dtype)
    mixer, channel = ours.config.blocks[0].mixer, ours.config.blocks[0].channel
    config = LlamaConfig(
        vocab_size=ours.config.vocab_size,
        hidden_size=ours.config.width,
        intermediate_size=channel.hidden,
        num_hidden_layers=len(ours.config.blocks),
        num_attention_heads=mixer.heads,
        num_key_value_heads=mixer.kv_heads,
        max_position_embeddings=ours.config.context_length,
        rms_norm_eps=ours.config.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": mixer.rope_theta},
        tie_word_embeddings=ours.config.tied_head,
        attn_implementation="sdpa",
    )
    theirs = LlamaForCausalLM(config).to(ours.dtype)
    state = {translate(name, HF_LLAMA): tensor for name, tensor in ours.named_parameters()}
    missing, unknown = theirs.load_state_dict(state, strict=False)
    assert (missing, unknown) == (["lm_head.weight"], [])  # tied to the embedding
    return theirs.requires_grad_(False)


def pad(sequences: list[list[int]], value: int, *, left: bool = False) -> torch.Tensor:
    """Sequences as a rectangle [n, longest]."""
    tensors = [torch.tensor(sequence) for sequence in sequences]
    side = "left" if left else "right"
    return torch.nn.utils.rnn.pad_sequence(
        tensors, batch_first=True, padding_value=value, padding_side=side
    )
