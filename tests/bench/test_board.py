"""A board takes what holds, and puts side by side only what may be."""

from __future__ import annotations

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench import board as boards
from openhearth.bench.board import Board, build
from openhearth.bench.report.disclosure import FILE, Disclosure
from openhearth.bench.report.write import write
from openhearth.errors import UsageError
from tests.bench import builders

NOW = builders.BEGAN + 86400
EVIL = "</td><script>alert(1)</script>"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("reports")
    key = tmp_path_factory.mktemp("key") / "key.pem"
    write(place / "long", builders.a_long_run(), key)
    made = builders.session(builders.RECIPE, [builders.Server(workers=4)], stake=EVIL, model=EVIL)
    made.point("ranked")
    write(place / "deeper" / "unpriced", builders.measurement(made), key)
    write(place / "short", builders.a_run(), key)
    write(place / "partial", builders.broken_off(), key)
    shutil.copytree(place / "long", place / "twice")
    shutil.copytree(place / "short", place / f"bad {EVIL.replace('/', '')}")
    (place / f"bad {EVIL.replace('/', '')}" / "report.json").write_text("{}")
    (place / "damaged").mkdir()
    (place / "damaged" / FILE).write_text("{}")
    return place


@pytest.fixture(scope="module")
def built(reports: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Board, Path]:
    out = tmp_path_factory.mktemp("board") / "site"
    return build(reports, out, NOW), out


def test_what_holds_is_shown_once_and_the_rest_refused(built: tuple[Board, Path]) -> None:
    board, out = built
    assert board.shown == 2
    assert sorted(row["why"] for row in board.unranked) == ["partial", "short"]
    assert sorted(one.where.split()[0] for one in board.refused) == ["bad", "damaged"]
    assert any(one.why.startswith("report.json: its bytes") for one in board.refused)
    assert json.loads((out / "data.json").read_bytes()) == json.loads(json.dumps(board.to_dict()))


def test_names_of_files_are_digests(built: tuple[Board, Path]) -> None:
    board, out = built
    pages = {path.stem for path in (out / "reports").iterdir()}
    rows = [row for table in board.tables for row in table.rows] + board.unranked
    assert pages == {row["report"] for row in rows}
    assert all(len(name) == 64 and int(name, 16) for name in pages)
    assert {path.name for path in out.iterdir()} == {
        "data.json", "index.html", "refused.html", "reports",
    }  # fmt: skip


