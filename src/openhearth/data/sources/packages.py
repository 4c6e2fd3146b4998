"""Installed Python packages as a corpus: their modules, with licence and author from the metadata.

`python:installed` is everything installed, `python:NAME,NAME` some of it, `python:stdlib` the
standard library. A package gives some `MOST` bytes, from files in an order that looks random but is
fixed, so that none of them dominates.
"""

from __future__ import annotations

import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache, partial
from importlib.metadata import Distribution, PackageMetadata, distributions
from importlib.metadata import distribution as metadata_of
from pathlib import Path

from openhearth.data.schema import Corpus, Part, Quarantine, Row, Rows, document
from openhearth.data.sources.files import File
from openhearth.data.sources.text import read_text
from openhearth.errors import NotFound

MOST = 300_000
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
    found = {_normal(d.name): d for d in distributions() if _field(d.metadata, "Name")}
    names = sorted(found) if wanted == "installed" else sorted(map(_normal, wanted.split(",")))
    if missing := [name for name in names if name not in found]:
        raise NotFound(f"{', '.join(missing)} is not installed here: check with `pip list`.")
    versions = [f"{name}=={found[name].version}" for name in names]
    parts = [Part(name, partial(_distribution, name)) for name in names]
    return Corpus(location, _digest(versions), parts)


def _distribution(name: str, quarantine: Quarantine) -> list[Rows]:
    distribution = metadata_of(name)
    files = [
        (str(f), Path(str(distribution.locate_file(f))))
        for f in distribution.files or ()
        if f.suffix == ".py" and not SKIPPED.intersection(f.parts)
    ]
    return [Rows(list(_some(files, name, quarantine, terms(distribution))))]


def _standard_library(location: str) -> Corpus:
    modules = sorted({inner.parts[0].removesuffix(".py") for inner, _ in _library_files()})
    parts = [Part(module, partial(_module, module)) for module in modules]
    return Corpus(location, _digest([sys.version]), parts)


def _module(module: str, quarantine: Quarantine) -> list[Rows]:
    files = [
        (inner.as_posix(), path)
        for inner, path in _library_files()
        if inner.parts[0].removesuffix(".py") == module
    ]
    about = ("PSF-2.0", "Python Software Foundation")
    return [Rows(list(_some(files, module, quarantine, about)))]


@cache
def _library_files() -> tuple[tuple[Path, Path], ...]:
    root = Path(sysconfig.get_path("stdlib"))
    found = ((path.relative_to(root), path) for path in sorted(root.rglob("*.py")))
    return tuple((inner, path) for inner, path in found if not SKIPPED.intersection(inner.parts))


def _some(
    files: list[tuple[str, Path]], package: str, quarantine: Quarantine, about: tuple[str, str]
) -> Iterator[Row]:
    """The files, in their fixed order, until they are `MOST` bytes."""
    size = 0
    for name, path in sorted(files, key=lambda f: _digest([f[0]])):
        if size >= MOST:
            return
        text = read_text(File(str(path), name, 0, ""), quarantine)
        if text is not None:
            size += len(text)
            identity = f"{package}/{name}"
            yield document(identity, text, package, terms=about, language="python", path=name)


def terms(distribution: Distribution) -> tuple[str, str]:
    """A package's licence and creator, in short; empty where its metadata says nothing."""
    metadata = distribution.metadata
    names = [c.split(" :: ", 1) for c in metadata.get_all("Classifier") or ()]
    found = [LICENSE_CLASSIFIER.match(" :: ".join(c)) for c in names]
    classifiers = [m[1] for m in found if m and m[1] != "OSI Approved"]
    written = _field(metadata, "License").strip().splitlines()[:1]
    short = [line for line in written if len(line) <= 60 and line != "UNKNOWN"]
    expression = _field(metadata, "License-Expression")
    chosen = expression or (short[0] if short else " AND ".join(classifiers))
    return chosen, next(_people(metadata), "")


def _field(metadata: PackageMetadata, name: str) -> str:
    """Where the package importlib_metadata was imported, what is missing raises."""
    return metadata[name] or "" if name in metadata else ""


def _people(metadata: PackageMetadata) -> Iterator[str]:
    for field in ("Author", "Author-email", "Maintainer", "Maintainer-email"):
        # "Jane Doe <jane@example.org>, ..." without the addresses
        name = re.sub(r"\s*<[^>]*>", "", _field(metadata, field)).strip().strip(",")
        if name and "@" not in name and name != "UNKNOWN":
            yield " ".join(name.split())[:80]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
