"""Small models from nothing: their shapes, text for them, and a run of our loop on it.

Text is the source of the packages that are installed, the same on every machine with the same
versions, in tokens that are learnt from it. Peers read rows of it from files, in our order.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _results import seconds

from openhearth.data import CurateRecipe, Tokenizer, curate
from openhearth.data.tokens import TokenCorpus, tokenize_corpus, train_bpe
from openhearth.models import ModelConfig, choose, design
from openhearth.store import Artifact, Store
from openhearth.training import TrainRecipe
from openhearth.training.evaluation import Evaluator
from openhearth.training.initialise import initialise
from openhearth.training.items import PackedRows
from openhearth.training.loop import Job, train
from openhearth.training.order import Order, order
from openhearth.training.run import Run
from openhearth.training.study.flops import training_flops
from openhearth.training.train import budget_of
from openhearth.training.weights import Weights

HOME = Path(__file__).parents[1] / "build" / "pretraining"
THREADS, ROW, BATCH = 2, 512, 4096  # threads of each side, tokens of a row and of a step
HELDOUT = 64  # rows
TEXT = CurateRecipe(source="python:installed", rules=(), similarity=None, heldout=0.02)


@dataclass(frozen=True)
class Shape:
    """A transformer as Llama's, with a tied head."""

    width: int
    depth: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int

    @property
    def config(self) -> ModelConfig:
        """The same in our words."""
        return design(
            {
                "width": self.width,
                "heads": self.heads,
                "kv_heads": self.kv_heads,
                "hidden": self.hidden,
                "vocab_size": self.vocabulary,
                "context_length": ROW,
                "tied_head": True,
                "blocks": ["attention"] * self.depth,
            }
        )


SHAPES = {"10M": Shape(256, 10, 8, 4, 704, 8192), "30M": Shape(448, 9, 7, 7, 1216, 16384)}


class Text:
    """Rows of both splits in the tokens of a vocabulary of its own."""

    def __init__(self, vocabulary: int) -> None:
        store = Store()
        self._documents = curate(store, TEXT)
        self.tokenizer: Artifact = train_bpe(store, self._documents, vocabulary)
        self._tokens = tokenize_corpus(store, self._documents, self.tokenizer)

    def rows(self, split: str) -> PackedRows:
        """A split."""
        return PackedRows(TokenCorpus.open(self._tokens, split).rows(ROW))

    def write(self, folder: Path, steps: int) -> None:
        """What peers read: int64 `train` [rows, ROW] in our order; `heldout` likewise, and which of
        its tokens count.
        """
        rows, heldout = self.rows("train"), self.rows("heldout")
        chosen = [i for step in plan(rows, steps) for i in step]
        full = [rows.rows.tokens(i) for i in chosen if rows.lengths[i] == ROW]  # all but the last
        np.save(folder / "train.npy", np.stack(full))
        few = range(HELDOUT)
        np.save(folder / "heldout.npy", np.stack([heldout.rows.tokens(i) for i in few]))
        counts = [np.concatenate([c for _, c in heldout.pieces(i)]) for i in few]
        np.save(folder / "counts.npy", np.stack(counts))


def recipe(steps: int, **more: Any) -> TrainRecipe:
    """Of a run of so many steps; the model and the data are given beside it."""
    said = {
        "model": "-",
        "data": "-",
        "adapter": None,
        "objective": {"name": "next_token"},
        "epochs": 1000,
        "tokens": steps * BATCH,
        "batch_tokens": BATCH,
        "checkpoint_steps": 1 << 20,
        "evaluation": {"every": 1 << 20, "items": HELDOUT},
    }
    return TrainRecipe.parse(said | more)


def plan(rows: PackedRows, steps: int) -> Order:
    """The rows of each of so many steps."""
    return order(rows, budget_of(recipe(steps)))


def run(config: ModelConfig, text: Text, steps: int, *, looks: bool = False, **more: Any) -> Run:
    """Train a new model. If it `looks`, it measures the held-out loss at the end."""
    said = recipe(steps, **more)
    rows, heldout = text.rows("train"), text.rows("heldout") if looks else None
    model = initialise(config, said.seed)
    weights = Weights.of_model(model, choose(said.dtype))
    words = Tokenizer.load(text.tokenizer)
    evaluator = Evaluator(said.evaluation, said.objective, heldout, words, None, BATCH)
    job = Job(said, model, None, weights, rows, plan(rows, steps), evaluator)
    with tempfile.TemporaryDirectory() as work:
        return train(job, Path(work))


def flops_per_token(config: ModelConfig, text: Text, steps: int) -> float:
    """Of a run: six for each weight, and attention inside each document, half of it masked."""
    rows = text.rows("train")
    chosen = [i for step in plan(rows, steps) for i in step]
    lengths = np.concatenate([np.diff(rows.rows.boundaries(i)) for i in chosen])
    return training_flops(config, round((lengths**2).sum() / lengths.sum()))


def product_flops(dtype: torch.dtype) -> float:
    """The most that torch's products of this type reach here, per second."""
    best = 0.0
    for size in (1024, 2048, 4096):
        x = torch.ones(size, size, dtype=dtype)
        best = max(best, *(2 * size**3 / seconds(lambda x=x: x @ x) for _ in range(4)))
    return best


def begin() -> None:
    """What every process does first: as many threads as each side has, the store of the text."""
    os.environ["OPENHEARTH_HOME"] = str(HOME)
    torch.set_num_threads(THREADS)
