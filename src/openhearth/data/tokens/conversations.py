"""A dataset as tokens of one model: conversations with a mask of what is to be learnt.

For each split: `tokens.bin` (uint32), `loss.bin` (one byte a token, 1 where it counts),
`offsets.npy` (where each example begins) and `examples.json` (sources and messages).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import orjson

from openhearth.data.shards import read_split
from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store

SPLITS = ("train", "heldout")


def tokenize(
    store: Store,
    dataset: Artifact,
    model: Artifact,
    *,
    max_tokens: int = 512,
    progress: Progress = silent,
) -> Artifact:
    """The dataset in the model's tokens. Examples longer than `max_tokens` are left out, counted.

    Raises:
        UsageError: `dataset` is no curated dataset, or the model has no chat template.
    """
    if dataset.kind != "dataset" or "funnel.json" not in dataset.manifest.files:
        raise UsageError(f"{dataset.digest[:12]} is not a curated dataset: make one first.")

    def build(draft: Draft) -> None:
        tokenizer = Tokenizer.load(model)
        for split in SPLITS:
            rows = read_split(dataset, split, ["source", "metadata"])
            _write_split(draft, split, rows.to_pylist(), tokenizer, max_tokens, progress)
        draft.license += dataset.manifest.license
        draft.creator += dataset.manifest.creator

    inputs = {"dataset": dataset.digest, "tokenizer": model.digest}
    return store.make("dataset", build, inputs=inputs, recipe={"max_tokens": max_tokens})


def _write_split(
    draft: Draft,
    split: str,
    rows: list[dict[str, Any]],
    tokenizer: Tokenizer,
    max_tokens: int,
    progress: Progress,
) -> None:
    tokens, losses, lengths, examples = [], [], [], []
    for i, row in enumerate(rows):
        if i % 100 == 0:
            progress("tokenize", i, len(rows), split)
        messages = json.loads(row["metadata"])["messages"]
        ids, counts = encode(tokenizer, messages)
        if len(ids) <= max_tokens:
            tokens += ids
            losses += counts
            lengths.append(len(ids))
            examples.append({"source": row["source"], "messages": messages})
    np.array(tokens, dtype="<u4").tofile(draft.path(f"{split}/tokens.bin"))
    np.array(losses, dtype=np.uint8).tofile(draft.path(f"{split}/loss.bin"))
    np.save(draft.path(f"{split}/offsets.npy"), np.cumsum([0, *lengths], dtype=np.int64))
    draft.path(f"{split}/examples.json").write_bytes(orjson.dumps(examples))
    draft.metrics[split] = {
        "examples": len(examples),
        "too_long": len(rows) - len(examples),
        "tokens": len(tokens),
        "answer_tokens": sum(losses),
    }


def encode(tokenizer: Tokenizer, messages: Sequence[dict[str, str]]) -> tuple[list[int], list[int]]:
    """A conversation's tokens, and 1 for each that counts: the last answer and the end after it."""
    prompt = tokenizer.encode(tokenizer.chat(messages[:-1], add_generation_prompt=True))
    answer = tokenizer.encode(messages[-1]["content"], add_bos=False)
    answer.append(tokenizer.end_of_turn)
    return prompt + answer, [0] * len(prompt) + [1] * len(answer)


@dataclass(frozen=True)
class TokenShards:
    """One split of a tokenised dataset, memory-mapped; `len()` is its number of examples."""

    offsets: np.ndarray
    all_tokens: np.ndarray
    all_losses: np.ndarray
    examples: list[dict[str, Any]]

    @classmethod
    def open(cls, artifact: Artifact, split: str) -> TokenShards:
        """The split `train` or `heldout`.

        Raises:
            NotFound: the artifact is not tokenised, or has no such split.
            CorruptArtifact: its files are damaged.
        """
        offsets = np.load(artifact.path(f"{split}/offsets.npy"))
        size = int(offsets[-1])

        def mapped(name: str, dtype: Any) -> np.ndarray:
            path = artifact.path(f"{split}/{name}")
            return np.memmap(path, dtype=dtype, mode="r") if size else np.empty(0, dtype)

        examples = artifact.read_json(f"{split}/examples.json")
        return cls(offsets, mapped("tokens.bin", "<u4"), mapped("loss.bin", np.uint8), examples)

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def lengths(self) -> np.ndarray:
        """int64 [n]: tokens of each example."""
        return np.diff(self.offsets)

    @cached_property
    def answer_bytes(self) -> np.ndarray:
        """int64 [n]: bytes of each answer in UTF-8."""
        sizes = [len(self.messages(i)[-1]["content"].encode()) for i in range(len(self))]
        return np.array(sizes, dtype=np.int64)

    def tokens(self, i: int) -> np.ndarray:
        """uint32 [length]: an example's tokens."""
        return self.all_tokens[self.offsets[i] : self.offsets[i + 1]]

    def loss(self, i: int) -> np.ndarray:
        """bool [length]: which of them count; the last one, the end of the answer, always does."""
        return self.all_losses[self.offsets[i] : self.offsets[i + 1]].astype(bool)

    def source(self, i: int) -> str:
        """Where an example came from, such as its package."""
        return self.examples[i]["source"]

    def messages(self, i: int) -> list[dict[str, str]]:
        """An example as a conversation, the answer last."""
        return self.examples[i]["messages"]
