"""One trial: a small model of a layer mix learns a probe, and tells its labels in the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from openhearth.models import Model, ModelConfig, Piece, Ragged
from openhearth.models.part import Part
from openhearth.progress import Progress, silent
from openhearth.training.initialise import initialise
from openhearth.training.schedules import Schedule
from openhearth.training.study.probes.base import IGNORED, Count, Drawn, Probe, Sequences
from openhearth.training.study.probes.decoder import Decoder

LAST_RATE = 1e-6  # where MAD's cosine ends


class Teaching(Part):
    """How a trial learns: every learning rate with every weight decay, of which the best counts."""

    epochs: Count = 20
    batch: Count = 128
    learning_rates: Annotated[tuple[float, ...], Field(min_length=1)] = (1e-3,)
    weight_decays: Annotated[tuple[float, ...], Field(min_length=1)] = (0.0,)


def accuracy(
    config: ModelConfig,
    probe: Probe,
    teaching: Teaching,
    seed: int = 0,
    progress: Progress = silent,
) -> float:
    """The share of the test's labels that the model, when it has learnt, tells right."""
    drawn = probe.drawn(seed)
    ways = [(rate, decay) for rate in teaching.learning_rates for decay in teaching.weight_decays]
    found = []
    for number, (rate, decay) in enumerate(ways):
        learner = Learner(config, probe, seed)
        learner.learn(drawn, teaching, rate, decay, seed)
        found.append(learner.score(drawn.test, teaching.batch))
        progress("probe", number + 1, len(ways), f"{probe.name} {max(found):.3f}")  # type: ignore[attr-defined]
    return max(found)


class Learner:
    """A new model, and the decoder where one is needed."""

    def __init__(self, config: ModelConfig, probe: Probe, seed: int) -> None:
        self.model: Model = initialise(config, seed)
        self.model.requires_grad_(True)
        self.decoder = (
            Decoder(config.width, config.vocab_size, probe.length, seed)
            if probe.from_last
            else None
        )

    def parameters(self) -> list[nn.Parameter]:
        """All that learns."""
        decoder = [] if self.decoder is None else list(self.decoder.parameters())
        return [*self.model.parameters(), *decoder]

    def logits(self, tokens: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
        """[n, vocabulary] at the places, bool [count, length], that have labels."""
        count, length = tokens.shape
        hidden = self.model(tokens.flatten(), Ragged([Piece(length)] * count))
        if self.decoder is None:
            return self.model.logits(hidden[labelled.flatten()])
        return self.decoder(hidden.unflatten(0, (count, length))[:, -1])[labelled]

    def learn(self, drawn: Drawn, teaching: Teaching, rate: float, decay: float, seed: int) -> None:
        """Go through the training sequences so many times, each time in another order."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate, weight_decay=decay)
        schedule = Schedule(kind="cosine", warm_up=0.0, min_ratio=min(1.0, LAST_RATE / rate))
        generator = np.random.default_rng(seed)
        per_epoch = -(-len(drawn.train[0]) // teaching.batch)
        step, steps = 0, teaching.epochs * per_epoch
        for _ in range(teaching.epochs):
            order = generator.permutation(len(drawn.train[0]))
            for tokens, labels in _batches(drawn.train, teaching.batch, order):
                for group in optimizer.param_groups:
                    group["lr"] = rate * schedule.rate(step, steps)
                labelled = labels != IGNORED
                F.cross_entropy(self.logits(tokens, labelled), labels[labelled]).backward()
                optimizer.step()
                optimizer.zero_grad()
                step += 1

    @torch.no_grad()
    def score(self, test: Sequences, batch: int) -> float:
        """The share of the labels that come out as the likeliest."""
        right = told = 0
        for tokens, labels in _batches(test, batch, np.arange(len(test[0]))):
            labelled = labels != IGNORED
            guesses = self.logits(tokens, labelled).argmax(-1)
            right += int((guesses == labels[labelled]).sum())
            told += int(labelled.sum())
        return right / max(1, told)


def _batches(
    of: Sequences, size: int, order: np.ndarray
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield torch.from_numpy(of[0][chosen]), torch.from_numpy(of[1][chosen])
