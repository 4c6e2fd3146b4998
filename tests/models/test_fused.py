"""The kernels against the plain forms in torch that stand beside them, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.models import fused
from openhearth.models.channels.feed_forward import gated
from openhearth.models.norm import Normed
from openhearth.models.rotate import rotate

pytestmark = pytest.mark.skipif(not fused.ROWS, reason="the native kernels were not built")

TYPES = [torch.float32, torch.bfloat16]
# Of bf16 both forms round at other places, each by up to 2^-9 of a number.
CLOSE = {
    torch.float32: {"rtol": 1e-5, "atol": 1e-5},
    torch.bfloat16: {"rtol": 2e-2, "atol": 2e-2},
}
sizes = st.tuples(st.integers(1, 9), st.integers(1, 70))
dtypes = st.sampled_from(TYPES)
Tensors = tuple[torch.Tensor, ...]


@contextmanager
def without_kernels() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused, "ROWS", {})
        yield


def numbers(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(dtype)


def both_ways(make: Callable[..., torch.Tensor], *given: torch.Tensor) -> tuple[Tensors, Tensors]:
    """What `make` computes of tensors, and their gradients, with kernels and without."""

    def once() -> Tensors:
        leaves = [x.clone().requires_grad_() for x in given]
        made = make(*leaves)
        outer = numbers(*made.shape, dtype=made.dtype, seed=99)
        return made.detach(), *torch.autograd.grad(made, leaves, outer)

    with without_kernels():
        plain = once()
    return once(), plain


@given(size=sizes, dtype=dtypes, eps=st.sampled_from([1e-6, 1e-2]))
@settings(max_examples=40)
def test_norms(size: tuple[int, int], dtype: torch.dtype, eps: float) -> None:
    x, weight = numbers(*size, dtype=dtype), numbers(size[1], dtype=dtype, seed=1)
    mine, plain = both_ways(lambda x, w: Normed.apply(x, w, eps), x, weight)
    torch.testing.assert_close(mine, plain, **CLOSE[dtype])


def test_a_norm_of_many_rows_is_the_same_for_any_number_of_threads() -> None:
    x, weight = numbers(1000, 40, dtype=torch.float32), numbers(40, dtype=torch.float32, seed=1)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(both_ways(lambda x, w: Normed.apply(x, w, 1e-5), x, weight))
    finally:
        torch.set_num_threads(threads)
    for mine, plain in found:
        torch.testing.assert_close(mine, found[0][0], rtol=0, atol=0)
        torch.testing.assert_close(mine, plain, rtol=1e-5, atol=1e-4)  # sums of 1,000 rows


@given(size=sizes, dtype=dtypes)
@settings(max_examples=40)
def test_gates(size: tuple[int, int], dtype: torch.dtype) -> None:
    gates, up = numbers(*size, dtype=dtype), numbers(*size, dtype=dtype, seed=1)
    mine, plain = both_ways(lambda g, u: gated("silu", 4 * g, u), gates, up)
    torch.testing.assert_close(mine, plain, **CLOSE[dtype])


@given(rows=st.integers(1, 5), half=st.integers(1, 40), rest=st.integers(0, 5), dtype=dtypes)
@settings(max_examples=40)
def test_rotations(rows: int, half: int, rest: int, dtype: torch.dtype) -> None:
    x = numbers(rows, 3, 2 * half + rest, dtype=dtype)
    angles = numbers(rows, 1, half, dtype=torch.float32, seed=1)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    mine, plain = both_ways(lambda x: rotate(x, cos, sin), x)
    torch.testing.assert_close(mine, plain, **CLOSE[dtype])
    back = fused.rotate(fused.rotate(x, cos, sin), cos, sin, back=True)
    torch.testing.assert_close(back, x, **CLOSE[dtype])


@given(rows=st.integers(1, 6), vocabulary=st.integers(1, 90), dtype=dtypes)
@settings(max_examples=40)
def test_nats_and_their_errors(rows: int, vocabulary: int, dtype: torch.dtype) -> None:
    logits = 5 * numbers(rows, vocabulary, dtype=dtype)
    targets = torch.arange(rows) % vocabulary
    weights = numbers(rows, dtype=torch.float32, seed=1)
    plain = logits.float().requires_grad_()
    nats = F.cross_entropy(plain, targets, reduction="none")
    (nats @ weights).backward()
    torch.testing.assert_close(fused.nats(logits, targets, weights), nats.detach())
    torch.testing.assert_close(logits, plain.grad.to(dtype), **CLOSE[dtype])


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_no_number_is_not_hidden(wrong: float, dtype: torch.dtype) -> None:
    """A run must see it, to stop."""
    logits = numbers(2, 50, dtype=dtype)
    logits[1, 40] = wrong
    nats = fused.nats(logits, torch.tensor([3, 4]), torch.ones(2))
    assert nats.isfinite().tolist() == [True, False]
    assert logits.isfinite().all(-1).tolist() == [True, False]
    scores = numbers(1, 2, 20, dtype=dtype)
    scores[0, 1, 3] = wrong
    seen = torch.zeros(1, 2, dtype=torch.int64)
    shares = fused.softmax(scores, seen, seen + 20, 1.0)
    assert shares.isfinite().all(-1).tolist() == [[True, False]]


def test_what_does_not_fit_is_refused_before_it_is_touched() -> None:
    x, short = torch.zeros(4, 8), torch.zeros(3, 8)
    ranges = torch.ones(1, 3, dtype=torch.int64)
    for wrong in (
        lambda: fused.norm(x, torch.zeros(9), 1e-5),
        lambda: fused.norm_back(short, x, torch.zeros(8), torch.zeros(4, 1), (True, True)),
        lambda: fused.gate(x, short),
        lambda: fused.gate_back(short, x, x),
        lambda: fused.rotate(x[:, None], torch.zeros(3, 1, 4), torch.zeros(3, 1, 4)),
        lambda: fused.nats(x, torch.zeros(3, dtype=torch.int64), torch.zeros(3)),
        lambda: fused.softmax(x[None], ranges, ranges, 1.0),
    ):
        with pytest.raises(ValueError, match="do not fit"):
            wrong()
    sums = torch.zeros(2, 3)
    fused.add(torch.ones(3), sums)  # as torch does it
    assert sums.tolist() == [[1.0] * 3] * 2


def test_scratch_is_fp32_whatever_the_default_is() -> None:
    x, weight = numbers(30, 8, dtype=torch.float32), torch.ones(8)
    expected = fused.norm(x, weight, 1e-5)
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = fused.norm(x, weight, 1e-5)
        assert fused.nats(x.clone(), torch.zeros(30).long(), torch.ones(30)).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_several_threads_share_long_work(threads: int, dtype: torch.dtype) -> None:
    """No size is a multiple of what a thread takes at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, y = (numbers(211, 7, 30, dtype=dtype, seed=seed) for seed in (0, 1))
        cos, sin = (numbers(211, 1, 13, dtype=dtype, seed=seed) for seed in (2, 3))
        for make, given in (
            (lambda g, u: gated("silu", g, u), (x, y)),
            (lambda x: rotate(x, cos, sin), (x,)),
            (lambda x, w: Normed.apply(x, w, 1e-5), (x, y[0, 0])),
        ):
            mine, plain = both_ways(make, *given)
            close = CLOSE[dtype] | {"atol": 0.5 if dtype == torch.bfloat16 else 1e-3}
            torch.testing.assert_close(mine[:2], plain[:2], **CLOSE[dtype])
            torch.testing.assert_close(mine[2:], plain[2:], **close)  # a sum of 1,477 rows, or not
        scores = numbers(41, 13, 50, dtype=dtype)
        first = torch.arange(13)[None] * 2
        at = torch.arange(50)
        hidden = (at < first[..., None]) | (at >= first[..., None] + 9)
        expected = scores.float().masked_fill(hidden, -torch.inf).softmax(-1).to(dtype)
        shares = fused.softmax(scores, first, first + 9, 1.0)
        torch.testing.assert_close(shares, expected, **CLOSE[dtype])
        logits, targets = numbers(301, 77, dtype=dtype), torch.arange(301) % 77
        nats = F.cross_entropy(logits.float(), targets, reduction="none")
        torch.testing.assert_close(fused.nats(logits, targets, torch.ones(301)), nats)
        for sums in (torch.ones(41, 13, 50), torch.ones(41, 20, 50)[:, 3:16]):
            expected = sums + shares
            fused.add(shares, sums)
            torch.testing.assert_close(sums, expected, rtol=0, atol=0)
    finally:
        torch.set_num_threads(before)


