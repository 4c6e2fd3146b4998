"""What another model says of the tokens that count, computed once and kept in the store.

A preference needs the probabilities that the model gave before training, distillation the likeliest
tokens of a teacher. Either is an artifact of its own: a run that is repeated or resumed finds it,
and no second model stays in memory while the first one trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from openhearth.models import Model, base_of, load_adapter, load_model
from openhearth.models.device import best_device, making_on
from openhearth.progress import Progress
from openhearth.store import Artifact, Draft
from openhearth.training.items import Batch, Items, collate
from openhearth.training.loss import rows_at_once, token_nats
from openhearth.training.order import micro_batches

SPEAKER = "speaker"
TOKENS = 2048  # computed together


@dataclass(frozen=True)
class Informed:
    """The first items of a source, with arrays [tokens that count, …] of what is known of them."""

    items: Items
    arrays: dict[str, np.ndarray]
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def lengths(self) -> np.ndarray:
        return self.items.lengths[: self.count]

    def counted(self, i: int) -> int:
        return self.items.counted(i)

    def pieces(self, i: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return self.items.pieces(i)

    def known(self, i: int) -> dict[str, np.ndarray]:
        """What is known of an item's tokens that count."""
        rows = slice(self._starts[i], self._starts[i + 1])
        return {name: array[rows] for name, array in self.arrays.items()}

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(self.items.counted(i) for i in range(self.count))])


def ask(
    speaker: Artifact,
    tokens: Artifact,
    items: Items,
    *,
    split: str,
    most: int,
    likeliest: int | None,
    dtype: str,
    progress: Progress,
) -> Informed:
    """What `speaker`, a model or an adapter, says of the first `most` items of a split.

    That are the `nats` of each token, or, of `likeliest` tokens in its place, the ids and
    log-probabilities, `tokens` and `log_probs`.
    """
    count = min(most, len(items))
    recipe = {
        "split": split,
        "items": [count, int(items.lengths[:count].sum())],
        "likeliest": likeliest,
        "dtype": dtype,
    }

    def build(draft: Draft) -> None:
        model = load_model(base_of(speaker), dtype, best_device())
        if speaker.kind == "adapter":
            load_adapter(model, speaker, SPEAKER)
        found: list[dict[str, np.ndarray]] = []
        for part in micro_batches(items, range(count), TOKENS):
            progress("ask", part[0], count, speaker.digest[:12])
            batch = collate(items, part, SPEAKER, model.device)
            with making_on(model.device):
                found.append(_said(model, batch, likeliest))
        for name in found[0] if found else ():
            np.save(draft.path(f"{name}.npy"), np.concatenate([part[name] for part in found]))

    inputs = {"speaker": speaker.digest, "tokens": tokens.digest}
    made = speaker.store.make("signals", build, inputs=inputs, recipe=recipe)
    arrays = {
        name.removesuffix(".npy"): np.load(made.path(name), mmap_mode="r")
        for name in made.manifest.files
    }
    return Informed(items, arrays, count)


@torch.no_grad()
def _said(model: Model, batch: Batch, likeliest: int | None) -> dict[str, np.ndarray]:
    hidden = model(batch.tokens, batch.ragged)[batch.targets - 1]
    if likeliest is None:
        nats = token_nats(hidden, model.unembedding, batch.labels)
        return {"nats": nats.cpu().numpy()}
    ids, values = [], []
    for rows in hidden.split(rows_at_once(hidden.device, model.config.vocab_size)):
        log_probs = F.log_softmax(model.logits(rows), dim=-1)
        top = log_probs.topk(min(likeliest, log_probs.shape[-1]), dim=-1)
        ids.append(top.indices.int().cpu().numpy())
        values.append(top.values.cpu().numpy())
    return {"tokens": np.concatenate(ids), "log_probs": np.concatenate(values)}
