"""A small encoder of the store behind the port, against states pooled by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openhearth.data import Tokenizer
from openhearth.errors import NotFound, UsageError
from openhearth.inference import open_encoder
from openhearth.models import pull
from openhearth.platform.embedding import CosineReranker, EncoderEmbedder
from openhearth.store import Store

TEXTS = ["The quick brown fox", "jumps", "Return the sum of two numbers."]


@pytest.fixture
def store(tmp_path: Path, encoder_directory: Path, tiny_directory: Path) -> Store:
    """It holds an encoder and a model that writes."""
    home = Store(tmp_path / "home")
    pull(home, str(encoder_directory), name="encoder")
    pull(home, str(tiny_directory), name="tiny")
    return home


def test_vectors_are_means_of_length_one(store: Store) -> None:
    embedder = EncoderEmbedder(store)
    (card,) = embedder.models()
    assert (card.name, card.width, card.shortest) == ("encoder", 32, 32)
    tokens = [embedder.tokens("encoder", text) for text in TEXTS]
    assert tokens[0] == Tokenizer.load(store.get("encoder")).encode_framed(TEXTS[0])
    vectors = embedder.embed("encoder", tokens)
    assert (vectors.shape, vectors.dtype) == ((3, 32), np.float32)
    encoder = open_encoder("auto", store.get("encoder"))
    for text, vector in zip(tokens, vectors, strict=True):
        mean = encoder.hidden([text]).mean(0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert embedder.embed("encoder", []).shape == (0, 32)


def test_what_cannot_be_embedded_is_said(store: Store) -> None:
    embedder = EncoderEmbedder(store)
    for name in ("tiny", "nobody"):
        with pytest.raises(NotFound, match=name):
            embedder.embed(name, [[1]])
    with pytest.raises(UsageError, match="has 0 tokens"):
        embedder.embed("encoder", [[]])


def test_a_damaged_model_is_left_out(store: Store) -> None:
    for name in store.get("encoder").manifest.files:
        store.get("encoder").path(name).unlink()
    store.tag("again", store.get("tiny").digest)
    assert EncoderEmbedder(store).models() == []


def test_a_new_encoder_and_a_new_version_are_found(store: Store, encoder_directory: Path) -> None:
    embedder = EncoderEmbedder(store)
    before = embedder.embed("encoder", [[5, 6]])
    pull(store, str(encoder_directory), name="other")
    assert {card.name for card in embedder.models()} == {"encoder", "other"}
    assert embedder.embed("other", [[5, 6]]).tolist() == before.tolist()
    store.tag("encoder", store.get("tiny").digest)  # which makes no vectors
    assert [card.name for card in embedder.models()] == ["other"]
    with pytest.raises(NotFound, match="encoder"):
        embedder.tokens("encoder", "text")


def test_what_is_open_stays_open_when_names_change(store: Store) -> None:
    embedder = EncoderEmbedder(store)
    model = embedder._get("encoder")
    store.tag("again", store.get("tiny").digest)
    assert embedder._get("encoder") is model


def test_a_text_is_nearest_to_itself(store: Store) -> None:
    ranking = CosineReranker(EncoderEmbedder(store)).rank("encoder", TEXTS[1], TEXTS)
    assert ranking.scores.argmax() == 1
    np.testing.assert_allclose(ranking.scores[1], 1, rtol=1e-5)
