"""What is at the lasting place of a store, as this machine knows it.

Beside what a home has of its own, `at/…/` mirrors the names and manifests of the place; bytes come
from there into the home's blobs when they are first used. The mirror is at most `FRESH` seconds
old: whoever reads looks again by then, and where names are watched a thread does, so that nobody
who answers waits for the network. What is made, named or removed is so there first, then here.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from openhearth.errors import HearthError
from openhearth.store.artifact import DIGEST, Artifact, FileEntry, Manifest
from openhearth.store.catalogue import Catalogue
from openhearth.store.disk import explain_disk_errors, locked, write_atomically
from openhearth.store.refs import Refs, file_of
from openhearth.store.remote import AT_ONCE, Remote

if TYPE_CHECKING:
    from openhearth.store.store import Store

FRESH = 5.0  # seconds
AGAIN = 1.0  # seconds after which an unknown name is looked for again

log = logging.getLogger(__name__)


class Mirror(Catalogue):
    """The names and manifests of a place. Processes of a machine share it. Every method raises
    `HearthError` where the place cannot be read or written.
    """

    remote: Remote

    def __init__(self, url: str, root: Path) -> None:
        """Raises `UsageError` or `HearthError` where nothing can be at such a URL."""
        self.remote = Remote(url)
        key = hashlib.sha256(self.remote.url.encode()).hexdigest()[:16]
        super().__init__(root / "at" / key)
        self.refs = SharedRefs(self)
        self._names = Refs(self.directory / "refs")
        self._versions: dict[str, str] = {}  # of names, when this process read them
        self._looked = self.directory / ".looked"
        self._kept = False
        self._trouble = ""  # what was logged last

    # -- reading --------------------------------------------------------------------------------

    def look(self, oldest: float | None = None) -> None:
        """See what is there now, unless that was done within the last `oldest` seconds, else
        within `FRESH`; not even then if a thread does it.
        """
        if self._kept and oldest is None:
            return
        looked = self._looked.stat().st_mtime if self._looked.exists() else 0.0
        if not 0 <= time.time() - looked < (FRESH if oldest is None else oldest):
            self.sync()

    def sync(self) -> None:
        """See what is there now."""
        with self.changing():
            names = self._names_there()
            digests = self._take_manifests()
            self._take_names({name: at for name, at in names.items() if at in digests})
            self._looked.touch()

    def manifest(self, digest: str) -> Manifest:
        self.look()
        if DIGEST.fullmatch(digest) and not self.manifest_path(digest).exists():
            with self.changing():
                self._take(digest, time.time())
        return super().manifest(digest)

    def digests(self) -> list[str]:
        self.look()
        return super().digests()

    def made(self, key: str) -> str | None:
        return self.remote.made(key)

    def restore(self, store: Store, entry: FileEntry) -> None:
        with explain_disk_errors(store.root), locked(store.lock_path, shared=True):
            self.remote.fetch(store, entry)

    def keep(self) -> None:
        """Go on looking, in a thread, as long as this object is used; of trouble the log tells."""
        if not self._kept:
            self._kept = True
            self._look_quietly()
            threading.Thread(target=_keep, args=(weakref.ref(self),), daemon=True).start()

    def _look_quietly(self) -> None:
        try:
            self.look(FRESH / 2)
            self._trouble = ""
        except (HearthError, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("Names are those of before: %s", error)

    def _names_there(self) -> dict[str, str]:
        """Every name and its digest; what this process has read before is not read again."""
        found, here = self.remote.names(), self._names.all()

        def digest(name: str) -> str | None:
            same = self._versions.get(name) == found[name].version
            return here[name] if same and name in here else self.remote.ref(name)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            digests = dict(zip(found, pool.map(digest, found), strict=True))
        self._versions = {name: one.version for name, one in found.items()}
        return {name: at for name, at in digests.items() if at is not None}

    def _take_manifests(self) -> Set[str]:
        there = self.remote.digests()
        here = {path.stem for path in (self.directory / "manifests").glob("[0-9a-f]*.json")}
        for digest in here - there.keys():
            self.manifest_path(digest).unlink(missing_ok=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: self._take(one, there[one].written), there.keys() - here))
        return there.keys()

    def _take(self, digest: str, written: float) -> None:
        data = self.remote.manifest_bytes(digest)
        if data is not None:  # else it was removed meanwhile
            write_atomically(self.manifest_path(digest), data)
            os.utime(self.manifest_path(digest), (written, written))

    def _take_names(self, names: dict[str, str]) -> None:
        here = self._names.all()
        for name in here.keys() - names.keys():
            self._names.drop(name)
        for name, digest in names.items():
            if here.get(name) != digest:
                self._names.set(name, digest)

    # -- writing --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep others of this machine from writing down what is not so any more."""
        with locked(self.directory / ".lock"):
            yield

    def add(self, artifact: Artifact) -> None:
        self.remote.send(artifact)
        with self.changing():
            super().add(artifact)

    def drop(self, digest: str) -> None:
        with self.changing():
            self.remote.drop_manifest(digest)
            super().drop(digest)

    def set_made(self, key: str, digest: str) -> None:
        self.remote.set_made(key, digest)


class SharedRefs(Refs):
    """The names of a mirror."""

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror.directory / "refs")
        self._mirror = mirror

    def get(self, name: str) -> str | None:
        self._mirror.look()
        found = super().get(name)
        if found is None and not DIGEST.fullmatch(name):
            self._mirror.look(AGAIN)
            found = super().get(name)
        return found

    def set(self, name: str, digest: str) -> None:
        file_of(name)
        with self._mirror.changing():
            self._mirror.remote.set_ref(name, digest)
            super().set(name, digest)

    def drop(self, name: str) -> None:
        with self._mirror.changing():
            self._mirror.remote.drop_ref(name)
            super().drop(name)

    def all(self) -> dict[str, str]:
        self._mirror.look()
        return super().all()

    def watched(self) -> None:
        self._mirror.keep()


def _keep(mirror: weakref.ref[Mirror]) -> None:
    while (found := mirror()) is not None:
        found._look_quietly()
        del found
        time.sleep(FRESH / 2)
