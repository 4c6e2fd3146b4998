"""Tensors of which each process holds a share (`DTensor`), beside others that each holds whole.

What deals with tensors of both kinds asks `whole` for all of one, and `like` for the part of one
that belongs beside another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import torch

T = TypeVar("T", bound=torch.Tensor)


def is_share(tensor: torch.Tensor) -> bool:
    """Whether a tensor is this process's share of one."""
    # By what it can: importing DTensor takes a second, and one process alone does not need it.
    return hasattr(tensor, "full_tensor")


def by_kind(tensors: Iterable[T]) -> list[list[T]]:
    """Whole tensors and shares apart, as no operation takes both; none of the lists is empty."""
    kinds: dict[bool, list[T]] = {}
    for tensor in tensors:
        kinds.setdefault(is_share(tensor), []).append(tensor)
    return list(kinds.values())


def mine(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor."""
    return cast(Any, tensor).to_local() if is_share(tensor) else tensor


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor. If it is a share, every process must ask."""
    return cast(Any, tensor).full_tensor() if is_share(tensor) else tensor


def like(tensor: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Of a whole tensor what belongs beside another: a share beside a share, but a number whole."""
    if is_share(tensor) or not is_share(other) or tensor.dim() == 0:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    place = cast(Any, other)
    # Each process has the whole, so nothing is sent. A copy, since a view would keep all of it.
    return distribute_tensor(
        tensor, place.device_mesh, place.placements, src_data_rank=None
    ).clone()


def collect(tensors: Mapping[str, torch.Tensor], *, keep: bool) -> dict[str, torch.Tensor]:
    """All of each tensor, or nothing where that is not to be kept; every process must take part.

    What was shared out comes into the memory of the processor, as no other may have room for it.
    """
    found = {}
    for name, tensor in tensors.items():
        entire = whole(tensor)
        if keep:
            found[name] = entire.cpu() if is_share(tensor) else entire
    return found
