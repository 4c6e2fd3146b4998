"""The reference encoder: torch, a ragged batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from openhearth.inference.encoder import Encoder, Text
from openhearth.models import Model, Piece, Ragged, load_model
from openhearth.models.device import best_device, making_on
from openhearth.store import Artifact


class TorchEncoder(Encoder):
    """An encoder in torch."""

    def __init__(self, model: Model) -> None:
        model.config.check_encodes()
        super().__init__(model.config)
        self._model = model

    @classmethod
    def load(
        cls, base: Artifact, *, dtype: str = "auto", threads: int | None = None
    ) -> TorchEncoder:
        """As `open_encoder` says. `threads` holds for all of torch in this process."""
        if threads is not None:
            torch.set_num_threads(threads)
        return cls(load_model(base, dtype, best_device()))

    @torch.inference_mode()
    def _step(self, texts: Sequence[Text]) -> np.ndarray:
        with making_on(self._model.device):
            tokens = torch.tensor([token for text in texts for token in text])
            batch = Ragged([Piece(len(text)) for text in texts])
            return self._model(tokens, batch).float().cpu().numpy()
