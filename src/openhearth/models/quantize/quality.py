"""How near a model's predictions are to those that are meant, on the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from openhearth.models.model import Model
from openhearth.models.ragged import Piece, Ragged
from openhearth.progress import Progress, silent

ROWS = 128  # whose probabilities are in memory at once


@dataclass(frozen=True)
class Quality:
    """The mean KL in nats of the next token's distribution from the one that is meant, and
    perplexity.
    """

    kl: float
    perplexity: float


def kl(meant: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """Logarithms of probabilities [tokens, words], twice -> nats [tokens]."""
    return (meant.exp() * (meant - found)).sum(-1)


def surprise(found: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """Logarithms of probabilities [tokens, words] -> nats of what came [tokens]."""
    return -found[torch.arange(len(tokens)), list(tokens)]


class Predictions:
    """What a model expects after each token of some texts. Of the model only the head stays, so
    that another has room.
    """

    @torch.inference_mode()
    def __init__(
        self, model: Model, texts: Sequence[Sequence[int]], progress: Progress = silent
    ) -> None:
        self._model, self._hidden = model, []
        for text in texts:
            self._hidden.append(model(torch.tensor(text), Ragged([Piece(len(text))])))
            progress("measure", len(self._hidden), len(texts), "")
        model.blocks = torch.nn.ModuleList()

    @torch.inference_mode()
    def logs(self, text: int, rows: slice) -> torch.Tensor:
        """Logarithms of probabilities after these tokens of a text, by its number [rows, words]."""
        return self._model.logits(self._hidden[text][rows]).double().log_softmax(-1)


@torch.inference_mode()
def compare(
    meant: Predictions, found: Predictions, texts: Sequence[Sequence[int]]
) -> tuple[Quality, Quality]:
    """The quality of what is meant itself, and of what was found."""
    kls, before, after = [], [], []
    for number, text in enumerate(texts):
        for start in range(0, len(text), ROWS):
            rows, following = slice(start, start + ROWS), text[start + 1 : start + ROWS + 1]
            wanted, got = meant.logs(number, rows), found.logs(number, rows)
            kls.append(kl(wanted, got))
            before.append(surprise(wanted, following))
            after.append(surprise(got, following))
    lost = float(torch.cat(kls).mean())
    return Quality(0.0, _perplexity(before)), Quality(lost, _perplexity(after))


def _perplexity(nats: Sequence[torch.Tensor]) -> float:
    return float(torch.cat(list(nats)).mean().exp())
