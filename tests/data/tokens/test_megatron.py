"""Megatron-LM's .bin and .idx: the bytes of the specification, and no trust in any others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.tokens import TokenCorpus, export_megatron, import_megatron
from openhearth.data.tokens.megatron import open_megatron
from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Store
from tests.data.tokens.conftest import make_tokens

# Worked out by hand from `_IndexWriter` in megatron/core/datasets/indexed_dataset.py (0.12.1),
# for two shards with the documents [5, 6, 7], [] and [8]; all numbers are little-endian.
HEADER = "4d4d494449445800 00 0100000000000000"  # magic, version
COUNTS = "0300000000000000 0400000000000000"  # sequences, entries of the table of documents
LENGTHS = "03000000 00000000 01000000"
DOCUMENTS = "0000000000000000 0100000000000000 0200000000000000 0300000000000000"
NARROW = {
    "bin": "0500 0600 0700 0800",
    "idx": f"{HEADER} 08 {COUNTS} {LENGTHS}"
    f"0000000000000000 0600000000000000 0600000000000000 {DOCUMENTS}",
}
WIDE = {
    "bin": "05000000 06000000 07000000 08000000",
    "idx": f"{HEADER} 04 {COUNTS} {LENGTHS}"
    f"0000000000000000 0c00000000000000 0c00000000000000 {DOCUMENTS}",
}
SHARDS = [[[5, 6, 7], []], [[8]]]
# Two sequences of int64 in one document, then a document without any, as its builder writes them.
SENTENCES = {
    "bin": "0100000000000000 0200000000000000 0300000000000000",
    "idx": f"{HEADER} 05 0200000000000000 0300000000000000 01000000 02000000"
    "0000000000000000 0800000000000000 0000000000000000 0200000000000000 0200000000000000",
}


def write(directory: Path, files: dict[str, str]) -> Path:
    for suffix, content in files.items():
        (directory / f"foreign.{suffix}").write_bytes(bytes.fromhex(content))
    return directory / "foreign"


def documents(corpus: TokenCorpus) -> list[list[int]]:
    return [corpus.tokens(i).tolist() for i in range(len(corpus))]


@pytest.mark.parametrize(("vocabulary", "expected"), [(9, NARROW), (70_000, WIDE)])
def test_what_is_written_is_the_specification_to_the_byte(
    store: Store, tmp_path: Path, vocabulary: int, expected: dict[str, str]
) -> None:
    made = make_tokens(store, SHARDS, vocabulary)
    files = export_megatron(made, tmp_path / "out.v1.bin")
    assert files == (tmp_path / "out.v1.bin", tmp_path / "out.v1.idx")
    assert [file.read_bytes() for file in files] == [
        bytes.fromhex(expected["bin"]),
        bytes.fromhex(expected["idx"]),
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.v1.bin", "out.v1.idx"]


@pytest.mark.parametrize("files", [NARROW, WIDE])
def test_what_others_wrote_is_read(store: Store, tmp_path: Path, files: dict[str, str]) -> None:
    artifact = import_megatron(store, write(tmp_path, files), name="theirs")
    corpus = TokenCorpus.open(store.get("theirs"))
    assert documents(corpus) == [[5, 6, 7], [], [8]]
    # As narrow as the largest id allows, whatever the files had.
    assert (corpus.index.dtype, corpus.index.vocabulary) == ("uint16", 9)
    assert corpus.documents["id"].to_pylist() == ["foreign/0", "foreign/1", "foreign/2"]
    assert artifact.manifest.metrics["documents"] == {"documents": 3, "tokens": 4}


def test_sequences_of_a_document_become_one(store: Store, tmp_path: Path) -> None:
    corpus = TokenCorpus.open(import_megatron(store, write(tmp_path, SENTENCES)))
    assert documents(corpus) == [[1, 2, 3], []]


@settings(deadline=None, max_examples=30)  # each writes to the disk
@given(
    shards=st.lists(st.lists(st.lists(st.integers(0, 70_000), max_size=5), max_size=4), max_size=3)
)
def test_out_and_in_again_changes_nothing(
    shards: list[list[list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("megatron")
    store = Store(directory / "home")
    export_megatron(make_tokens(store, shards, 70_001), directory / "a")
    found = TokenCorpus.open(import_megatron(store, directory / "a"))
    assert documents(found) == [document for shard in shards for document in shard]


def test_what_does_not_fit_into_megatrons_types_is_refused(store: Store, tmp_path: Path) -> None:
    made = make_tokens(store, [[[1]]], (1 << 31) + 1)
    with pytest.raises(UsageError, match="2147483647"):
        export_megatron(made, tmp_path / "out")
    with pytest.raises(UsageError, match="no folder"):
        export_megatron(make_tokens(store, SHARDS, 9), tmp_path / "nowhere" / "out")


def test_half_a_dataset_is_not_found(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, NARROW)
    path.with_suffix(".idx").unlink()
    with pytest.raises(NotFound, match=r"foreign\.idx"):
        import_megatron(store, path)


@pytest.mark.parametrize(
    "files",
    {
        "no magic": NARROW | {"idx": NARROW["idx"].replace("4d4d", "4d4e")},
        "version 2": NARROW | {"idx": NARROW["idx"].replace("00 01000000", "00 02000000")},
        "floats": NARROW | {"idx": NARROW["idx"].replace(" 08 ", " 06 ")},
        "an unknown type": NARROW | {"idx": NARROW["idx"].replace(" 08 ", " 09 ")},
        "another type": NARROW | {"idx": NARROW["idx"].replace(" 08 ", " 04 ")},
        "too short": NARROW | {"idx": NARROW["idx"][:40]},
        "a table less": NARROW | {"idx": NARROW["idx"].removesuffix(" 0300000000000000")},
        "modes of images": NARROW | {"idx": NARROW["idx"] + "000000"},
        "2^63 sequences": NARROW
        | {"idx": NARROW["idx"].replace(COUNTS, "00" * 7 + "80" + "00" * 8)},
        "a negative length": NARROW | {"idx": NARROW["idx"].replace("03000000", "fdffffff", 1)},
        "a pointer elsewhere": NARROW
        | {"idx": NARROW["idx"].replace("0600000000000000", "0400000000000000")},
        "documents backwards": NARROW
        | {"idx": NARROW["idx"].replace("0100000000000000 0200", "0200000000000000 0100")},
        "documents beyond": NARROW
        | {"idx": NARROW["idx"].removesuffix("0300000000000000") + "0900000000000000"},
        "a token less": NARROW | {"bin": "0500 0600 0700"},
        "half a token": NARROW | {"bin": "0500 0600 0700 08"},
        "a negative token": WIDE | {"bin": "05000000 06000000 07000000 ffffffff"},
        "a token too large": SENTENCES | {"bin": "00" * 16 + "0000000001000000"},
    }.items(),
    ids=lambda case: case[0],
)
def test_damaged_datasets_are_refused(
    store: Store, tmp_path: Path, files: tuple[str, dict[str, str]]
) -> None:
    with pytest.raises(CorruptArtifact):
        import_megatron(store, write(tmp_path, files[1]))
    assert store.artifacts() == []


GOOD = {suffix: bytes.fromhex(content) for suffix, content in SENTENCES.items()}


@given(
    cut=st.integers(0, len(GOOD["idx"])),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    junk=st.binary(max_size=20),
)
def test_mutated_files_are_refused_or_read_within_bounds(
    cut: int,
    changes: list[tuple[int, int]],
    junk: bytes,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.getbasetemp()
    content = (
        bytearray(GOOD["idx"][:cut] + junk + GOOD["idx"][cut:]) if junk else bytearray(GOOD["idx"])
    )
    for at, value in changes:
        content[at % len(content)] = value
    (directory / "m.idx").write_bytes(content)
    (directory / "m.bin").write_bytes(GOOD["bin"])
    try:
        shard = open_megatron(directory / "m.bin", directory / "m.idx")
    except CorruptArtifact:
        return
    assert shard.tokens.tobytes() == GOOD["bin"]
    assert shard.offsets[0] == 0
    assert shard.offsets[-1] <= len(shard.tokens)
    assert np.all(np.diff(shard.offsets) >= 0)


@given(index=st.binary(max_size=120), tokens=st.binary(max_size=24))
def test_random_bytes_are_refused(
    index: bytes, tokens: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.getbasetemp()
    (directory / "r.idx").write_bytes(index)
    (directory / "r.bin").write_bytes(tokens)
    with pytest.raises(CorruptArtifact):
        open_megatron(directory / "r.bin", directory / "r.idx")
