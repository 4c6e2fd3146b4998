"""Processes that train one model together: data parallel, under `torchrun` or Ray.

Each computes some of a step's micro-batches; their gradients are summed. What a step sees does not
depend on how many there are, so results differ by no more than the order of the sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


class Group:
    """All processes of a run; alone, this one."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def join(cls) -> Group:
        """The group that `torchrun`, or Ray, started this process in, if one did."""
        started = dist.is_available() and dist.is_initialized()
        if not started and "RANK" not in os.environ:
            return cls()
        if not started:
            if torch.cuda.is_available():
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this process writes what there is to write."""
        return self.rank == 0

    def share(self, parts: Sequence[Any]) -> list[Any]:
        """This process's parts of a step."""
        return list(parts[self.rank :: self.size])

    def lacks(self, parts: int) -> bool:
        """Whether others have one part more of a step of so many than this process."""
        return self.rank >= parts % self.size > 0

    def sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sum tensors of one dtype over all processes, in place, in one message."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, summed in zip(
            tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
        ):
            tensor.copy_(summed.view_as(tensor))

    def in_turn(self, work: Callable[[], T]) -> T:
        """Do something that leaves a file: the leader first, so that the others find it."""
        if self.size == 1:
            return work()
        if self.leads:
            done = work()
            self.agree(None)
            return done
        self.agree(None)
        return work()

    def agree(self, value: Any) -> Any:
        """What the leader says."""
        if self.size == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held)
        return held[0]