class Elements(HTMLParser):
    """The names of a page's elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append(tag)


def test_hostile_text_stays_text(built: tuple[Board, Path]) -> None:
    _, out = built
    index = (out / "index.html").read_text()
    assert Elements(index).found.count("script") == 1  # the board's own
    assert "stake" in index
    for path in [out / "refused.html", *(out / "reports").iterdir()]:
        assert "script" not in Elements(path.read_text()).found


def row(**rest: Any) -> dict[str, Any]:
    usual = dict.fromkeys(boards.COMMON, "same")
    numbers = {
        "cost": None,
        "dollars": None,
        "useful_tokens": 1.0,
        "capacity": None,
        "goodput": 1.0,
    }
    return usual | numbers | {"why": None, "report": "0" * 64} | rest


@pytest.mark.parametrize("name", boards.COMMON)
def test_what_differs_is_not_ranked_together(name: str) -> None:
    tables = boards._tables([row(), row(**{name: "other"}), row()])
    assert sorted(len(table.rows) for table in tables) == [1, 2]


def test_less_money_is_first_then_more_capacity() -> None:
    rows = [
        row(report="a", capacity=1.0),
        row(report="b", capacity=3.0),
        row(report="c", capacity=1.0, dollars=2.0),
        row(report="d", capacity=9.0, dollars=5.0),
    ]
    (table,) = boards._tables(rows)
    assert [one["report"] for one in table.rows] == ["c", "d", "b", "a"]
    assert table.frontier is not None


def test_entries_end_after_a_year_and_none_comes_from_the_future(
    reports: Path, tmp_path: Path
) -> None:
    only = tmp_path / "reports"
    shutil.copytree(reports / "long", only / "long")
    later = build(only, tmp_path / "later", NOW + 367 * 86400)
    assert (later.shown, len(later.unranked)) == (0, 1)
    assert later.unranked[0]["why"].startswith("ended")
    sooner = build(only, tmp_path / "sooner", NOW - 30 * 86400)
    assert "future" in sooner.refused[0].why


def test_a_board_takes_the_place_of_a_board_and_of_nothing_else(
    built: tuple[Board, Path], tmp_path: Path
) -> None:
    _, out = built
    (tmp_path / "none").mkdir()
    site = tmp_path / "none" / "site"
    shutil.copytree(out, site)
    assert build(tmp_path / "none", site, NOW).shown == 0
    assert list((site / "reports").glob("*")) == []
    assert "No entry is ranked yet." in (site / "index.html").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("x")
    with pytest.raises(UsageError, match="holds something else"):
        build(tmp_path / "none", tmp_path / "mine", NOW)
    with pytest.raises(UsageError, match="is no directory"):
        build(tmp_path / "nowhere", tmp_path / "new", NOW)


def test_links_are_not_followed(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "link").symlink_to(reports / "long")
    found = build(tmp_path / "reports", tmp_path / "site", NOW)
    assert (found.shown, found.refused) == (0, [])


def hostile(place: Path, **told: Any) -> Path:
    """A disclosure that says this, signed by nobody."""
    place.mkdir(parents=True)
    disclosure = json.loads(builders.a_run().disclosure.to_bytes()) | told
    (place / FILE).write_text(json.dumps(disclosure))
    return place


HOSTILE: dict[str, dict[str, Any]] = {
    "not a number": {"created": float("nan")},
    "infinite": {"created": float("inf")},
    "large number": {"seed": 10**400},
    "many servers": {"entries": [{"url": "u", "model": "m"}] * 10_000},
    "many points": {"points": [{}] * 20_000},
    "long text": {"reference": "x" * 10**6},
    "long name": {"x" * 10**6: 1},
    "half a character": {"beacon": "\ud800"},
    "escaping file": {"files": {"../../etc/passwd": "0" * 64}},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_absurd_disclosures_are_refused_and_listed(what: str, tmp_path: Path) -> None:
    hostile(tmp_path / "reports" / what, **HOSTILE[what])
    board = build(tmp_path / "reports", tmp_path / "site", NOW)
    (refused,) = board.refused
    assert refused.where == what
    assert 0 < len(refused.why) <= boards.LONGEST + 1


def test_deep_large_and_linked_files_are_refused_before_they_are_read(
    reports: Path, tmp_path: Path
) -> None:
    place = tmp_path / "reports"
    (hostile(place / "deep") / FILE).write_text("[" * 100_000)
    with (hostile(place / "large") / "records.parquet").open("wb") as file:
        file.truncate(1 << 40)
    with (hostile(place / "huge") / FILE).open("ab") as file:
        file.truncate(1 << 40)
    shutil.copytree(reports / "long", place / "linked")
    (place / "linked" / "records.parquet").unlink()
    (place / "linked" / "records.parquet").symlink_to(reports / "long" / "records.parquet")
    os.mkfifo(hostile(place / "pipe") / "report.json")
    os.mkdir(os.fsencode(place) + b"/\xff<script>")
    shutil.copy(place / "deep" / FILE, os.fsencode(place).decode() + os.fsdecode(b"/\xff<script>"))
    board = build(place, tmp_path / "site", NOW)
    why = {one.where: one.why for one in board.refused}
    assert set(why) == {"deep", "large", "huge", "linked", "pipe", "?<script>"}
    assert "more than" in why["large"]
    assert "larger" in why["huge"]
    assert "is no file" in why["linked"]
    assert "is no file" in why["pipe"]
    assert "script" not in Elements((tmp_path / "site" / "refused.html").read_text()).found


def test_folders_are_looked_at_so_deep_and_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "reports"
    hostile(place.joinpath(*"a" * boards.DEEPEST), seed=-1)
    hostile(place.joinpath(*"b" * (boards.DEEPEST + 1)), seed=-1)
    assert len(build(place, tmp_path / "site", NOW).refused) == 1
    monkeypatch.setattr(boards, "MOST_FOLDERS", 5)
    with pytest.raises(UsageError, match="boards of parts"):
        build(place, tmp_path / "site", NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(list(Disclosure.model_fields)), value=JSON)
def test_whatever_a_field_says_the_board_is_built(name: str, value: Any) -> None:
    with TemporaryDirectory() as folder:
        hostile(Path(folder, "reports", "one"), **{name: value})
        board = build(Path(folder, "reports"), Path(folder, "site"), NOW)
    assert (board.shown, len(board.refused)) == (0, 1)
