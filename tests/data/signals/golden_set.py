"""The golden documents, and what signals need besides them; `golden/README.md` says whence."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data.signals import Lists, Resources, Weights
from openhearth.data.signals.names import IMPORTANCE
from openhearth.data.sources.formats import read_files
from tests.data.signals.golden.rpv2 import LAMBDAS, counts

GOLDEN = Path(__file__).parent / "golden"
RECORDS = GOLDEN / "rpv2.signals.jsonl"


@cache
def documents() -> pa.RecordBatch:
    """All of them, as our reader of CCNet's files gives them."""
    (batch,) = read_files(str(GOLDEN / "documents.jsonl")).batches()
    return batch


def text_of(name: str) -> str:
    """The text of one of them, by its name."""
    rows = zip(documents()["metadata"].to_pylist(), documents()["text"].to_pylist(), strict=True)
    return next(text for metadata, text in rows if json.loads(metadata)["name"] == name)


@cache
def resources() -> Resources:
    """The word lists, domains and counts that RedPajama's code was given."""
    given = json.loads((GOLDEN / "lists.json").read_text())
    lists = {
        language: Lists(
            frozenset(given["stop_words"].get(language, ())),
            frozenset(given["bad_words"].get(language, ())),
        )
        for language in (*given["stop_words"], *given["bad_words"])
    }
    shares = {name: counts(name) / counts(name).sum() for name in LAMBDAS}
    ratios = [np.log(shares[name] + 1e-8) - np.log(shares["ccnet"] + 1e-8) for name in IMPORTANCE]
    return Resources(
        lists=lists,
        domains=given["domains"],
        weights=Weights(IMPORTANCE, np.stack(ratios, axis=1)),
        lambdas={name: (LAMBDAS[name], LAMBDAS["ccnet"]) for name in IMPORTANCE},
    )


@cache
def published() -> list[dict[str, Any]]:
    """What RedPajama's code says of them."""
    return [json.loads(line) for line in RECORDS.read_bytes().splitlines()]


@cache
def dolma() -> list[dict[str, Any]]:
    """What Dolma's tagger says of them."""
    with gzip.open(GOLDEN / "dolma.attributes.jsonl.gz") as file:
        return [json.loads(line) for line in file]


@cache
def datatrove() -> dict[str, dict[str, Any]]:
    """What datatrove says of the English ones, by id."""
    return json.loads((GOLDEN / "datatrove.json").read_text())
