"""Named tensors in files, whatever the format. Only `read` needs torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


PLAIN = {"F32": 0, "F16": 1, "BF16": 30}  # types of numbers that are not in blocks, as ggml counts


@dataclass(frozen=True)
class Packed:
    """A matrix as bytes, uint8 [rows, bytes], in a type of ggml, by its number there. `order` says
    where each row of the file stands in ours [rows].
    """

    source: int
    data: np.ndarray
    order: np.ndarray


class Weights(ABC):
    """A file, or several, of named tensors. Names are ours, whatever the file calls them.

    Every method raises CorruptArtifact if the file lacks the tensor or is damaged.
    """

    @abstractmethod
    def values(self, name: str) -> np.ndarray:
        """The numbers of the tensor that we call `name`, fp32."""

    def read(self, name: str) -> torch.Tensor:
        """The tensor, in the type that it has in the file if torch knows that."""
        import torch

        return torch.from_numpy(self.values(name))

    def packed(self, name: str) -> Packed:
        """A matrix as it is in the file, if that is a type of ggml."""
        return packed_floats(self.values(name))


def packed_floats(values: np.ndarray) -> Packed:
    """A matrix of fp32 numbers, as it is."""
    values = np.ascontiguousarray(values)
    return Packed(PLAIN["F32"], values.view(np.uint8), np.arange(len(values)))
