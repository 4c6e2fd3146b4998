"""Model files that are broken, or lie: refused, within bounds of memory."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data.scorers import load_scorer
from openhearth.data.scorers.linear import train_linear
from openhearth.data.scorers.ngram import train_ngram
from openhearth.errors import NotFound, UsageError

BOMB = 8 << 20  # bytes
TEXTS = pa.array(["The first text.", "another one\nof two lines", "", "fine text", "1 + 1 == 2"])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("models")
    train_linear([TEXTS], [TEXTS], buckets=61).save(folder / "linear")
    train_ngram([TEXTS], order=2, buckets=61).with_cutoffs([TEXTS]).save(folder / "ngram")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused_or_good(path: Path, content: bytes) -> None:
    """A file is refused as the rules say, or it is a model that scores."""
    path.write_bytes(content)
    try:
        scorer = load_scorer(path)
    except UsageError:
        return
    found = scorer.score(TEXTS)
    assert len(found) == len(TEXTS)
    assert not np.isinf(found).any()


def change(data: st.DataObject, content: bytes) -> bytes:
    """Some bytes flipped, cut out or put in."""
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        taken = data.draw(st.sampled_from([0, 1, 2, 8, len(changed)]))
        changed[at : at + taken] = data.draw(st.binary(max_size=8))
    return bytes(changed)


@pytest.mark.parametrize("kind", ["linear", "ngram"])
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_broken_files(
    data: st.DataObject, kind: str, models: dict[str, bytes], tmp_path_factory
) -> None:
    path = tmp_path_factory.getbasetemp() / "broken"
    refused_or_good(path, change(data, models[kind]))


@given(content=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    refused_or_good(path, content)
    refused_or_good(path, b"PK\x03\x04" + content + b"PK\x05\x06" + bytes(18))


@pytest.mark.parametrize("kind", ["linear", "ngram"])
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_whole_files_with_broken_members(
    data: st.DataObject, kind: str, models: dict[str, bytes], tmp_path_factory
) -> None:
    path = tmp_path_factory.getbasetemp() / "whole"
    members = unpacked(models[kind], path)
    name = data.draw(st.sampled_from(sorted(members)))
    members[name] = change(data, members[name])
    refused_or_good(path, packed(members, path))


def unpacked(content: bytes, path: Path) -> dict[str, bytes]:
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: dict[str, bytes], path: Path, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.read_bytes()


def with_header(members: dict[str, bytes], **fields: object) -> dict[str, bytes]:
    """A model whose header says otherwise, in an array that is in order."""
    header = json.dumps(json.loads(members["header.npy"][128:]) | fields).encode()
    start = members["header.npy"][:128]
    length = str(len(members["header.npy"]) - 128).encode()
    place = start.index(length + b",)")
    text = start[:place] + str(len(header)).encode() + start[place + len(length) :].rstrip()
    return members | {"header.npy": text.ljust(127) + b"\n" + header}


@contextmanager
def little_memory() -> Iterator[None]:
    """At most 4 MiB more are held at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"buckets": 60}, "weights has another size"),
        ({"buckets": 62}, "weights has another size"),
        ({"buckets": (1 << 28) - 1}, "weights has another size"),
        ({"buckets": 1 << 28}, "over the limit"),
        ({"buckets": 1 << 60}, "buckets"),
        ({"buckets": -1}, "buckets"),
        ({"buckets": "many"}, "buckets"),
        ({"version": 2}, "version"),
        ({"kind": "pickle"}, "kind"),
        ({"more": 1}, "more"),
        ({"metrics": {"auc": "x" * (1 << 17)}}, "header is too long"),
    ],
)
def test_headers_that_lie(
    fields: dict, reason: str, models: dict[str, bytes], tmp_path: Path
) -> None:
    members = with_header(unpacked(models["linear"], tmp_path / "m"), **fields)
    packed(members, tmp_path / "lies")
    with little_memory(), pytest.raises(UsageError, match=reason):
        load_scorer(tmp_path / "lies")


def bomb(members: dict[str, bytes]) -> dict[str, bytes]:
    return members | {"weights.npy": members["weights.npy"][:128] + bytes(BOMB)}


@pytest.mark.parametrize(
    "spoil",
    [
        bomb,
        lambda members: {**bomb(members), "header.npy": members["header.npy"] + bytes(BOMB)},
        lambda members: members | {"more.npy": bytes(BOMB)},
        lambda members: with_header(bomb(members), buckets=BOMB // 4),
        lambda members: {"header.npy": members["header.npy"]},
    ],
)
@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs(
    spoil: Callable[[dict[str, bytes]], dict[str, bytes]],
    how: int,
    models: dict[str, bytes],
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb"
    packed(spoil(unpacked(models["linear"], path)), path, how)
    with little_memory(), pytest.raises(UsageError, match="is no model of OpenHearth"):
        load_scorer(path)


def test_a_member_that_hides_its_size(models: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    members = unpacked(models["linear"], path)
    content = bytearray(packed(bomb(members), path))
    wrong, right = (struct.pack("<I", n) for n in (128 + BOMB, len(members["weights.npy"])))
    path.write_bytes(content.replace(wrong, right))
    with little_memory(), pytest.raises(UsageError):
        load_scorer(path)


def test_a_long_list_of_members(models: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "list"
    members = unpacked(models["linear"], path)
    packed(members | {f"{i:060}": b"" for i in range(2000)}, path)
    with little_memory(), pytest.raises(UsageError, match="no archive"):
        load_scorer(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="check its name"):
        load_scorer(tmp_path / "nothing.npz")
    with pytest.raises(UsageError, match="cannot be read"):
        load_scorer(tmp_path)
    (tmp_path / "weights.npz").write_bytes(b"")
    with pytest.raises(UsageError, match="train-scorer"):
        load_scorer(tmp_path / "weights.npz")


def test_weights_that_are_no_numbers(models: dict[str, bytes], tmp_path: Path) -> None:
    members = unpacked(models["linear"], tmp_path / "m")
    for number in (float("nan"), float("inf"), 1e38):
        weights = members["weights.npy"][:-4] + struct.pack("<f", number)
        packed(members | {"weights.npy": weights}, tmp_path / "m")
        with pytest.raises(UsageError, match="weights that are no numbers"):
            load_scorer(tmp_path / "m")
