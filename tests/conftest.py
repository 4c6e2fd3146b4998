"""A small random Llama with a tokenizer, a chat template and an adapter, in a store of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import settings

from openhearth.store import Artifact, Draft, Store

# No test is about time, which a busy machine has none of.
settings.register_profile("usual", deadline=None)
settings.load_profile("usual")
# For a night: `pytest --hypothesis-profile deep`.
settings.register_profile("deep", max_examples=20_000, deadline=None)

SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('unknown role ' + message['role']) }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
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


def write_llama(directory: Path, **shape: int) -> None:
    """A model as a Hugging Face directory, written by `transformers` itself."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {
        "vocab_size": write_tokenizer(directory),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    wide = 0.3  # enough that different prompts have different answers
    config = LlamaConfig(**sizes | shape, initializer_range=wide, tie_word_embeddings=True)
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(directory)
    (directory / "README.md").write_text("---\nlicense: apache-2.0\n---\n")


def make_adapter(
    store: Store, base: Artifact, name: str, *, seed: int = 1, factor: float = 1.0
) -> None:
    """A random adapter, whose numbers are all NaN if `factor` is."""
    import torch

    from openhearth.models import LoraConfig, add_adapter, load_model, save_adapter

    def build(draft: Draft) -> None:
        model, lora = load_model(base, "float32"), LoraConfig(rank=4, alpha=8)
        generator = torch.Generator().manual_seed(seed)
        for parameter in add_adapter(model, "new", lora, seed=1):
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
            parameter.data.mul_(factor)
        save_adapter(model, "new", lora, base.digest, draft.path)

    recipe = {"seed": seed, "factor": str(factor)}
    adapter = store.make("adapter", build, recipe=recipe, inputs={"base": base.digest})
    store.tag(name, adapter.digest)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a Hugging Face directory."""
    directory = tmp_path_factory.mktemp("tiny")
    write_llama(directory)
    return directory


def write_home(root: Path, directory: Path) -> Path:
    """An OPENHEARTH_HOME whose store holds the model as `tiny` and an adapter `tiny-adapter`."""
    from openhearth.models import pull

    store = Store(root)
    make_adapter(store, pull(store, str(directory), name="tiny"), "tiny-adapter")
    return store.root


@pytest.fixture(scope="session")
def tiny_model_home(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model and its adapter in a store, too small for the kernels of the native executor."""
    return write_home(tmp_path_factory.mktemp("home"), tiny_directory)


@pytest.fixture(scope="session")
def native_model_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of a size that has kernels."""
    directory = tmp_path_factory.mktemp("native")
    write_llama(directory, head_dim=32)
    return write_home(tmp_path_factory.mktemp("home"), directory)
