"""What-if: another threshold over the signals of a million documents, from the file to the answer.

The signals are real, of the packages here, repeated until there are a million.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from _results import Row, alternate, seconds, write
from _texts import PACKAGES

from openhearth.data import load_rules, read
from openhearth.data.filter import needed
from openhearth.data.signals import signal_table
from openhearth.data.what_if import change, compare, read_signals

DOCUMENTS = 1_000_000
SET, CHANGE = "gopher", "gopher-quality.words.min=100"


def main() -> None:
    before = load_rules([SET])
    after = change(before, [CHANGE])
    some = pa.concat_tables(signal_table(b, needed(before)) for b in read(PACKAGES).batches())
    many = pa.concat_tables([some] * (DOCUMENTS // some.num_rows + 1)).slice(0, DOCUMENTS)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "signals.parquet"
        pq.write_table(many, file)

        def answer() -> None:
            compare(read_signals(str(file), [*before, *after]), before, after)

        ours, _ = alternate(lambda: seconds(answer), lambda: 0.0, rounds=3)
    work = f"{len(before)} rules over {DOCUMENTS} documents"
    write("data_what_if", [Row(work, "s", ours, 1.0, "limit", goal=1.0, less_is_better=True)])


if __name__ == "__main__":
    main()