def test_a_target_outside_the_vocabulary_is_refused() -> None:
    for target in (-1, 8):
        with pytest.raises(IndexError, match="vocabulary"):
            fused.nats(torch.zeros(1, 8), torch.tensor([target]), torch.ones(1))


@given(keys=st.integers(1, 60), dtype=dtypes, data=st.data())
@settings(max_examples=40)
def test_shares(keys: int, dtype: torch.dtype, data: st.DataObject) -> None:
    ranges = st.tuples(st.integers(0, keys - 1), st.integers(1, keys)).filter(lambda r: r[0] < r[1])
    seen = torch.tensor(data.draw(st.lists(ranges, min_size=1, max_size=5)))
    first, last = seen[None, :, 0], seen[None, :, 1]
    scores = 3 * numbers(2, len(seen), keys, dtype=dtype)
    at = torch.arange(keys)
    hidden = (at < first[..., None]) | (at >= last[..., None])
    plain = (scores.float() * 0.5).masked_fill(hidden, -torch.inf).softmax(-1)
    shares = fused.softmax(scores, first, last, 0.5)
    torch.testing.assert_close(shares, plain.to(dtype), **CLOSE[dtype])


def test_a_row_that_would_see_nothing_is_refused() -> None:
    one = torch.ones(1, 1, dtype=torch.int64)
    for first, last in ((one, one), (-one, one), (one, 9 * one)):
        with pytest.raises(IndexError, match="sees nothing"):
            fused.softmax(torch.zeros(1, 1, 8), first, last, 1.0)


@pytest.mark.parametrize("dtype", [*TYPES, torch.float64])
def test_sums_are_wide_and_may_be_a_part(dtype: torch.dtype) -> None:
    sums = torch.ones(3, 10, 4)
    x = numbers(3, 5, 4, dtype=dtype)
    fused.add(x, sums[:, 2:7])
    fused.add(x[0], sums[1, 5:])
    expected = torch.ones(3, 10, 4)
    expected[:, 2:7] += x
    expected[1, 5:] += x[0]
    torch.testing.assert_close(sums, expected, rtol=0, atol=0)


def test_other_types_and_mixed_ones_are_left_to_torch() -> None:
    one, other = torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16)
    assert fused.serve(one)
    assert fused.serve(other)
    assert not fused.serve(one, other)
    assert not fused.serve(torch.zeros(2, dtype=torch.float64))
    assert not fused.serve(torch.zeros(2, device="meta"))
