"""Signatures as RedPajama-V2 publishes them: `*.minhash.parquet`, a row for each document.

The columns are `shard_id`, `id`, `id_int` and, for each similarity that there are bands for,
`signature_simS`: the bytes of each band, null for documents of fewer words than a run has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from openhearth.data.dedup.minhash import signatures
from openhearth.data.dedup.presets import BANDS, Preset, preset_of
from openhearth.data.forms import Output, Parquet, compression_of
from openhearth.data.hashes import id_int
from openhearth.data.pipeline import Report
from openhearth.data.schema import Corpus
from openhearth.data.tally import Tally
from openhearth.data.write import write
from openhearth.errors import UsageError
from openhearth.progress import Progress, silent


@dataclass(frozen=True)
class Signatures:
    """A step that gives documents' signatures, in as many columns as there are settings of bands;
    these differ in nothing else.
    """

    columns: Mapping[str, Preset]

    @property
    def schema(self) -> pa.Schema:
        """Of its tables."""
        fields = [("shard_id", pa.string()), ("id", pa.string()), ("id_int", pa.uint64())]
        return pa.schema([*fields, *((name, pa.list_(pa.binary())) for name in self.columns)])

    def __call__(self, batch: pa.RecordBatch, tally: Tally) -> pa.Table:
        tally.count("documents", batch.num_rows)
        found, valid = signatures(batch.column("text"), next(iter(self.columns.values())))
        identities = batch.column("id").to_pylist()
        columns: dict[str, Any] = {
            "shard_id": [identity.rpartition("/")[0] for identity in identities],
            "id": batch.column("id"),
            "id_int": pa.array([id_int(identity) for identity in identities], pa.uint64()),
        }
        for name, preset in self.columns.items():
            columns[name] = _bands(found, valid, preset)
        return pa.table(columns, schema=self.schema)


def columns_of(name: str) -> dict[str, Preset]:
    """The columns for a preset: RedPajama-V2's four of `rpv2`, else one.

    Raises:
        UsageError: there is no preset of that name.
    """
    preset = preset_of(name)
    if name != "rpv2":
        similarity = next((s for s, b in BANDS.items() if b == (preset.bands, preset.rows)), None)
        return {f"signature_sim{similarity}" if similarity else "signature": preset}
    return {
        f"signature_sim{similarity}": replace(preset, bands=bands, rows=rows)
        for similarity, (bands, rows) in sorted(BANDS.items(), reverse=True)
    }


def minhash_corpus(
    corpus: Corpus,
    preset: str,
    output: Output,
    executor: Any = None,
    *,
    limit: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Write the signatures of a corpus to a Parquet file, or a folder of them.

    Raises:
        UsageError: there is no such preset, the file is to be none of Parquet, or a folder is
            wanted where something lies already.
        HearthError: more than `limit` records were set aside.
    """
    step = Signatures(columns_of(preset))
    if compression_of(output.path) is not None:
        raise UsageError(f"Signatures are written as Parquet: name {output.path} .parquet.")
    output = replace(output, form=Parquet(step.schema))
    return write(
        corpus,
        step,
        output,
        {"minhash": preset},
        executor,
        limit=limit,
        progress=progress,
        stage="minhash",
    )


def _bands(found: np.ndarray, valid: np.ndarray, preset: Preset) -> pa.ListArray:
    """The bytes of each band of each signature; null where there is none."""
    used = found[valid, : preset.bands * preset.rows].astype(">u4").tobytes()
    count = int(np.count_nonzero(valid)) * preset.bands
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(4 * preset.rows)
    bands = pa.Array.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(used)]
    )
    ends = np.cumsum(valid, dtype=np.int32) * np.int32(preset.bands)
    places = pa.array(np.concatenate([[np.int32(0)], ends]), pa.int32())
    return pa.ListArray.from_arrays(places, bands, mask=pa.array(~valid))
