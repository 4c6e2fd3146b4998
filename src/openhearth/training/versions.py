"""Versions of a name: `me/bot:1`, `me/bot:2`, …, and `me/bot`, which is the newest."""

from __future__ import annotations

from openhearth.store import Artifact, Store


def publish(store: Store, name: str, artifact: Artifact) -> str:
    """Give an artifact a name, as its next version; return the name with the version.

    A name that has a version is given as it is. The newest version is not given twice. What was
    kept on the way to it is `VERSION-step-STEPS`.

    Raises:
        UsageError: the name cannot name an artifact.
    """
    if ":" in name:
        _tag(store, name, artifact)
        return name
    newest = newest_version(store, name)
    known = store.get(f"{name}:{newest}").digest if newest else None
    versioned = f"{name}:{newest if known == artifact.digest else newest + 1}"
    _tag(store, versioned, artifact)
    store.tag(name, artifact.digest)
    return versioned


def _tag(store: Store, version: str, artifact: Artifact) -> None:
    store.tag(version, artifact.digest)
    for step, digest in artifact.manifest.metrics.get("stages", {}).items():
        store.tag(f"{version}-step-{step}", digest)


def newest_version(store: Store, name: str) -> int:
    """The highest version that a name has, 0 if it has none."""
    tags = (ref.removeprefix(f"{name}:") for ref in store.refs.all() if ref.startswith(f"{name}:"))
    return max((int(tag) for tag in tags if tag.isdecimal()), default=0)


def next_name(start: str) -> str | None:
    """What the next version of a version is called: its name, if it was given by name."""
    name, colon, _ = start.partition(":")
    return name if colon else None
