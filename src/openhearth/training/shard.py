"""Models too large for one process: each of a group holds a share of weights, gradients, moments.

FSDP (Zhao et al. 2023, arXiv:2304.11277), by torch's `fully_shard`. Matrices, norms and embeddings
are cut along their first dimension. Those of a block are whole while it computes, those outside the
blocks from the forward pass until their gradients are there, so that the loss may use the head. All
else, such as filters, decays and routers, is small, and each process holds it whole.
"""

from __future__ import annotations

from typing import Any, cast

import torch

from openhearth.models import Model
from openhearth.models.build import NARROW
from openhearth.models.device import best_device
from openhearth.training.group import Group
from openhearth.training.shares import collect, is_share
from openhearth.training.weights import Weights


def shard(model: Model, group: Group, dtype: torch.dtype | None = None) -> None:
    """Leave this process its share of a model that computes in `dtype`, or in that of its weights.

    Blocks go to the device that computes one by one, each as a share. From now on all processes
    must take part in each forward and each backward pass. The gradient of a share is the sum over
    all of them, in fp32.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(best_device(), (group.size,))
    policy = MixedPrecisionPolicy(dtype, torch.float32, cast_forward_inputs=False)
    small = _small(model)
    for module in [*model.blocks, model]:
        fully_shard(module, mesh=mesh, mp_policy=policy, ignored_params=small)
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)  # gloo has no other
    # What is small; shares are there.
    for rest in (model, *(pair for _, m in model.linears() for pair in m.adapters.values())):
        rest.to(mesh.device_type)


def _small(model: Model) -> set[torch.nn.Parameter]:
    return {
        parameter
        for module in model.modules()
        if not isinstance(module, NARROW)
        for parameter in module.parameters(recurse=False)
    }


def is_sharded(model: Model) -> bool:
    """Whether this process holds a share of a model."""
    return any(is_share(parameter) for parameter in model.blocks.parameters())


def passing(model: Model) -> int:
    """The most numbers of a sharded model that are whole at a time: all outside the blocks, and two
    blocks, as one is fetched while another computes.
    """
    blocks = [sum(p.numel() for p in block.parameters()) for block in model.blocks]
    outside = sum(p.numel() for p in model.parameters()) - sum(blocks)
    return outside + sum(sorted(blocks)[-2:])


class Shares(Weights):
    """All weights of an fp32 model, of which each process of a group holds a share."""

    def __init__(self, model: Model, dtype: torch.dtype, group: Group) -> None:
        self._model = model.requires_grad_(True)
        shard(model, group, dtype)
        super().__init__(dict(model.named_parameters()))

    def publish(self) -> None:
        """Give up what is whole at the moment: it is what the weights were before."""
        cast(Any, self._model).reshard()

    def unite(self, *, keep: bool) -> None:
        whole = collect(self.tensors(), keep=keep)
        self.masters = {name: torch.nn.Parameter(tensor) for name, tensor in whole.items()}
