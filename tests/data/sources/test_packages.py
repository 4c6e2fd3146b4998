"""Installed packages: their modules, with licence and author."""

from __future__ import annotations

import pytest

from openhearth.data import Quarantine, read
from openhearth.data.sources import packages
from openhearth.errors import NotFound
from tests.data.sources.conftest import rows_of


def test_installed_packages_have_licences_and_authors() -> None:
    corpus = read("python:click,hypothesis")
    rows = rows_of(corpus)
    assert {row["source"] for row in rows} == {"click", "hypothesis"}
    for name in ("click", "hypothesis"):
        sizes = [len(row["text"]) for row in rows if row["source"] == name]
        assert sum(sizes[:-1]) < packages.MOST
    assert {row["license"] for row in rows if row["source"] == "hypothesis"} == {"MPL-2.0"}
    assert all(row["creator"] for row in rows if row["source"] == "hypothesis")
    assert not any("/tests/" in row["id"] for row in rows)
    assert rows_of(read("python:click,hypothesis")) == rows


def test_the_standard_library_is_a_corpus() -> None:
    corpus = read("python:stdlib")
    (part,) = [part for part in corpus.parts if part.name == "textwrap"]
    (row,) = [row for rows in part.read(Quarantine()) for row in rows.rows]
    assert (row["id"], row["license"]) == ("textwrap/textwrap.py", "PSF-2.0")
    assert "def indent(" in row["text"]


def test_the_fingerprint_is_of_the_versions() -> None:
    assert read("python:click").fingerprint == read("python:Click").fingerprint
    assert read("python:click").fingerprint != read("python:hypothesis").fingerprint


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(NotFound, match="no-such-package"):
        read("python:no-such-package")
