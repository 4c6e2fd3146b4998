"""A step that takes personal data out, as Dolma does (Soldaini et al. 2024, arXiv:2402.00159)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from openhearth.data.corpus import account
from openhearth.data.funnel import count_removed
from openhearth.data.pii import Match, find_pii, mask_pii
from openhearth.data.signals import compute
from openhearth.data.sources.jsonl import is_conversation
from openhearth.data.tally import Tally

NAME = "personal data"  # in the funnel


@dataclass(frozen=True)
class Mask:
    """Drop documents with more than `most` finds, mask those of the others.

    A find is an e-mail address, a telephone number or an IPv4 address, see `data.pii`; in its place
    stands its kind, such as `|||EMAIL_ADDRESS|||`. With `spans`, a document's metadata says in
    `pii` what was where: [begin, end, kind] of each, in characters of the text as it was.
    """

    most: int = 5
    spans: bool = False

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.RecordBatch:
        tally.count("seen", batch.num_rows)
        counts = compute(batch.column("text"), ("oh_pii_count",)).column("oh_pii_count").to_numpy()
        many = counts > self.most
        count_removed(tally, NAME, batch.filter(pa.array(many)), counts[many])
        kept = batch.filter(pa.array(~many))
        return account(self._masked(kept, np.flatnonzero(counts[~many]), tally), tally)

    def _masked(self, batch: pa.RecordBatch, rows: np.ndarray, tally: Tally) -> pa.RecordBatch:
        if not len(rows):
            return batch
        texts = batch.column("text").to_pylist()
        metadata = batch.column("metadata").to_pylist()
        for i in rows.tolist():
            found = find_pii(texts[i])
            for kind, count in Counter(match.kind for match in found).items():
                tally.count(f"masked:{kind}", count)
            metadata[i] = _masked_metadata(metadata[i], found if self.spans else [])
            texts[i] = mask_pii(texts[i], found)
        tally.count("documents masked", len(rows))
        return _replaced(_replaced(batch, "text", texts), "metadata", metadata)


def _masked_metadata(metadata: str | None, found: list[Match]) -> str:
    """With the places of what was found, and with a conversation's turns masked like the text."""
    fields = orjson.loads(metadata or "{}")
    turns = fields.get("messages")
    for turn in turns if is_conversation(turns) else ():
        turn["content"] = mask_pii(turn["content"])
    if found:
        fields["pii"] = [[match.begin, match.end, match.kind] for match in found]
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()


def _replaced(batch: pa.RecordBatch, name: str, values: list[str | None]) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    return batch.set_column(at, batch.schema.field(at), pa.array(values, pa.string()))
