"""Files of other tools: what they measured of a server of known truth, and that none crashes us."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.bench.foreign import figures, read_foreign, write_foreign
from openhearth.bench.foreign.results import failure_of
from openhearth.bench.records import Failure, read_records
from openhearth.errors import HearthError, NotFound, UsageError

DATA = Path(__file__).with_name("data")
FILES = [DATA / "guidellm.json", DATA / "aiperf.jsonl"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_truth_of_the_server(path: Path) -> None:
    """200 ms to the first token, 20 ms between tokens, 24 of them: see data/README.md."""
    found = read_foreign(path)
    assert (found.tool, len(found.records)) == (path.stem, 32)
    for record in found.records:
        assert record.completion_tokens == 24
        assert record.sent is not None
        assert record.ended is not None
        assert record.due <= record.sent < record.chunks[0].at < record.chunks[-1].at
        assert record.chunks[-1].at <= record.ended + 1e-3
        assert record.chunks[0].at - record.sent >= 0.2
    (point,) = figures(found)["points"]
    assert point["tpot_ms"]["p50"]["value"] == pytest.approx(20, rel=0.1)
    assert point["errors"] == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_directory_that_is_no_report(path: Path, tmp_path: Path) -> None:
    from openhearth.bench.report.disclosure import read_disclosure

    found = write_foreign(tmp_path / "out", read_foreign(path))
    assert (found["ranked"], found["class"]) == (False, "ungated")
    assert len(read_records(tmp_path / "out" / "records.parquet")) == 32
    assert orjson.loads((tmp_path / "out" / "foreign.json").read_bytes()) == found
    with pytest.raises(UsageError):
        read_disclosure(tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        write_foreign(tmp_path / "out", read_foreign(path))


def test_errors_and_what_was_broken_off(tmp_path: Path) -> None:
    file = orjson.loads(FILES[0].read_bytes())
    requests = file["benchmarks"][0]["requests"]
    requests["errored"] = [requests["successful"].pop()]
    requests["errored"][0]["info"]["error"] = "HTTPStatusError: 429 Too Many Requests"
    requests["incomplete"] = [requests["successful"].pop()]
    (tmp_path / "file").write_bytes(orjson.dumps(file))
    failures = [record.failure for record in read_foreign(tmp_path / "file").records]
    assert failures.count(Failure.RATE_LIMIT) == failures.count(Failure.BROKEN_OFF) == 1
    assert failures.count(None) == 30


def test_errors_in_words() -> None:
    assert failure_of("Server error '503 Service Unavailable'") is Failure.SERVER
    assert failure_of("no", 401) is Failure.KEY
    assert failure_of("404") is Failure.REFUSED
    assert failure_of("ReadTimeout") is Failure.TIMEOUT
    assert failure_of("") is Failure.CONNECTION


def test_what_is_of_no_tool(tmp_path: Path) -> None:
    (tmp_path / "file").write_text('{"benchmarks": []}')
    with pytest.raises(UsageError, match=r"holds no results.*guidellm: .*aiperf: "):
        read_foreign(tmp_path / "file")
    with pytest.raises(NotFound):
        read_foreign(tmp_path / "nothing")


def _bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzzed"
    path.write_bytes(content)
    with suppress(HearthError):
        figures(read_foreign(path))


@given(content=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    _bytes(tmp_path, content)


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_value_anywhere(tmp_path: Path, path: Path, data: st.DataObject) -> None:
    """One value of a file, however deep, becomes another."""
    content = path.read_bytes()
    if path.suffix == ".jsonl":
        lines = content.splitlines()[:3]
        value = orjson.loads(lines[1])
        _change(value, data)
        _bytes(tmp_path, b"\n".join([lines[0], _dumped(value), lines[2]]))
    else:
        value = orjson.loads(content)
        requests = value["benchmarks"][0]["requests"]
        requests["successful"] = requests["successful"][:2]
        _change(value, data)
        _bytes(tmp_path, _dumped(value))


def _change(value: object, data: st.DataObject) -> None:
    while True:
        assert isinstance(value, dict | list)
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(value[key], dict | list) and value[key] and data.draw(st.integers(0, 9)):
            value = value[key]
            continue
        value[key] = data.draw(Json)
        return


def _dumped(value: object) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "surrogatepass")  # NaN and such included


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_byte_anywhere(tmp_path: Path, place: int, byte: int) -> None:
    content = bytearray(FILES[1].read_bytes()[:10_001])
    content[place] = byte
    _bytes(tmp_path, bytes(content))
