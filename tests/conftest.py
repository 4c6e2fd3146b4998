"""A small random Llama with a tokenizer, a chat template and an adapter, in a store of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from openhearth.store import Store

# No test is about time, which a busy machine has none of.
settings.register_profile("usual", deadline=None)
settings.load_profile("usual")
# For a night: `pytest --hypothesis-profile deep`.
settings.register_profile("deep", max_examples=20_000, deadline=None)

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% if tools %}<|im_start|>system\nWrite <tool_call>: {{ tools | tojson }}<|im_end|>\n"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant', 'tool'] %}"
    "{{ raise_exception('unknown role ' + message['role']) }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{% for call in message.tool_calls %}<tool_call>{{ call.function | tojson }}</tool_call>"
    "{% endfor %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "Return the sum of two numbers, and the number of their digits.",
    "def add(a, b): return a + b",
]


def write_tokenizer(directory: Path) -> int:
    """A byte-level BPE trained on a few sentences; returns the size of its vocabulary."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "bos_token": "<s>",
        "eos_token": {"content": "<|im_end|>"},
        "add_bos_token": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer.get_vocab_size()


def write_model(directory: Path, **sizes: int) -> Path:
    """A random Llama as a Hugging Face directory, written by `transformers` itself."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=write_tokenizer(directory),
        num_hidden_layers=2,
        max_position_embeddings=512,
        **sizes,
        initializer_range=0.3,  # wide enough that different prompts have different answers
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(directory)
    (directory / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return directory


def write_adapter(directory: Path, store: Store, base: str, seed: int = 1) -> Path:
    """A random adapter in the layout of `peft`."""
    import torch

    from openhearth.models import LoraConfig, add_adapter, load_model, save_adapter

    directory.mkdir(exist_ok=True)
    artifact = store.get(base)
    model, lora = load_model(artifact, "float32"), LoraConfig(rank=4, alpha=8)
    generator = torch.Generator().manual_seed(seed)
    for parameter in add_adapter(model, "new", lora, seed=1):
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    save_adapter(model, "new", lora, artifact.digest, directory.joinpath)
    return directory


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose heads are too small for the native executor."""
    sizes = {"hidden_size": 32, "intermediate_size": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return write_model(tmp_path_factory.mktemp("tiny"), **sizes, **heads)


@pytest.fixture(scope="session")
def small_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for the native executor."""
    sizes = {"hidden_size": 64, "intermediate_size": 96}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return write_model(tmp_path_factory.mktemp("small"), **sizes, **heads)


@pytest.fixture(scope="session")
def tiny_model_home(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OPENHEARTH_HOME whose store holds the model as `tiny` and an adapter `tiny-adapter`."""
    from openhearth.models import import_adapter, pull
    from openhearth.store import Store

    store = Store(tmp_path_factory.mktemp("home"))
    base = pull(store, str(tiny_directory), name="tiny")
    directory = write_adapter(tmp_path_factory.mktemp("adapter"), store, "tiny")
    store.tag("tiny-adapter", import_adapter(base, directory).digest)
    return store.root
