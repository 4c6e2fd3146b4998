"""What is kept: rules in their order, then duplicates; every step says what it removed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data import dedup
from openhearth.data.corpus import answer
from openhearth.data.rules import Rule, keep_lines
from openhearth.errors import UsageError

EXAMPLES = 2
EXAMPLE_CHARACTERS = 200
FEWEST_SOURCES = 2


@dataclass
class Step:
    """One row of the funnel: what a step saw, removed, and two examples of what it removed."""

    name: str
    documents: int
    removed: int
    characters: int
    examples: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return self.__dict__ | {"kept": self.documents - self.removed}


def apply_rules(
    documents: pa.Table,
    overlay: pa.Table,
    rules: list[Rule],
    similarity: float | None,
    shingle: int,
) -> tuple[pa.Table, list[Step]]:
    """What every rule and both kinds of de-duplication leave, and what each removed."""
    kept = np.arange(documents.num_rows)
    funnel: list[Step] = []

    def step(name: str, keep: np.ndarray, values: np.ndarray | None = None) -> None:
        nonlocal kept
        gone = kept[~keep]
        shown = documents.take(gone[:EXAMPLES]).to_pylist()
        examples = [_example(row) for row in shown]
        if values is not None:
            for example, value in zip(examples, values[~keep], strict=False):
                example["value"] = round(float(value), 4)
        texts = documents.column("text").take(pa.array(gone))
        characters = sum(len(text.as_py()) for text in texts)
        funnel.append(Step(name, len(keep), len(gone), characters, examples))
        kept = kept[keep]

    step("conversation", _is_conversation(documents))
    by_line = [rule for rule in rules if rule.on == "line"]
    if by_line:
        documents, emptied = _drop_lines(documents, overlay, by_line)
        step("lines", ~emptied[kept])
    for rule in rules:
        if rule.on == "document":
            values = rule.values(overlay)[kept]
            step(rule.name, rule.passes(values), values)
    texts = documents.column("text").take(pa.array(kept)).to_pylist()
    step("exact duplicates", ~dedup.exact_duplicates(texts))
    if similarity is not None:
        texts = documents.column("text").take(pa.array(kept)).to_pylist()
        first = dedup.near_duplicates(texts, similarity, shingle)
        step("near duplicates", first == np.arange(len(texts)))
    return documents.take(pa.array(kept)), funnel


def _is_conversation(documents: pa.Table) -> np.ndarray:
    return np.array([answer(m) is not None for m in documents.column("metadata").to_pylist()], bool)


def _drop_lines(
    documents: pa.Table, overlay: pa.Table, rules: list[Rule]
) -> tuple[pa.Table, np.ndarray]:
    """The documents without the lines that the rules drop, and which of them are empty now."""
    masks = [
        [rule.passes(np.array(values or [], dtype=float)).tolist() for values in column]
        for rule in rules
        for column in [overlay.column(rule.signal).to_pylist()]
    ]
    texts = [
        keep_lines(text, [mask[i] for mask in masks])
        for i, text in enumerate(documents.column("text").to_pylist())
    ]
    at = documents.schema.get_field_index("text")
    table = documents.set_column(at, "text", pa.array(texts, pa.string()))
    return table, np.array([not text.strip() for text in texts], bool)


def _example(row: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(row["text"].split())
    short = text[:EXAMPLE_CHARACTERS] + ("…" if len(text) > EXAMPLE_CHARACTERS else "")
    return {"id": row["id"], "text": short}


def hold_out(kept: pa.Table, share: float, seed: int) -> tuple[pa.Table, pa.Table]:
    """Training and held-out documents. A source is on one side only, chosen by its name's hash.

    Raises:
        UsageError: there are too few documents or sources for both.
    """
    sources = sorted(set(kept.column("source").to_pylist()), key=lambda s: _hash(s, seed))
    if len(sources) < 2 * FEWEST_SOURCES:
        raise UsageError(
            f"{kept.num_rows} documents of {len(sources)} sources are left after the rules, but "
            f"{2 * FEWEST_SOURCES} sources are needed to train on some and measure on others: "
            "give more text, or switch rules off."
        )
    count = max(FEWEST_SOURCES, round(share * len(sources)))
    apart = set(sources[: min(count, len(sources) - FEWEST_SOURCES)])
    mask = pa.array([source in apart for source in kept.column("source").to_pylist()])
    inverse = pa.array([not value for value in mask.to_pylist()])
    return kept.filter(inverse), kept.filter(mask)


def _hash(source: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{source}".encode()).digest()
