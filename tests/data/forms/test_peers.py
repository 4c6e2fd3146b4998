"""The peers' own code loads what we write, and we load what it writes.

datatrove is installed beside us. The Dolma toolkit needs older packages than ours, so `make` gives
it an environment of its own, see `tests/peers.txt`.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from openhearth.data import read
from openhearth.data.executors import Threads
from openhearth.data.forms import open_output
from openhearth.data.publish import compute_signals
from openhearth.data.signals import SignalRecipe
from openhearth.data.write import write

DOLMA = Path(sys.prefix) / "peers" / "bin" / "dolma"
TEXTS = [
    "A first text, with two lines.\nAnd Unicode: naïve café \u2026 \U0001f600",
    "short",
    "",
    "The same words again and again. " * 30,
]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    with path.open("w") as file:
        for i, text in enumerate(TEXTS):
            record = {"id": f"d{i}", "text": text, "source": "ours", "license": "MIT", "n": i}
            file.write(json.dumps(record) + "\n")
    return path


def convert(source: Path, target: Path, form: str | None) -> None:
    corpus = read(str(source))
    write(corpus, lambda batch, tally: batch, open_output(target, form), {}, Threads(1))


def rows(path: Path) -> list[dict]:
    corpus = read(str(path))
    found = [row for batch in corpus.batches() for row in batch.to_pylist()]
    assert corpus.quarantine.total == 0
    return found


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_datatrove_reads_our_lines(documents: Path, tmp_path: Path, name: str) -> None:
    from datatrove.pipeline.readers import JsonlReader

    folder = tmp_path / "datatrove"
    folder.mkdir()
    convert(documents, folder / name, "datatrove")
    # It leaves out documents without text.
    found = list(JsonlReader(str(folder), compression="infer").run())
    assert [d.text for d in found] == [text for text in TEXTS if text]
    assert [d.id for d in found] == ["d0", "d1", "d3"]
    assert found[1].metadata["license"] == "MIT"
    assert found[1].metadata["n"] == 1


def test_datatrove_reads_our_parquet(documents: Path, tmp_path: Path) -> None:
    from datatrove.pipeline.readers import ParquetReader

    folder = tmp_path / "parquet"
    folder.mkdir()
    convert(documents, folder / "a.parquet", None)
    found = list(ParquetReader(str(folder)).run())
    assert [d.text for d in found] == [text for text in TEXTS if text]
    assert found[0].metadata["license"] == "MIT"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_we_read_what_datatrove_writes_and_give_it_back(kind: str, tmp_path: Path) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter, ParquetWriter

    theirs = tmp_path / "theirs"
    written = [
        Document(text=text, id=f"d{i}", metadata={"url": f"http://x/{i}", "n": i, "language": "en"})
        for i, text in enumerate(filter(None, TEXTS))  # it writes no text that is empty
    ]
    writer = (JsonlWriter if kind == "jsonl" else ParquetWriter)(str(theirs))
    with writer:
        for document in written:
            writer.write(document)
    found = rows(theirs)
    assert [row["text"] for row in found] == [d.text for d in written]
    assert [row["id"] for row in found] == [d.id for d in written]
    assert found[1]["url"] == "http://x/1"
    assert found[1]["lang"] == "en"
    back = tmp_path / "back"
    back.mkdir()
    convert(theirs, back / "00000.jsonl.gz", "datatrove")
    again = list(JsonlReader(str(back)).run())
    assert [d.text for d in again] == [d.text for d in written]
    for one, other in zip(again, written, strict=True):
        assert {k: one.metadata[k] for k in other.metadata} == other.metadata


def mix(folder: Path, stream: dict) -> list[dict]:
    """Run the toolkit's own mixer, which reads documents and attributes in Rust."""
    config = folder / "mix.yaml"
    output = {"path": str(folder / "mixed"), "max_size_in_bytes": 10**8}
    config.write_text(yaml.safe_dump({"streams": [stream | {"output": output}], "processes": 1}))
    done = subprocess.run(
        [str(DOLMA), "-c", str(config), "mix"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = b"".join(gzip.decompress(p.read_bytes()) for p in (folder / "mixed").glob("*.gz"))
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.skipif(not DOLMA.exists(), reason="`make test` installs the Dolma toolkit")
@pytest.mark.system
def test_dolmas_mixer_reads_our_documents_and_attributes(documents: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dolma"
    for part in ("documents", "attributes/hearth"):
        (folder / part).mkdir(parents=True)
    convert(documents, folder / "documents" / "a.jsonl.gz", "dolma")
    compute_signals(
        read(str(folder / "documents")),
        ["rps_doc_word_count", "rps_lines_num_words"],
        SignalRecipe(),
        folder / "attributes" / "hearth" / "a.jsonl.gz",
        "dolma",
    )
    words = "hearth__hearth__rps_doc_word_count"
    found = mix(
        folder,
        {
            "name": "ours",
            "documents": [str(folder / "documents" / "*.gz")],
            "attributes": ["hearth"],
            "filter": {
                "include": [f"$.attributes[?(@.{words} && @.{words}[0] && @.{words}[0][2] >= 8)]"],
                "exclude": [],
            },
        },
    )
    assert [document["id"] for document in found] == ["d0", "d3"]
    assert [document["text"] for document in found] == [TEXTS[0], TEXTS[3]]
    assert found[0]["metadata"]["license"] == "MIT"


@pytest.mark.skipif(not DOLMA.exists(), reason="`make test` installs the Dolma toolkit")
@pytest.mark.system
def test_we_read_what_dolmas_mixer_writes(documents: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dolma"
    (folder / "documents").mkdir(parents=True)
    convert(documents, folder / "documents" / "a.jsonl.gz", "dolma")
    everything = {"include": [], "exclude": ["$.attributes[?(@.no_such_attribute)]"]}
    theirs = [str(folder / "documents" / "*.gz")]
    written = mix(
        folder, {"name": "ours", "documents": theirs, "attributes": [], "filter": everything}
    )
    found = rows(folder / "mixed")
    assert [row["id"] for row in found] == [document["id"] for document in written]
    assert [row["text"] for row in found] == TEXTS
    assert {row["license"] for row in found} == {"MIT"}
    assert {row["source"] for row in found} == {"ours"}
