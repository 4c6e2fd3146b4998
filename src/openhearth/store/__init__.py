"""The store: immutable artifacts, found by digest or by name, each knowing what it was made from.

In: files and a recipe. Out: `Artifact`s whose bytes are verified when read. It owns everything
under `OPENHEARTH_HOME`, and the promise that a crash leaves either a whole artifact or none.
"""

from openhearth.store.artifact import KINDS, Artifact, FileEntry, Manifest, file_digest
from openhearth.store.disk import explain_disk_errors, home, write_atomically
from openhearth.store.draft import Draft
from openhearth.store.lineage import Lineage, lineage
from openhearth.store.refs import Watch
from openhearth.store.remove import collect, remove
from openhearth.store.store import Store
from openhearth.store.sync import pull, push

__all__ = [
    "KINDS",
    "Artifact",
    "Draft",
    "FileEntry",
    "Lineage",
    "Manifest",
    "Store",
    "Watch",
    "collect",
    "explain_disk_errors",
    "file_digest",
    "home",
    "lineage",
    "pull",
    "push",
    "remove",
    "write_atomically",
]
