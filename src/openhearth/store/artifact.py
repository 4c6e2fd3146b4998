"""An artifact: a manifest that names files by digest, and is itself named by its own digest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from openhearth.errors import CorruptArtifact, NotFound

if TYPE_CHECKING:
    from openhearth.store.store import Store

KINDS = ("corpus", "signals", "dataset", "tokenizer", "model", "adapter", "index", "report")
DIGEST = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces, so that equal values have equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_file_name(name: str) -> bool:
    """Whether this names a file within an artifact: relative, `/` between parts, no `..`."""
    path = PurePosixPath(name)
    return (
        name == path.as_posix()
        and name not in ("", ".")
        and not path.is_absolute()
        and not {"..", "\0"} & {*path.parts, *name}
    )


@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact: its digest (SHA-256, hexadecimal) and size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What an artifact is and where it came from.

    Nothing in it depends on the clock or the machine's speed, so that making the same thing again
    gives the same digest. `inputs` maps a role, such as `base`, to the digest of another artifact.
    """

    kind: str
    files: dict[str, FileEntry]
    inputs: dict[str, str] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    license: tuple[str, ...] = ()
    creator: tuple[str, ...] = ()
    code: str = ""

    def to_bytes(self) -> bytes:
        """The canonical JSON whose SHA-256 is the artifact's digest."""
        return canonical_json(asdict(self))

    @property
    def digest(self) -> str:
        """The artifact's name: the SHA-256 of `to_bytes()`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read a manifest, which may come from anywhere; every path and digest in it is checked.

        Raises:
            CorruptArtifact: the bytes are not a manifest.
        """
        try:
            raw = orjson.loads(data)
            raw["files"] = {name: FileEntry(**entry) for name, entry in raw["files"].items()}
            raw["license"] = tuple(raw["license"])
            raw["creator"] = tuple(raw["creator"])
            manifest = cls(**raw)
            manifest.check()
            return manifest
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptArtifact(
                f"A manifest cannot be read ({error}): if it is in your store, `hearth gc` drops "
                "it; if it was pulled, do not use that source."
            ) from error

    def check(self) -> None:
        """Refuse what could lead out of the store or confuse its readers.

        Raises:
            ValueError: saying what is wrong.
        """
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of artifact")
        for name, entry in self.files.items():
            if not is_file_name(name):
                raise ValueError(f"{name!r} is not a file name")
            if not isinstance(entry.size, int) or entry.size < 0:
                raise ValueError(f"{entry.size!r} is not a size in bytes")
        for digest in [*(entry.digest for entry in self.files.values()), *self.inputs.values()]:
            if not DIGEST.fullmatch(digest):
                raise ValueError(f"{digest!r} is not a digest")
        if not isinstance(self.recipe, dict) or not isinstance(self.metrics, dict):
            raise ValueError("recipe and metrics must be objects")
        if not all(isinstance(text, str) for text in (*self.license, *self.creator, self.code)):
            raise ValueError("licences, creators and code must be text")


@dataclass(frozen=True)
class Artifact:
    """An artifact in a store. Its files are checked against their digests on first use."""

    digest: str
    manifest: Manifest
    store: Store = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        return self.manifest.kind

    @property
    def size(self) -> int:
        """Bytes of all its files together."""
        return sum(entry.size for entry in self.manifest.files.values())

    @property
    def created(self) -> int:
        """When it came into this store, in seconds since 1970."""
        return int(self.store.manifest_path(self.digest).stat().st_mtime)

    def path(self, name: str) -> Path:
        """Where the file `name` lies, after its bytes were verified.

        Raises:
            NotFound: the artifact has no such file.
            CorruptArtifact: the bytes do not match the digest.
        """
        entry = self.manifest.files.get(name)
        if entry is None:
            raise NotFound(
                f"Artifact {self.digest[:12]} has no file {name!r}; it has "
                f"{', '.join(sorted(self.manifest.files)) or 'none'}."
            )
        return self.store.verified_blob(entry)

    def read_json(self, name: str) -> Any:
        """The parsed content of a JSON file of this artifact."""
        return orjson.loads(self.path(name).read_bytes())
