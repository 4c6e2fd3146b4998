"""What trains: fp32 weights by name, and their narrow copies where those compute faster.

The optimiser moves fp32 masters, because most updates are smaller than half a step of bfloat16.
Gradients of the copies are summed into the masters as soon as they are there, so that a sum over
many micro-batches keeps its digits and no narrow gradient outlives its use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from openhearth.models import Model, fused
from openhearth.models.build import NARROW
from openhearth.training.shares import is_share, like


class Weights:
    """Trained weights: `masters` by name, fp32."""

    def __init__(self, trained: Mapping[str, torch.nn.Parameter]) -> None:
        self.masters: dict[str, torch.nn.Parameter] = dict(trained)
        self._copies: dict[str, torch.nn.Parameter] = {}

    @classmethod
    def of_model(cls, model: Model, dtype: torch.dtype) -> Weights:
        """All weights of an fp32 model, which computes in `dtype` from now on."""
        model.requires_grad_(True)
        weights = cls(dict(model.named_parameters()))
        if dtype != torch.float32:
            narrow = [name for name, module in model.named_modules() if isinstance(module, NARROW)]
            for name, parameter in model.named_parameters():
                if name.rpartition(".")[0] in narrow:
                    weights._narrow(name, parameter, dtype)
        return weights

    def _narrow(self, name: str, parameter: torch.nn.Parameter, dtype: torch.dtype) -> None:
        master = torch.nn.Parameter(parameter.detach())
        self.masters[name], self._copies[name] = master, parameter
        parameter.data = parameter.detach().to(dtype)
        parameter.register_post_accumulate_grad_hook(_into(master))

    @torch.no_grad()
    def publish(self) -> None:
        """Give the copies what the masters are now."""
        if self._copies:
            copies: list[torch.Tensor] = list(self._copies.values())
            torch._foreach_copy_(copies, [self.masters[name] for name in self._copies])

    def gradients(self) -> list[torch.Tensor]:
        """Every gradient that processes have yet to sum, zeros where nothing arrived."""
        for master in self.masters.values():
            if master.grad is None:
                master.grad = torch.zeros_like(master)
        found = [master.grad for master in self.masters.values() if master.grad is not None]
        return [gradient for gradient in found if not is_share(gradient)]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The masters' values."""
        return {name: master.detach() for name, master in self.masters.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put values back that `tensors` gave."""
        for name, master in self.masters.items():
            master.copy_(like(tensors[name], master))
        self.publish()

    def unite(self, *, keep: bool) -> None:
        """Where this process held shares, hold all of every weight, or nothing if it is not to keep
        them. All processes must take part.
        """


def _into(master: torch.nn.Parameter) -> Callable[[torch.Tensor], None]:
    def move(narrow: torch.Tensor) -> None:
        assert narrow.grad is not None
        if master.grad is None:
            master.grad = narrow.grad.float()
        else:
            fused.add(narrow.grad, master.grad)
        narrow.grad = None

    return move
