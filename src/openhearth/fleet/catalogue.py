"""What can be asked for: every name in the store that means a model or an adapter that writes text.

Names are read again when they have changed, so a new model, or a new version under an old name, is
there at once. A version is known by its digest, and what is known of it never changes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError, NotFound
from openhearth.inference.check import Sizes
from openhearth.inference.request import ModelCard
from openhearth.inference.served import card_of
from openhearth.models import base_of, config_of, writes_text
from openhearth.store import Artifact, Store, Watch

KEPT = 32  # tokenizers in memory
SHOWN = 8  # names in an error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """What a name means now: a model, or an adapter for one."""

    card: ModelCard
    base: Artifact
    sizes: Sizes


class Catalogue:
    """The models of a store. May be used from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._names = Watch(store.refs)
        self._called: dict[str, str] = {}  # name -> digest
        self._versions: dict[str, Version] = {}
        self._known: dict[str, Version | None] = {}
        self._damaged: set[str] = set()
        self._tokenizer = lru_cache(KEPT)(lambda digest: Tokenizer.load(store.load(digest)))

    def versions(self) -> dict[str, Version]:
        """Every name, and what it means now."""
        with self._lock:
            if (names := self._names.news()) is not None:
                self._called = names
            if names is not None or self._damaged:  # which may be whole again
                self._versions = self._look(self._called)
            return self._versions

    def find(self, name: str) -> Version:
        """What a name means now.

        Raises:
            NotFound: no model or adapter that writes text has this name.
        """
        versions = self.versions()
        if name not in versions:
            shown = [*sorted(versions)[:SHOWN], *["…"] * (len(versions) > SHOWN)]
            raise NotFound(
                f"The model {name!r} is not served here: use one of {', '.join(shown)}."
                if shown
                else f"The model {name!r} is not served here, nor is any: `hearth pull` brings one."
            )
        return versions[name]

    def tokenizer(self, version: Version) -> Tokenizer:
        """Its tokenizer, which is that of its base.

        Raises:
            CorruptArtifact: its files are damaged.
        """
        return self._tokenizer(version.base.digest)

    def _look(self, names: dict[str, str]) -> dict[str, Version]:
        called = {digest: name for name, digest in reversed(names.items())}
        for digest in called.keys() - self._known.keys():
            try:
                self._known[digest] = _examine(self._store.load(digest))
            except (HearthError, OSError) as error:
                if digest not in self._damaged:
                    log.warning("%s is not served: %s", called[digest], error)
                self._damaged.add(digest)
        self._damaged &= called.keys() - self._known.keys()
        return {
            name: _under(name, version, called)
            for name, digest in names.items()
            if (version := self._known.get(digest))
        }


def _examine(artifact: Artifact) -> Version | None:
    """A version whose name is not known yet, if it can be asked."""
    if not writes_text(artifact):
        return None
    base = base_of(artifact)
    config = config_of(base)
    card = card_of("", artifact, config.context_length)
    return Version(card, base, Sizes(config.vocab_size, config.context_length))


def _under(name: str, version: Version, called: Mapping[str, str]) -> Version:
    base = version.base.digest
    of = None if base == version.card.digest else called.get(base, base)
    return replace(version, card=replace(version.card, name=name, base=of))
