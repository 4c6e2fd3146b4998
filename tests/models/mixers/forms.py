"""What every mixer must hold: its forms compute the same, and its state is as large as it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from openhearth.models import Piece, Ragged
from openhearth.models.mixer_config import Mixer
from openhearth.models.mixers.recurrent import RecurrentMixer, Slots
from openhearth.models.mixers.registry import MIXERS

WIDTH = 24
LENGTHS = (1, 37, 64, 5)


def random_mixer(config: Mixer, width: int = WIDTH, seed: int = 0) -> torch.nn.Module:
    """A layer with random weights of a size that keeps its outputs near one; long filters are as
    training begins with them."""
    generator = torch.Generator().manual_seed(seed)
    mixer = MIXERS[config.name](config, width, 1e-5)
    for parameter in mixer.parameters():
        scale = 1 / math.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.5
        parameter.data.normal_(0, scale, generator=generator)
    if hasattr(mixer, "init_filter"):
        mixer.init_filter(generator)
    return mixer.eval()


@torch.inference_mode()
def check_forms(mixer: torch.nn.Module, config: Mixer, *, tolerance: float = 1e-5) -> None:
    """Whole texts side by side, each alone, in chunks, and token by token: all the same."""
    assert isinstance(mixer, RecurrentMixer)
    x = torch.randn(sum(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(1))
    whole = mixer(x, Ragged([Piece(n) for n in LENGTHS]), None)
    texts = list(zip(x.split(LENGTHS), whole.split(LENGTHS), strict=True))
    for text, expected in texts:
        assert_near(mixer(text, Ragged([Piece(len(text))]), None), expected, tolerance)
        assert_near(in_chunks(mixer, text, 16), expected, tolerance)
    assert_near(side_by_side(mixer, [text for text, _ in texts]), whole, tolerance)
    slots = mixer.new_state(0, 1, 3, torch.float32)
    assert {n: tuple(t.shape[1:]) for n, t in slots.kept.items()} == config.state_shapes(WIDTH)
    assert all(kept.dtype == torch.float32 for kept in slots.kept.values())


def check_gradients(mixer: torch.nn.Module, *, tolerance: float = 1e-4) -> None:
    """Of a whole text, in its input and in all weights that train, as in chunks and in steps."""
    assert isinstance(mixer, RecurrentMixer)
    generator = torch.Generator().manual_seed(3)
    x, toward = torch.randn(2, 21, WIDTH, generator=generator)

    def gradients(size: int) -> list[torch.Tensor]:
        text = x.clone().requires_grad_()
        slots, outs = mixer.new_state(0, 1, 1, torch.float32), []
        for start in range(0, 21, size):
            part = text[start : start + size]
            outs.append(mixer(part, Ragged([Piece(len(part), start, (), slot=0)]), slots))
        trained = [text, *(p for p in mixer.parameters() if p.requires_grad)]
        return list(torch.autograd.grad((torch.cat(outs) * toward).sum(), trained))

    stepped = gradients(1)
    for size in (8, 21):
        for got, expected in zip(gradients(size), stepped, strict=True):
            assert_near(got, expected, tolerance * float(expected.abs().max().clamp(min=1)))


def in_chunks(mixer: RecurrentMixer, text: torch.Tensor, size: int) -> torch.Tensor:
    """A text in pieces, the first of them where another text was before."""
    slots = dirty(mixer)
    outs = []
    for start in range(0, len(text), size):
        piece = text[start : start + size]
        outs.append(mixer(piece, Ragged([Piece(len(piece), start, (), slot=1)]), slots))
    return torch.cat(outs)


def side_by_side(mixer: RecurrentMixer, texts: list[torch.Tensor]) -> torch.Tensor:
    """Texts that grow together, each a token a step; the second is ahead by a chunk at first."""
    slots = dirty(mixer, len(texts))
    done = [0] * len(texts)
    outs: list[list[torch.Tensor]] = [[] for _ in texts]
    while any(d < len(t) for d, t in zip(done, texts, strict=True)):
        pieces, rows, at = [], [], []
        for i, text in enumerate(texts):
            if done[i] == len(text):
                continue
            length = 9 if i == 1 and done[i] == 0 else 1
            pieces.append(Piece(length, done[i], (), slot=i))
            rows.append(text[done[i] : done[i] + length])
            at.append(i)
            done[i] += length
        out = mixer(torch.cat(rows), Ragged(pieces), slots)
        for i, part in zip(at, out.split([p.length for p in pieces]), strict=True):
            outs[i].append(part)
    return torch.cat([part for parts in outs for part in parts])


def dirty(mixer: RecurrentMixer, slots: int = 2) -> Slots:
    """States that others left."""
    made = mixer.new_state(0, 1, slots, torch.float32)
    for kept in made.kept.values():
        kept.fill_(float("nan"))
    return made


def assert_near(got: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(got, expected, atol=tolerance, rtol=tolerance)


def check_same_gradients(
    fast: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    slow: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    inputs: Sequence[torch.Tensor],
    *,
    tolerance: float = 1e-10,
) -> None:
    """What both give, an output and a state, and all gradients of them in float64, are the same."""
    found = []
    for compute in (fast, slow):
        leaves = [x.detach().double().requires_grad_() for x in inputs]
        results = compute(*leaves)
        generator = torch.Generator().manual_seed(2)
        weights = [torch.randn(r.shape, generator=generator).double() for r in results]
        total = sum((w * r).sum() for w, r in zip(weights, results, strict=True))
        found.append([*results, *torch.autograd.grad(total, leaves)])
    for got, expected in zip(*found, strict=True):
        assert_near(got, expected, tolerance)


@torch.inference_mode()
def check_same_layer(
    ours: torch.nn.Module, theirs: torch.nn.Module, names: dict[str, str], length: int = 50
) -> None:
    """A layer of someone else's with our weights gives what ours gives. `names` are ours by what
    they call each module or weight.
    """
    weights = ours.state_dict()

    def ours_of(name: str) -> torch.Tensor:
        module, _, leaf = name.rpartition(".")
        return weights[names[name] if name in names else f"{names[module]}.{leaf}"]

    theirs.load_state_dict({name: ours_of(name) for name in theirs.state_dict()})
    x = torch.randn(length, WIDTH)
    assert_near(ours(x, Ragged([Piece(length)]), None), theirs.eval()(x[None])[0], 1e-5)
