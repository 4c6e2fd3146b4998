"""A small random Llama with a tokenizer, a chat template and an adapter, in a store of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import openai

    from openhearth.store import Artifact, Store

os.environ.pop("OPENHEARTH_STORE", None)  # tests write nothing to where somebody keeps things

# Tests in several processes share the cores: torch's threads, which spin while they wait for each
# other, would take them from the rest, and get half of the work done.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Who begins in the background of a shell is deaf to Ctrl-C, and so are all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test is about time, which a busy machine has none of.
settings.register_profile("usual", deadline=None)
settings.load_profile("usual")
# For a night: `pytest --hypothesis-profile deep`.
settings.register_profile("deep", max_examples=20_000, deadline=None)

LONG = ("system", "native", "data", "training")  # folders whose files take longest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that at the end no process is left alone with it."""

    def place(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return "demo" not in getattr(item, "fixturenames", ()), (*LONG, folder).index(folder)

    items.sort(key=place)


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


def write_model(directory: Path, **shape: int) -> Path:
    """A random Llama as a Hugging Face directory, written by `transformers` itself."""
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
    return directory


def write_encoder(directory: Path) -> Path:
    """A random BERT with a WordPiece tokenizer, likewise."""
    import tokenizers
    import torch
    from transformers import BertConfig, BertModel

    words = tokenizers.BertWordPieceTokenizer()
    words.train_from_iterator(TEXT, vocab_size=100, show_progress=False)
    words.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"cls_token": "[CLS]"}')
    config = BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
    )
    torch.manual_seed(0)
    BertModel(config, add_pooling_layer=False).save_pretrained(directory)
    return directory


def write_adapter(
    directory: Path,
    store: Store,
    base: str,
    seed: int = 1,
    factor: float = 1.0,
    *,
    dora: bool = False,
) -> Path:
    """A random adapter in the layout of `peft`, whose numbers are all NaN if `factor` is."""
    import torch

    from openhearth.models import LoraConfig, add_adapter, load_model, save_adapter

    directory.mkdir(exist_ok=True)
    artifact = store.get(base)
    model, lora = load_model(artifact, "float32"), LoraConfig(rank=4, alpha=8, dora=dora)
    generator = torch.Generator().manual_seed(seed)
    for parameter in add_adapter(model, "new", lora, seed=1):
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
        parameter.data.mul_(factor)
    save_adapter(model, "new", lora, artifact.digest, directory.joinpath)
    return directory


def make_adapter(
    store: Store,
    base: Artifact,
    name: str,
    *,
    seed: int = 1,
    factor: float = 1.0,
    dora: bool = False,
) -> None:
    """The same in a store."""
    from openhearth.models import import_adapter

    with TemporaryDirectory() as directory:
        written = write_adapter(Path(directory), store, base.digest, seed, factor, dora=dora)
        store.tag(name, import_adapter(base, written).digest)


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with heads of eight numbers."""
    return write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def small_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another, with heads of 32."""
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return write_model(
        tmp_path_factory.mktemp("small"), hidden_size=64, intermediate_size=96, **heads
    )


@pytest.fixture(scope="session")
def encoder_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of texts."""
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def plain_directory(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without a chat template."""
    directory = tmp_path_factory.mktemp("plain") / "plain"
    shutil.copytree(tiny_directory, directory)
    path = directory / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["chat_template"]
    path.write_text(json.dumps(settings))
    return directory


def write_home(root: Path, directory: Path) -> Path:
    """An OPENHEARTH_HOME whose store holds the model as `tiny` and an adapter `tiny-adapter`."""
    from openhearth.models import pull
    from openhearth.store import Store

    store = Store(root)
    make_adapter(store, pull(store, str(directory), name="tiny"), "tiny-adapter")
    return store.root


@pytest.fixture(scope="session")
def tiny_model_home(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model and its adapter in a store."""
    return write_home(tmp_path_factory.mktemp("home"), tiny_directory)


@pytest.fixture(scope="session")
def native_model_home(small_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the small one."""
    return write_home(tmp_path_factory.mktemp("home"), small_directory)


@pytest.fixture
def oai(server: Any) -> Iterator[openai.OpenAI]:
    """The official client of the `server` of a test's own file or folder."""
    import openai

    # Strict validation holds our replies against the client's own types.
    with openai.OpenAI(
        base_url=f"{server.url}/v1",
        api_key=server.key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client
