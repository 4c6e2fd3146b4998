"""A fine-tuning file as tokens of one model: shards of the form that `conversations` reads.

What cannot be learnt from is left out and counted: empty answers, and examples whose answers lie
beyond `max_tokens`. Longer ones are cut there and counted too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from openhearth.data.tokenizer import Tokenizer
from openhearth.data.tokens.formats import read_rows
from openhearth.data.tokens.spans import Encoded, encode_row
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store, file_digest

TOLD = 5  # line numbers of what was left out


@dataclass(frozen=True)
class Example:
    """A line that can be learnt from: its number, format and sequences."""

    line: int
    format: str
    sequences: list[Encoded]


@dataclass
class Reading:
    """Goes through a file, and counts what it cuts and leaves out."""

    path: Path
    tokenizer: Tokenizer
    max_tokens: int
    inputs: bool | str = "auto"

    def __post_init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, int]] = Counter()  # of examples: format, sequences
        self.lines: dict[str, list[int]] = {}

    def __iter__(self) -> Iterator[Example]:
        """The examples, in their order."""
        for line, name, row in read_rows(self.path):
            sequences = encode_row(self.tokenizer, name, row, self.inputs)
            cut = [sequence.cut(self.max_tokens) for sequence in sequences]
            if any(sequence.empty for sequence in sequences):
                self._note("empty", line)
            elif not all(any(sequence.counts) for sequence in cut):
                self._note("too_long", line)
            else:
                if cut != sequences:
                    self._note("truncated", line)
                self._count(name, cut)
                yield Example(line, name, cut)

    def _count(self, name: str, sequences: list[Encoded]) -> None:
        self.kinds[name, len(sequences)] += 1
        self.counts["examples"] += 1
        self.counts["tokens"] += sum(len(sequence.ids) for sequence in sequences)
        self.counts["answer_tokens"] += sum(sum(sequence.counts) for sequence in sequences)

    def _note(self, what: str, line: int) -> None:
        self.counts[what] += 1
        self.lines.setdefault(what, [])
        if len(self.lines[what]) < TOLD:
            self.lines[what].append(line)

    def report(self) -> dict[str, Any]:
        """Once it was gone through: its format, how many examples and tokens there were, and which
        lines were cut or left out, the first of them.

        Raises:
            UsageError: nothing is left to learn from, or some lines have a negative and others
                none.
        """
        _refuse(self)
        form, together = next(iter(self.kinds))
        names = ("examples", "truncated", "too_long", "empty", "tokens", "answer_tokens")
        counts = {name: self.counts[name] for name in names}
        return counts | {"lines": self.lines, "format": form, "sequences": together}


def tokenize_file(
    store: Store,
    path: Path,
    model: Artifact,
    *,
    heldout: Path | None = None,
    max_tokens: int = 512,
    inputs: bool | str = "auto",
    progress: Progress = silent,
) -> Artifact:
    """A JSONL file, and one to measure on, in the model's tokens; `TokenShards` reads them.

    The sequences of an example follow each other; `metrics` has the format, how many there are of
    each example, and what was cut or left out.

    Raises:
        NotFound: there is no such file.
        UsageError: a line is wrong, or nothing is left to learn from.
    """
    paths = {"train": path} | ({"heldout": heldout} if heldout else {})
    digests = {split: file_digest(file) for split, file in paths.items() if file.is_file()}

    def build(draft: Draft) -> None:
        tokenizer = Tokenizer.load(model)
        for split in ("train", "heldout"):
            reading = (
                Reading(paths[split], tokenizer, max_tokens, inputs) if split in paths else None
            )
            _write(draft, split, reading, progress)

    return store.make(
        "dataset",
        build,
        inputs={"tokenizer": model.digest},
        recipe={"files": digests, "max_tokens": max_tokens, "train_on_inputs": inputs},
    )


def measure_file(
    path: Path, tokenizer: Tokenizer, *, max_tokens: int = 512, inputs: bool | str = "auto"
) -> dict[str, Any]:
    """What `tokenize_file` says of a file in its metrics. Nothing is kept, and no more than a line
    is in memory.

    Raises:
        NotFound, UsageError: as `tokenize_file`.
    """
    reading = Reading(path, tokenizer, max_tokens, inputs)
    for _ in reading:
        pass
    return reading.report()


def _write(draft: Draft, split: str, reading: Reading | None, progress: Progress) -> None:
    tokens: list[np.ndarray] = [np.empty(0, "<u4")]
    counts: list[np.ndarray] = [np.empty(0, np.uint8)]
    sources: list[dict[str, str]] = []
    for example in reading or ():
        progress("tokenize", len(sources), None, f"{split}, line {example.line}")
        for sequence in example.sequences:
            tokens.append(np.array(sequence.ids, "<u4"))
            counts.append(np.array(sequence.counts, np.uint8))
            sources.append({"source": f"line {example.line}"})
    if reading is not None:
        draft.metrics[split] = reading.report()
    np.concatenate(tokens).tofile(draft.path(f"{split}/tokens.bin"))
    np.concatenate(counts).tofile(draft.path(f"{split}/loss.bin"))
    lengths = [len(t) for t in tokens[1:]]
    np.save(draft.path(f"{split}/offsets.npy"), np.cumsum([0, *lengths], dtype=np.int64))
    draft.path(f"{split}/examples.json").write_bytes(orjson.dumps(sources))


def _refuse(reading: Reading) -> None:
    """Raises:
    UsageError: nothing is left to learn from, or some lines have a negative and others none.
    """
    if not reading.kinds:
        raise UsageError(
            f"{reading.path.name} has nothing to learn from: of its examples "
            f"{reading.counts['empty']} have empty answers, and the answers of "
            f"{reading.counts['too_long']} begin after {reading.max_tokens} tokens."
        )
    if len(reading.kinds) > 1:
        raise UsageError(
            f"Some lines of {reading.path.name} have a `negative` and others none: give it to all "
            "of them, or to none."
        )
