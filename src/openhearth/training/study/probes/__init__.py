"""Synthetic probes that tell architectures apart: what a mixer can recall, copy, compress, learn.

The six tasks of MAD (Poli et al. 2024, arXiv:2403.17844) and Zoology's multi-query associative
recall. Each is a class of settings that draws its sequences from a seed; `trial` trains a small
model on one and tells its accuracy.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openhearth.training.study.probes.base import IGNORED, Drawn, Probe
from openhearth.training.study.probes.compression import Compression
from openhearth.training.study.probes.copying import SelectiveCopying
from openhearth.training.study.probes.fuzzy import FuzzyRecall
from openhearth.training.study.probes.memorisation import Memorisation
from openhearth.training.study.probes.mqar import AssociativeRecall
from openhearth.training.study.probes.recall import InContextRecall, NoisyRecall

__all__ = [
    "IGNORED",
    "AnyProbe",
    "AssociativeRecall",
    "Compression",
    "Drawn",
    "FuzzyRecall",
    "InContextRecall",
    "Memorisation",
    "NoisyRecall",
    "Probe",
    "SelectiveCopying",
]

AnyProbe = Annotated[
    AssociativeRecall
    | Compression
    | FuzzyRecall
    | InContextRecall
    | Memorisation
    | NoisyRecall
    | SelectiveCopying,
    Field(discriminator="name"),
]
