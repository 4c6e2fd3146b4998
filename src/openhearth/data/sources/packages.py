"""Installed Python packages as a corpus, with licence and author from their metadata.

`python:installed` is everything installed, `python:NAME,NAME` some of it, `python:stdlib` the
standard library. A package gives at most `MOST` functions, from files in an order that looks
random but is fixed, so that none of them dominates.
"""

from __future__ import annotations

import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Any

from openhearth.data.schema import Corpus, Quarantine
from openhearth.data.sources.functions import documents
from openhearth.data.sources.text import read_text
from openhearth.errors import NotFound

MOST = 200
SKIPPED = {
    "tests",
    "test",
    "testing",
    "_vendor",
    "vendor",
    "vendored",
    "_vendored",
    "site-packages",
}
LICENSE_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


def read_packages(location: str) -> Corpus:
    """The corpus at a location that begins with `python:`.

    Raises:
        NotFound: a named package is not installed, or nothing is.
    """
    wanted = location.removeprefix("python:")
    if wanted == "stdlib":
        return _standard_library(location)
    found = {_normal(d.name): d for d in distributions() if d.metadata["Name"]}
    names = sorted(found) if wanted == "installed" else sorted(map(_normal, wanted.split(",")))
    if missing := [name for name in names if name not in found]:
        raise NotFound(f"{', '.join(missing)} is not installed here: check with `pip list`.")
    versions = [f"{name}=={found[name].version}" for name in names]
    parts = [(name, partial(_distribution, name, found[name])) for name in names]
    return Corpus(location, _digest(versions), parts)


def _distribution(
    name: str, distribution: Distribution, quarantine: Quarantine
) -> list[dict[str, Any]]:
    files = [
        (str(f), Path(str(distribution.locate_file(f))))
        for f in distribution.files or ()
        if f.suffix == ".py" and not SKIPPED.intersection(f.parts)
    ]
    return _some(files, name, quarantine, terms(distribution))


def _standard_library(location: str) -> Corpus:
    root = Path(sysconfig.get_path("stdlib"))
    groups: dict[str, list[tuple[str, Path]]] = {}
    for path in sorted(root.rglob("*.py")):
        inner = path.relative_to(root)
        if not SKIPPED.intersection(inner.parts):
            module = inner.parts[0].removesuffix(".py")
            groups.setdefault(module, []).append((inner.as_posix(), path))
    about = ("PSF-2.0", "Python Software Foundation")

    def reader(module: str, quarantine: Quarantine) -> list[dict[str, Any]]:
        return _some(groups[module], module, quarantine, about)

    parts = [(module, partial(reader, module)) for module in sorted(groups)]
    return Corpus(location, _digest([sys.version]), parts)


def _some(
    files: list[tuple[str, Path]], package: str, quarantine: Quarantine, about: tuple[str, str]
) -> list[dict[str, Any]]:
    """The first `MOST` documents of the files, in their fixed order."""
    rows: list[dict[str, Any]] = []
    for name, path in sorted(files, key=lambda f: _digest([f[0]])):
        source = read_text(path, name, quarantine)
        if source is not None:
            rows += documents(source, name, package, quarantine, about)
        if len(rows) >= MOST:
            break
    return rows[:MOST]


def terms(distribution: Distribution) -> tuple[str, str]:
    """A package's licence and creator, in short; empty where its metadata says nothing."""
    metadata = distribution.metadata
    names = [c.split(" :: ", 1) for c in metadata.get_all("Classifier") or ()]
    found = [LICENSE_CLASSIFIER.match(" :: ".join(c)) for c in names]
    classifiers = [m[1] for m in found if m and m[1] != "OSI Approved"]
    written = (metadata["License"] or "").strip().splitlines()[:1]
    short = [line for line in written if len(line) <= 60 and line != "UNKNOWN"]
    expression = metadata["License-Expression"]
    chosen = expression or (short[0] if short else " AND ".join(classifiers))
    return chosen, next(_people(metadata), "")


def _people(metadata: PackageMetadata) -> Iterator[str]:
    for field in ("Author", "Author-email", "Maintainer", "Maintainer-email"):
        # "Jane Doe <jane@example.org>, ..." without the addresses
        name = re.sub(r"\s*<[^>]*>", "", metadata[field] or "").strip().strip(",")
        if name and "@" not in name and name != "UNKNOWN":
            yield " ".join(name.split())[:80]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
