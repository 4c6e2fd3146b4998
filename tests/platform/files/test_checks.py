"""Lines that are wrong are named, whatever they are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhearth.errors import UsageError
from openhearth.platform.apart import Apart
from openhearth.platform.files import checks
from openhearth.platform.files.checks import check
from openhearth.platform.files.names import safe, suffix_of

REQUEST = {"custom_id": "a", "body": {"model": "m"}}
EXAMPLE = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def lines(*rows: Any) -> bytes:
    return b"".join(
        (row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mine.jsonl"


@pytest.mark.parametrize(
    ("purpose", "rows", "count"),
    [
        ("fine-tune", [EXAMPLE, b"", EXAMPLE], 2),
        ("batch", [REQUEST, REQUEST | {"custom_id": "b", "method": "POST", "url": "/v1/x"}], 2),
        ("eval", [{"a": 1}, {}], 2),
        ("user_data", [b"\xff\x00"], None),
    ],
)
def test_good_files_are_counted(path: Path, purpose: str, rows: Any, count: int | None) -> None:
    path.write_bytes(lines(*rows))
    assert check(path, purpose) == count


@pytest.mark.parametrize(
    ("purpose", "rows", "said"),
    [
        ("fine-tune", [EXAMPLE, b"{"], "Line 2 of mine.jsonl is not JSON"),
        ("fine-tune", [EXAMPLE, b"", {"messages": []}], "Line 3 of mine.jsonl has no list"),
        ("fine-tune", [EXAMPLE, {"text": "a"}], "Line 2 of mine.jsonl is of the format `text`"),
        ("fine-tune", [b" ", b""], "only empty lines"),
        ("batch", [REQUEST, REQUEST], "Line 2 of mine.jsonl has the `custom_id` of line 1"),
        ("batch", [{"body": {}}], "Line 1 of mine.jsonl has no `custom_id`"),
        ("batch", [{"custom_id": "a", "body": []}], "Line 1 of mine.jsonl has no `body`"),
        ("batch", [REQUEST | {"method": "GET"}], "`method`"),
        ("batch", [REQUEST | {"url": "http://elsewhere"}], "`url`"),
        ("batch", [REQUEST | {"custom_id": "a\0"}], "`custom_id`"),
        ("eval", [[1]], "Line 1 of mine.jsonl is a list"),
        ("eval", [b"\xff"], "Line 1 of mine.jsonl is not JSON"),
        ("user_data", [], "empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    path: Path, purpose: str, rows: Any, said: str
) -> None:
    path.write_bytes(lines(*rows))
    with pytest.raises(UsageError, match=r"mine\.jsonl") as error:
        check(path, purpose)
    assert said in str(error.value)


def test_bounds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LONGEST_LINE", 100_000)
    monkeypatch.setattr(checks, "MOST_REQUESTS", 2)
    path.write_bytes(lines({"a": 1}, {"a": "x" * 100_000}))
    with pytest.raises(UsageError, match=r"Line 2 .* longer than"):
        check(path, "eval")
    path.write_bytes(lines(*(REQUEST | {"custom_id": str(n)} for n in range(3))))
    with pytest.raises(UsageError, match=r"Line 3 .* more than the 2th"):
        check(path, "batch")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["custom_id", "body", "method", "url", "messages", "prompt", "completion",
                        "text", "chosen", "rejected", "input", "preferred_output"])  # fmt: skip
ROWS = st.dictionaries(KEYS, JSON, max_size=5).map(lambda row: json.dumps(row).encode())


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["fine-tune", "batch", "eval"]),
    st.lists(ROWS | st.binary(max_size=30), max_size=4),
)
def test_whatever_comes_is_counted_or_refused(path: Path, purpose: str, rows: list[bytes]) -> None:
    path.write_bytes(lines(*rows))
    try:
        assert 1 <= (check(path, purpose) or 0) <= len(rows) + sum(r.count(b"\n") for r in rows)
    except UsageError as error:
        assert path.name in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.jsonl", "a.jsonl"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.csv", "y.csv"),
        ("", "file"),
        ("..", "file"),
        ("\0\n", "file"),
        ("a\0b\n.jsonl", "ab.jsonl"),
        ("Grüße 🔥.jsonl", "Grüße 🔥.jsonl"),
        ("\ud800x.jsonl", "x.jsonl"),
    ],
)
def test_names_are_made_safe(name: str, kept: str) -> None:
    assert safe(name) == kept


@given(st.text())
def test_safe_names_are_parts_of_paths(name: str) -> None:
    kept = safe(name)
    assert kept not in ("", ".", "..")
    assert not set(kept) & set("/\\\0\n")
    assert len(kept.encode()) <= 200
    assert safe(kept) == kept
    assert len(suffix_of(kept)) <= 9


def test_what_is_large_is_checked_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(path: Path, purpose: str) -> None:
        raise AssertionError

    monkeypatch.setattr(checks, "DIRECTLY", 10)
    monkeypatch.setattr(checks, "check", here)  # of this process, and of no other
    path.write_bytes(lines({"a": 1}, {"b": 2}))
    apart = Apart()
    assert asyncio.run(checks.check_apart(apart, path, "eval", "proj_a")) == 2
    path.write_bytes(lines({"a": 1}, b"{"))
    with pytest.raises(UsageError, match=r"Line 2 of mine.jsonl is not JSON"):
        asyncio.run(checks.check_apart(apart, path, "eval", "proj_a"))
