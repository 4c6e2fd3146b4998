"""Trials: a small model learns what its layers let it."""

from __future__ import annotations

import pytest
import torch

from openhearth.training.study.mixes import Size, model_of
from openhearth.training.study.probes import Compression, InContextRecall, Memorisation, Probe
from openhearth.training.study.probes.decoder import Decoder, sines
from openhearth.training.study.probes.trial import Teaching, accuracy

TEACHING = Teaching(epochs=12, batch=32, learning_rates=(5e-3,))
SIZE = Size(width=32, depth=2, heads=2)


def score(blocks: str, probe: Probe, teaching: Teaching = TEACHING) -> float:
    config = model_of("mix", blocks, SIZE, vocabulary=probe.vocabulary, context=probe.length)
    return accuracy(config, probe, teaching)


def test_any_model_learns_facts() -> None:
    probe = Memorisation(vocabulary=16, length=16, train=128, test=16)
    assert score("[short_conv]", probe) > 0.9


def test_a_trial_is_the_same_again() -> None:
    probe = InContextRecall(length=16, train=64, test=32)
    few = Teaching(epochs=2, batch=32)
    assert score("[attention]", probe, few) == score("[attention]", probe, few)


def test_a_state_is_decompressed() -> None:
    probe = Compression(vocabulary=4, length=4, train=256, test=64)
    assert score("[attention]", probe) > 0.5


def test_more_ways_to_learn_never_do_worse() -> None:
    probe = InContextRecall(length=16, train=64, test=32)
    one = Teaching(epochs=1, learning_rates=(1e-3,))
    more = Teaching(epochs=1, learning_rates=(1e-5, 1e-3), weight_decays=(0.0, 0.1))
    assert score("[attention]", probe, more) >= score("[attention]", probe, one)


def test_the_decoder_sees_the_place() -> None:
    decoder = Decoder(8, 5, 6, seed=0)
    logits = decoder(torch.zeros(2, 8))
    assert logits.shape == (2, 6, 5)
    assert not torch.equal(logits[0, 0], logits[0, 1])
    assert sines(3, 4)[0].tolist() == pytest.approx([0, 0, 1, 1])
