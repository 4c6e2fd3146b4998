"""Norms, gates, rotations, attention's shares and losses in one pass over memory each.

Torch takes several. These call kernels of our own (`native/training`) for tensors of a processor,
in fp32 or bf16. Each has its plain form in torch where it is used, for other devices and types,
under `torch.compile`, and where no kernels were built. They use the threads that torch has.
"""

from __future__ import annotations

from typing import Any

import torch

from openhearth.models.isa import chosen

try:
    import openhearth._training as _training
except ImportError:  # installed without a compiler
    _training = None

PLAIN = (torch.Tensor, torch.nn.Parameter)  # and not what stands for numbers elsewhere


def _rows_here() -> dict[torch.dtype, Any]:
    """The kernels for each type, of the kind of processor that this one is."""
    if _training is None:
        return {}
    kind = chosen(_training.kinds())
    return {torch.float32: _training.Wide(kind), torch.bfloat16: _training.Narrow(kind)}


ROWS = _rows_here()


def serve(*tensors: torch.Tensor) -> bool:
    """Whether there are kernels for these tensors, which must be of one type."""
    dtype = tensors[0].dtype
    alike = all(type(x) in PLAIN and x.device.type == "cpu" and x.dtype == dtype for x in tensors)
    return dtype in ROWS and alike and not torch.compiler.is_compiling()


def norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x [..., width] / rms(x) * weight [width], and 1 / rms(x), fp32 [..., 1]."""
    _check(weight.shape == x.shape[-1:], x, weight)
    x, weight = x.contiguous(), weight.contiguous()
    out, inverse = torch.empty_like(x), x.new_empty(*x.shape[:-1], 1, dtype=torch.float32)
    count, width = inverse.numel(), len(weight)
    ROWS[x.dtype].norm(*_at(x, weight), count, width, eps, *_at(out, inverse))
    return out, inverse


def norm_back(
    outer: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    inverse: torch.Tensor,
    needs: tuple[bool, bool],
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The gradients of `norm` for x and its weight, of those that are needed."""
    _check(outer.shape == x.shape and weight.shape == x.shape[-1:], outer, x, weight)
    outer, x, weight = outer.contiguous(), x.contiguous(), weight.contiguous()
    dx = torch.empty_like(x) if needs[0] else None
    sums = torch.zeros_like(weight, dtype=torch.float32) if needs[1] else None
    ends = (0 if made is None else made.data_ptr() for made in (dx, sums))
    count, width = inverse.numel(), len(weight)
    ROWS[x.dtype].norm_back(*_at(outer, x, weight, inverse), count, width, *ends)
    return dx, None if sums is None else sums.to(weight.dtype)


def gate(gates: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """silu(gates) * up, all of one shape."""
    _check(gates.shape == up.shape, gates, up)
    gates, up = gates.contiguous(), up.contiguous()
    out = torch.empty_like(gates)
    ROWS[gates.dtype].gate(*_at(gates, up), gates.numel(), *_at(out))
    return out


def gate_back(
    outer: torch.Tensor, gates: torch.Tensor, up: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `gate` for both."""
    _check(outer.shape == gates.shape == up.shape, outer, gates, up)
    outer, gates, up = outer.contiguous(), gates.contiguous(), up.contiguous()
    dgates, dup = torch.empty_like(gates), torch.empty_like(up)
    ROWS[gates.dtype].gate_back(*_at(outer, gates, up), gates.numel(), *_at(dgates, dup))
    return dgates, dup


def rotate(
    x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *, back: bool = False
) -> torch.Tensor:
    """Each pair (x[i], x[i + half]) of x [rows, heads, size] turned by its angle, cos and sin
    [rows, 1, half], or back.
    """
    fits = len(cos) == len(x) and 2 * cos.shape[-1] <= x.shape[-1]
    _check(fits and cos.shape == sin.shape == (len(x), 1, cos.shape[-1]), x, cos, sin)
    x, cos, sin = x.contiguous(), cos.contiguous(), sin.contiguous()
    out = torch.empty_like(x)
    sizes = (*x.shape, cos.shape[-1])
    ROWS[x.dtype].rotate(*_at(x, cos, sin), *sizes, -1.0 if back else 1.0, *_at(out))
    return out


def nats(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The nats of targets [n] under logits [n, vocabulary], fp32 [n]. The gradient of their sum,
    weighted by `weights` [n], takes the place of the logits. Where a logit is not finite, neither
    is what comes of its row.

    Raises:
        IndexError: a target lies outside the vocabulary.
    """
    fits = targets.shape == weights.shape == logits.shape[:1]
    _check(fits and logits.is_contiguous(), logits, targets, weights)
    out = logits.new_empty(len(targets), dtype=torch.float32)
    targets, weights = targets.long().contiguous(), weights.float().contiguous()
    ROWS[logits.dtype].nats(*_at(logits, targets, weights), *logits.shape, *_at(out))
    return out


def softmax(
    scores: torch.Tensor, first: torch.Tensor, last: torch.Tensor, scale: float
) -> torch.Tensor:
    """In place of scores [n, rows, width] their shares: softmax of scale * scores from `first` to
    before `last`, int64 [1 or n, rows], and zeros elsewhere.

    Raises:
        IndexError: a row sees nothing, or what is not there.
    """
    n, rows, _ = scores.shape
    fits = first.shape == last.shape and first.shape in ((1, rows), (n, rows))
    _check(fits and scores.is_contiguous(), scores, first, last)
    first, last = first.contiguous(), last.contiguous()
    sizes = (scores.numel() // scores.shape[-1], scores.shape[-1], first.numel())
    ROWS[scores.dtype].softmax(*_at(scores, first, last), *sizes, scale)
    return scores


def add(x: torch.Tensor, sums: torch.Tensor) -> None:
    """sums += x, where sums may be wider; torch would make a wide copy of x first."""
    if not serve(x) or not _takes(sums) or x.shape != sums.shape:
        sums += x
        return
    x, count = x.contiguous(), 1 if sums.is_contiguous() else len(sums)
    sizes = (count, x.numel() // count)
    ROWS[x.dtype].add(x.data_ptr(), *sizes, sums.data_ptr(), sums.stride(0))


def _takes(sums: torch.Tensor) -> bool:
    """Whether there is a kernel that adds to these: fp32, in one piece or in one for each entry."""
    plain = serve(sums) and sums.dtype == torch.float32 and sums.dim() > 0
    return plain and (sums.is_contiguous() or sums[0].is_contiguous())


def _check(fits: bool, *tensors: torch.Tensor) -> None:
    if not fits:  # kernels would read or write what is not theirs
        raise ValueError(f"these shapes do not fit: {[tuple(x.shape) for x in tensors]}")


def _at(*tensors: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.data_ptr() for tensor in tensors)
