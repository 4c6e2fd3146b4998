"""Writes `rpv2.signals.jsonl` and `rpv2.minhash.json`: what RedPajama's own code says of
`documents.jsonl`. See `README.md`.

Its stop words, bad words and domains are replaced with those of `lists.json`, its counts of
features with `counts` below, and its hash of features, which is Python's and different in each
process, with the one that `openhearth.data.signals.compute.feature_buckets` uses.

Usage: PYTHONPATH=RedPajama-Data/app/src python rpv2.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HERE = Path(__file__).parent
SNAPSHOT = "2023-06"
SOURCE = "2023-06/0000/en_head.json.gz"
BUCKETS = 1000
LAMBDAS = {"ccnet": 220.0, "wikipedia": 300.0, "openwebtext": 180.0, "books": 700.0}


def counts(domain: str) -> np.ndarray:
    """Counts of features as if a domain had been counted: int64 [buckets], some of them 0."""
    seed = sorted(LAMBDAS).index(domain)
    return np.random.RandomState(seed).poisson(3.0, BUCKETS).astype(np.int64)


def main() -> None:
    """Runs every signal and the signatures of each document."""
    import msgspec
    import xxhash
    from core.data_types import InputSpec
    from core.quality_signals import (
        classifiers,
        content,
        importance_weights,
        lines,
        natural_language,
        repetitions,
    )
    from core.quality_signals.utils import dsir
    from core.worker import Worker
    from dedupe.minhash import MinHash

    def compute_hash(ngram: str | tuple[str, str], buckets: int) -> int:
        if isinstance(ngram, str):
            return xxhash.xxh64_intdigest(ngram.encode()) % buckets
        parts = (xxhash.xxh64_intdigest(word.encode()).to_bytes(8, "little") for word in ngram)
        return xxhash.xxh64_intdigest(b"".join(parts)) % buckets

    lists = json.loads((HERE / "lists.json").read_text())
    dsir.compute_hash = compute_hash
    content.get_stop_words = lambda language: frozenset(lists["stop_words"].get(language, ()))
    minhash = MinHash([1.0, 0.9, 0.8, 0.7], ngram_size=13, num_permutations=128, seed=42)

    def signals_of(language: str, folder: Path) -> list:
        files = {}
        for domain, rate in LAMBDAS.items():
            files[domain] = [folder / f"{domain}.{language}.npy", folder / f"{domain}.lambda.npy"]
            np.save(files[domain][0], counts(domain))
            np.save(files[domain][1], np.float64(rate))
        words = lists["bad_words"].get(language, ())
        (folder / f"{language}.txt").write_text("".join(word + "\n" for word in words))
        (folder / "domain_to_category_id.json").write_text(json.dumps(lists["domains"]))
        return [
            *content.register_content_callables(language, folder, folder),
            *repetitions.register_repetitions_callables(),
            *natural_language.register_natural_language_callables(),
            *lines.register_lines_callables(),
            *classifiers.register_classifier_callables(None, None, None),
            *importance_weights.register_importance_weights_callables(
                files["ccnet"], files["wikipedia"], files["openwebtext"], files["books"], language
            ),
        ]

    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(InputSpec)
    records, signatures = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for number, line in enumerate((HERE / "documents.jsonl").read_bytes().splitlines()):
            record = decoder.decode(line)
            worker = SimpleNamespace(
                _dsir_buckets=BUCKETS,
                _minhash=minhash,
                _quality_signals=signals_of(record.language, Path(folder)),
            )
            process = Worker._Worker__process_record
            data, bands, name, _ = process(worker, number, record, SOURCE, SNAPSHOT)
            records.append(encoder.encode(data))
            signatures[name] = {
                key: value and [b.hex() for b in value] for key, value in bands.items()
            }
    (HERE / "rpv2.signals.jsonl").write_bytes(b"".join(record + b"\n" for record in records))
    rows = (f"{json.dumps(name)}: {json.dumps(row)}" for name, row in signatures.items())
    (HERE / "rpv2.minhash.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
