"""Pages: their main text, by either extractor, and what no page may do to the run."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import read
from openhearth.data.sources import html, text
from openhearth.errors import MissingExtra
from tests.data.sources.conftest import rows_of

PROSE = "The garden gives what the kitchen needs, and the guests eat what there is. " * 5
PAGE = (
    "<html><head><script>evil()</script></head><body><nav><a href='/'>menu</a></nav>"
    f"<main><h1>About us</h1><p>{PROSE}</p></main><footer>Imprint</footer></body></html>"
)
EXTRACTORS = [html.RESILIPARSE, html.TRAFILATURA]


@pytest.mark.parametrize("kind", [None, "html", "html-trafilatura"])
def test_pages_become_their_main_text(kind: str | None, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.html").write_text(PAGE)
    (row,) = rows_of(read(str(tmp_path), kind))
    assert (row["id"], row["source"]) == ("site/a.html", "site")
    assert PROSE.strip() in row["text"]
    assert not any(word in row["text"] for word in ("evil", "menu", "<p>"))


def test_what_is_no_page_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "LARGEST", 1000)
    (tmp_path / "empty.html").write_bytes(b"")
    (tmp_path / "script.html").write_text("<html><script>only()</script></html>")
    (tmp_path / "large.html").write_text("<p>" + "x" * 1000)
    (tmp_path / "good.html").write_text("<p>Good.</p>")
    corpus = read(str(tmp_path))
    assert [row["text"] for row in rows_of(corpus)] == ["Good."]
    assert corpus.quarantine.counts == {"a page without text": 2, "larger than 0 MiB": 1}


def test_a_page_that_takes_too_long_is_set_aside_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "CPU_SECONDS", 0.3)
    monkeypatch.setattr(html, "_idle", type(html._idle)(list))
    (tmp_path / "a.html").write_text("<p>Good.</p>")
    (tmp_path / "b.html").write_text("<div>x" * 200_000)  # main content takes hours at this depth
    (tmp_path / "c.html").write_text("<p>Good too.</p>")
    corpus = read(str(tmp_path))
    assert [row["id"] for row in rows_of(corpus)] == ["a.html", "c.html"]
    html._stop_idle()
    assert corpus.quarantine.examples == [
        {
            "reason": "unreadable (the extractor failed: too much time or memory)",
            "where": "b.html",
        }
    ]


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("tag", ["span", "table", "a", "li"])
def test_deep_nesting_ends_nothing(tag: str, extractor: str) -> None:
    page = f"<html><body>{f'<{tag}>x ' * 3000}</body></html>"
    assert isinstance(html.main_text(page.encode(), extractor), str)


def test_threads_use_a_process_each() -> None:
    pages = [f"<p>Page number {i}.</p>".encode() for i in range(60)]
    with ThreadPoolExecutor(3) as pool:
        texts = list(pool.map(html.main_text, pages))
    assert texts == [f"Page number {i}." for i in range(60)]
    assert all(len(workers) <= 4 for workers in html._idle.values())


def test_a_process_that_was_killed_is_replaced() -> None:
    assert html.main_text(b"<p>One.</p>") == "One."
    for workers in html._idle.values():
        for worker in workers:
            worker._process.kill()
            worker._process.wait()
    while any(html._idle.values()):
        with pytest.raises(ValueError, match="extractor failed"):
            html.main_text(b"<p>Lost.</p>", next(name for (_, name), w in html._idle.items() if w))
    assert html.main_text(b"<p>Two.</p>") == "Two."


def test_an_extractor_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(html.EXTRAS, "absent", "html")
    with pytest.raises(MissingExtra, match=r"absent.*openhearth\[html\]"):
        html.main_text(b"<p>x</p>", "absent")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_no_bytes_end_the_reading(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(PAGE.encode())
    for _ in range(chance.randint(1, 30)):
        place = chance.randrange(len(data))
        data[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 5))
    charset = chance.choice(["", "utf-8", "koi8-r", "utf-16", "\ud800", "x" * 1000])
    assert isinstance(html.main_text(bytes(data), charset=charset), str)
