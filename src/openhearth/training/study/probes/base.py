"""What every probe is: sequences drawn from a seed, and labels to be told at some places."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from openhearth.models.part import Part

IGNORED = -100
"""The label of a place where nothing is to be told."""

AT_ONCE = 2**22  # random numbers in memory

Count = Annotated[int, Field(gt=0)]
Sequences = tuple[np.ndarray, np.ndarray]
"""Tokens and labels, int64 [count, length] each; a label is told at the place where it stands."""


@dataclass(frozen=True)
class Drawn:
    """The sequences of a probe, to train on and to test with."""

    train: Sequences
    test: Sequences


class Probe(Part):
    """Settings of a probe: tokens are 0 to `vocabulary` - 1, `train` and `test` count sequences."""

    vocabulary: Annotated[int, Field(ge=4)] = 16
    length: Annotated[int, Field(ge=4)] = 128
    train: Count = 12_800
    test: Count = 1_280

    @property
    def from_last(self) -> bool:
        """Whether all labels are told from the last place's state alone."""
        return False

    @abstractmethod
    def draw(self, count: int, generator: np.random.Generator, *, test: bool) -> Sequences:
        """So many sequences, with the labels of training or of the test."""

    def drawn(self, seed: int) -> Drawn:
        """All sequences, which `seed` alone determines."""
        ours, theirs = np.random.default_rng(seed).spawn(2)
        return Drawn(
            self.draw(self.train, ours, test=False), self.draw(self.test, theirs, test=True)
        )


def shifted(tokens: np.ndarray, labels: np.ndarray, *, test: bool) -> Sequences:
    """Each place tells the next one's label; in training, every next token is one."""
    return tokens[:, :-1], (labels if test else tokens)[:, 1:]


def without_repetition(
    generator: np.random.Generator, rows: int, choices: int, count: int
) -> np.ndarray:
    """In each row `count` different numbers below `choices`, int64 [rows, count]."""
    step = max(1, AT_ONCE // choices)
    parts = [
        generator.random((min(step, rows - start), choices)).argsort(axis=1)[:, :count]
        for start in range(0, rows, step)
    ]
    return np.concatenate(parts)
